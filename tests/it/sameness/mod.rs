//! The same lock gives the same bits: whatever the store's path, the project's path, the umask, the
//! user, the locale, the time zone, the home or the order of lines in a profile.

use std::collections::BTreeMap;
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::crashes::fixture::{self, Upstream, assert_same, success};
use crate::support::{Outcome, TestEnv, finish};

const ENVIRONMENTS: [&str; 3] = ["dev", "test", "prod"];

/// Where and as whom the program runs.
struct Place {
    what: &'static str,
    env: TestEnv,
    store: PathBuf,
    project: PathBuf,
    umask: &'static str,
    user: Option<u32>,
    vars: Vec<(&'static str, String)>,
}

impl Place {
    fn new(what: &'static str, up: &Upstream) -> Self {
        let env = up.project();
        let (store, project) = (env.store(), env.project());
        Self { what, env, store, project, umask: "022", user: None, vars: Vec::new() }
    }

    fn var(mut self, name: &'static str, value: &str) -> Self {
        self.vars.push((name, value.to_owned()));
        self
    }

    /// The store at another path.
    fn store_at(mut self, path: &str) -> Self {
        self.store = self.env.root().join(path);
        self
    }

    /// The project at another path.
    fn project_at(mut self, path: &str) -> Self {
        let to = self.env.root().join(path);
        std::fs::create_dir_all(to.parent().expect("parent")).expect("create");
        std::fs::rename(&self.project, &to).expect("rename");
        self.project = to;
        self
    }

    fn umask(mut self, umask: &'static str) -> Self {
        self.umask = umask;
        self
    }

    /// Another user, who owns everything of this place.
    fn user(mut self, uid: u32) -> Self {
        let root = self.env.root().to_owned();
        let below = fixture::walk(&root, false);
        chown(&root, Some(uid), Some(uid)).expect("chown");
        for path in below.keys() {
            chown(root.join(path), Some(uid), Some(uid)).expect("chown");
        }
        self.user = Some(uid);
        self
    }

    fn infra(&self, args: &[&str]) -> Outcome {
        let like = self.env.command(args);
        let mut command = match self.user {
            Some(uid) => {
                let mut command = Command::new("setpriv");
                command.args([format!("--reuid={uid}"), format!("--regid={uid}")]);
                command.args(["--clear-groups", "sh"]);
                command
            }
            None => Command::new("sh"),
        };
        let script = "umask \"$1\"; shift; exec \"$@\"";
        command.args(["-c", script, "sh", self.umask, env!("CARGO_BIN_EXE_infra")]).args(args);
        command.env_clear().current_dir(&self.project);
        for (name, value) in like.get_envs() {
            if let Some(value) = value {
                command.env(name, value);
            }
        }
        command.env("INFRA_STORE", &self.store);
        command.envs(self.vars.iter().map(|(name, value)| (name, value)));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        finish(command.spawn().expect("start"))
    }

    #[track_caller]
    fn ok(&self, args: &[&str]) -> String {
        let outcome = self.infra(args);
        success(&format!("{}: {}", self.what, args.join(" ")), &outcome);
        outcome.stdout
    }

