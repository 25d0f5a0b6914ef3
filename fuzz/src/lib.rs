//! What the targets share: a file from bytes, a place to unpack into, and what must hold.

use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use infra::archive::{Archive, Format, Options};
use infra::base::{
    Integrity, ObjectName, Platform, RelPath, SourceKind, SourceRef, Version, VersionReq,
};
use infra::nar::{Event, Reader, Writer};

/// A directory of this process alone, below the one that `fuzz/run` makes and removes.
static PLACE: LazyLock<PathBuf> = LazyLock::new(|| {
    let parent = std::env::var_os("FUZZ_PLACE").map_or_else(std::env::temp_dir, PathBuf::from);
    let place = tempfile::Builder::new().prefix("infra-fuzz-").tempdir_in(parent);
    place.expect("a temporary directory").keep()
});

/// The bytes as a file in memory.
fn file(bytes: &[u8]) -> File {
    let fd = rustix::fs::memfd_create("fuzz", rustix::fs::MemfdFlags::CLOEXEC).expect("memfd");
    let mut file = File::from(fd);
    file.write_all(bytes).expect("memory");
    file
}

fn names(path: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(path).expect("a directory");
    let mut names: Vec<_> =
        entries.map(|e| e.expect("entry").file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

/// Opens, hashes and unpacks. Refused or not: nothing beside the target is touched, and what was
/// unpacked has the hash that was announced.
pub fn archive(bytes: &[u8], format: Format) {
    let options = Options { format, strip: 0, file_name: "tool".to_owned() };
    let Ok(mut archive) = Archive::open(file(bytes), "fuzz", &options) else { return };
    let announced = archive.hash();
    // Large trees are only hashed: the disk is in memory.
    let large = announced.as_ref().is_ok_and(|(_, size)| *size > 16 << 20);
    if large || archive.entries().len() > 2000 {
        return;
    }
    let into = PLACE.join("into");
    let _ = std::fs::remove_dir_all(&into);
    std::fs::create_dir(&into).expect("create");
    let unpacked = archive.unpack(&into);
    assert_eq!(names(&PLACE), ["into"], "something is outside");
    match (announced, unpacked) {
        (Ok(announced), Ok(unpacked)) => {
            assert_eq!(announced, unpacked, "hashing and unpacking see two trees");
            assert_eq!(infra::nar::hash_path(&into).expect("readable"), unpacked, "on disk");
        }
        (Err(_), Err(_)) => {}
        (announced, unpacked) => panic!("{announced:?} but {unpacked:?}"),
    }
}

/// The bytes with the checksum of everything that looks like a tar header put right.
pub fn with_checksums(bytes: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for block in bytes.chunks_exact_mut(512) {
        if !block[257..].starts_with(b"ustar") {
            continue;
        }
        block[148..156].fill(b' ');
        let sum: u32 = block.iter().map(|b| u32::from(*b)).sum();
        block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    }
    bytes
}

/// Reads a NAR and writes what was read.
pub fn nar(bytes: &[u8]) {
    let mut events = Vec::new();
    let mut reader = Reader::new(bytes);
    loop {
        match reader.next() {
            Ok(Some(Event::File { executable, size })) => {
                let mut contents = Vec::new();
                if std::io::copy(&mut reader.contents(), &mut contents).is_err() {
                    return;
                }
                events.push((Event::File { executable, size }, contents));
            }
            Ok(Some(event)) => events.push((event, Vec::new())),
            Ok(None) => break,
            Err(_) => return,
        }
    }
    let mut writer = Writer::new(Vec::new());
    let mut events = events.into_iter().peekable();
    write(writer.root(), &mut events);
    assert!(events.next().is_none(), "events after the root");
    assert!(writer.finish().expect("memory") == bytes, "read and written differ");
}

fn write<'a, W: std::io::Write>(
    node: infra::nar::Node<'a, W>,
    events: &mut std::iter::Peekable<impl Iterator<Item = (Event, Vec<u8>)>>,
) {
    match events.next() {
        Some((Event::File { executable, size }, contents)) => {
            let mut file = node.file(executable, size).expect("file");
            file.write(&contents).expect("memory");
            file.finish().expect("whole");
        }
        Some((Event::Symlink(target), _)) => node.symlink(&target).expect("link"),
        Some((Event::Directory, _)) => {
            let mut directory = node.directory().expect("directory");
            while let Some((Event::Entry(name), _)) = events.next_if(|e| e.0 != Event::End) {
                write(directory.entry(&name).expect("in order"), events);
            }
            assert!(matches!(events.next(), Some((Event::End, _))), "no end");
            directory.finish().expect("memory");
        }
        other => panic!("{other:?} instead of a node"),
    }
}

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

/// Reads a file of another tool.
pub fn import(choice: u8, text: &str) {
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
    let name = NAMES[usize::from(choice) % NAMES.len()];
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
