//! `infra runtime logs`, and services that write in every way they should not.

mod asking;
mod hostile;

use crate::support::wait_for;
use crate::world::World;

/// A stack of shell scripts: name → text; each is a service that is not restarted.
fn stack(scripts: &[(&str, &str)], more: &str) -> World {
    let world = World::empty();
    let mut profile = "[dep]\ntools = \"path:tools\"\n".to_owned();
    for (name, text) in scripts {
        world.script(&format!("tools/bin/{name}"), &format!("#!/bin/sh\n{text}\n"));
        profile += &format!(
            "[service.{name}]\ncommand = [\"{name}\"]\nrestart = \"never\"\nrequired = false\n"
        );
    }
    world.profiles(&(profile + more));
    world.env.ok(["dep", "lock", "-q"]);
    world
}

/// The whole log of a service, its files in order; waits until it holds a text.
fn log_with(world: &World, service: &str, text: &str) -> String {
    wait_for("the log", || {
        let all = world.env.ok(["runtime", "logs", service, "-n", "1000000", "-t"]).stdout;
        all.contains(text).then_some(all)
    })
}

/// Brings the stack up and down again when every script has written `done`.
fn run(world: &World, services: &[&str]) {
    world.env.ok(["runtime", "up", "-q"]);
    for service in services {
        log_with(world, service, "done");
    }
    world.env.ok(["runtime", "down", "-q"]);
}
