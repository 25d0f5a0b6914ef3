//! Tests of resolving, with fakes for everything outside.

use super::super::fakes::{File, TRUE_BASE, World, dep, elf, file, tar, wishes};
use super::*;
use crate::base::{CommandName, Diagnose as _, Integrity, Kind, RelPath};
use crate::lock::{Proof, stale, to_bytes};
use crate::source::Commands;

const LINUX: Platform = Platform::X86_64Linux;
const ARM: Platform = Platform::Aarch64Linux;

fn world() -> World {
    let world = World::new();
    for version in ["1.0.0", "1.1.0", "2.0.0"] {
        for platform in [LINUX, ARM] {
            world.publish("tool-bin", version, platform, file("tool", version, platform));
        }
    }
    world
}

fn version(lock: &Lock, name: &str) -> String {
    lock.deps[&dep(name)].version.to_string()
}

#[test]
fn pins_every_platform_and_keeps_only_the_hosts_artifact() {
    let world = world();
    let wishes = wishes(&[("tool", "pypi:tool-bin", "^1")]);
    let lock = world.resolve(&wishes, None, &Mode::Keep).expect("resolve");
    assert!(stale(&lock, &wishes).is_empty());
    assert_eq!(version(&lock, "tool"), "1.1.0");
    let rows = &lock.deps[&dep("tool")].platforms;
    let pin = |p| rows[&p].pin().expect("pin");
    let [linux, arm] = [pin(LINUX), pin(ARM)];
    assert_ne!(linux.tree, arm.tree);
    let command = CommandName::new("tool").expect("command");
    assert_eq!(linux.bin[&command].as_str(), "bin/tool");
    assert_eq!(linux.verified, [Proof::RegistryHash]);
    assert_eq!(linux.needs, None);
    let cached = |pin: &crate::lock::Pin| {
        let integrity = &pin.artifact.as_ref().expect("artifact").integrity;
        world.store.artifacts().contains(integrity).expect("look")
    };
    assert!(cached(linux));
    assert!(!cached(arm));
}

#[test]
fn locking_again_asks_nobody_and_changes_no_byte() {
    let world = world();
    let wishes = wishes(&[("tool", "pypi:tool-bin", "^1")]);
    let lock = world.resolve(&wishes, None, &Mode::Keep).expect("resolve");
    world.traffic();
    world.publish("tool-bin", "1.2.0", LINUX, file("tool", "1.2.0", LINUX));
    let again = world.resolve(&wishes, Some(&lock), &Mode::Keep).expect("resolve");
    assert_eq!(to_bytes(&again).expect("bytes"), to_bytes(&lock).expect("bytes"));
    assert_eq!(world.traffic(), (vec![], vec![]));
}

#[test]
fn other_words_keep_version_and_rows() {
    let world = world();
    let old = world
        .resolve(&wishes(&[("tool", "pypi:tool-bin", "^1.0")]), None, &Mode::Keep)
        .expect("resolve");
    world.traffic();
    let wishes = wishes(&[("tool", "pypi:tool-bin", ">=1")]);
    let lock = world.resolve(&wishes, Some(&old), &Mode::Keep).expect("resolve");
    assert_eq!(version(&lock, "tool"), "1.1.0", "2.0.0 fits, but nothing had to move");
    assert_eq!(lock.deps[&dep("tool")].platforms, old.deps[&dep("tool")].platforms);
    assert!(world.traffic().0.is_empty(), "offers are compared, nothing is fetched");
    assert!(stale(&lock, &wishes).is_empty());
}

