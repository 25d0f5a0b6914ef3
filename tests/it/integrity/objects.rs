//! Objects of the store: whatever is changed in one, nothing starts, and a repair restores it.

use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use super::{names_both, refused};
use crate::crashes::fixture::{self, Upstream, assert_same, flip, state, success};
use crate::crashes::many::{Down, service};
use crate::support::{TestEnv, alive, signal, wait_for};

fn chmod(path: &Path, mode: u32) {
    std::fs::set_permissions(path, PermissionsExt::from_mode(mode)).expect("chmod");
}

/// Changes the entries of a read-only directory.
fn within(dir: &Path, change: impl FnOnce(&Path)) {
    chmod(dir, 0o755);
    change(dir);
    chmod(dir, 0o555);
}

/// A way to change a tree so that its hash is another.
type Harm = (&'static str, fn(&Path));

/// What can be done to the object of `tool`.
const TOOL: &[Harm] = &[
    ("a byte", |object| flip(&fixture::script(object, "tool"), 200)),
    ("the last byte of a text", |object| {
        let text = object.join("tool_bin-1.0.0.dist-info/METADATA");
        flip(&text, usize::MAX);
    }),
    ("a byte more", |object| {
        fixture::disturb(&fixture::script(object, "tool-helper"), |bytes| bytes.push(0));
    }),
    ("no executable bit", |object| chmod(&fixture::script(object, "tool"), 0o444)),
    ("an executable bit", |object| {
        chmod(&object.join("tool_bin-1.0.0.dist-info/RECORD"), 0o555);
    }),
    ("a file more", |object| {
        within(object, |dir| std::fs::write(dir.join("more"), "").expect("write"));
    }),
    ("a file less", |object| {
        let dir = object.join("tool_bin-1.0.0.dist-info");
        within(&dir, |dir| std::fs::remove_file(dir.join("WHEEL")).expect("remove"));
    }),
    ("a link in a file's place", |object| {
        let file = fixture::script(object, "tool");
        within(file.parent().expect("parent"), |dir| {
            std::fs::remove_file(dir.join("tool")).expect("remove");
            symlink("tool-helper", dir.join("tool")).expect("link");
        });
    }),
    ("an empty directory more", |object| {
        within(object, |dir| std::fs::create_dir(dir.join("empty")).expect("create"));
    }),
];

/// What can be done to the object of the environment.
const ENVIRONMENT: &[Harm] = &[
    ("a value in env.json", |object| {
        fixture::disturb(&object.join("env.json"), |bytes| {
            let text = String::from_utf8(bytes.clone()).expect("text");
            assert!(text.contains("\"any\""), "{text}");
            *bytes = text.replace("\"any\"", "\"all\"").into_bytes();
        });
    }),
    ("env.json is no JSON", |object| flip(&object.join("env.json"), 0)),
    ("a configuration file", |object| flip(&object.join("etc/a.conf"), 3)),
    ("a link of a command", |object| {
        within(&object.join("bin"), |bin| {
            std::fs::remove_file(bin.join("tool")).expect("remove");
            symlink("/bin/true", bin.join("tool")).expect("link");
        });
    }),
    ("a command more", |object| {
        within(&object.join("bin"), |bin| symlink("/bin/true", bin.join("more")).expect("link"));
    }),
];

fn built(up: &Upstream) -> TestEnv {
    let env = up.project();
    // Says in the project that it was started.
    env.write("tools/bin/sleeper", "#!/bin/sh\necho yes >> started\nexec /bin/sleep 100000\n");
    env.ok(["dep", "lock"]);
    env.ok(["env", "build", "dev"]);
    env
}

fn started(env: &TestEnv) -> bool {
    fixture::walk(&env.project(), false).keys().any(|path| path.ends_with("started"))
}

const STARTS: [&[&str]; 3] = [&["run"], &["runtime", "up"], &["env", "exec", "dev", "--", "tool"]];

#[test]
fn a_changed_object_starts_nothing_and_is_repaired() {
    let up = Upstream::start();
    let env = built(&up);
    let whole = state(&env);
    let object = fixture::object(&env, "tool-1.0.0");
    let name = object.file_name().expect("name").to_string_lossy().into_owned();
    for (what, harm) in TOOL {
        harm(&object);
        for command in STARTS.iter().chain(&[&["dep", "verify"][..], &["store", "verify"]]) {
            let what = format!("{what}; then {}", command.join(" "));
            let outcome = env.infra(*command);
            refused(&what, &outcome, &[&name, "infra store repair"]);
            names_both(&what, &outcome);
        }
        assert!(!started(&env), "{what}: the service was started");
        success(what, &env.infra(["store", "repair"]));
        assert_same(what, &whole, &state(&env));
        let said = env.ok(["env", "exec", "dev", "--", "tool"]);
        assert_eq!(said.stdout, "tool 1.0.0\n", "{what}");
    }
}

#[test]
fn a_changed_environment_starts_nothing_and_is_repaired() {
    let up = Upstream::start();
    let env = built(&up);
    let whole = state(&env);
    let object = fixture::object(&env, "env-dev");
    let name = object.file_name().expect("name").to_string_lossy().into_owned();
    for (what, harm) in ENVIRONMENT {
        harm(&object);
        let others: [&[&str]; 4] = [
            &["env", "print", "dev"],
            &["env", "digest", "dev"],
            &["env", "build", "dev"],
            &["store", "verify"],
        ];
        for command in STARTS.iter().chain(&others) {
            let what = format!("{what}; then {}", command.join(" "));
            let outcome = env.infra(*command);
            refused(&what, &outcome, &[&name, "infra store repair"]);
            names_both(&what, &outcome);
        }
        assert!(!started(&env), "{what}: the service was started");
        success(what, &env.infra(["store", "repair"]));
        assert_same(what, &whole, &state(&env));
        success(what, &env.infra(["env", "exec", "dev", "--", "tool"]));
    }
}

/// An object whose directory is gone is no object: what needs it fetches it again.
#[test]
fn an_object_whose_files_are_gone() {
    let up = Upstream::start();
    for suffix in ["tool-1.0.0", "env-dev"] {
        let env = built(&up);
        let whole = state(&env);
        let object = fixture::object(&env, suffix);
        chmod(&object, 0o755);
        fixture::make_writable(&object);
        std::fs::remove_dir_all(&object).expect("remove");
        refused(suffix, &env.infra(["store", "verify"]), &[suffix]);
        success(suffix, &env.infra(["store", "repair"]));
        assert_same(suffix, &whole, &state(&env));
    }
}

/// Modes that a tree hash does not cover are put back; nothing is refused for them.
#[test]
fn a_mode_that_changes_nothing() {
    let up = Upstream::start();
    let env = built(&up);
    let whole = state(&env);
    let object = fixture::object(&env, "tool-1.0.0");
    chmod(&object.join("tool_bin-1.0.0.dist-info/RECORD"), 0o644);
    chmod(&object, 0o755);
    success("exec", &env.infra(["env", "exec", "dev", "--", "tool"]));
    assert_same("sealed again", &whole, &state(&env));
}

/// A registration that cannot be read vouches for nothing: its object is made again.
#[test]
fn a_changed_registration() {
    let up = Upstream::start();
    type Harm = (&'static str, fn(&mut Vec<u8>));
    let harms: [Harm; 4] = [
        ("cut", |bytes| bytes.truncate(40)),
        ("empty", Vec::clear),
        ("no JSON", |bytes| bytes[0] = b'x'),
        ("another tree", |bytes| {
            let text = String::from_utf8(bytes.clone()).expect("text");
            let at = text.find("\"tree\": \"sha256-").expect("a tree") + 24;
            bytes[at] = if bytes[at] == b'a' { b'b' } else { b'a' };
        }),
    ];
    let env = built(&up);
    let whole = state(&env);
    for suffix in ["tool-1.0.0", "env-dev"] {
        let object = fixture::object(&env, suffix);
        let name = object.file_name().expect("name").to_string_lossy().into_owned();
        let digest = name[..32].to_owned();
        let file = env.store().join("meta").join(format!("{digest}.json"));
        for (harm, change) in harms {
            let what = format!("the registration of {suffix}: {harm}");
            fixture::disturb(&file, change);
            refused(&what, &env.infra(["store", "verify"]), &[&digest]);
            success(&what, &env.infra(["store", "repair"]));
            assert_same(&what, &whole, &state(&env));
            // Without a repair, too: whoever needs the object makes it again.
            fixture::disturb(&file, change);
            success(&what, &env.infra(["env", "exec", "dev", "--", "tool"]));
            success(&what, &env.infra(["store", "verify"]));
            assert_same(&what, &whole, &state(&env));
        }
    }
}

/// A running service is not touched by a damage to its files, nor stopped for a restart that could
/// not succeed; when it ends by itself its next start is blocked, and the others run on.
#[test]
fn a_restart_of_a_changed_service_is_blocked() {
    let up = Upstream::start();
    let env = up.project();
    let base = up.base("^1.0");
    env.write("profiles/base.toml", format!("{base}\n[service.other]\ncommand = [\"other\"]\n"));
    env.write("tools/bin/sleeper", "#!/bin/sh\necho yes >> started\nexec /bin/sleep 100000\n");
    env.write("tools/bin/other", "#!/bin/sh\nexec /bin/sleep 100000\n");
    chmod(&env.project().join("tools/bin/other"), 0o755);
    env.ok(["dep", "lock"]);
    let _down = Down(&env);
    success("up", &env.infra(["runtime", "up"]));
    let pid = wait_for("the service", || service(&env, "sleeper").ready_pid());
    let other = wait_for("the other service", || service(&env, "other").ready_pid());
    wait_for("its mark", || started(&env).then_some(()));
    let object = fixture::object(&env, "local-0");
    let name = object.file_name().expect("name").to_string_lossy().into_owned();
    flip(&object.join("bin/sleeper"), 12);

    for command in [&["runtime", "restart"][..], &["runtime", "restart", "sleeper"]] {
        let outcome = env.infra(command);
        refused("restart", &outcome, &[&name, "infra store repair"]);
        names_both("restart", &outcome);
        assert!(alive(pid) && alive(other), "something was stopped in vain");
    }
    signal(pid, rustix::process::Signal::KILL);
    let blocked = wait_for("the refusal", || {
        let service = service(&env, "sleeper");
        (service.state == "blocked").then_some(service)
    });
    assert!(blocked.text.contains(&name), "{}", blocked.text);
    assert_eq!(service(&env, "other").ready_pid(), Some(other));
    let marks = std::fs::read_to_string(env.project().join("started")).expect("read");
    assert_eq!(marks, "yes\n", "it was started again");
    assert_eq!(env.infra(["runtime", "status"]).code, Some(1));

    success("repair", &env.infra(["store", "repair"]));
    success("restart", &env.infra(["runtime", "restart", "sleeper"]));
    assert_ne!(wait_for("the service", || service(&env, "sleeper").ready_pid()), pid);
    success("down", &env.infra(["runtime", "down"]));
    wait_for("the end", || (!alive(other)).then_some(()));
}
