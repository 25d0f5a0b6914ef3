//! Between its check and its start an executable cannot be changed.

use std::io::Write as _;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt};
use std::path::PathBuf;

use crate::support::wait_for;
use crate::world::World;

/// The stack is started in the background and waits between check and start, if it gets there.
fn paused() -> (World, PathBuf, PathBuf, std::thread::JoinHandle<crate::support::Outcome>) {
    let mut world = super::with_program(
        "the pinned one\n",
        "[service.a]\ncommand = [\"still\"]\nready = { log = \"one\", timeout = \"20s\" }\n\
         restart = \"never\"\n",
    );
    world.env.ok(["env", "build", "-q"]);
    let at = world.env.root().join("paused");
    world.env.set("INFRA_INTERRUPT_AT", format!("service.checked@{}", at.display()));
    let mut command = world.env.command(["runtime", "up"]);
    let up = std::thread::spawn(move || crate::support::finish(command.spawn().expect("start")));
    wait_for("the pause", || at.exists().then_some(()));
    let store = world.env.store().join("store");
    let objects = std::fs::read_dir(store).expect("store").map(|e| e.expect("entry").path());
    let program = objects.map(|o| o.join("bin/still")).find(|p| p.is_file()).expect("the program");
    (world, at, program, up)
}

fn log(world: &World) -> String {
    world.env.infra(["runtime", "logs", "a", "--lines", "50"]).stdout
}

#[test]
fn a_byte_cannot_be_changed() {
    let (world, at, program, up) = paused();
    // Whoever owns the file can make it writable; opening it for that is what is refused.
    let meta = std::fs::metadata(&program).expect("meta");
    std::fs::set_permissions(&program, PermissionsExt::from_mode(0o755)).expect("mode");
    let refused = std::fs::OpenOptions::new()
        .write(true)
        .custom_flags(libc::O_NONBLOCK)
        .open(&program)
        .expect_err("held");
    assert_eq!(refused.kind(), std::io::ErrorKind::WouldBlock);
    std::fs::set_permissions(&program, meta.permissions()).expect("mode");
    std::fs::remove_file(&at).expect("go on");
    let outcome = up.join().expect("up");
    // Someone tried, so it is not started, and that is said.
    assert_eq!(outcome.code, Some(1), "{}", outcome.stderr);
    assert!(outcome.stderr.contains("was written to after it was checked"), "{}", outcome.stderr);
    assert!(!log(&world).contains("the pinned one\n"));
    world.env.infra(["runtime", "down", "-q"]);
}

#[test]
fn another_file_under_its_name_is_not_the_one_that_starts() {
    let (world, at, program, up) = paused();
    let dir = program.parent().expect("bin");
    std::fs::set_permissions(dir, PermissionsExt::from_mode(0o755)).expect("mode");
    let other = dir.join("other");
    std::fs::File::create(&other)
        .and_then(|mut file| file.write_all(&super::elf::says("another one\n")))
        .expect("write");
    std::fs::set_permissions(&other, PermissionsExt::from_mode(0o755)).expect("mode");
    std::fs::rename(&other, &program).expect("rename");
    std::fs::remove_file(&at).expect("go on");
    let outcome = up.join().expect("up");
    // What was checked is what runs (or, as its own inode changed by losing its name, nothing).
    let log = log(&world);
    assert!(!log.contains("another one"), "{log}");
    assert!(outcome.code == Some(0) && log.contains("the pinned one") || outcome.code == Some(1));
    world.env.infra(["runtime", "down", "-q"]);
}
