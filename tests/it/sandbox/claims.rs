//! Services that try the ways around themselves, beside what the status claims of them.

use std::os::unix::fs::PermissionsExt;

use crate::support::wait_for;
use crate::world::World;

/// What the shell tries; `$1` is a directory that it may write to, with a copy of a foreign program
/// and of a library. A line for each: its name and `open` or `refused`.
const TRIES: &str = r#"
own=$1; loader=$2; project=$3; store=$4
try() { name=$1; shift; if ( "$@" ) >/dev/null 2>&1; then echo "$name open"; else echo "$name refused"; fi; }
stores() { : >> "$store/bin/serve"; }
writes() { : > "$project/.data/run/new"; }
reads() { read line < "$project/script"; }
loaded='while read line; do case $line in *own-library*) exit 0;; esac; done < /proc/self/maps; exit 1'
preloads() { LD_PRELOAD=$own/own-library.so "$store/bin/shell" -c "$loaded"; }
try direct /bin/true
try written "$own/foreign"
try linked "$own/linked"
try loader "$loader" "$own/foreign"
try preload preloads
try script "$project/script"
try shell /bin/sh -c true
try proc "/proc/self/root$own/foreign"
try store stores
try outside writes
try read reads
try itself /proc/self/exe -c true
echo done
read line <> "$own/fifo"
"#;

const LIBRARIES: [&str; 3] =
    ["/lib/x86_64-linux-gnu/libm.so.6", "/lib/aarch64-linux-gnu/libm.so.6", "/lib64/libm.so.6"];

fn world(level: &str) -> World {
    let (loader, tries) = (super::loader().unwrap_or("/none"), TRIES.replace('$', "$$"));
    let world = super::with_shell(&format!(
        "[service.tries]\ncommand = [\"shell\", \"-c\", '''{tries}''', \"tries\", \
         \"${{data}}/tries\", \"{loader}\", \"${{project}}\", \"${{dep.tools}}\"]\n\
         ready = {{ log = \"done\" }}\nsandbox = \"{level}\"\n"
    ));
    let own = world.env.project().join(".data/tries");
    super::fifo(&own.join("fifo"));
    std::fs::create_dir_all(world.env.project().join(".data/run")).expect("directory");
    std::fs::copy("/bin/true", own.join("foreign")).expect("copy");
    std::fs::hard_link(own.join("foreign"), own.join("linked")).expect("link");
    let library = LIBRARIES.iter().find(|l| std::path::Path::new(l).exists()).expect("a library");
    std::fs::copy(library, own.join("own-library.so")).expect("copy");
    world.env.write("script", "#!/bin/sh\ntrue\n");
    let script = world.env.project().join("script");
    std::fs::set_permissions(script, PermissionsExt::from_mode(0o755)).expect("mode");
    world
}

/// The names that were open.
fn tried(world: &World) -> Vec<String> {
    world.env.ok(["runtime", "up", "-q"]);
    let log = wait_for("the last line", || {
        let log = world.env.ok(["runtime", "logs", "tries", "--lines", "100"]).stdout;
        log.contains("done").then_some(log)
    });
    let mut open = Vec::new();
    for name in [
        "direct", "written", "linked", "loader", "preload", "script", "shell", "proc", "store",
        "outside", "read", "itself",
    ] {
        let line = |word: &str| log.lines().any(|l| l.ends_with(&format!("{name} {word}")));
        assert!(line("open") != line("refused"), "{name} in {log}");
        if line("open") {
            open.push(name.to_owned());
        }
    }
    open
}

