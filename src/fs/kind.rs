//! What kind of filesystem a path lies on, and whether another machine serves it.
//!
//! Knows the kinds whose locks, renames or durability are another machine's; says nothing of the
//! others. Invariant: asking changes nothing, and a system that does not tell gives `None`.

use std::path::Path;

/// A filesystem that is served from elsewhere, or by a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Filesystem {
    /// Its name, as `mount` has it.
    pub name: &'static str,
}

/// Magic numbers of `statfs(2)` (linux/magic.h, and the kinds' own sources).
#[cfg(target_os = "linux")]
const REMOTE: [(u32, &str); 13] = [
    (0x0000_6969, "nfs"),
    (0x0000_517b, "smb"),
    (0xff53_4d42, "cifs"),
    (0xfe53_4d42, "smb2"),
    (0x0102_1997, "9p"),
    (0x6573_5546, "fuse"),
    (0x00c3_6400, "ceph"),
    (0x5346_414f, "afs"),
    (0x6b41_4653, "afs"),
    (0x7375_7245, "coda"),
    (0x0bd0_0bd0, "lustre"),
    (0x4750_4653, "gpfs"),
    (0x1916_1930, "beegfs"),
];

/// The filesystem of the nearest directory that exists, when it is one of those kinds.
#[cfg(target_os = "linux")]
pub fn filesystem(path: &Path) -> Option<Filesystem> {
    let stat = path.ancestors().find_map(|path| rustix::fs::statfs(path).ok())?;
    // The field is as wide as a register; the numbers have 32 bits.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "see above")]
    named(stat.f_type as u32)
}

/// Unknown here.
#[cfg(not(target_os = "linux"))]
pub fn filesystem(_path: &Path) -> Option<Filesystem> {
    None
}

#[cfg(target_os = "linux")]
fn named(number: u32) -> Option<Filesystem> {
    let found = REMOTE.iter().find(|(known, _)| *known == number);
    found.map(|(_, name)| Filesystem { name })
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn kinds_by_number() {
        assert_eq!(named(0x6969).map(|it| it.name), Some("nfs"));
        // ext4, XFS, btrfs, tmpfs, overlay.
        for local in [0xef53, 0x5846_5342, 0x9123_683e, 0x0102_1994, 0x794c_7630] {
            assert_eq!(named(local), None);
        }
    }

    #[test]
    fn a_path_that_is_not_there_is_on_its_directorys() {
        assert_eq!(filesystem(Path::new("/proc/no/such/file")), None);
    }
}
