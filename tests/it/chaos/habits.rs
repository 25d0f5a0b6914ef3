//! The services: each has a habit that supervisors stumble over.

use crate::support::TestEnv;
use crate::world::World;

/// What every service runs, with its habit as the first word.
const PROGRAM: &str = include_str!("habit.pl");

/// Every service that is always there.
pub(super) const NAMES: [&str; 13] = [
    "escapes", "deaf", "mute", "holder", "storm", "crashes", "late", "never", "flood", "regroups",
    "zombies", "fickle", "slow",
];

/// The profile of one round: what changes from one to the next is a variable of two services,
/// and whether there is another service.
pub(super) fn profile(round: u64) -> String {
    let mut text = "[dep]\ntools = \"path:tools\"\n\n[port]\nfickle = \"auto\"\n\n".to_owned();
    let mut service = |name: &str, more: &str| {
        text += &format!("[service.{name}]\ncommand = [\"habit\", \"{name}\"]\n{more}\n");
    };
    service("escapes", "ready = { log = \"there\" }\n");
    service("deaf", "stop = { grace = \"200ms\" }\nready = { log = \"there\" }\n");
    service("mute", &format!("env = {{ ROUND = \"{round}\" }}\n"));
    service("holder", "required = false\n");
    service("storm", "ready = { log = \"all there\" }\nstop = { grace = \"200ms\" }\n");
    service("crashes", "required = false\n");
    service("late", "after = [\"deaf\"]\nready = { log = \"late but there\" }\n");
    service("never", "required = false\nready = { log = \"no such line\", timeout = \"700ms\" }\n");
    service("flood", "logs = { size = \"256KiB\", keep = 3 }\n");
    service("regroups", "after = [\"escapes\"]\nready = { log = \"there\" }\n");
    service("zombies", "ready = { log = \"there\" }\n");
    service(
        "slow",
        &format!(
            "after = [\"storm\"]\non-dependency-restart = \"restart\"\n\
             reload = {{ signal = \"SIGHUP\" }}\nready = {{ log = \"there\" }}\n\
             stop = {{ grace = \"5s\" }}\nenv = {{ ROUND = \"{round}\" }}\n"
        ),
    );
    text += "[service.fickle]\n\
             command = [\"habit\", \"fickle\", \"${port.fickle}\", \"${data}/starts\"]\n\
             ready = { tcp = \"127.0.0.1:${port.fickle}\", timeout = \"700ms\" }\n\
             required = false\nafter = [\"mute\"]\n\n";
    if has_extra(round) {
        text += "[service.extra]\ncommand = [\"habit\", \"extra\"]\nready = { log = \"there\" }\n";
    }
    text
}

pub(super) fn has_extra(round: u64) -> bool {
    round % 2 == 1
}

/// A project with all of them, locked.
pub(super) fn project() -> World {
    let world = World::stack();
    world.script("tools/bin/habit", PROGRAM);
    world.profiles(&profile(0));
    world.env.ok(["dep", "lock", "-q"]);
    world.env.ok(["env", "build", "-q"]);
    world
}

/// The port that one of them takes sometimes.
pub(super) fn port(env: &TestEnv) -> u16 {
    let ports: serde_json::Value =
        serde_json::from_str(&env.read(".data/ports.json")).expect("JSON");
    let number = ports["ports"]["fickle"].as_u64().or_else(|| ports["fickle"].as_u64());
    number.and_then(|n| n.try_into().ok()).unwrap_or_else(|| panic!("a port in {ports}"))
}
