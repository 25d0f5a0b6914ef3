//! Real Nix reads our caches and files, and we read what it writes.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::Child;

use rustix::process::Signal;

use crate::nix::Nix;
use crate::support::{finish, signal};
use crate::world::Project;

/// The environment `dev` of the repository's project, in a cache directory.
fn pushed() -> (Project, PathBuf, String) {
    let project = Project::new();
    let cache = project.env.root().join("cache");
    project.ok(&format!("cache init {}", cache.display()));
    project.ok(&format!("cache push --to {} dev", cache.display()));
    let object = environment(&project);
    (project, cache, object)
}

/// The name of the environment's object.
fn environment(project: &Project) -> String {
    let path = project.ok("env build dev").stdout;
    path.trim_end().rsplit('/').next().expect("name").to_owned()
}

/// What Nix has of the environment is whole, and its commands run from there.
fn works_in(nix: &Nix, object: &str) {
    nix.verify();
    let command = nix.path(object).join("bin/nats-server");
    let output = std::process::Command::new(&command).arg("--version").output().expect("start");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success() && said.contains("nats-server"), "{said}");
    let program = command.canonicalize().expect("program");
    assert!(program.starts_with(nix.path("").canonicalize().expect("store")), "{program:?}");
}

/// `infra cache serve`, ended with its owner.
struct Server(Option<Child>, String);

impl Server {
    fn start(project: &Project, args: &[&str]) -> Self {
        let mut all = vec!["cache", "serve", "--listen", "127.0.0.1:0"];
        all.extend(args);
        let mut child = project.env.command(all).spawn().expect("start");
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("stdout")).read_line(&mut line).expect("a line");
        assert!(line.starts_with("http://"), "{}", finish(child).stderr);
        Self(Some(child), line.trim_end().to_owned())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(mut child) = self.0.take() {
            signal(child.id(), Signal::TERM);
            let _ = child.wait();
        }
    }
}

#[test]
fn nix_copies_from_a_directory_without_a_key() {
    let Some(nix) = Nix::find() else { return };
    let (_project, cache, object) = pushed();
    nix.copy_from(&format!("file://{}", cache.display()), &object);
    works_in(&nix, &object);
    // Nix agrees that the name follows from the content, references included.
    assert_eq!(nix.content_address(&object), object);
}

#[test]
fn nix_copies_over_http_from_a_cache_and_from_the_store() {
    let Some(nix) = Nix::find() else { return };
    let (project, cache, object) = pushed();
    let server = Server::start(&project, &[cache.to_str().expect("UTF-8")]);
    nix.copy_from(&server.1, &object);
    works_in(&nix, &object);
    let Some(other) = Nix::find() else { return };
    let server = Server::start(&project, &[]);
    other.copy_from(&server.1, &object);
    works_in(&other, &object);
}

#[test]
fn we_pull_what_nix_copied() {
    let Some(nix) = Nix::find() else { return };
    let (project, cache, object) = pushed();
    nix.copy_from(&format!("file://{}", cache.display()), &object);
    let list = project.json("dep list --json");
    let nats = list.as_array().expect("deps").iter().find(|d| d["name"] == "nats-server");
    let nats = &nats.expect("nats-server")["platforms"][crate::world::platform()]["object"];
    let nats = nats.as_str().expect("object").to_owned();
    // All of it in one form; in the others, which take Nix long, one object.
    for (compression, object, count) in [
        ("zstd", &object, 4),
        ("xz", &nats, 1),
        ("none", &nats, 1),
        ("bzip2", &nats, 1),
        ("gzip", &nats, 1),
    ] {
        let theirs = project.env.root().join(format!("theirs-{compression}"));
        nix.copy_to(&format!("file://{}?compression={compression}", theirs.display()), object);
        let store = project.env.root().join(format!("store-{compression}"));
        let at = format!("--store {} --cache {}", store.display(), theirs.display());
        let verified = project.json(&format!("{at} cache verify --json"));
        assert_eq!(verified["objects"], count, "{compression}: {verified}");
        // By the lock alone, without any source.
        if count > 1 {
            project.ok(&format!("{at} cache pull dev"));
        }
        // What the lock pins needs no key, the environment one.
        project.ok(&format!("{at} cache pull {nats}"));
        project.ok(&format!("{at} cache pull --unsigned {object}"));
        project.ok(&format!("{at} store verify"));
        writable(&store);
    }
}

/// A key of ours is one of Nix's, and the other way round.
#[test]
fn signatures_count_on_both_sides() {
    let Some(nix) = Nix::find() else { return };
    let (project, cache, object) = pushed();
    let at = format!("--at {}", cache.display());
    let ours = project.ok("cache key generate ours-1 ours.key").stdout;
    project.ok(&format!("cache sign {at} --key ours.key"));
    let (url, key) = (format!("file://{}", cache.display()), ours.trim_end());
    assert!(nix.is_signed(&url, &object, key), "Nix knows our signature");
    let (secret, public) = nix.key("theirs-1");
    let file = project.env.project().join("theirs.key");
    std::fs::write(&file, &secret).expect("write");
    assert_eq!(project.ok("cache key public theirs.key").stdout.trim_end(), public);
    project.ok(&format!("cache sign {at} --key theirs.key"));
    assert!(nix.is_signed(&url, &object, &public));
    nix.sign(&url, &object, "theirs-2");
    let theirs = nix.public("theirs-2");
    let store = project.env.root().join("signed");
    let pull = format!(
        "--store {} cache pull --from {} --trusted-key {theirs} {object}",
        store.display(),
        cache.display()
    );
    project.ok(&pull);
    writable(&store);
}

#[test]
fn exported_files_go_both_ways() {
    let Some(nix) = Nix::find() else { return };
    let project = Project::new();
    let object = environment(&project);
    let file = project.env.root().join("exported");
    let mut command = project.env.command(["store", "export", "dev", "--lock"]);
    command.stdout(std::fs::File::create(&file).expect("create"));
    assert_eq!(finish(command.spawn().expect("start")).code, Some(0));
    let imported = nix.import_file(&file);
    assert!(imported.contains(&object), "{imported:?}");
    assert_eq!(imported.len(), 4);
    works_in(&nix, &object);

    let theirs = project.env.root().join("theirs");
    nix.export_file(&imported, &theirs);
    let store = project.env.root().join("imported");
    let mut command =
        project.env.command(["--store", store.to_str().expect("UTF-8"), "store", "import"]);
    command.stdin(std::fs::File::open(&theirs).expect("open"));
    let outcome = finish(command.spawn().expect("start"));
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    assert_eq!(outcome.stdout.lines().count(), 4, "{}", outcome.stdout);
    project.ok(&format!("--store {} store verify", store.display()));
    writable(&store);
}

/// Lets the temporary directory be removed.
fn writable(dir: &Path) {
    let _ = std::process::Command::new("chmod").arg("-R").arg("u+w").arg(dir).status();
}