#[test]
fn a_new_platform_leaves_the_other_rows_alone() {
    let world = world();
    let mut wishes = wishes(&[("tool", "pypi:tool-bin", "^1")]);
    wishes.platforms.remove(&ARM);
    let old = world.resolve(&wishes, None, &Mode::Keep).expect("resolve");
    world.traffic();
    wishes.platforms.insert(ARM);
    wishes.platforms.insert(Platform::X86_64Windows);
    let lock = world.resolve(&wishes, Some(&old), &Mode::Keep).expect("resolve");
    let (fetched, asked) = world.traffic();
    assert_eq!(fetched, [format!("{TRUE_BASE}/tool-1.1.0-aarch64-linux.tar")]);
    assert!(asked.iter().all(|a| !a.contains("x86_64-linux")), "{asked:?}");
    let rows = &lock.deps[&dep("tool")].platforms;
    assert_eq!(rows[&LINUX], old.deps[&dep("tool")].platforms[&LINUX]);
    assert!(matches!(rows[&Platform::X86_64Windows], Row::Unavailable { .. }));
}

#[test]
fn an_update_moves_what_it_names() {
    let world = world();
    for platform in [LINUX, ARM] {
        world.publish("other-bin", "1.0.0", platform, file("other", "1.0.0", platform));
    }
    let wishes = wishes(&[("tool", "pypi:tool-bin", "*"), ("other", "pypi:other-bin", "*")]);
    let old = world.resolve(&wishes, None, &Mode::Keep).expect("resolve");
    for platform in [LINUX, ARM] {
        world.publish("tool-bin", "3.0.0", platform, file("tool", "3.0.0", platform));
        world.publish("other-bin", "3.0.0", platform, file("other", "3.0.0", platform));
    }
    let mode = Mode::Update([dep("tool")].into());
    let lock = world.resolve(&wishes, Some(&old), &mode).expect("resolve");
    assert_eq!(version(&lock, "tool"), "3.0.0");
    assert_eq!(lock.deps[&dep("other")], old.deps[&dep("other")]);
    let lock = world.resolve(&wishes, Some(&lock), &Mode::UpdateAll).expect("resolve");
    assert_eq!(version(&lock, "other"), "3.0.0");

    let mode = Mode::Update([dep("tol")].into());
    let error = world.resolve(&wishes, Some(&old), &mode).expect_err("refused");
    assert_eq!(error.to_string(), "no profile asks for a dep `tol`");
    assert_eq!(error.hints()[0].to_string(), "did you mean `tool`?");
}

#[test]
fn a_changed_file_is_refused_unless_an_update_asks() {
    let world = world();
    let old = world
        .resolve(&wishes(&[("tool", "pypi:tool-bin", "^1")]), None, &Mode::Keep)
        .expect("resolve");
    let mut changed = file("tool", "1.1.0", LINUX);
    changed.bytes = tar(&[("bin/tool", &elf(LINUX, "other"))]);
    world.publish("tool-bin", "1.1.0", LINUX, changed);
    let wishes = wishes(&[("tool", "pypi:tool-bin", "^1.1")]);
    let error = world.resolve(&wishes, Some(&old), &Mode::Keep).expect_err("refused");
    assert!(matches!(error, Error::Changed { .. }), "{error}");
    assert_eq!(error.kind(), Kind::Integrity);
    assert_eq!(error.details().len(), 2);
    let lock = world.resolve(&wishes, Some(&old), &Mode::UpdateAll).expect("resolve");
    assert!(world.warnings().iter().any(|w| w.contains("changed in its source")));
    assert!(crate::lock::diff(&old, &lock).iter().any(crate::lock::Change::is_alarming));
}

#[test]
fn a_lying_artifact_is_refused() {
    let world = World::new();
    world.publish("tool-bin", "1.0.0", LINUX, file("tool", "1.0.0", LINUX));
    world.publish("tool-bin", "1.0.0", ARM, file("tool", "1.0.0", ARM));
    let mut lie = file("tool", "1.0.0", ARM);
    lie.bytes = tar(&[("bin/tool", &elf(LINUX, "x"))]);
    world.publish("tool-bin", "1.0.0", ARM, lie);
    let wishes = wishes(&[("tool", "pypi:tool-bin", "*")]);
    let error = world.resolve(&wishes, None, &Mode::Keep).expect_err("refused");
    assert_eq!(error.kind(), Kind::Integrity);
    let text = error.to_string();
    assert!(text.contains("`tool` 1.0.0 (aarch64-linux)"), "{text}");
    assert!(text.contains("`bin/tool`"), "{text}");
}

