//! What an image takes away: a writable store and project, a home, `/proc`.

use rustix::process::Signal;

use super::{Container, OBEYS, world};
use crate::world::World;

const SERVICE: &str = "ready = { log = \"up\" }";

/// Mounts a directory over itself, for reading only.
fn read_only(dir: &std::path::Path) -> String {
    let dir = dir.display();
    format!("mount --bind '{dir}' '{dir}' && mount -o remount,bind,ro '{dir}' || exit 99\n")
}

/// A project with an empty data directory: an image has one, and a volume is mounted there.
fn image() -> World {
    let world = world(&[("one", OBEYS, SERVICE)]);
    std::fs::create_dir_all(world.env.project().join(".data")).expect("data");
    world
}

#[test]
fn runs_from_a_read_only_store_and_project_without_a_home() {
    let world = image();
    let data = world.env.project().join(".data");
    let data = data.display();
    let mut prepare = read_only(&world.env.store());
    // The volume stays writable on top of the image.
    prepare += &format!("mount --bind '{data}' /mnt || exit 98\n");
    prepare += &read_only(&world.env.project());
    prepare += &format!("mount --bind /mnt '{data}' || exit 97\ncd \"$PWD\"\nunset HOME\n");
    let container = Container::start_after(&world, &prepare, &["run"]);
    container.until("ready after").send(Signal::TERM);
    let end = container.end();
    assert_eq!(end.code, Some(0), "{:?}", end.said);
}

#[test]
fn a_data_directory_that_cannot_be_written_is_an_error_that_names_it() {
    let world = image();
    let mut prepare = read_only(&world.env.store());
    prepare += &read_only(&world.env.project());
    prepare += "cd \"$PWD\"\n";
    let container = Container::start_after(&world, &prepare, &["run"]);
    let end = container.end();
    assert_eq!(end.code, Some(1), "{:?}", end.said);
    let said = end.said.join("\n");
    assert!(said.contains(".data") && said.contains("read-only"), "{said}");
}

#[test]
fn without_proc_it_says_what_lacks_and_still_ends_in_order() {
    let world = image();
    let container =
        Container::start_after(&world, "mount -t tmpfs none /proc || exit 99", &["run"]);
    container.until("there is no /proc here").until("ready after").send(Signal::TERM);
    let end = container.end();
    assert_eq!(end.code, Some(0), "{:?}", end.said);
    assert!(end.said.iter().any(|l| l.ends_with("asked to end")), "{:?}", end.said);
}
