//! A directory of the project as the same listing that an archive gives.
//!
//! Reads names and kinds; the store copies. Refuses nothing: what may not be added is the store's
//! business. Invariant: entries are sorted, parents before children.

use std::io::Read as _;
use std::path::Path;

use crate::archive::{Entry, EntryKind};
use crate::base::RelPath;
use crate::fs::{self, Context as _};

/// Every entry below a directory whose name is UTF-8.
pub fn list(directory: &Path) -> fs::Result<Vec<Entry>> {
    let mut out = Vec::new();
    walk(directory, "", &mut out)?;
    out.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(out)
}

fn walk(directory: &Path, prefix: &str, out: &mut Vec<Entry>) -> fs::Result<()> {
    for name in fs::read_dir_names(directory)? {
        // The store says what it makes of a name that it cannot keep.
        let Some(text) = name.to_str() else { continue };
        let Ok(path) = RelPath::new(format!("{prefix}{text}")) else { continue };
        let full = directory.join(&name);
        let meta = fs::lstat(&full)?;
        let kind = if meta.is_dir() {
            EntryKind::Directory
        } else if meta.is_symlink() {
            let target = fs::read_link(&full)?.to_string_lossy().into_owned();
            EntryKind::Symlink { target }
        } else if meta.is_file() {
            EntryKind::File { executable: is_executable(&meta), size: meta.len() }
        } else {
            continue;
        };
        let below = (kind == EntryKind::Directory).then(|| format!("{path}/"));
        out.push(Entry { path, kind });
        if let Some(prefix) = below {
            walk(&full, &prefix, out)?;
        }
    }
    Ok(())
}

fn is_executable(meta: &std::fs::Metadata) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    meta.permissions().mode() & 0o100 != 0
}

/// The first `len` bytes of a file, fewer when it is shorter.
pub fn head(file: &Path, len: usize) -> fs::Result<Vec<u8>> {
    let mut out = Vec::with_capacity(len);
    fs::open(file)?.take(len as u64).read_to_end(&mut out).context("read", file)?;
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_like_an_archive() {
        let dir = tempfile::tempdir().expect("tempdir");
        let root = dir.path();
        fs::create_dir_all(&root.join("bin")).expect("mkdir");
        fs::write_atomic(&root.join("bin/tool"), b"#!/bin/sh\n").expect("write");
        fs::chmod(&root.join("bin/tool"), 0o755).expect("chmod");
        fs::write_atomic(&root.join("a.txt"), b"x").expect("write");
        fs::symlink(Path::new("bin/tool"), &root.join("link")).expect("link");
        let shown: Vec<_> = list(root)
            .expect("list")
            .into_iter()
            .map(|e| format!("{} {:?}", e.path, e.kind))
            .collect();
        assert_eq!(
            shown,
            [
                "a.txt File { executable: false, size: 1 }",
                "bin Directory",
                "bin/tool File { executable: true, size: 10 }",
                "link Symlink { target: \"bin/tool\" }",
            ]
        );
        assert_eq!(head(&root.join("bin/tool"), 2).expect("head"), b"#!");
        assert_eq!(head(&root.join("a.txt"), 8).expect("head"), b"x");
    }
}
