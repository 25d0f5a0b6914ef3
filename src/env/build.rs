//! The environment as a store object.
//!
//! ```text
//! bin/<command>   → ../../<object>/<path>      relative, so that the store can move
//! etc/<file>      the bytes of the project's `[file]`s, mode 0444
//! env.json        the manifest
//! ```
//!
//! Owns that layout. Refuses to build from anything but [`ObjectPath`]s that are the lock's own.
//! Invariant: the tree is a function of the manifest, the pins and the files' bytes; no path, time
//! or name of the host is in it. Its references are the objects of all its deps.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use super::error::{Error, Result};
use super::manifest;
use super::resolve::Resolved;
use crate::base::{CommandName, DepName, ObjectName, RelPath};
use crate::fs::{self, Context as _};
use crate::store::{ObjectPath, Store};

/// The directory of the commands' links.
pub const BIN: &str = "bin";
/// The directory of the profile's files.
pub const ETC: &str = "etc";

/// What the tree of an environment will hold. Pure data, so that it can be shown and tested.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// The object's name without its digest: `env-test`.
    pub name: String,
    /// Link targets in `bin/`.
    pub links: BTreeMap<CommandName, PathBuf>,
    /// Bytes of the files in `etc/`.
    pub files: BTreeMap<RelPath, Vec<u8>>,
    /// Bytes of `env.json`.
    pub manifest: Vec<u8>,
    /// The objects it refers to.
    pub references: BTreeSet<ObjectName>,
}

/// Reads the `[file]`s of a profile.
pub fn read_files(
    project: &Path,
    etc: &BTreeMap<RelPath, RelPath>,
) -> Result<BTreeMap<RelPath, Vec<u8>>> {
    let read = |(name, path): (&RelPath, &RelPath)| match fs::read(&path.under(project)) {
        Ok(bytes) => Ok((name.clone(), bytes)),
        Err(source) => Err(Error::ProjectFile { name: name.clone(), source }),
    };
    etc.iter().map(read).collect()
}

/// Lays out an environment.
pub fn plan(resolved: &Resolved, files: BTreeMap<RelPath, Vec<u8>>) -> Plan {
    let mut links = BTreeMap::new();
    for command in resolved.manifest.commands.keys() {
        if let Some((dep, path)) = resolved.command(command.as_str()) {
            let object = &resolved.manifest.deps[dep].object;
            links.insert(command.clone(), link_target(object, path));
        }
    }
    Plan {
        name: format!("env-{}", resolved.manifest.name),
        links,
        files,
        manifest: resolved.manifest.to_bytes(),
        references: resolved.manifest.deps.values().map(|dep| dep.object.clone()).collect(),
    }
}

/// Where a link in `bin/` points: out of `bin`, out of the environment, into the dep.
fn link_target(object: &ObjectName, path: &RelPath) -> PathBuf {
    path.under(&Path::new("../..").join(object.to_string()))
}

/// Builds an environment and registers it; what is there already is left as it is.
pub fn build(
    store: &Store,
    resolved: &Resolved,
    objects: &BTreeMap<DepName, ObjectPath>,
    files: BTreeMap<RelPath, Vec<u8>>,
) -> Result<ObjectPath> {
    for (dep, pinned) in &resolved.manifest.deps {
        let Some(object) = objects.get(dep) else {
            return Err(Error::MissingObject { dep: dep.clone(), object: pinned.object.clone() });
        };
        if *object.name() != pinned.object || *object.tree() != pinned.tree {
            return Err(Error::WrongObject {
                dep: dep.clone(),
                expected: format!("{} {}", pinned.object, pinned.tree),
                received: format!("{} {}", object.name(), object.tree()),
            });
        }
        check_commands(resolved, dep, object.path())?;
    }
    let plan = plan(resolved, files);
    store
        .add_built(&plan.name, &plan.references, &mut |into| write_tree(&plan, into))
        .map_err(Error::Store)
}

