//! What is refused, or waited for, before anything is touched.

use std::path::Path;

use super::{pids, status, up, upgrade, upgrade_to};
use crate::support::wait_for;

#[test]
fn a_program_that_is_no_infra_is_refused_and_the_supervisor_goes_on() {
    let world = up("");
    let before = status(&world);
    world.script("wrong", "#!/bin/sh\necho no\n");
    for (program, says) in [
        (Path::new("/bin/false"), "did not say which version it is"),
        (Path::new("/bin/echo"), "is not a version of infra"),
        (Path::new("wrong"), "is not a program of this machine"),
        (Path::new("nowhere"), "nowhere"),
    ] {
        let refused = upgrade_to(&world, program);
        assert_eq!(refused.code, Some(1), "{}", refused.stderr);
        assert!(refused.stderr.contains(says), "{}", refused.stderr);
    }
    let after = status(&world);
    assert_eq!(pids(&before), pids(&after));
    assert!(after["upgrade"].is_null(), "{after}");
    let nothing = world.env.infra(["runtime", "upgrade", "--env", "test"]);
    assert_eq!(nothing.code, Some(1), "{}", nothing.stderr);
}

#[test]
fn a_start_that_is_under_way_is_waited_for() {
    let world = up("");
    let base = world.env.read("profiles/base.toml");
    let more = "[service.third]\ncommand = [\"waits\", \"${data}/go\"]\n\
                ready = { log = \"now\", timeout = \"60s\" }\nrequired = false\n";
    world.env.write("profiles/base.toml", format!("{base}\n{more}"));
    world.env.ok(["dep", "lock", "-q"]);
    world.env.ok(["env", "build", "-q"]);
    let mut apply = world.env.command(["runtime", "restart", "--changed"]).spawn().expect("start");
    wait_for("the start", || {
        let now = status(&world);
        let services = now["services"].as_array()?;
        let third = services.iter().find(|s| s["name"] == "third")?;
        (third["state"] == "starting" && third["pid"].is_u64()).then_some(())
    });
    let asked = world.env.command(["runtime", "upgrade", "--json"]).spawn().expect("start");
    wait_for("the wait", || {
        let told = world.env.ok(["runtime", "events"]).stdout;
        told.contains("asked for an upgrade").then_some(())
    });
    assert!(status(&world)["upgrade"].is_null(), "it waits");
    let again = world.env.infra(["runtime", "upgrade"]);
    assert!(again.stderr.contains("another upgrade is under way"), "{}", again.stderr);
    let before = pids(&status(&world));
    world.env.write(".data/go", "");
    let outcome = crate::support::finish(asked);
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    assert_eq!(before, pids(&status(&world)));
    let _ = apply.wait();
    assert_eq!(upgrade(&world)["outcome"], "done");
}
