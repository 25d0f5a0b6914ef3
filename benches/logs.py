#!/usr/bin/env python3
"""Throughput of log paths: a flood of lines through each supervisor into a file, nothing lost.

    benches/logs.py [--infra PATH] [--bytes N] [--peers DIR] [--only NAME …] [--dir DIR]

One service writes `--bytes` (1 GB) of numbered lines, one write(2) a line, first of 100 bytes,
then of 4 KiB. Time runs from its first write until the last line is in the file; the file is then
read back: lines are counted and hashed without what the tool puts before them. Beside `infra run`
stand `writer | cat > file` (the bound), s6-log, svlogd, supervisord and pm2, as far as they are
found; `--peers` is a directory with unpacked packages (`usr/bin`, `venv/bin`,
`node_modules/.bin`). A benchmark, not a test: it says what was lost and goes on.
"""

import argparse
import glob
import gzip
import hashlib
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
WRITER = r"""
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
/* writer SIZE COUNT FILE: COUNT lines of SIZE bytes; then the times of begin and end into FILE. */
int main(int argc, char **argv) {
  size_t size = atol(argv[1]); long count = atol(argv[2]); char *line = malloc(size + 32);
  struct timespec a, b;
  memset(line, 'x', size); line[size - 1] = '\n';
  clock_gettime(CLOCK_MONOTONIC, &a);
  for (long n = 0; n < count; n++) {
    long rest = n;
    for (int i = 11; i >= 0; i--) { line[i] = '0' + rest % 10; rest /= 10; }
    for (size_t at = 0; at < size;) {
      ssize_t got = write(1, line + at, size - at);
      if (got < 0) return 1;
      at += got;
    }
  }
  clock_gettime(CLOCK_MONOTONIC, &b);
  FILE *f = fopen(argv[3], "w");
  fprintf(f, "%.6f %.6f\n", a.tv_sec + a.tv_nsec / 1e9, b.tv_sec + b.tv_nsec / 1e9);
  fclose(f);
  if (argc > 4) pause();
  return 0;
}
"""


class Case:
    def __init__(self, args, scratch, size):
        self.size, self.count = size, args.bytes // size
        self.infra, self.dir, self.times = args.infra, scratch / str(size), scratch / f"times-{size}"
        shutil.rmtree(self.dir, ignore_errors=True)
        self.dir.mkdir()
        # There before anything runs: what is made beside the store later may not be written to.
        self.times.write_text("")
        self.words = [str(scratch / "writer"), str(size), str(self.count), str(self.times)]

    def last(self):
        return b"%012d" % (self.count - 1)


class Memory(threading.Thread):
    """The largest resident memory of processes, by their VmHWM."""

    def __init__(self, pids):
        super().__init__(daemon=True)
        self.pids, self.peak, self.over = pids, 0, threading.Event()
        self.start()

    def run(self):
        while not self.over.wait(0.02):
            total = 0
            for pid in list(self.pids):
                try:
                    status = pathlib.Path(f"/proc/{pid}/status").read_text()
                    total += int(re.search(r"VmHWM:\s+(\d+)", status)[1])
                except (OSError, TypeError):
                    pass
            self.peak = max(self.peak, total)

    def end(self):
        self.over.set()
        self.join()
        return self.peak / 1024


def tool(name, args):
    for place in ("usr/bin", "usr/sbin", "venv/bin", "node_modules/.bin"):
        path = pathlib.Path(args.peers or "/nonexistent") / place / name
        if path.exists():
            return str(path)
    return shutil.which(name)


def pipe(case, reader):
    """`writer | reader`; gives the processes."""
    writer = subprocess.Popen(case.words, stdout=subprocess.PIPE)
    out = reader(writer.stdout)
    writer.stdout.close()
    return [out.pid], lambda: (writer.wait(), out.wait())


def cat(case, args):
    target = open(case.dir / "out", "wb")
    return pipe(case, lambda source: subprocess.Popen(["cat"], stdin=source, stdout=target))


def s6_log(case, args):
    words = [tool("s6-log", args), "-b", "n1000", "s99999999", "l65536", str(case.dir / "out")]
    return pipe(case, lambda source: subprocess.Popen(words, stdin=source, env=args.env))


def svlogd(case, args):
    (case.dir / "out").mkdir()
    (case.dir / "out" / "config").write_text("s0\nn0\n")
    words = [tool("svlogd", args), "-l", "8192", "-b", "65536", str(case.dir / "out")]
    return pipe(case, lambda source: subprocess.Popen(words, stdin=source, env=args.env))


