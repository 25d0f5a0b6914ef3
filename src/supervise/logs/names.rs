//! The names of a service's log files.
//!
//! `NAME.log` is written; `NAME.log.N` are its predecessors, a higher number being newer, and
//! `NAME.log.N.gz` is one that was compressed. A number is given once: files are never renamed
//! again, so that a reader and the compressor can work while the log goes on.
//! Invariant: where both forms of a number are there, the compressed one is whole (it comes by
//! rename) and the other is left over.

use std::path::{Path, PathBuf};

use crate::fs;

/// What a compressed file's name ends with.
const GZ: &str = ".gz";
/// What a half-compressed file's name ends with.
const PART: &str = ".gz.part";

/// A predecessor of the current file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Old {
    pub(super) number: u64,
    pub(super) path: PathBuf,
    pub(super) compressed: bool,
}

/// What lies beside a current file.
#[derive(Debug, Default)]
pub(super) struct Family {
    /// By number, oldest first; one for each number.
    pub(super) old: Vec<Old>,
    /// Half-compressed files, and files whose compressed form is there.
    pub(super) left_over: Vec<PathBuf>,
}

fn with(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// The predecessor with a number, as it is before it is compressed.
pub(super) fn numbered(current: &Path, number: u64) -> PathBuf {
    with(current, &format!(".{number}"))
}

/// A predecessor's name once it is compressed.
pub(super) fn compressed(old: &Path) -> PathBuf {
    with(old, GZ)
}

/// Where it is compressed to.
pub(super) fn partial(old: &Path) -> PathBuf {
    with(old, PART)
}

/// Looks for the predecessors of a current file.
pub(super) fn family(current: &Path) -> fs::Result<Family> {
    let mut family = Family::default();
    let (Some(dir), Some(own)) = (current.parent(), current.file_name()) else {
        return Ok(family);
    };
    for name in fs::read_dir_names_if_exists(dir)? {
        let rest = name.to_str().and_then(|n| n.strip_prefix(own.to_str()?)?.strip_prefix('.'));
        let Some(rest) = rest else { continue };
        let path = dir.join(&name);
        if let Some(number) = rest.strip_suffix(PART) {
            if number.parse::<u64>().is_ok() {
                family.left_over.push(path);
            }
            continue;
        }
        let (number, compressed) = rest.strip_suffix(GZ).map_or((rest, false), |n| (n, true));
        // `01` would be a second name for 1.
        if let Ok(parsed) = number.parse::<u64>()
            && parsed.to_string() == number
        {
            family.old.push(Old { number: parsed, path, compressed });
        }
    }
    family.old.sort_by_key(|o| (o.number, !o.compressed));
    let Family { old, left_over } = &mut family;
    old.dedup_by(|second, first| {
        let twice = second.number == first.number;
        if twice {
            left_over.push(second.path.clone());
        }
        twice
    });
    Ok(family)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_family_is_sorted_by_number_and_knows_what_is_left_over() {
        let dir = tempfile::tempdir().unwrap();
        let touch = |n: &str| fs::write_atomic(&dir.path().join(n), b"").unwrap();
        for name in [
            "s.log",
            "s.log.2.gz",
            "s.log.10",
            "s.log.9",
            "s.log.9.gz",
            "s.log.11.gz.part",
            "s.log.01",
            "s.log.x",
            "ss.log.1",
            "s.logs.1",
        ] {
            touch(name);
        }
        let found = family(&dir.path().join("s.log")).unwrap();
        let shown: Vec<_> = found.old.iter().map(|o| (o.number, o.compressed)).collect();
        assert_eq!(shown, [(2, true), (9, true), (10, false)]);
        let mut rest: Vec<_> = found.left_over.iter().map(|p| p.file_name().unwrap()).collect();
        rest.sort();
        assert_eq!(rest, ["s.log.11.gz.part", "s.log.9"]);
    }
}
