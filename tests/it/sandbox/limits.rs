//! Limits, mask, niceness and identity, as the service itself sees them.

use crate::support::wait_for;

#[test]
fn a_service_has_the_limits_it_is_given() {
    let world = super::with_shell(
        "[service.shown]\ncommand = [\"shell\", \"-c\", \"ulimit -n; ulimit -c; umask; echo done; \
         read line <> $$1\", \"x\", \"${data}/fifo\"]\nready = { log = \"done\" }\n\
         limits = { nofile = 77, core = 0, pids = 50, memory = \"64M\" }\numask = 0o027\nnice = 5\n",
    );
    super::fifo(&world.env.project().join(".data/fifo"));
    world.env.ok(["runtime", "up", "-q"]);
    let log = world.env.ok(["runtime", "logs", "shown", "--lines", "50"]).stdout;
    for line in ["77", "0", "0027"] {
        assert!(log.lines().any(|l| l.ends_with(&format!(" {line}"))), "{line} in {log}");
    }
    let status = super::probed(&world);
    let pid = &status["services"][0]["pid"];
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).expect("stat");
    let after = stat.rsplit(')').next().expect("fields");
    assert_eq!(after.split_whitespace().nth(16), Some("5"), "niceness in {stat}");
    // Set where control groups are ours to divide; said where they are not.
    let told = super::report(&status, "shown")["limits"].to_string();
    assert!(told.contains("memory: ") && told.contains("pids: "), "{told}");
    let group = std::fs::read_to_string(format!("/proc/{pid}/cgroup")).expect("group");
    let own = group.lines().find_map(|line| line.strip_prefix("0::")).unwrap_or_default();
    if told.contains("pids: 50") {
        assert!(own.contains("/infra-") && own.ends_with("/shown"), "{group}");
    } else {
        assert!(told.contains("pids: not available"), "{told}");
    }
    world.env.ok(["runtime", "down", "-q"]);
    if own.contains("/infra-") {
        wait_for("the group to be removed", || {
            let point = ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"];
            let gone = |p: &&str| !std::path::Path::new(&format!("{p}{own}")).exists();
            point.iter().all(gone).then_some(())
        });
    }
}

#[test]
fn a_service_runs_as_another_user_when_we_are_root() {
    let world = super::with_shell(
        "[service.other]\ncommand = [\"shell\", \"-c\", \": > $$1/made; echo done; \
         read line <> $$2\", \"x\", \"${data}/other\", \"${data}/fifo\"]\n\
         ready = { log = \"done\" }\nuser = \"65534\"\n",
    );
    super::fifo(&world.env.project().join(".data/fifo"));
    world.env.ok(["env", "build", "-q"]);
    // Whom the store and the project are for is their owner's decision.
    for dir in [world.env.root().to_owned(), world.env.project(), world.env.store()] {
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(dir, mode).expect("mode");
    }
    let up = world.env.infra(["runtime", "up", "-q"]);
    if !rustix::process::geteuid().is_root() {
        assert_eq!(up.code, Some(1), "{}", up.stderr);
        assert!(up.stderr.contains("only root can run a service as user"), "{}", up.stderr);
        return;
    }
    assert_eq!(up.code, Some(0), "{}", up.stderr);
    let status = super::probed(&world);
    let pid = &status["services"][0]["pid"];
    let text = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("status");
    let uid = text.lines().find(|l| l.starts_with("Uid:")).expect("user");
    assert!(uid.split_whitespace().skip(1).all(|n| n == "65534"), "{uid}");
    world.env.ok(["runtime", "down", "-q"]);

    // A directory that belongs to somebody else is not taken over.
    let own = world.env.project().join(".data/other");
    std::os::unix::fs::chown(&own, Some(0), Some(0)).expect("chown");
    let up = world.env.infra(["runtime", "up", "-q"]);
    assert_eq!(up.code, Some(1), "{}", up.stderr);
    assert!(up.stderr.contains("belongs to user 0"), "{}", up.stderr);
    world.env.infra(["runtime", "down", "-q"]);
}
