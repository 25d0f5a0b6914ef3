//! A bad upgrade ends no service: the program before goes on.

use std::os::unix::fs::PermissionsExt;

use rustix::process::Signal;

use super::{another, copy, events, pids, status, up, upgrade, upgrade_to};
use crate::commands::stack::{pid, service};
use crate::support::{signal, wait_for};

#[test]
fn a_program_that_cannot_read_the_state_gives_it_back() {
    let world = up("");
    let before = status(&world);
    // It answers as it should, and then knows no such state.
    let program = copy(&world, "infra-next");
    let mut bytes = std::fs::read(&program).expect("read");
    let word = b"infra supervisor state";
    let mut found = 0;
    for at in 0..bytes.len() - word.len() {
        if bytes[at..].starts_with(word) {
            bytes[at..at + word.len()].copy_from_slice(b"infra supervisor stone");
            found += 1;
        }
    }
    assert!(found > 0, "the word is in the program");
    let patched = world.env.root().join("patched");
    std::fs::write(&patched, bytes).expect("write");
    crate::world::install(&patched, &program);
    for number in 1..=2 {
        let outcome = upgrade_to(&world, &program);
        assert_eq!(outcome.code, Some(1), "{}", outcome.stderr);
        assert!(outcome.stderr.contains("was not replaced"), "{}", outcome.stderr);
        assert!(outcome.stderr.contains("infra supervisor state"), "{}", outcome.stderr);
        let now = status(&world);
        assert_eq!(pids(&before), pids(&now));
        assert_eq!(now["upgrade"]["outcome"], "failed");
        assert_eq!(now["upgrade"]["number"], number);
    }
    let told = events(&world);
    assert_eq!(told.iter().filter(|r| r["event"] == "not_upgraded").count(), 2, "{told:?}");
    // It supervises as before, and a good program can still take over.
    let first = pid(&before, "first");
    signal(first, Signal::KILL);
    let now = another(&world, "first", first);
    assert_eq!(upgrade(&world)["outcome"], "done");
    assert_eq!(pids(&now), pids(&status(&world)));
    assert_eq!(service(&now, "first")["restarts"], 1);
}

#[test]
fn a_program_that_cannot_be_executed_changes_nothing() {
    let world = crate::commands::stack::ready();
    let at = world.env.root().join("paused");
    let outcome = {
        let mut command = world.env.command(["runtime", "up", "-q"]);
        command.env("INFRA_INTERRUPT_AT", format!("upgrade.ready@{}", at.display()));
        crate::support::finish(command.spawn().expect("start"))
    };
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    let before = status(&world);
    let program = copy(&world, "infra-next");
    let words = ["runtime", "upgrade", "--json", "--program", program.to_str().expect("text")];
    let asked = world.env.command(words).spawn().expect("start");
    wait_for("the moment before", || at.exists().then_some(()));
    std::fs::set_permissions(&program, PermissionsExt::from_mode(0o000)).expect("mode");
    std::fs::remove_file(&at).expect("go on");
    let outcome = crate::support::finish(asked);
    assert_eq!(outcome.code, Some(1), "{}", outcome.stderr);
    assert!(outcome.stdout.contains("could not be executed"), "{}", outcome.stdout);
    let now = status(&world);
    assert_eq!(pids(&before), pids(&now));
    let first = pid(&before, "first");
    signal(first, Signal::KILL);
    another(&world, "first", first);
    assert!(world.env.ok(["runtime", "logs", "first"]).stdout.contains("first: ready"));
}

#[test]
fn files_that_are_gone_by_then_end_no_service() {
    let world = up("");
    let before = status(&world);
    let (profiles, away) = (world.env.project().join("profiles"), world.env.root().join("away"));
    std::fs::rename(&profiles, &away).expect("rename");
    let project = world.env.project();
    let project = project.to_str().expect("text");
    let words = ["runtime", "upgrade", "--env", "dev", "--project", project];
    world.env.ok(words);
    std::fs::rename(&away, &profiles).expect("rename");
    assert_eq!(pids(&before), pids(&status(&world)));
}
