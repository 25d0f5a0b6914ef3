//! Texts that projects, caches and other tools wrote: what is read is spelled again and equal.

use std::path::Path;

use infra::base::{
    Integrity, ObjectName, Platform, RelPath, SourceKind, SourceRef, Version, VersionReq,
};

use crate::PLACE;

/// Reads a lock; what is read survives being written.
pub fn lock(text: &str) {
    let at = Path::new("dep.lock.json");
    let Ok(lock) = infra::lock::parse(text, at) else { return };
    let bytes = infra::lock::to_bytes(&lock);
    let text =
        String::from_utf8(bytes.expect("what was read can be written")).expect("a lock is text");
    let again = infra::lock::parse(&text, at).expect("what we write we read");
    assert!(again == lock, "written and read differ");
}

/// Loads a project with this one profile.
pub fn profile(text: &str) {
    let project = PLACE.join("project");
    std::fs::create_dir_all(project.join("profiles")).expect("create");
    std::fs::write(project.join("profiles/dev.toml"), text).expect("write");
    match infra::profile::Profiles::load(&project) {
        Ok(profiles) => drop(profiles.union()),
        Err(error) => {
            use infra::base::Diagnose as _;
            let _ = (error.to_string(), error.hints(), error.details(), error.excerpt());
        }
    }
}

/// Every word that a lock or a profile may hold; what is understood is spelled back.
pub fn words(text: &str) {
    for kind in SourceKind::ALL {
        let Ok(version) = Version::of(kind, text) else { continue };
        let _ = (version.series(), version.is_prerelease());
        assert!(version.cmp_meaning(&version).is_eq(), "a version is not itself");
        if let Some((requirement, version)) = text.split_once(' ')
            && let (Ok(requirement), Ok(version)) =
                (requirement.parse::<VersionReq>(), Version::of(kind, version))
        {
            let _ = requirement.matches(&version);
        }
    }
    fn same<T: std::str::FromStr + std::fmt::Display>(text: &str) {
        if let Ok(value) = text.parse::<T>() {
            let spelled = value.to_string();
            let again = spelled.parse::<T>().ok().map(|value| value.to_string());
            assert_eq!(again.as_deref(), Some(spelled.as_str()), "spelled and read again");
        }
    }
    same::<VersionReq>(text);
    same::<Integrity>(text);
    same::<SourceRef>(text);
    same::<ObjectName>(text);
    same::<Platform>(text);
    same::<RelPath>(text);
    if let Some((first, second)) = text.split_once(' ') {
        for kind in SourceKind::ALL {
            if let (Ok(a), Ok(b)) = (Version::of(kind, first), Version::of(kind, second)) {
                assert_eq!(a.cmp_meaning(&b), b.cmp_meaning(&a).reverse(), "{a} {b}");
            }
        }
    }
}

/// Reads a file of another tool; the first byte chooses its name.
pub fn import(data: &[u8]) {
    let Some((choice, rest)) = data.split_first() else { return };
    let text = &String::from_utf8_lossy(rest);
    const NAMES: [&str; 8] = [
        "mise.toml",
        "mise.lock",
        ".tool-versions",
        "aqua.yaml",
        "devbox.json",
        "multitool.lock.json",
        "dep.json",
        "dotslash",
    ];
    let name = NAMES[usize::from(*choice) % NAMES.len()];
    let _ = infra::exchange::import::parse(name, text, &PLACE.join(name));
}

/// Reads what a binary cache says of an object, and of itself.
pub fn narinfo(bytes: &[u8]) {
    use infra::cache::{CacheInfo, NarInfo};
    let _ = CacheInfo::parse(bytes);
    let Ok(info) = NarInfo::parse(bytes) else { return };
    let _ = (info.fingerprint(), info.is_content_addressed());
    let text = info.to_string();
    let again = NarInfo::parse(text.as_bytes()).expect("what we write we read");
    assert_eq!(again.to_string(), text, "written and read differ");
}
