//! From a command's name to the file that is executed.
//!
//! Owns the way through `bin/`. Refuses a link that does not lead into the object that `env.json`
//! names for the command. Invariant: a path returned here is a regular file inside that object,
//! without a link after the store's directory.

use std::path::{Path, PathBuf};

use super::build::BIN;
use super::error::{Error, Result};
use super::manifest::Manifest;
use crate::base::{CommandName, suggest};
use crate::fs;

/// The absolute path of a command's file. `object` is the environment's directory in the store.
pub fn find(object: &Path, manifest: &Manifest, command: &str) -> Result<PathBuf> {
    let Some((command, dep)) = manifest.commands.get_key_value(command) else {
        let names = manifest.commands.keys().map(CommandName::as_str);
        return Err(Error::NoCommand {
            env: manifest.name.clone(),
            command: command.to_owned(),
            nearest: suggest::nearest(command, names).map(str::to_owned),
        });
    };
    let link = object.join(BIN).join(command.as_str());
    let store = object.parent().unwrap_or(object);
    let astray = |expected: PathBuf, found: PathBuf| Error::LinkAstray {
        command: command.clone(),
        dep: dep.clone(),
        expected,
        found,
    };
    let Some(pinned) = manifest.deps.get(dep) else {
        return Err(astray(store.to_owned(), link));
    };
    let tree = store.join(pinned.object.to_string());
    let target = fs::read_link(&link)?;
    let expected = Path::new("../..").join(pinned.object.to_string());
    let Ok(inside) = target.strip_prefix(&expected) else {
        return Err(astray(tree, target));
    };
    // The dep's own links (a package's `bin/x` → `../lib/x`) are followed, and must stay inside.
    let real_tree = fs::canonicalize(&tree)?;
    let real = fs::canonicalize(&tree.join(inside))?;
    match real.strip_prefix(&real_tree) {
        Ok(rest) if fs::lstat(&real)?.is_file() => Ok(tree.join(rest)),
        _ => Err(astray(tree, real)),
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing;
    use super::*;

    #[test]
    fn follows_links_that_stay_inside_and_no_others() {
        let dir = tempfile::tempdir().expect("tempdir");
        let resolved = testing::resolved();
        let manifest = &resolved.manifest;
        let env = dir.path().join("env");
        let tree = dir.path().join(manifest.deps["nats"].object.to_string());
        fs::create_dir_all(&tree.join("lib")).expect("mkdir");
        fs::create_dir_all(&tree.join("bin")).expect("mkdir");
        fs::create_dir_all(&env.join("bin")).expect("mkdir");
        fs::write_atomic(&tree.join("lib/nats-server"), b"x").expect("write");
        fs::symlink(Path::new("../lib/nats-server"), &tree.join("bin/nats-server")).expect("link");
        let link = env.join("bin/nats-server");
        let target =
            Path::new("../..").join(tree.file_name().expect("name")).join("bin/nats-server");
        fs::symlink(&target, &link).expect("link");
        assert_eq!(
            find(&env, manifest, "nats-server").expect("found"),
            tree.join("lib/nats-server")
        );

        let typo = find(&env, manifest, "nats-serve").expect_err("no such command");
        assert!(matches!(typo, Error::NoCommand { nearest: Some(n), .. } if n == "nats-server"));

        fs::replace_symlink(Path::new("/bin/sh"), &link).expect("link");
        let astray = find(&env, manifest, "nats-server").expect_err("astray");
        assert!(matches!(astray, Error::LinkAstray { .. }));

        fs::replace_symlink(&target, &link).expect("link");
        fs::replace_symlink(Path::new("/bin/sh"), &tree.join("bin/nats-server")).expect("link");
        let astray = find(&env, manifest, "nats-server").expect_err("astray");
        assert!(matches!(astray, Error::LinkAstray { .. }), "the dep's own link leaves it");
    }
}
