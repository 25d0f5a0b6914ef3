//! What the executables of a tree together expect of the host. Pure, over a listing and bytes.
//!
//! Libraries that the tree brings and its executables name by place (`$ORIGIN/../lib`) are not the
//! host's; what those need in turn is. Invariant: merging is the same in any order, but for the
//! interpreter, where the first of two different ones stays.

use std::collections::BTreeSet;

use super::commands::{Tree, join};
use crate::archive::Entry;
use crate::base::{Platform, RelPath};
use crate::binary::{self, Executable, Needs};

/// An executable that cannot run on its row's platform.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// Its path in the tree.
    pub file: RelPath,
    /// Why, to follow the file's name.
    pub what: String,
    /// Whether nothing but its C library is in the way.
    pub libc_only: bool,
}

/// What `executables` and the libraries they bring expect of a host of `platform`; `None` when
/// they expect nothing. `read` gives a file's bytes.
pub fn of_tree<E>(
    entries: &[Entry],
    executables: &BTreeSet<RelPath>,
    platform: Platform,
    read: &mut dyn FnMut(&RelPath) -> Result<Vec<u8>, E>,
) -> Result<Result<Option<Needs>, Refused>, E> {
    let tree = Tree::of(entries);
    let mut all = Needs::default();
    let mut seen: BTreeSet<RelPath> = executables.clone();
    let mut open: Vec<(RelPath, Vec<String>)> = Vec::new();
    for file in executables.iter().rev() {
        open.push((file.clone(), Vec::new()));
    }
    while let Some((file, inherited)) = open.pop() {
        let bytes = read(&file)?;
        if let Some(program) = binary::script_program(&bytes) {
            merge(&mut all, &Needs { programs: vec![program], ..Needs::default() });
            continue;
        }
        let Some(mut executable) = binary::inspect(&bytes) else { continue };
        if executables.contains(&file)
            && let Some(what) = binary::contradiction(&executable, platform)
        {
            let libc_only = binary::contradicts_libc_only(&executable, platform);
            return Ok(Err(Refused { file, what, libc_only }));
        }
        let places = [places(&file, &executable), inherited].concat();
        executable.needs.libraries.retain(|name| {
            let own = places.iter().find_map(|place| tree.file(&below(place, name)));
            let Some(own) = own else { return true };
            if seen.insert(own.path.clone()) {
                let handed = if executable.search.inherited { places.clone() } else { Vec::new() };
                open.push((own.path.clone(), handed));
            }
            false
        });
        merge(&mut all, &executable.needs);
    }
    Ok(Ok((all != Needs::default()).then_some(all)))
}

/// The directories of the tree that a file names for its libraries.
fn places(file: &RelPath, executable: &Executable) -> Vec<String> {
    executable.search.from_origin().filter_map(|rest| join(file.as_str(), rest)).collect()
}

fn below(place: &str, name: &str) -> String {
    if place.is_empty() { name.to_owned() } else { format!("{place}/{name}") }
}

/// Adds what one more executable expects.
pub fn merge(into: &mut Needs, more: &Needs) {
    let Needs { libc, libc_version, interpreter, libraries, programs } = more;
    if into.libc.is_none() {
        into.libc.clone_from(libc);
    }
    if version_key(libc_version) > version_key(&into.libc_version) {
        into.libc_version.clone_from(libc_version);
    }
    if into.interpreter.is_none() {
        into.interpreter.clone_from(interpreter);
    }
    for (into, more) in [(&mut into.libraries, libraries), (&mut into.programs, programs)] {
        into.extend(more.iter().cloned());
        into.sort_unstable();
        into.dedup();
    }
}

/// `2.17` as numbers, so that it is more than `2.4`.
fn version_key(version: &Option<String>) -> Vec<u64> {
    let text = version.as_deref().unwrap_or("");
    text.split('.').filter_map(|part| part.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::archive::EntryKind;
    use crate::binary::testing::Elf;
    use std::collections::BTreeMap;

    fn needs(version: &str, libraries: &[&str]) -> Needs {
        Needs {
            libc: Some("glibc".to_owned()),
            libc_version: Some(version.to_owned()),
            interpreter: Some("/lib64/ld".to_owned()),
            libraries: libraries.iter().map(|l| (*l).to_owned()).collect(),
            programs: Vec::new(),
        }
    }

    #[test]
    fn takes_the_highest_and_all_libraries() {
        let mut all = Needs::default();
        for more in [needs("2.4", &["libm.so.6"]), Needs::default(), needs("2.17", &["libc.so.6"])]
        {
            merge(&mut all, &more);
        }
        assert_eq!(all, needs("2.17", &["libc.so.6", "libm.so.6"]));
    }

    /// The needs of `bin/tool` in a tree of these files.
    fn of(files: &[(&str, Vec<u8>)]) -> Result<Option<Needs>, Refused> {
        let files: BTreeMap<RelPath, Vec<u8>> =
            files.iter().map(|(p, b)| (RelPath::new(*p).expect("path"), b.clone())).collect();
        let entries: Vec<Entry> = files
            .iter()
            .map(|(path, bytes)| Entry {
                path: path.clone(),
                kind: EntryKind::File { executable: true, size: bytes.len() as u64 },
            })
            .collect();
        let executables = [RelPath::new("bin/tool").expect("path")].into();
        let mut read = |path: &RelPath| Ok::<_, ()>(files[path].clone());
        of_tree(&entries, &executables, Platform::X86_64Linux, &mut read).expect("read")
    }

    fn tool<'a>(needed: &'a [&'a str], runpath: Option<&'a str>) -> Elf<'a> {
        Elf { interpreter: Some("/lib64/ld-linux-x86-64.so.2"), needed, runpath, ..Elf::default() }
    }

    #[test]
    fn libraries_of_the_tree_are_not_the_hosts() {
        let own = tool(&["libown.so.1", "libc.so.6"], Some("/opt:$ORIGIN/../lib")).bytes();
        let library = Elf {
            needed: &["libz.so.1", "libc.so.6"],
            versions: &["GLIBC_2.30"],
            ..Elf::default()
        };
        let found = of(&[("bin/tool", own), ("lib/libown.so.1", library.bytes())]);
        let found = found.expect("runs").expect("needs");
        assert_eq!(found.libraries, ["libc.so.6", "libz.so.1"]);
        assert_eq!(found.libc_version.as_deref(), Some("2.30"), "also what the library needs");

        // Without naming its place, the loader would not look there.
        let lost = tool(&["libown.so.1", "libc.so.6"], None).bytes();
        let found = of(&[("bin/tool", lost), ("lib/libown.so.1", library.bytes())]);
        assert_eq!(found.expect("runs").expect("needs").libraries, ["libc.so.6", "libown.so.1"]);
    }

    #[test]
    fn scripts_and_refusals() {
        let script = of(&[("bin/tool", b"#!/usr/bin/env node\n".to_vec())]);
        assert_eq!(script.expect("runs").expect("needs").programs, ["/usr/bin/env node"]);
        assert_eq!(of(&[("bin/tool", Elf::default().bytes())]), Ok(None), "static");
        let musl = Elf { interpreter: Some("/lib/ld-musl-x86_64.so.1"), ..Elf::default() };
        let refused = of(&[("bin/tool", musl.bytes())]).expect_err("musl");
        assert!(refused.libc_only && refused.what.contains("is linked to musl"), "{refused:?}");
        let arm = Elf { machine: 183, ..Elf::default() };
        assert!(!of(&[("bin/tool", arm.bytes())]).expect_err("arm").libc_only);
    }
}