    /// Everything that must be the same everywhere.
    fn bits(&self) -> Bits {
        self.ok(&["dep", "lock"]);
        let lock = std::fs::read_to_string(self.project.join("dep.lock.json")).expect("lock");
        self.ok(&["dep", "sync"]);
        let digests =
            ENVIRONMENTS.map(|name| (name.to_owned(), self.ok(&["env", "digest", name]))).into();
        self.ok(&["store", "verify"]);
        Bits { lock, digests, trees: fixture::walk(&self.store.join("store"), true) }
    }
}

struct Bits {
    lock: String,
    digests: BTreeMap<String, String>,
    /// Every entry of every object: mode, mtime, content or target. The directory of objects
    /// itself is not in it.
    trees: BTreeMap<String, String>,
}

#[track_caller]
fn assert_bits(place: &Place, want: &Bits, have: &Bits) {
    assert_eq!(want.lock, have.lock, "{}: the lock", place.what);
    assert_eq!(want.digests, have.digests, "{}: the digests", place.what);
    assert_same(place.what, &want.trees, &have.trees);
}

fn nobody() -> Option<u32> {
    let users = std::fs::read_to_string("/etc/passwd").ok()?;
    let line = users.lines().find(|line| line.starts_with("nobody:"))?;
    line.split(':').nth(2)?.parse().ok()
}

#[test]
fn the_same_bits_everywhere() {
    let up = Upstream::start();
    let first = Place::new("the first place", &up);
    let want = first.bits();
    let digests: std::collections::BTreeSet<_> = want.digests.values().collect();
    assert_eq!(digests.len(), 3, "each environment is another: {:?}", want.digests);
    for (path, what) in &want.trees {
        let mode = what.split(' ').next().expect("mode");
        let time = what.split(' ').nth(1).expect("time");
        assert!(["100444", "100555", "40555", "120777"].contains(&mode), "{path} has {what}");
        assert_eq!(time, "1.0", "{path} has {what}");
    }

    let places = [
        Place::new("another store", &up).store_at("somewhere/else entirely/store ä"),
        Place::new("another project", &up).project_at("deeper/and deeper/project ß"),
        Place::new("umask 000", &up).umask("000"),
        Place::new("umask 077", &up).umask("077"),
        Place::new("a Turkish evening", &up)
            .var("LANG", "tr_TR.UTF-8")
            .var("LC_ALL", "tr_TR.UTF-8")
            .var("TZ", "Asia/Kathmandu"),
        Place::new("no locale, another home", &up)
            .var("LC_ALL", "C")
            .var("TZ", "America/St_Johns")
            .var("HOME", "/nonexistent")
            .var("USER", "somebody"),
        Place::new("one at a time", &up).var("INFRA_JOBS", "1"),
    ];
    for place in &places {
        assert_bits(place, &want, &place.bits());
    }
}

#[test]
fn the_same_bits_for_another_user() {
    let Some(uid) = nobody().filter(|_| rustix::process::getuid().is_root()) else {
        eprintln!("skipped: only root can be another user too");
        return;
    };
    let up = Upstream::start();
    let want = Place::new("root", &up).bits();
    let place = Place::new("nobody", &up).umask("077").user(uid);
    let probe = Command::new("setpriv")
        .args([format!("--reuid={uid}"), format!("--regid={uid}")])
        .args(["--clear-groups", env!("CARGO_BIN_EXE_infra"), "--version"])
        .output();
    if !probe.is_ok_and(|out| out.status.success()) {
        eprintln!("skipped: another user cannot start the program where it was built");
        return;
    }
    assert_bits(&place, &want, &place.bits());
}

/// Profiles that say the same in another order, with comments and other spacing.
#[test]
fn the_order_of_a_profile_is_nothing() {
    let up = Upstream::start();
    let want = Place::new("in one order", &up).bits();
    let place = Place::new("in another order", &up);
    let base = std::fs::read_to_string(place.project.join("profiles/base.toml")).expect("read");
    let mut sections: Vec<String> = base.split("\n\n").map(str::to_owned).collect();
    for section in &mut sections {
        let mut lines: Vec<&str> = section.lines().collect();
        if lines.first().is_some_and(|line| line.starts_with('[')) {
            lines[1..].reverse();
        }
        *section = lines.join("\n# a word\n");
    }
    // What belongs to no table stays first.
    sections[1..].reverse();
    let text = format!("{}\n", sections.join("\n\n"));
    assert_ne!(text, base);
    std::fs::write(place.project.join("profiles/base.toml"), text).expect("write");
    assert_bits(&place, &want, &place.bits());
}

/// What a checkout does to modes and times of the project's files is not in the environment.
#[test]
fn modes_and_times_of_a_checkout_are_nothing() {
    let up = Upstream::start();
    let want = Place::new("one checkout", &up).bits();
    let place = Place::new("another checkout", &up);
    for (path, mode) in [
        ("profiles/files/a.conf", 0o600),
        ("tools/bin/sleeper", 0o700),
        ("tools/share/text", 0o664),
        ("tools/share", 0o700),
    ] {
        let path = place.project.join(path);
        std::fs::set_permissions(&path, PermissionsExt::from_mode(mode)).expect("chmod");
        if path.is_file() {
            let file = std::fs::File::options().append(true).open(&path).expect("open");
            file.set_modified(std::time::UNIX_EPOCH).expect("set time");
        }
    }
    assert_bits(&place, &want, &place.bits());
}

/// A store that was moved serves on: environments are pointed at its new place by building them.
#[test]
fn a_moved_store() {
    let up = Upstream::start();
    let mut place = Place::new("a moved store", &up);
    let want = place.bits();
    let says = place.ok(&["env", "exec", "dev", "--", "tool"]);
    let to = place.env.root().join("moved/there");
    std::fs::create_dir_all(to.parent().expect("parent")).expect("create");
    std::fs::rename(&place.store, &to).expect("rename");
    place.store = to;
    let before = up.requests().len();
    for name in ENVIRONMENTS {
        place.ok(&["--offline", "env", "build", name]);
    }
    assert_bits_of_store(&place, &want);
    assert_eq!(place.ok(&["--offline", "env", "exec", "dev", "--", "tool"]), says);
    place.ok(&["store", "gc"]);
    assert_bits_of_store(&place, &want);
    assert_eq!(up.requests().len(), before, "a moved store has everything");
    // Links between objects are relative: another path to the store leads to the same.
    let alias = place.env.root().join("alias");
    symlink(&place.store, &alias).expect("link");
    assert_eq!(run_link(&alias, "tool"), says);
}

fn run_link(store: &Path, command: &str) -> String {
    let objects = std::fs::read_dir(store.join("store")).expect("list");
    let dev = objects
        .map(|entry| entry.expect("entry").path())
        .find(|path| path.to_string_lossy().ends_with("-env-dev"))
        .expect("the environment");
    let output = Command::new(dev.join("bin").join(command)).output().expect("start");
    String::from_utf8(output.stdout).expect("text")
}

#[track_caller]
fn assert_bits_of_store(place: &Place, want: &Bits) {
    place.ok(&["store", "verify"]);
    for name in ENVIRONMENTS {
        assert_eq!(place.ok(&["--offline", "env", "digest", name]), want.digests[name]);
    }
    assert_same(place.what, &want.trees, &fixture::walk(&place.store.join("store"), true));
}
