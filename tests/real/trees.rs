//! Trees in which hashing could go wrong.

use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;

fn file(path: &Path, bytes: &[u8]) {
    std::fs::create_dir_all(path.parent().expect("parent")).expect("create");
    std::fs::write(path, bytes).expect("write");
}

fn program(path: &Path, bytes: &[u8]) {
    file(path, bytes);
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).expect("chmod");
}

/// Bytes that do not repeat within a block (xorshift).
fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    };
    let mut bytes: Vec<u8> =
        std::iter::repeat_with(&mut next).take(length / 8 + 1).flatten().collect();
    bytes.truncate(length);
    bytes
}

/// Makes each tree in a directory of its own below `parent`; gives their names. Every tree has a
/// command, `bin/it`, so that it can be a dep.
pub fn make(parent: &Path) -> Vec<&'static str> {
    type Fill = fn(&Path);
    let trees: [(&str, Fill); 8] = [
        ("plain", |_| ()),
        ("empty", |dir| {
            file(&dir.join("empty-file"), b"");
            std::fs::create_dir_all(dir.join("empty/one/in/another")).expect("create");
            program(&dir.join("empty-program"), b"");
        }),
        ("order", |dir| {
            for name in [
                "a/b",
                "a/B",
                "a-b",
                "a.b",
                "ab",
                "A1",
                "Z",
                "_",
                "~",
                "a b",
                "a+",
                "a0",
                "a/b-c",
                "aa/",
                "0",
                "é",
                "e\u{301}x",
                "ß",
                "日本語",
                "\u{10ffff}",
                "\u{e000}",
                "a=1",
                "!",
                "#",
                "(",
                "a,b",
                "a@",
                "[",
                "{",
            ] {
                match name.strip_suffix('/') {
                    Some(name) => std::fs::create_dir_all(dir.join(name)).expect("create"),
                    None => file(&dir.join(name), name.as_bytes()),
                }
            }
        }),
        ("links", |dir| {
            file(&dir.join("target"), b"t");
            for (name, to) in [
                ("to-file", "target"),
                ("to-directory", "bin"),
                ("dangling", "nowhere/at/all"),
                ("unicode", "日本語"),
                ("long", &*format!("bin/{}", "../bin/".repeat(30))),
            ] {
                symlink(to, dir.join(name)).expect("link");
            }
            std::fs::create_dir(dir.join("deep")).expect("create");
            symlink("../target", dir.join("deep/up")).expect("link");
        }),
        ("modes", |dir| {
            for mode in [0o400, 0o444, 0o600, 0o640, 0o644, 0o700, 0o755, 0o744, 0o555, 0o500] {
                let path = dir.join(format!("mode-{mode:o}"));
                file(&path, b"same");
                std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode))
                    .expect("chmod");
            }
        }),
        ("sizes", |dir| {
            for size in [1, 7, 8, 9, 15, 16, 17, 4095, 4096, 4097, 65_535, 65_536, 65_537] {
                file(&dir.join(format!("size-{size}")), &noise(size));
            }
        }),
        ("large", |dir| {
            file(&dir.join("noise"), &noise(5 << 20));
            file(&dir.join("uneven"), &noise((5 << 20) + 3));
            file(&dir.join("zeros"), &vec![0; 5 << 20]);
        }),
        ("nested", |dir| {
            let deep: String = (0..40).map(|n| format!("level-{n}/")).collect();
            file(&dir.join(deep).join("bottom"), b"here");
        }),
    ];
    for (name, fill) in trees {
        let dir = parent.join(name);
        program(&dir.join("bin/it"), format!("#!/bin/sh\necho {name}\n").as_bytes());
        fill(&dir);
    }
    trees.iter().map(|t| t.0).collect()
}