#[test]
fn other_bytes_than_published_are_refused_for_host_and_foreign() {
    for platform in [LINUX, ARM] {
        let world = World::new();
        let honest = file("tool", "1.0.0", platform);
        let url = format!("{TRUE_BASE}/{}", honest.name);
        let mut evil = honest.bytes.clone();
        evil[600] ^= 1;
        world.publish("tool-bin", "1.0.0", platform, honest);
        world.serve(&url, &evil);
        let mut wishes = wishes(&[("tool", "pypi:tool-bin", "*")]);
        wishes.platforms = [platform].into();
        let error = world.resolve(&wishes, None, &Mode::Keep).expect_err("refused");
        assert_eq!(error.kind(), Kind::Integrity, "{error}");
        assert!(matches!(error, Error::Lied { .. }), "{error}");
        assert!(error.to_string().contains("sha256 mismatch"), "{error}");
    }
}

#[test]
fn one_file_for_two_platforms_is_fetched_once() {
    let world = World::new();
    let script = File {
        name: "tool-1.0.0-any.tar".to_owned(),
        bytes: tar(&[("tool.sh", b"#!/bin/sh\n")]),
        published_hash: false,
        commands: Commands::Named(
            [(CommandName::new("tool").expect("command"), RelPath::new("tool.sh").expect("path"))]
                .into(),
        ),
    };
    let expected = Integrity::sha256_of(&script.bytes);
    for platform in [LINUX, ARM] {
        world.publish("tool-bin", "1.0.0", platform, script.clone());
    }
    let wishes = wishes(&[("tool", "pypi:tool-bin", "*")]);
    let lock = world.resolve(&wishes, None, &Mode::Keep).expect("resolve");
    assert_eq!(world.traffic().0.len(), 1);
    let rows = &lock.deps[&dep("tool")].platforms;
    assert_eq!(rows[&LINUX], rows[&ARM]);
    let pin = rows[&LINUX].pin().expect("pin");
    assert_eq!(pin.verified, [Proof::FirstUse]);
    assert_eq!(pin.artifact.as_ref().expect("artifact").integrity, expected);
    assert!(world.store.artifacts().contains(&expected).expect("look"), "the host's is kept");
}

#[test]
fn a_tree_without_commands_is_warned_of() {
    let world = World::new();
    for platform in [LINUX, ARM] {
        let mut data = file("data", "1.0.0", platform);
        data.bytes = tar(&[("share/x", b"x")]);
        world.publish("data", "1.0.0", platform, data);
    }
    let wishes = wishes(&[("data", "pypi:data", "*")]);
    let lock = world.resolve(&wishes, None, &Mode::Keep).expect("resolve");
    assert!(lock.deps[&dep("data")].platforms[&LINUX].pin().expect("pin").bin.is_empty());
    assert_eq!(
        world.warnings(),
        ["`data` 1.0.0 offers no command (aarch64-linux, x86_64-linux); if it should, name its \
          files under `bin`"]
    );
}

#[test]
fn what_nobody_can_have_is_refused() {
    let world = World::new();
    world.publish("tool", "1.0.0", Platform::X86_64Windows, file("tool", "1.0.0", LINUX));
    let wishes = wishes(&[("tool", "pypi:tool", "*")]);
    let error = world.resolve(&wishes, None, &Mode::Keep).expect_err("refused");
    assert!(matches!(error, Error::Nowhere { .. }), "{error}");
    assert_eq!(error.details().len(), 2);
}

