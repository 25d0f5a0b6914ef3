//! Activation in the real shells: printed code evaluated, and shells that are entered on a terminal.
//!
//! What is not installed here is said and passed over.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use crate::support::{Outcome, finish};
use crate::world::World;

/// Each shell, with flags that keep the machine's start-up files out.
const SHELLS: [(&str, &[&str]); 3] =
    [("bash", &["--norc", "--noprofile"]), ("zsh", &["-f"]), ("fish", &["--no-config"])];

fn installed(shell: &str) -> Option<PathBuf> {
    let found = ["/bin", "/usr/bin", "/usr/local/bin"].iter().map(|d| PathBuf::from(d).join(shell));
    let found = found.into_iter().find(|p| p.is_file());
    if found.is_none() {
        crate::world::passed_over(&format!("no {shell} here"));
    }
    found
}

/// A program with the world's variables, `infra` on its `PATH`, and a script as its input.
fn with_input(world: &World, program: &str, args: &[&str], shell: &str, script: &str) -> Outcome {
    let mut command = Command::new(program);
    command.args(args).current_dir(world.env.project()).env_clear();
    for (name, value) in world.env.command::<&str>([]).get_envs() {
        command.env(name, value.expect("set"));
    }
    let infra = PathBuf::from(env!("CARGO_BIN_EXE_infra"));
    let dir = infra.parent().expect("directory").display();
    command.env("PATH", format!("/usr/bin:/bin:{dir}")).env("SHELL", shell).env("TERM", "dumb");
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("start");
    let mut input = child.stdin.take().expect("stdin");
    input.write_all(script.as_bytes()).expect("write");
    drop(input);
    finish(child)
}

#[test]
fn printed_code_activates_and_leaves() {
    let world = World::synced();
    world.env.ok(["env", "build", "-q"]);
    for (shell, flags) in SHELLS {
        let Some(path) = installed(shell) else { continue };
        let enter = match shell {
            "fish" => "infra env print dev --shell fish | source".to_owned(),
            _ => format!("eval \"$(infra env print dev --shell {shell})\""),
        };
        let before = match shell {
            "fish" => "set -gx GREETING before\n",
            _ => "export GREETING=before\n",
        };
        let script = format!(
            "{before}{enter}\n{enter}\nalpha\necho \"$GREETING $INFRA_ENV_NAME\"\n\
             infra_leave\necho \"$GREETING [$INFRA_ENV_NAME]\"\nalpha 2>/dev/null; echo \"code $status$?\"\n"
        );
        // `$?` is fish's `$status`, and neither knows the other's.
        let script = match shell {
            "fish" => script.replace("$status$?", "$status"),
            _ => script.replace("$status$?", "$?"),
        };
        let path = path.to_string_lossy().into_owned();
        let outcome = with_input(&world, &path, flags, &path, &script);
        assert_eq!(
            outcome.stdout, "alpha 1.1.0\nhello dev\nbefore []\ncode 127\n",
            "{shell}: {}",
            outcome.stderr
        );
    }
}

#[test]
fn the_next_environment_replaces_the_one_before() {
    let world = World::synced();
    world
        .env
        .write("profiles/test.toml", "extends = \"base\"\n\n[env]\nGREETING = false\nT = \"t\"\n");
    world.env.ok(["env", "build", "dev", "-q"]);
    world.env.ok(["env", "build", "test", "-q"]);
    let script = "set -eu\neval \"$(infra env print dev)\"\neval \"$(infra env print test)\"\n\
                  echo \"${GREETING-none} $T $INFRA_ENV_NAME\"\ninfra_leave\n\
                  echo \"${T-none} ${INFRA_ENV_NAME-none} $PATH\"\n";
    let outcome = with_input(&world, "bash", &["--norc", "--noprofile"], "/bin/bash", script);
    let lines: Vec<&str> = outcome.stdout.lines().collect();
    assert_eq!(lines.first(), Some(&"none t test"), "{}", outcome.stderr);
    let last = lines.last().expect("a line");
    assert!(last.starts_with("none none /usr/bin:/bin:"), "{last}");
}

/// Runs `infra env enter` on a terminal and types; gives what the terminal showed.
fn entered(world: &World, shell: &str, flags: &str, typed: &str) -> Option<Outcome> {
    let script = installed("script")?;
    let command = format!("infra env enter dev {flags}");
    let args = ["-qec", &command, "/dev/null"];
    let program = script.to_string_lossy().into_owned();
    Some(with_input(world, &program, &args, shell, typed))
}

#[test]
fn entering_shows_where_one_is_and_exit_leaves() {
    let world = World::synced();
    world.env.ok(["env", "build", "-q"]);
    for shell in ["bash", "zsh", "fish"] {
        let Some(path) = installed(shell) else { continue };
        let path = path.to_string_lossy().into_owned();
        // A start-up file that would put its own things first.
        world.home("PATH=/usr/local/bin:$PATH; GREETING=mine; export GREETING PATH; FROM_RC=yes\n");
        for flags in ["", "--pure"] {
            let typed = "alpha\necho \"<$GREETING $INFRA_ENV_NAME>\"\nexit 7\n";
            let Some(outcome) = entered(&world, &path, flags, typed) else { return };
            let shown = &outcome.stdout;
            assert!(shown.contains("entering dev (generation 1, "), "{shell} {flags}: {shown}");
            assert!(shown.contains("(infra:dev) "), "{shell} {flags}: the prompt says it: {shown}");
            assert!(shown.contains("alpha 1.1.0"), "{shell} {flags}: {shown}");
            assert!(shown.contains("<hello dev>"), "{shell} {flags}: {shown}");
            assert_eq!(outcome.code, Some(7), "{shell} {flags}: its code is ours: {shown}");
        }
    }
}

#[test]
fn a_pure_shell_has_no_command_of_the_host() {
    let world = World::synced();
    world.env.ok(["env", "build", "-q"]);
    let typed = "ls /; echo \"ls ended with $?\"\nexit 0\n";
    let Some(outcome) = entered(&world, "/bin/bash", "--pure", typed) else { return };
    assert!(outcome.stdout.contains("ls ended with 127"), "{}", outcome.stdout);
}

impl World {
    /// The user's start-up files for shells of the Bourne family.
    fn home(&self, text: &str) {
        for file in [".bashrc", ".zshrc"] {
            std::fs::write(self.env.home().join(file), text).expect("write");
        }
    }
}