#[test]
fn a_dynamic_program_is_open_where_the_status_says_so() {
    if !super::has_landlock() || super::loader().is_none() {
        return;
    }
    let by_loader = "its program loader starts and preloads any file it can read";
    for (level, grade, why, open) in [
        (
            "off",
            "none",
            vec![],
            vec![
                "direct", "written", "linked", "loader", "preload", "script", "shell", "proc",
                "store", "outside", "read", "itself",
            ],
        ),
        (
            "exec",
            "partial",
            vec![by_loader],
            vec!["loader", "preload", "outside", "read", "itself"],
        ),
        ("strict", "partial", vec![by_loader], vec!["loader", "preload", "itself"]),
    ] {
        let world = world(level);
        // Root may write to what is read-only; everybody else is refused by the file's mode.
        let root = rustix::process::geteuid().is_root();
        let found = tried(&world);
        let expected: Vec<_> = open.into_iter().filter(|n| root || *n != "store").collect();
        assert_eq!(found, expected, "{level}");
        let status = super::probed(&world);
        let report = super::report(&status, "tries");
        assert_eq!(report["level"], level);
        assert_eq!(report["grade"], grade, "{report}");
        let said: Vec<_> = report["why"].as_array().expect("reasons").iter().collect();
        assert_eq!(said, why, "{level}");
        let text = world.env.infra(["runtime", "status"]);
        assert!(text.stdout.contains(&format!("{level} {grade}")), "{}", text.stdout);
        let required = world.env.infra(["run", "--require-sandbox"]);
        assert_eq!(required.code, Some(1), "{}", required.stderr);
        assert!(required.stderr.contains("is not fully held"), "{}", required.stderr);
        world.env.ok(["runtime", "down", "-q"]);
    }
}

#[test]
fn a_static_program_is_fully_held() {
    if !super::has_landlock() {
        return;
    }
    let world = super::with_program(
        "up\n",
        "[service.a]\ncommand = [\"still\"]\nready = { log = \"up\" }\n\n\
         [service.b]\ncommand = [\"still\"]\nready = { log = \"up\" }\nsandbox = \"strict\"\n",
    );
    world.env.ok(["runtime", "up", "-q", "--require-sandbox"]);
    let status = super::probed(&world);
    for (service, level) in [("a", "exec"), ("b", "strict")] {
        let report = super::report(&status, service);
        assert_eq!(
            (&report["level"], &report["grade"]),
            (&level.into(), &"full".into()),
            "{report}"
        );
        let log = world.env.ok(["runtime", "logs", service]).stdout;
        assert!(log.contains(&format!("sandbox {level}: full")), "{log}");
    }
    let own = world.env.project().join(".data/b");
    assert!(own.is_dir() && world.env.project().join(".data/tmp/b").is_dir());
    world.env.ok(["runtime", "down", "-q"]);
}

#[test]
fn a_script_of_the_hosts_shell_has_no_sandbox_and_cannot_be_told_to_have_one() {
    if !super::has_landlock() {
        return;
    }
    let world = World::stack();
    world.env.ok(["dep", "lock", "-q"]);
    let refused = world.env.infra(["runtime", "up", "-q", "--require-sandbox"]);
    assert_eq!(refused.code, Some(1), "{}", refused.stderr);
    assert!(
        refused.stderr.contains("exec") || refused.stderr.contains("off"),
        "{}",
        refused.stderr
    );
    world.env.ok(["runtime", "up", "-q"]);
    let status = super::probed(&world);
    let report = super::report(&status, "first");
    assert_eq!(report["grade"], "none");
    let why = report["why"][0].as_str().expect("a reason");
    assert!(why.contains("/bin/sh, a file of this host"), "{why}");
    world.env.ok(["runtime", "down", "-q"]);

    let text = world.env.read("profiles/base.toml");
    world.env.write("profiles/base.toml", format!("sandbox = \"exec\"\n{text}"));
    world.env.ok(["dep", "lock", "-q"]);
    let refused = world.env.infra(["runtime", "up", "-q"]);
    assert_eq!(refused.code, Some(2), "{}", refused.stderr);
    assert!(refused.stderr.contains("is not of the environment"), "{}", refused.stderr);

    // Listed, it starts, and the status says what that opens.
    let allowed = "sandbox = { level = \"exec\", \
                   allow = { exec = [\"/bin/sh\", \"/bin/sleep\"] } }\n";
    let with = |name: &str, text: String| {
        text.replace(&format!("[service.{name}]\n"), &format!("[service.{name}]\n{allowed}"))
    };
    world.env.write("profiles/base.toml", with("first", with("second", text)));
    world.env.ok(["dep", "lock", "-q"]);
    world.env.ok(["runtime", "up", "-q"]);
    let status = super::probed(&world);
    let report = super::report(&status, "first");
    assert_eq!(report["grade"], "partial");
    let why = report["why"].to_string();
    assert!(why.contains("the profile allows /bin/sh") && why.contains("a shell"), "{why}");
    world.env.ok(["runtime", "down", "-q"]);
}