def supervisord(case, args):
    config = case.dir / "supervisord.conf"
    config.write_text(
        f"[supervisord]\nnodaemon=true\nlogfile=/dev/null\nlogfile_maxbytes=0\n"
        f"pidfile={case.dir}/pid\n[program:w]\ncommand={' '.join(case.words)} stay\n"
        f"autorestart=false\nstartsecs=0\nstdout_logfile={case.dir}/out\nstdout_logfile_maxbytes=0\n")
    process = subprocess.Popen([tool("supervisord", args), "-c", str(config)],
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return [process.pid], lambda: (wait_for_last(case), process.terminate(), process.wait())


def pm2(case, args):
    env = dict(args.env, PM2_HOME=str(case.dir / "home"), HOME=str(case.dir))
    own = tool("pm2", args)
    subprocess.run([own, "start", case.words[0], "--interpreter", "none", "--no-autorestart",
                    "--name", "w", "--output", str(case.dir / "out"), "--error", "/dev/null", "--",
                    *case.words[1:], "stay"], env=env, check=True, stdout=subprocess.DEVNULL,
                   stderr=subprocess.DEVNULL)
    pid = int((case.dir / "home" / "pm2.pid").read_text())
    return [pid], lambda: (wait_for_last(case), subprocess.run(
        [own, "kill"], env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))


def infra(case, args, limits='size = "1024GiB"'):
    project = case.dir / "project"
    (project / "profiles").mkdir(parents=True)
    (project / "tools" / "bin").mkdir(parents=True)
    shutil.copy(case.words[0], project / "tools" / "bin" / "writer")
    words = ", ".join(f'"{w}"' for w in ["writer", *case.words[1:], "stay"])
    (project / "profiles" / "dev.toml").write_text(
        f'data = "data"\n[dep]\ntools = "path:tools"\n[service.w]\ncommand = [{words}]\n'
        f'restart = "never"\n[logs]\n{limits}\n')
    env = {k: v for k, v in os.environ.items() if not k.startswith("INFRA_")}
    env |= {"INFRA_STORE": str(case.dir / "store"), "INFRA_PROJECT": str(project)}
    for step in (["dep", "lock"], ["env", "build"]):
        subprocess.run([case.infra, *step, "-q"], env=env, check=True, stdout=subprocess.DEVNULL)
    up = subprocess.run([case.infra, "runtime", "up", "-q", "--json"], env=env, check=True,
                        stdout=subprocess.PIPE)
    pid = json.loads(up.stdout)["supervisor"]
    (case.dir / "out").symlink_to(project / "data" / "logs")
    return [pid], lambda: (wait_for_last(case), subprocess.run(
        [case.infra, "runtime", "down", "-q"], env=env, check=True))


def infra_rotating(case, args):
    return infra(case, args, 'size = "10MiB"\nkeep = 1000')


TOOLS = {"cat": cat, "infra run": infra, "infra run, 10 MiB files": infra_rotating,
         "s6-log": s6_log, "svlogd": svlogd, "supervisord": supervisord, "pm2": pm2}


def files(case):
    """Log files, oldest first."""
    out = case.dir / "out"
    if not out.is_dir():
        return [out]
    found = [f for f in glob.glob(f"{out}/*") if re.search(r"(^|/)(@|current$|w\.log)", f)]
    number = lambda f: int((re.search(r"\.log\.(\d+)", f) or [0, 1 << 60])[1])
    return sorted(found, key=lambda f: (f.endswith("current"), number(f), f))


def wait_for_last(case):
    """Until the last line is there; its time stands for the end of the whole."""
    end = time.monotonic() + 600
    while time.monotonic() < end:
        for file in reversed(files(case)[-2:]):
            try:
                with open(file, "rb") as f:
                    f.seek(max(0, os.path.getsize(file) - 4 * case.size - 4096))
                    if case.last() + b"x" in f.read():
                        case.seen = time.monotonic()
                        return
            except OSError:
                pass
        time.sleep(0.002)


def read_back(case):
    """How many of the lines are there, and whether all are as they were written."""
    count, whole, tail = 0, hashlib.sha256(), b"x" * (case.size - 13) + b"\n"
    for name in files(case):
        opened = gzip.open(name) if str(name).endswith(".gz") else open(name, "rb")
        with opened as f:
            for line in f:
                if line.endswith(tail):
                    count += 1
                    whole.update(line[-case.size:])
    return count, whole.hexdigest()


def expected(case):
    whole, tail = hashlib.sha256(), b"x" * (case.size - 13) + b"\n"
    for n in range(case.count):
        whole.update(b"%012d" % n + tail)
    return whole.hexdigest()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--infra", default=str(ROOT / "target" / "release" / "infra"))
    parser.add_argument("--bytes", type=int, default=1_000_000_000)
    parser.add_argument("--peers")
    parser.add_argument("--only", nargs="*")
    parser.add_argument("--sizes", type=int, nargs="*", default=[100, 4096])
    parser.add_argument("--dir", help="where files are written; a temporary directory")
    args = parser.parse_args()
    args.env = dict(os.environ)
    if args.peers:
        libs = ":".join(glob.glob(f"{args.peers}/usr/lib/*") + glob.glob(f"{args.peers}/lib/*"))
        args.env["LD_LIBRARY_PATH"] = libs
    scratch = pathlib.Path(tempfile.mkdtemp(prefix="infra-bench-", dir=args.dir))
    try:
        (scratch / "writer.c").write_text(WRITER)
        subprocess.run(["cc", "-O2", "-static", "-o", str(scratch / "writer"),
                        str(scratch / "writer.c")], check=True)
        for size in args.sizes:
            print(f"{args.bytes / 1e9:g} GB in lines of {size} bytes")
            right, bound = None, None
            for name, start in TOOLS.items():
                if args.only and name not in args.only and name != "cat":
                    continue
                program = name.split()[0]
                if program != "infra" and not tool(program, args):
                    print(f"  {name:26} (not installed)")
                    continue
                case = Case(args, scratch, size)
                right = right or expected(case)
                os.sync()
                pids, wait = start(case, args)
                memory = Memory(pids)
                wait()
                end = getattr(case, "seen", time.monotonic())
                peak = memory.end()
                begin = float(case.times.read_text().split()[0])
                rate = case.count * size / (end - begin) / 1e6
                bound = bound or rate
                count, found = read_back(case)
                lost = "all lines, hash equal" if found == right else f"{case.count - count} lines lost"
                if found != right and count == case.count:
                    lost = "all lines, order or bytes differ"
                print(f"  {name:26} {rate:7.0f} MB/s  {rate / bound * 100:4.0f} % of cat"
                      f"   peak memory {peak:6.1f} MB   {lost}", flush=True)
    finally:
        subprocess.run(["chmod", "-R", "u+w", str(scratch)], check=False)
        shutil.rmtree(scratch, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