#[test]
fn a_file_that_only_asking_shows_to_be_missing_is_not_available() {
    let world = World::new();
    for platform in [LINUX, Platform::Aarch64Linux] {
        let mut file = file("tool", "1.0.0", platform);
        file.published_hash = false;
        world.publish("tool", "1.0.0", platform, file);
    }
    world.server.files.lock().expect("lock").retain(|url, _| !url.contains("aarch64"));
    let wishes = wishes(&[("tool", "pypi:tool", "*")]);
    let lock = world.resolve(&wishes, None, &Mode::Keep).expect("resolve");
    let rows = &lock.deps[&dep("tool")].platforms;
    assert!(rows[&LINUX].pin().is_some());
    let Row::Unavailable { reason } = &rows[&Platform::Aarch64Linux] else { panic!("row") };
    assert_eq!(reason, "its source has no file `tool-1.0.0-aarch64-linux.tar`");
}

#[test]
fn a_directory_of_the_project_is_read_anew_each_time() {
    let world = World::new();
    let bin = world.directory("tools").join("bin");
    crate::fs::create_dir_all(&bin).expect("mkdir");
    crate::fs::write_atomic(&bin.join("go"), b"#!/bin/sh\n").expect("write");
    crate::fs::chmod(&bin.join("go"), 0o755).expect("chmod");
    let mut wishes = wishes(&[("tools", "path:tools", "*")]);
    let old = world.resolve(&wishes, None, &Mode::Keep).expect("resolve");
    let pin = old.deps[&dep("tools")].platforms[&LINUX].pin().expect("pin");
    assert_eq!(pin.artifact, None);
    assert_eq!(pin.verified, [Proof::Local]);
    assert_eq!(pin.bin.values().next().expect("command").as_str(), "bin/go");
    assert!(world.store.get(&pin.object).expect("get").is_some());
    let again = world.resolve(&wishes, Some(&old), &Mode::Keep).expect("resolve");
    assert_eq!(again, old);
    crate::fs::write_atomic(&bin.join("go2"), &elf(LINUX, "")).expect("write");
    wishes.platforms.insert(Platform::Aarch64Darwin);
    let new = world.resolve(&wishes, Some(&old), &Mode::Keep).expect("resolve");
    let rows = &new.deps[&dep("tools")].platforms;
    assert_ne!(rows[&LINUX], old.deps[&dep("tools")].platforms[&LINUX]);
    let Row::Unavailable { reason } = &rows[&Platform::Aarch64Darwin] else { panic!("row") };
    assert!(reason.contains("`bin/go2`"), "{reason}");
}

#[test]
fn an_update_fetches_anew_what_nobody_vouches_for() {
    let world = World::new();
    let publish = |seed: &str, size_of: &str| {
        let mut file = file("tool", "1.0.0", LINUX);
        file.bytes = tar(&[("bin/tool", &elf(LINUX, seed)), ("pad", size_of.as_bytes())]);
        file.published_hash = false;
        world.publish("tool-bin", "1.0.0", LINUX, file);
    };
    publish("one", "");
    let mut wishes = wishes(&[("tool", "pypi:tool-bin", "^1")]);
    wishes.platforms = [LINUX].into();
    let old = world.resolve(&wishes, None, &Mode::Keep).expect("resolve");
    publish("two", "");
    let kept = world.resolve(&wishes, Some(&old), &Mode::Keep).expect("resolve");
    assert_eq!(kept, old, "the first use is trusted");
    assert!(world.warnings().is_empty());
    let new = world.resolve(&wishes, Some(&old), &Mode::UpdateAll).expect("resolve");
    assert_ne!(new, old);
    assert!(world.warnings()[0].contains("changed in its source"));

    // Another size is seen without fetching, and only an update may take it.
    publish("three", &"x".repeat(2000));
    let other = crate::lock::fixture::requirement("pypi:tool-bin", ">=1");
    wishes.deps.insert(dep("tool"), other);
    let error = world.resolve(&wishes, Some(&new), &Mode::Keep).expect_err("refused");
    assert!(matches!(error, Error::Changed { .. }), "{error}");
    assert!(error.details().iter().all(|d| d.contains(" bytes ")), "{:?}", error.details());
}

