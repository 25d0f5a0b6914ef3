//! Help, completion, and that the documentation names everything.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::support::TestEnv;
use crate::world::{World, compare};

#[test]
fn top_level() {
    let env = TestEnv::new();
    let help = env.ok(["--help"]);
    compare("help", &env.snapshot(&help));
    assert_eq!(env.ok::<&str>([]).stdout, env.ok(["-h"]).stdout, "alone it says what it is");
    let version = env.ok(["--version"]).stdout;
    assert_eq!(version, format!("infra {}\n", env!("CARGO_PKG_VERSION")));
}

/// Every subcommand's words, found by reading help.
fn subcommands(env: &TestEnv, words: &[String], out: &mut BTreeSet<String>) {
    let help = env.ok(words.iter().map(String::as_str).chain(["--help"])).stdout;
    let Some((_, list)) = help.split_once("\nCommands:\n") else {
        assert!(help.contains("infra "), "{words:?} has an example: {help}");
        out.insert(words.join(" "));
        return;
    };
    for line in list.lines().take_while(|l| !l.is_empty()) {
        let name = line.trim_start().split(' ').next().unwrap_or_default();
        if line.starts_with("  ") && !line.starts_with("   ") && !name.is_empty() {
            subcommands(env, &[words, &[name.to_owned()]].concat(), out);
        }
    }
}

#[test]
fn every_subcommand_has_help_with_an_example() {
    let mut leaves = BTreeSet::new();
    subcommands(&TestEnv::new(), &[], &mut leaves);
    assert!(leaves.len() >= 30, "{leaves:?}");
    compare("subcommands", &leaves.into_iter().collect::<Vec<_>>().join("\n"));
}

#[test]
fn the_documentation_names_every_subcommand_and_variable() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/technical/cli.md");
    let Ok(text) = std::fs::read_to_string(&path) else {
        crate::world::passed_over("docs/technical/cli.md is not there yet");
        return;
    };
    let mut leaves = BTreeSet::new();
    subcommands(&TestEnv::new(), &[], &mut leaves);
    let missing: Vec<_> = leaves.iter().filter(|l| !text.contains(&format!("infra {l}"))).collect();
    assert!(missing.is_empty(), "not in docs/technical/cli.md: {missing:?}");
    let variables = infra::base::vars::ALL.iter().map(|v| v.name);
    let missing: Vec<_> = variables.filter(|v| !text.contains(v)).collect();
    assert!(missing.is_empty(), "not in docs/technical/cli.md: {missing:?}");
}

/// What a shell says of a script it only parses; `None` where there is no such shell.
fn parse(shell: &str, args: &[&str], script: &str) -> Option<(bool, String)> {
    let child = Command::new(shell)
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let Ok(mut child) = child else {
        crate::world::passed_over(&format!("no {shell} here"));
        return None;
    };
    let mut input = child.stdin.take().expect("stdin");
    input.write_all(script.as_bytes()).expect("write");
    drop(input);
    let output = child.wait_with_output().expect("wait");
    Some((output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned()))
}

#[test]
fn completion_parses_in_the_real_shells() {
    let env = TestEnv::new();
    for shell in ["bash", "zsh", "fish"] {
        let script = env.ok(["completion", shell]).stdout;
        for word in ["rollback", "runtime", "completion"] {
            assert!(script.contains(word), "{shell} knows {word}");
        }
        assert!(!script.contains("__supervise"), "{shell}: what is hidden stays so");
        if let Some((good, said)) = parse(shell, &["-n"], &script) {
            assert!(good && said.is_empty(), "{shell}: {said}");
        }
    }
}

#[test]
fn bash_completes_subcommands() {
    let world = World::empty();
    let script = world.env.ok(["completion", "bash"]).stdout;
    let ask = "\nCOMP_WORDS=(infra env ro); COMP_CWORD=2\n_infra infra ro env\necho \"${COMPREPLY[*]}\"\n";
    let child =
        Command::new("bash").args(["--norc", "--noprofile", "-c", &(script + ask)]).output();
    let Ok(output) = child else {
        crate::world::passed_over("no bash here");
        return;
    };
    assert_eq!(String::from_utf8_lossy(&output.stdout), "rollback\n");
}
