//! `infra run` in a pipe: what it shows goes on, too.

use std::io::{BufRead as _, BufReader};

use rustix::process::Signal;

use super::{pids, status, upgrade};
use crate::support::{finish, signal, wait_for};
use crate::world::World;

#[test]
fn its_output_goes_on_and_it_ends_as_before() {
    let world = World::stack();
    world.script(
        "tools/bin/slow",
        "#!/bin/sh\ni=0\nwhile :; do echo \"number $i\"; i=$((i+1)); /bin/sleep 0.002; done\n",
    );
    let base = world.env.read("profiles/base.toml");
    world
        .env
        .write("profiles/base.toml", format!("{base}\n[service.slow]\ncommand = [\"slow\"]\n"));
    world.env.ok(["dep", "lock", "-q"]);
    world.env.ok(["env", "build", "-q"]);
    let mut child = world.env.command(["run"]).spawn().expect("start");
    let said = BufReader::new(child.stderr.take().expect("stderr")).lines();
    let said = std::thread::spawn(move || said.map_while(Result::ok).collect::<Vec<_>>());
    let shown = BufReader::new(child.stdout.take().expect("stdout")).lines();
    let shown = std::thread::spawn(move || shown.map_while(Result::ok).collect::<Vec<_>>());
    let before = wait_for("the stack", || {
        let outcome = world.env.infra(["runtime", "status", "--json"]);
        (outcome.code == Some(0)).then(|| status(&world))
    });
    assert_eq!(before["supervisor"], child.id());
    for number in 1..=2 {
        let done = upgrade(&world);
        assert_eq!((&done["outcome"], done["number"].as_u64()), (&"done".into(), Some(number)));
        assert_eq!(pids(&before), pids(&status(&world)));
    }
    signal(child.id(), Signal::INT);
    assert_eq!(finish(child).code, Some(0));
    let said = said.join().expect("stderr");
    assert_eq!(said.iter().filter(|l| l.contains("program was replaced")).count(), 2, "{said:?}");
    assert!(said.iter().any(|l| l.starts_with("stopped")), "{said:?}");
    let shown = shown.join().expect("stdout");
    let numbers = shown.iter().filter_map(|l| l.strip_prefix("slow   │ number ")?.parse().ok());
    let numbers: Vec<u64> = numbers.collect();
    assert!(numbers.len() > 2 && numbers.windows(2).all(|w| w[0] + 1 == w[1]), "{shown:?}");
}