/// An archive of one program for a machine, with an interpreter if any.
fn linked(name: &str, machine: u16, interpreter: Option<&str>) -> File {
    let program = crate::binary::testing::Elf { machine, interpreter, ..Default::default() };
    File {
        name: format!("{name}.tar"),
        bytes: tar(&[("bin/tool", &program.bytes())]),
        published_hash: true,
        commands: Commands::Found,
    }
}

const MUSL: Platform = Platform::X86_64LinuxMusl;
const GLIBC_LOADER: &str = "/lib64/ld-linux-x86-64.so.2";

#[test]
fn another_libc_is_refused_when_somebody_said_so_and_unavailable_when_nobody_did() {
    let mut world = World::new();
    let one = linked("tool-linux-x64", 62, Some(GLIBC_LOADER));
    for platform in [LINUX, MUSL] {
        world.publish("tool", "1.0.0", platform, one.clone());
    }
    let mut wishes = wishes(&[("tool", "pypi:tool", "*")]);
    wishes.platforms = [LINUX, MUSL].into();
    let error = world.resolve(&wishes, None, &Mode::Keep).expect_err("refused");
    assert_eq!(error.kind(), Kind::Integrity);
    assert!(error.to_string().contains("is linked to glibc"), "{error}");

    world.source.guesses = true;
    let lock = world.resolve(&wishes, None, &Mode::Keep).expect("resolve");
    let rows = &lock.deps[&dep("tool")].platforms;
    assert!(rows[&LINUX].pin().is_some());
    let Row::Unavailable { reason } = &rows[&MUSL] else { panic!("row") };
    assert_eq!(
        reason,
        "`bin/tool` of `tool-linux-x64.tar` is linked to glibc (its interpreter is \
         `/lib64/ld-linux-x86-64.so.2`), but x86_64-linux-musl offers musl"
    );
    assert!(world.warnings().iter().any(|w| w.contains("has nothing for x86_64-linux-musl")));
    // Another machine is a lie whoever says it.
    world.publish("tool", "1.0.0", ARM, linked("tool-arm", 62, None));
    wishes.platforms.insert(ARM);
    let error = world.resolve(&wishes, None, &Mode::Keep).expect_err("refused");
    assert!(matches!(error, Error::Contradiction { libc_only: false, .. }), "{error}");
}

#[test]
fn the_profiles_hashes_hold_now_and_later() {
    use crate::base::{Algorithm, Hasher};
    let world = world();
    let bytes = file("tool", "1.1.0", ARM).bytes;
    let mut hasher = Hasher::new(Algorithm::Sha512);
    hasher.update(&bytes);
    let sha512 = hasher.finish();
    let mut wishes = wishes(&[("tool", "pypi:tool-bin", "^1")]);
    let mut hash = |key: &str, hash: &Integrity| {
        let tool = wishes.deps.get_mut(&dep("tool")).expect("dep");
        tool.hashes = [("1.1.0".to_owned(), [(key.to_owned(), hash.clone())].into())].into();
        wishes.clone()
    };
    let linux = Integrity::sha256_of(&file("tool", "1.1.0", LINUX).bytes);
    let by_file = hash("tool-1.1.0-x86_64-linux.tar", &linux);
    let lock = world.resolve(&by_file, None, &Mode::Keep).expect("resolve");
    let verified = |lock: &Lock, platform| {
        lock.deps[&dep("tool")].platforms[&platform].pin().expect("pin").verified.clone()
    };
    assert_eq!(verified(&lock, LINUX), [Proof::RegistryHash, Proof::ProfileHash]);
    assert_eq!(verified(&lock, ARM), [Proof::RegistryHash]);
    // Another kind of hash than the source's is computed from the bytes; a row made before is made
    // again for it.
    let by_platform = hash("aarch64-linux", &sha512);
    let lock = world.resolve(&by_platform, Some(&lock), &Mode::Keep).expect("resolve");
    assert_eq!(verified(&lock, ARM), [Proof::RegistryHash, Proof::ProfileHash]);
    assert_eq!(verified(&lock, LINUX), [Proof::RegistryHash], "its hash is gone");
    assert!(stale(&lock, &by_platform).is_empty());

    let wrong = hash("aarch64-linux", &Integrity::sha256_of(b"other"));
    for old in [None, Some(&lock)] {
        let error = world.resolve(&wrong, old, &Mode::Keep).expect_err("refused");
        assert!(matches!(error, Error::NotTheHash { .. }), "{error}");
        assert_eq!(error.kind(), Kind::Integrity);
        assert!(error.details()[0].contains("from `hashes` in the profile"));
    }
    // They say nothing of another version.
    for platform in [LINUX, ARM] {
        world.publish("tool-bin", "1.2.0", platform, file("tool", "1.2.0", platform));
    }
    let newer = world.resolve(&by_platform, Some(&lock), &Mode::UpdateAll).expect("resolve");
    assert_eq!(version(&newer, "tool"), "1.2.0");
    assert_eq!(verified(&newer, ARM), [Proof::RegistryHash]);
    assert!(!world.warnings().iter().any(|w| w.contains("vouched for by less")));
}