/// Every command the environment takes from a dep is a file inside that dep's tree.
fn check_commands(resolved: &Resolved, dep: &DepName, tree: &Path) -> Result<()> {
    let tree = fs::canonicalize(tree)?;
    for (command, _) in resolved.manifest.commands.iter().filter(|(_, by)| *by == dep) {
        let Some((_, path)) = resolved.command(command.as_str()) else { continue };
        let inside = match fs::missing_is_none(fs::canonicalize(&path.under(&tree)))? {
            Some(real) => real.starts_with(&tree) && fs::lstat(&real)?.is_file(),
            None => false,
        };
        if !inside {
            return Err(Error::CommandMissing {
                command: command.clone(),
                dep: dep.clone(),
                path: path.clone(),
            });
        }
    }
    Ok(())
}

/// Writes the planned tree into an empty directory. Syncing and sealing are the store's business.
fn write_tree(plan: &Plan, into: &Path) -> fs::Result<()> {
    let bin = into.join(BIN);
    fs::create_dir(&bin)?;
    for (command, target) in &plan.links {
        fs::symlink(target, &bin.join(command.as_str()))?;
    }
    if !plan.files.is_empty() {
        let etc = into.join(ETC);
        for (name, bytes) in &plan.files {
            let path = name.under(&etc);
            fs::create_dir_all(path.parent().unwrap_or(&etc))?;
            write_file(&path, bytes)?;
        }
    }
    write_file(&into.join(manifest::FILE), &plan.manifest)
}

fn write_file(path: &Path, bytes: &[u8]) -> fs::Result<()> {
    let mut file = fs::create_new(path)?;
    file.write_all(bytes).context("write", path)?;
    fs::chmod(path, 0o444)
}

#[cfg(test)]
mod tests {
    use super::super::testing;
    use super::*;

    fn files() -> BTreeMap<RelPath, Vec<u8>> {
        BTreeMap::from([
            (RelPath::new("nats.conf").expect("path"), b"port: 1\n".to_vec()),
            (RelPath::new("tls/ca.pem").expect("path"), b"\xff\0".to_vec()),
        ])
    }

    #[test]
    fn the_plan_has_every_command_and_refers_to_every_dep() {
        let resolved = testing::resolved();
        let plan = plan(&resolved, files());
        let nats = &resolved.manifest.deps["nats"].object;
        assert_eq!(plan.name, "env-dev");
        assert_eq!(
            plan.links["nats-server"],
            PathBuf::from(format!("../../{nats}/bin/nats-server"))
        );
        assert_eq!(plan.links.len(), 3);
        assert_eq!(plan.references.len(), 2);
    }

    #[test]
    fn the_tree_is_the_plan_and_nothing_else() {
        use std::os::unix::fs::PermissionsExt as _;
        let dir = tempfile::tempdir().expect("tempdir");
        let plan = plan(&testing::resolved(), files());
        write_tree(&plan, dir.path()).expect("write");
        let names = |path: &str| fs::read_dir_names(&dir.path().join(path)).expect("list");
        assert_eq!(names(""), ["bin", "env.json", "etc"]);
        assert_eq!(names("bin"), ["nats", "nats-server", "tool"]);
        assert_eq!(names("etc"), ["nats.conf", "tls"]);
        for (name, bytes) in &plan.files {
            let path = name.under(&dir.path().join(ETC));
            assert_eq!(fs::read(&path).expect("read"), *bytes);
            assert_eq!(fs::lstat(&path).expect("look").permissions().mode() & 0o777, 0o444);
        }
        let link = fs::read_link(&dir.path().join("bin/tool")).expect("link");
        assert_eq!(link, plan.links["tool"]);
        let read = manifest::Manifest::read(dir.path()).expect("manifest");
        assert_eq!(read, testing::resolved().manifest);
    }

    #[test]
    fn a_file_that_cannot_be_read_is_named() {
        let dir = tempfile::tempdir().expect("tempdir");
        let error = read_files(dir.path(), &testing::profile().etc).expect_err("missing");
        assert!(matches!(error, Error::ProjectFile { name, .. } if name.as_str() == "nats.conf"));
    }
}
