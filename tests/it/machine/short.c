/* Every read and write of a regular file does half of what it is asked for, and every second write is
   interrupted before it does anything: what a full pipe, a slow server or a signal may do. How often
   is written to the file that SHORTENED names. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

static atomic_uint calls, shortened, interrupted;

/* Half of n for a regular file, n for anything else; 0 when the call is to be interrupted. */
static size_t part(int fd, size_t n) {
    struct stat meta;
    if (n < 2 || fstat(fd, &meta) != 0 || !S_ISREG(meta.st_mode)) return n;
    if (atomic_fetch_add(&calls, 1) % 2 == 0) return 0;
    atomic_fetch_add(&shortened, 1);
    return (n + 1) / 2;
}

#define PART(fd, n)                  \
    size_t some = part(fd, n);       \
    if (some == 0 && (n) != 0) {     \
        atomic_fetch_add(&interrupted, 1); \
        errno = EINTR;               \
        return -1;                   \
    }

/* Reads are cut short, and not interrupted: a regular file's are not by any local filesystem. */
static size_t half(int fd, size_t n) {
    size_t some = part(fd, n);
    if (some != 0) return some;
    atomic_fetch_add(&shortened, 1);
    return (n + 1) / 2;
}

ssize_t read(int fd, void *to, size_t n) {
    return syscall(SYS_read, fd, to, n == 0 ? 0 : half(fd, n));
}

ssize_t write(int fd, const void *from, size_t n) {
    PART(fd, n)
    return syscall(SYS_write, fd, from, some);
}

ssize_t pread64(int fd, void *to, size_t n, off64_t at) {
    return syscall(SYS_pread64, fd, to, n == 0 ? 0 : half(fd, n), at);
}

ssize_t pwrite64(int fd, const void *from, size_t n, off64_t at) {
    PART(fd, n)
    return syscall(SYS_pwrite64, fd, from, some, at);
}

/* The first piece alone, and of it a part. */
ssize_t writev(int fd, const struct iovec *all, int count) {
    struct stat meta;
    if (count > 0 && fstat(fd, &meta) == 0 && S_ISREG(meta.st_mode)) {
        for (int n = 0; n < count; n++)
            if (all[n].iov_len > 0) return write(fd, all[n].iov_base, all[n].iov_len);
    }
    return syscall(SYS_writev, fd, all, count);
}

ssize_t copy_file_range(int in, off64_t *from, int out, off64_t *to, size_t n, unsigned flags) {
    /* Never interrupted by a signal before it has done something. */
    return syscall(SYS_copy_file_range, in, from, out, to, n == 0 ? 0 : half(out, n), flags);
}

__attribute__((destructor)) static void told(void) {
    const char *path = getenv("SHORTENED");
    char text[64];
    int length, fd;
    if (path == NULL || (fd = open(path, O_WRONLY | O_CREAT | O_APPEND, 0666)) < 0) return;
    length = snprintf(text, sizeof text, "%u %u\n", shortened, interrupted);
    syscall(SYS_write, fd, text, length);
    close(fd);
}