mod every_row {
    use super::*;
    use proptest::prelude::*;

    /// What a source may have for a platform.
    fn offers() -> impl Strategy<Value = Vec<(Platform, usize)>> {
        proptest::collection::vec(0usize..5, Platform::ALL.len())
            .prop_map(|kinds| Platform::ALL.into_iter().zip(kinds).collect())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        #[test]
        fn is_complete_or_says_why_not(
            offers in offers(),
            wanted in proptest::sample::subsequence(Platform::ALL.to_vec(), 1..=8),
        ) {
            let mut world = World::new();
            world.source.guesses = true;
            for (platform, kind) in &offers {
                let machine = match platform.arch() {
                    crate::base::Arch::X86_64 => 62,
                    crate::base::Arch::Aarch64 => 183,
                };
                let name = format!("tool-{platform}-{kind}");
                let interpreter = match kind {
                    0 => continue,
                    1 => None,
                    2 => Some(GLIBC_LOADER),
                    3 => Some("/lib/ld-musl-x86_64.so.1"),
                    // Announced, but not there.
                    _ => {
                        let mut file = linked(&name, machine, None);
                        file.published_hash = false;
                        world.source.publish("tool", "1.0.0", *platform, file);
                        continue;
                    }
                };
                if platform.os() == crate::base::Os::Linux {
                    world.publish("tool", "1.0.0", *platform, linked(&name, machine, interpreter));
                }
            }
            prop_assume!(!world.source.packages.lock().expect("lock").is_empty());
            let mut wishes = wishes(&[("tool", "pypi:tool", "*")]);
            wishes.platforms = wanted.into_iter().collect();
            match world.resolve(&wishes, None, &Mode::Keep) {
                Ok(lock) => {
                    let rows = &lock.deps[&dep("tool")].platforms;
                    prop_assert!(rows.keys().eq(wishes.platforms.iter()));
                    for row in rows.values() {
                        match row {
                            Row::Pinned(pin) => prop_assert!(!pin.bin.is_empty()),
                            Row::Unavailable { reason } => prop_assert!(!reason.trim().is_empty()),
                        }
                    }
                    prop_assert!(stale(&lock, &wishes).is_empty());
                    let bytes = to_bytes(&lock).expect("bytes");
                    let text = String::from_utf8(bytes).expect("text");
                    let read = crate::lock::parse(&text, std::path::Path::new("x")).expect("read");
                    prop_assert_eq!(read, lock);
                }
                Err(Error::Nowhere { reasons, .. }) => {
                    prop_assert_eq!(reasons.len(), wishes.platforms.len());
                }
                Err(other) => prop_assert!(false, "{other}"),
            }
        }
    }
}
