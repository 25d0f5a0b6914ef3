//! How the loaders of Linux find a library: the cache of `ldconfig`, and default directories.
//!
//! Pure over bytes. References: ld.so(8), glibc's `dl-cache.h` for the form of the cache, musl's
//! `ldso/dynlink.c` for its path file. Invariant: no bytes make it panic; what cannot be read to
//! its end gives what was read until there.

use memchr::memmem;

use crate::base::Arch;

const MAGIC: &[u8] = b"glibc-ld.so.cache1.1";
const HEADER: usize = 48;
const ENTRY: usize = 24;

/// Where the cache says that a library of a machine lies; several, best first.
pub(super) fn in_cache(cache: &[u8], name: &str, arch: Arch) -> Vec<String> {
    // Written after another form in older systems; its offsets count from here.
    let Some(start) = memmem::find(cache, MAGIC) else { return Vec::new() };
    let cache = &cache[start..];
    let count = u32_at(cache, MAGIC.len()).unwrap_or(0);
    let mut out = Vec::new();
    for n in 0..count {
        let at = HEADER + ENTRY * n;
        let (Some(flags), Some(key), Some(value)) =
            (u32_at(cache, at), u32_at(cache, at + 4), u32_at(cache, at + 8))
        else {
            break;
        };
        if flags == flags_of(arch) && text_at(cache, key) == Some(name.as_bytes()) {
            let path = text_at(cache, value).unwrap_or_default();
            out.push(String::from_utf8_lossy(path).into_owned());
        }
    }
    out
}

/// The flags of a machine's 64-bit libraries: ELF for glibc, and its kind.
const fn flags_of(arch: Arch) -> usize {
    match arch {
        Arch::X86_64 => 0x0303,
        Arch::Aarch64 => 0x0a03,
    }
}

fn u32_at(bytes: &[u8], at: usize) -> Option<usize> {
    let four = bytes.get(at..at.checked_add(4)?)?.try_into().ok()?;
    usize::try_from(u32::from_le_bytes(four)).ok()
}

fn text_at(bytes: &[u8], at: usize) -> Option<&[u8]> {
    let rest = bytes.get(at..)?;
    Some(&rest[..memchr::memchr(0, rest)?])
}

/// The machine as loaders and multi-arch directories spell it.
pub(super) const fn machine(arch: Arch) -> &'static str {
    match arch {
        Arch::X86_64 => "x86_64",
        Arch::Aarch64 => "aarch64",
    }
}

/// The directories that glibc's loader looks into last, on any distribution; a file of another
/// machine in them is passed over.
pub(super) fn glibc_directories(arch: Arch) -> Vec<String> {
    let multi = format!("{}-linux-gnu", machine(arch));
    let mut out = vec![format!("lib/{multi}"), format!("usr/lib/{multi}")];
    out.extend(["lib64", "usr/lib64", "lib", "usr/lib"].map(str::to_owned));
    out
}

/// The directories of musl's loader: what its path file says, else its own.
pub(super) fn musl_directories(path_file: Option<&str>) -> Vec<String> {
    let text = path_file.unwrap_or("/lib:/usr/local/lib:/usr/lib");
    let parts = text.split([':', '\n']).map(|part| part.trim().trim_start_matches('/'));
    parts.filter(|part| !part.is_empty()).map(str::to_owned).collect()
}

/// Libraries that musl's loader is itself.
pub(super) fn is_musl_itself(name: &str) -> bool {
    const PARTS: [&str; 7] = ["c", "pthread", "rt", "m", "dl", "util", "xnet"];
    let stem = name.strip_prefix("lib").and_then(|rest| rest.split('.').next());
    stem.is_some_and(|stem| PARTS.contains(&stem)) || name.starts_with("ld-musl-")
}

/// The version that glibc's own library gives of itself: `… release version 2.36.`
pub(super) fn glibc_banner(library: &[u8]) -> Option<Vec<u32>> {
    const WORDS: &[u8] = b" release version ";
    let start = memmem::find(library, b"GNU C Library")?;
    let line = library.get(start..library.len().min(start + 256))?;
    let after = &line[memmem::find(line, WORDS)? + WORDS.len()..];
    let end = after.iter().position(|b| !b.is_ascii_digit() && *b != b'.')?;
    let text = std::str::from_utf8(&after[..end]).ok()?;
    text.trim_end_matches('.').split('.').map(|part| part.parse().ok()).collect()
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A cache of name, flags and path.
    pub(in crate::binary) fn cache(entries: &[(&str, u32, &str)]) -> Vec<u8> {
        let mut strings = Vec::new();
        let mut rows = Vec::new();
        let base = HEADER + ENTRY * entries.len();
        for (name, flags, path) in entries {
            rows.extend(flags.to_le_bytes());
            for text in [name, path] {
                rows.extend(u32::try_from(base + strings.len()).expect("small").to_le_bytes());
                strings.extend(text.bytes().chain([0]));
            }
            rows.extend([0; 12]);
        }
        let mut out = MAGIC.to_vec();
        out.extend(u32::try_from(entries.len()).expect("small").to_le_bytes());
        out.extend(u32::try_from(strings.len()).expect("small").to_le_bytes());
        out.resize(HEADER, 0);
        [out, rows, strings].concat()
    }

    #[test]
    fn finds_what_is_for_the_machine() {
        let bytes = cache(&[
            ("libz.so.1", 0x0003, "/lib32/libz.so.1"),
            ("libz.so.1", 0x0303, "/lib/libz.so.1"),
            ("libz.so", 0x0303, "/lib/libz.so"),
        ]);
        for bytes in [bytes.clone(), [b"ld.so-1.7.0\0\0\0\0\0".to_vec(), bytes].concat()] {
            assert_eq!(in_cache(&bytes, "libz.so.1", Arch::X86_64), ["/lib/libz.so.1"]);
            assert!(in_cache(&bytes, "libz.so.1", Arch::Aarch64).is_empty());
            assert!(in_cache(&bytes, "libz", Arch::X86_64).is_empty());
        }
    }

    #[test]
    fn words_of_the_loaders() {
        let text = b"x\0GNU C Library (Here 2.36-9) stable release version 2.36.\nCopyright";
        assert_eq!(glibc_banner(text), Some(vec![2, 36]));
        assert_eq!(glibc_banner(b"GNU C Library"), None);
        assert_eq!(musl_directories(None), ["lib", "usr/local/lib", "usr/lib"]);
        assert_eq!(musl_directories(Some("/a\n/b:/c\n")), ["a", "b", "c"]);
        for own in ["libc.so", "libc.musl-x86_64.so.1", "libm.so.6", "ld-musl-x86_64.so.1"] {
            assert!(is_musl_itself(own), "{own}");
        }
        assert!(!is_musl_itself("libz.so.1") && !is_musl_itself("libcurl.so.4"));
    }

    proptest! {
        #[test]
        fn garbage_does_no_harm(rest in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = in_cache(&rest, "libz.so.1", Arch::X86_64);
            let _ = in_cache(&[MAGIC, &rest].concat(), "libz.so.1", Arch::X86_64);
            let _ = glibc_banner(&[b"GNU C Library release version ", rest.as_slice()].concat());
        }
    }
}
