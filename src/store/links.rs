//! Which symbolic links may be in an object.
//!
//! Refuses absolute targets and every target that, followed link by link, leaves the tree; a built
//! tree may leave it for `../<reference>/…`, where the reference is declared. Invariant: whatever
//! directory the store lies in, following a link of an object ends in that object or in one that
//! its registration names.

use std::collections::{BTreeSet, VecDeque};
use std::ffi::OsString;
use std::path::{Component, Path, PathBuf};

use super::{Error, fs};
use crate::base::ObjectName;

/// As many links as the kernel follows before it gives up (`ELOOP`).
const MAX_FOLLOWED: usize = 40;

/// Checks every link below `root`.
pub(super) fn check(
    root: &Path,
    references: &BTreeSet<ObjectName>,
    shown: &str,
) -> Result<(), Error> {
    let siblings: BTreeSet<String> = references.iter().map(ToString::to_string).collect();
    check_dir(root, &mut Vec::new(), &siblings, shown)
}

fn check_dir(
    root: &Path,
    inside: &mut Vec<OsString>,
    siblings: &BTreeSet<String>,
    shown: &str,
) -> Result<(), Error> {
    let dir: PathBuf = root.iter().chain(inside.iter().map(OsString::as_os_str)).collect();
    for name in fs::read_dir_names(&dir)? {
        let path = dir.join(&name);
        let meta = fs::lstat(&path)?;
        if meta.is_dir() {
            inside.push(name);
            check_dir(root, inside, siblings, shown)?;
            inside.pop();
        } else if meta.is_symlink() {
            let target = fs::read_link(&path)?;
            if let Some(why) = leaves(root, inside, &target, siblings)? {
                let link = path.strip_prefix(root).unwrap_or(&path).to_owned();
                return Err(Error::LinkLeaves { shown: shown.to_owned(), link, target, why });
            }
        }
    }
    Ok(())
}

/// The rule that `target`, in a link of the directory `inside`, breaks.
fn leaves(
    root: &Path,
    inside: &[OsString],
    target: &Path,
    siblings: &BTreeSet<String>,
) -> Result<Option<&'static str>, fs::Error> {
    let mut at = inside.to_vec();
    let mut ahead: VecDeque<OsString> = VecDeque::new();
    let mut followed = 0;
    if let Err(why) = queue(target, &mut ahead) {
        return Ok(Some(why));
    }
    while let Some(step) = ahead.pop_front() {
        if step == ".." {
            if at.pop().is_none() {
                return Ok(leaves_for_sibling(&ahead, siblings));
            }
            continue;
        }
        at.push(step);
        let path: PathBuf = root.iter().chain(at.iter().map(OsString::as_os_str)).collect();
        if fs::lstat_if_exists(&path).is_ok_and(|m| m.is_some_and(|m| m.is_symlink())) {
            at.pop();
            followed += 1;
            if followed > MAX_FOLLOWED {
                return Ok(None);
            }
            let mut next = VecDeque::new();
            if let Err(why) = queue(&fs::read_link(&path)?, &mut next) {
                return Ok(Some(why));
            }
            next.append(&mut ahead);
            ahead = next;
        }
    }
    Ok(None)
}

fn queue(target: &Path, into: &mut VecDeque<OsString>) -> Result<(), &'static str> {
    for component in target.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir => into.push_back("..".into()),
            Component::Normal(name) => into.push_back(name.to_owned()),
            Component::RootDir | Component::Prefix(_) => return Err("which is absolute"),
        }
    }
    Ok(())
}

/// Above the root: only the directory of a declared reference may follow, and from there no way
/// up. Links inside the reference were checked when it was added.
fn leaves_for_sibling(
    ahead: &VecDeque<OsString>,
    siblings: &BTreeSet<String>,
) -> Option<&'static str> {
    let mut ahead = ahead.iter();
    match ahead.next().and_then(|name| name.to_str()) {
        Some(name) if siblings.contains(name) => {
            ahead.any(|step| step == "..").then_some("which goes up inside another object")
        }
        _ if siblings.is_empty() => Some("which leaves the tree"),
        _ => Some("which is neither inside nor in a declared reference"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::TreeHash;

    fn verdict(links: &[(&str, &str)], references: &BTreeSet<ObjectName>) -> Result<(), Error> {
        let dir = tempfile::tempdir().expect("tempdir");
        for (link, target) in links {
            let link = dir.path().join(link);
            fs::create_dir_all(link.parent().expect("parent")).expect("mkdir");
            fs::symlink(Path::new(target), &link).expect("symlink");
        }
        check(dir.path(), references, "x 1.0")
    }

    #[test]
    fn inside_is_fine() {
        let good: &[&[(&str, &str)]] = &[
            &[("a", "b")],
            &[("d/a", "../b")],
            &[("d/e/a", "../../d/./e/x")],
            &[("loop", "loop")],
            &[("d/up", ".."), ("d/again", "up/d/up/x")],
            &[("d/deep", "e/f"), ("d/x", "deep/../y"), ("d/e/f/z", "../../x")],
        ];
        for links in good {
            verdict(links, &BTreeSet::new()).unwrap_or_else(|e| panic!("{links:?}: {e}"));
        }
    }

    #[test]
    fn outside_is_refused_also_through_links() {
        let bad: &[&[(&str, &str)]] = &[
            &[("a", "/etc/passwd")],
            &[("a", "..")],
            &[("d/a", "../../x")],
            &[("a", "b/../../x")],
            // Lexically inside: `d/up/..` is `d`; followed, it is above the tree.
            &[("d/up", ".."), ("d/a", "up/../x")],
            &[("s", "d/e"), ("d/e/k", "x"), ("t", "s/../../../x")],
        ];
        for links in bad {
            let refused = verdict(links, &BTreeSet::new());
            assert!(matches!(refused, Err(Error::LinkLeaves { .. })), "{links:?}: {refused:?}");
        }
    }

    #[test]
    fn only_declared_references_at_the_right_depth() {
        let name = |n: &str| {
            ObjectName::for_tree(&TreeHash::new([1; 32]), &BTreeSet::new(), n).expect("name")
        };
        let (known, other) = (name("known-1"), name("other-1"));
        let declared = BTreeSet::from([known.clone()]);
        let allowed = [
            ("a", format!("../{known}/bin/x")),
            ("bin/a", format!("../../{known}")),
            ("bin/b/a", format!("../../../{known}/x")),
        ];
        for (link, target) in allowed {
            verdict(&[(link, &target)], &declared).unwrap_or_else(|e| panic!("{target}: {e}"));
        }
        let refused = [
            ("a", format!("../{other}/bin/x")),
            ("a", format!("../../{known}/bin/x")),
            ("bin/a", format!("../../{known}/../{other}")),
            ("bin/a", format!("../../{known}/../../meta")),
            ("a", format!("/{known}/x")),
        ];
        for (link, target) in refused {
            assert!(verdict(&[(link, &target)], &declared).is_err(), "{link} -> {target}");
        }
    }
}
