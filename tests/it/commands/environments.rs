//! `infra env build|list|exec|print|diff|digest|rollback`

use crate::support::finish;
use crate::world::{World, install};

#[test]
fn build_makes_a_generation_once() {
    let world = World::synced();
    let outcome = world.env.ok(["env", "build", "dev"]);
    world.snapshot("env_build", &outcome);
    let path = std::path::PathBuf::from(outcome.stdout.trim_end());
    assert!(path.join("bin/alpha").exists() && path.join("env.json").is_file());
    let again = world.env.ok(["env", "build", "dev"]);
    assert_eq!((&again.stdout, &again.stderr), (&outcome.stdout, &outcome.stderr));
    world.snapshot("env_list", &world.env.ok(["env", "list"]));
}

#[test]
fn building_fetches_what_is_missing() {
    let world = World::new();
    world.env.ok(["dep", "lock", "-q"]);
    world.lose(&[]);
    assert_eq!(world.env.ok(["env", "exec", "dev", "--", "gamma"]).stdout, "gamma 3.0.0\n");
}

#[test]
fn generations_and_back() {
    let world = World::synced();
    let first = world.env.ok(["env", "digest"]).stdout;
    world.edit("profiles/base.toml", "hello", "good day");
    let second = world.env.ok(["env", "digest"]).stdout;
    assert_ne!(first, second);
    world.snapshot("env_rollback", &world.env.ok(["env", "rollback", "dev"]));
    assert_eq!(world.env.ok(["env", "digest"]).stdout, first, "a roll-back holds");
    world.snapshot("env_list_held", &world.env.ok(["env", "list", "--generations"]));
    let says = || world.env.ok(["env", "exec", "dev", "--", "sh", "-c", "echo $GREETING"]).stdout;
    assert_eq!(says(), "hello\n");
    world.env.ok(["env", "rollback", "dev", "--to", "2"]);
    assert_eq!(says(), "good day\n");
    let rows = world.json(["env", "list", "--generations", "--json"]);
    let dev: Vec<_> = rows
        .as_array()
        .expect("rows")
        .iter()
        .filter(|r| r["name"] == "dev")
        .map(|r| r["generation"].as_u64())
        .collect();
    assert_eq!(dev.len(), 2, "{rows}");
}

#[test]
fn diff_names_every_difference() {
    let world = World::synced();
    world.env.write(
        "profiles/test.toml",
        "extends = \"base\"\n\n[dep]\nbeta = false\n\n[env]\nGREETING = \"good day\"\nMORE = 1\n",
    );
    world.env.ok(["dep", "lock", "-q"]);
    world.snapshot("env_diff", &world.env.ok(["env", "diff", "dev", "test"]));
    assert!(
        !world.json(["env", "diff", "dev", "test", "--json"]).as_array().expect("list").is_empty()
    );
    let same = world.env.ok(["env", "diff", "dev", "dev"]);
    assert_eq!(same.stderr, "dev and dev are the same\n");
}

#[test]
fn the_digest_does_not_depend_on_the_place() {
    let (one, other) = (World::synced(), World::synced());
    let digest = |world: &World| world.env.ok(["env", "digest", "test"]).stdout;
    assert_eq!(digest(&one), digest(&other));
}

#[test]
fn print_speaks_every_form() {
    let world = World::synced();
    // It is on every prompt's way: it builds nothing.
    world.refused("env_print_not_built", 1, ["env", "print", "dev"]);
    world.env.ok(["env", "build", "-q"]);
    for form in ["bash", "zsh", "fish", "json", "dotenv", "github", "github-path"] {
        let outcome = world.env.ok(["env", "print", "dev", "--shell", form]);
        world.snapshot(&format!("env_print_{form}"), &outcome);
    }
    let json = world.json(["env", "print", "dev", "--shell", "json"]);
    assert_eq!(json["GREETING"], "hello");
    assert_eq!(json["INFRA_ENV_NAME"], "dev");
    let bin = json["PATH"].as_str().expect("PATH").split(':').next().expect("first").to_owned();
    assert!(std::path::Path::new(&bin).join("alpha").exists(), "{bin}");
}

#[test]
fn a_childs_end_is_ours() {
    let world = World::synced();
    let code = |args: &[&str]| world.env.infra([&["env", "exec", "dev", "--"], args].concat()).code;
    assert_eq!(code(&["quit", "0"]), Some(0));
    assert_eq!(code(&["quit", "7"]), Some(7));
    assert_eq!(code(&["quit", "255"]), Some(255));
    let killed = world.env.infra(["env", "exec", "dev", "--", "sh", "-c", "kill -TERM $$"]);
    assert_eq!(
        (killed.code, killed.signal),
        (None, Some(15)),
        "it is the command itself that ended"
    );
    // Standard input reaches it, and its name is the one that was typed.
    let mut command = world.env.command(["env", "exec", "dev", "--", "cat"]);
    let mut child = command.stdin(std::process::Stdio::piped()).spawn().expect("start");
    let mut input = child.stdin.take().expect("stdin");
    std::io::Write::write_all(&mut input, b"through\n").expect("write");
    drop(input);
    assert_eq!(finish(child).stdout, "through\n");
}

#[test]
fn the_pinned_command_wins_over_the_hosts() {
    let mut world = World::synced();
    let host = world.env.root().join("host");
    std::fs::create_dir(&host).expect("create");
    world.env.write("from-host", "#!/bin/sh\necho from the host\n");
    for name in ["alpha", "host-only"] {
        install(&world.env.project().join("from-host"), &host.join(name));
    }
    world.env.set("PATH", format!("{}:/usr/bin:/bin", host.display()));
    let run = |args: &[&str]| world.env.infra(args);
    assert_eq!(run(&["env", "exec", "dev", "--", "alpha"]).stdout, "alpha 1.1.0\n");
    assert_eq!(run(&["env", "exec", "dev", "--", "sh", "-c", "alpha"]).stdout, "alpha 1.1.0\n");
    assert_eq!(run(&["env", "exec", "dev", "--", "host-only"]).stdout, "from the host\n");
    let hidden = run(&["env", "exec", "dev", "--pure", "--", "host-only"]);
    world.check_refusal("env_exec_pure", 127, &hidden);
    assert_eq!(run(&["env", "exec", "dev", "--pure", "--", "alpha"]).stdout, "alpha 1.1.0\n");
}

#[test]
fn pure_leaves_the_hosts_variables_out() {
    let mut world = World::synced();
    world.env.set("HOST_SECRET", "x").set("TERM", "vt100");
    let args = ["env", "exec", "dev", "--pure", "--", "/usr/bin/env"];
    let outcome = world.env.ok(args);
    let names: Vec<&str> =
        outcome.stdout.lines().filter_map(|l| l.split_once('=')).map(|(name, _)| name).collect();
    for name in ["GREETING", "INFRA_ENV_NAME", "INFRA_ENV_DIGEST", "HOME", "TERM", "PATH"] {
        assert!(names.contains(&name), "{name} in {names:?}");
    }
    for name in ["HOST_SECRET", "PIP_INDEX_URL", "INFRA_STORE"] {
        assert!(!names.contains(&name), "{name} in {names:?}");
    }
    let path = outcome.stdout.lines().find(|l| l.starts_with("PATH=")).expect("PATH");
    assert!(!path.contains(':'), "only the environment's: {path}");
}
