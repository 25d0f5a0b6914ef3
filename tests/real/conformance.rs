//! Real Nix agrees with every hash and every name.

use std::path::Path;

use serde_json::Value;

use crate::nix::Nix;
use crate::trees;
use crate::world::{Project, copy, platform, store};

/// The deps of a project as `dep list` has them: name, object and hash of this platform.
fn objects(project: &Project) -> Vec<(String, String, String)> {
    let list = project.json("dep list --json");
    let text = |v: &Value| v.as_str().unwrap_or_else(|| panic!("{list}")).to_owned();
    let rows = list.as_array().expect("rows").iter();
    rows.map(|dep| {
        let here = &dep["platforms"][platform()];
        assert_eq!(dep["present"], true, "{dep}");
        (text(&dep["name"]), text(&here["object"]), text(&here["tree_nix32"]))
    })
    .collect()
}

/// Adds what lies at `path` to Nix's store, as it would be named there.
fn add_as(nix: &Nix, path: &Path, object: &str) -> String {
    let (_digest, name) = object.split_once('-').expect("an object's name");
    let dir = tempfile::tempdir().expect("directory");
    copy(path, &dir.path().join(name));
    nix.add(&dir.path().join(name))
}

#[test]
fn every_object_of_the_lock() {
    let Some(nix) = Nix::find() else { return };
    let project = Project::new();
    let objects = objects(&project);
    assert_eq!(objects.len(), 3);
    for (dep, object, hash) in objects {
        let path = store().join("store").join(&object);
        assert_eq!(nix.hash(&path), hash, "{dep}");
        assert_eq!(add_as(&nix, &path, &object), object, "{dep}");
    }
}

#[test]
fn generated_trees() {
    let Some(nix) = Nix::find() else { return };
    let project = Project::bare();
    let parent = project.env.project().join("trees");
    let names = trees::make(&parent);

    let mut profile = format!("platforms = [\"{}\"]\n\n[dep]\n", platform());
    for name in &names {
        let hash = project.json(&format!("store hash --json trees/{name}"));
        let tree = parent.join(name);
        assert_eq!(hash["tree_nix32"], nix.hash(&tree), "{name}");
        assert_eq!(hash["nar_size"], nix.dump(&tree).len(), "{name}");
        profile += &format!(
            "{name} = {{ from = \"path:trees/{name}\", bin = {{ {name} = \"bin/it\" }} }}\n"
        );
    }
    // Also files and links by themselves.
    for path in ["large/noise", "empty/empty-file", "empty/empty-program", "links/dangling"] {
        let hash = project.json(&format!("store hash --json trees/{path}"));
        assert_eq!(hash["tree_nix32"], nix.hash(&parent.join(path)), "{path}");
    }

    project.env.write("profiles/dev.toml", profile);
    project.ok("dep lock");
    project.ok("dep sync");
    let objects = objects(&project);
    assert_eq!(objects.len(), names.len());
    for (dep, object, hash) in objects {
        // What was added is what was there, and what Nix makes of it.
        let path = store().join("store").join(&object);
        assert_eq!(nix.hash(&parent.join(&dep)), hash, "{dep}");
        assert_eq!(nix.hash(&path), hash, "{dep}");
        assert_eq!(add_as(&nix, &parent.join(&dep), &object), object, "{dep}");
        assert_eq!(project.ok(&format!("env exec dev -- {dep}")).stdout.trim(), dep);
    }
}

/// An environment refers to its deps: its name covers them. `nix-store --add` knows no references,
/// so Nix imports the environment and is asked for the content address of what it imported.
#[test]
fn environments_with_their_references() {
    let Some(nix) = Nix::find() else { return };
    let project = Project::new();
    for (_, object, _) in objects(&project) {
        add_as(&nix, &store().join("store").join(&object), &object);
    }
    for env in ["dev", "test", "prod"] {
        project.ok(&format!("env build {env}"));
        let link = project.env.project().join(".infra/env").join(env);
        let path = link.canonicalize().expect("the current generation");
        let name = path.file_name().and_then(|n| n.to_str()).expect("name").to_owned();
        let digest = name.split('-').next().expect("digest");
        let meta =
            std::fs::read(store().join(format!("meta/{digest}.json"))).expect("registration");
        let meta: Value = serde_json::from_slice(&meta).expect("JSON");
        assert_eq!(meta["object"], name);
        let references: Vec<String> = meta["references"]
            .as_array()
            .expect("references")
            .iter()
            .map(|r| r.as_str().expect("name").to_owned())
            .collect();
        assert_eq!(references.len(), 3, "{env} refers to its deps");

        nix.import(&path, &name, &references);
        assert_eq!(nix.content_address(&name), name, "{env}");
        // Its links lead to the deps there, too.
        assert!(nix.path(&name).join("bin/caddy").canonicalize().is_ok());
        // The name is one of exactly these references: with one less it is another.
        let other = Nix::find().expect("found before");
        for reference in &references {
            add_as(&other, &store().join("store").join(reference), reference);
        }
        other.import(&path, &name, &references[1..]);
        assert_ne!(other.content_address(&name), name, "{env}");
    }
}
