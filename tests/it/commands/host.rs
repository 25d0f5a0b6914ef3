//! `infra doctor` and `infra config print`

use crate::world::World;

#[test]
fn doctor_of_a_good_project() {
    let world = World::synced();
    let outcome = world.env.ok(["doctor"]);
    // A full disk would be worth a note.
    assert!(!outcome.stdout.lines().any(|l| l.starts_with("wrong")), "{}", outcome.stdout);
    let findings = world.json(["doctor", "--json"]);
    let whats: Vec<_> = findings.as_array().expect("list").iter().map(|f| &f["what"]).collect();
    for what in ["platform", "store", "profiles", "source", "lock"] {
        assert!(whats.iter().any(|w| *w == what), "{what} in {whats:?}");
    }
}

#[test]
fn doctor_of_a_bad_one() {
    let world = World::new();
    world.edit("profiles/base.toml", "\"^1\"", "\"^1.1\"");
    let before = world.listing();
    let missing = world.env.infra(["doctor"]);
    assert_eq!(missing.code, Some(1));
    assert!(missing.stdout.contains("run `infra dep lock`"), "{}", missing.stdout);
    assert_eq!(world.listing(), before, "it looks only");
    world.env.ok(["dep", "lock", "-q"]);
    world.edit("profiles/base.toml", "\"^1.1\"", "\"^1\"");
    let stale = world.env.infra(["doctor"]);
    assert_eq!(stale.code, Some(1));
    assert!(stale.stdout.contains("does not match the profiles"), "{}", stale.stdout);
    world.env.write("profiles/base.toml", "[depp]\n");
    let broken = world.env.infra(["doctor"]);
    assert_eq!(broken.code, Some(1));
    let said = "wrong  profiles: unknown key `depp` in a profile (profiles/base.toml)\n       \
                hint: did you mean `dep`?\n";
    assert!(broken.stdout.contains(said), "{}", broken.stdout);
    let findings = world.env.infra(["doctor", "--json"]);
    assert_eq!(findings.code, Some(1));
    let findings: serde_json::Value = serde_json::from_str(&findings.stdout).expect("JSON");
    let wrong = findings.as_array().expect("list").iter().filter(|f| f["level"] == "wrong");
    for finding in wrong {
        assert!(finding["remedy"].is_string(), "{finding}");
    }
}

#[test]
fn doctor_without_a_project() {
    let outcome = World::empty().env.infra(["doctor"]);
    assert_eq!(outcome.code, Some(1));
    assert!(outcome.stdout.contains("infra init"), "{}", outcome.stdout);
}

#[test]
fn doctor_names_a_port_that_is_taken() {
    let world = World::stack();
    let held = std::net::TcpListener::bind(("127.0.0.1", 0)).expect("bind");
    let port = held.local_addr().expect("address").port();
    world.edit("profiles/base.toml", "main = \"auto\"", &format!("main = {port}"));
    world.env.ok(["dep", "lock", "-q"]);
    let outcome = world.env.infra(["doctor"]);
    assert!(
        outcome.stdout.contains(&format!("port {port} (`main`) is held by")),
        "{}",
        outcome.stdout
    );
}

#[test]
fn doctor_knows_a_missing_loader() {
    use crate::upstream::elf_with_interpreter;
    let world = World::empty();
    let arch = infra::base::Platform::host().arch();
    let tool = elf_with_interpreter(arch, "/lib/ld-of-another-world.so.9");
    world.profiles("[dep]\ntools = \"path:tools\"\n");
    world.env.write("tools/bin/odd", tool);
    let path = world.env.project().join("tools/bin/odd");
    std::fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o755))
        .expect("mode");
    let locked = world.env.infra(["dep", "lock"]);
    if locked.code == Some(0) {
        let outcome = world.env.infra(["doctor"]);
        assert_eq!(outcome.code, Some(1));
        assert!(outcome.stdout.contains("ld-of-another-world"), "{}", outcome.stdout);
    } else {
        assert!(locked.stderr.contains("ld-of-another-world"), "{}", locked.stderr);
    }
}

#[test]
fn config_print_shows_origins() {
    let mut world = World::new();
    world.env.set("INFRA_JOBS", "3").set("INFRA_OFFLINE", "1");
    let rows = world.json(["config", "print", "--json", "--env", "test"]);
    let row = |name: &str| {
        let rows = rows.as_array().expect("rows");
        rows.iter().find(|r| r["name"] == name).unwrap_or_else(|| panic!("{name} in {rows:?}"))
    };
    for (name, value, origin) in [
        ("jobs", "3", "INFRA_JOBS"),
        ("offline", "true", "INFRA_OFFLINE"),
        ("env", "test", "--env"),
        ("retries", "1", "INFRA_RETRIES"),
        ("connect-timeout", "5 s", "default"),
        ("stall-timeout", "30 s", "default"),
    ] {
        assert_eq!(row(name)["value"], value, "{name}");
        let found = row(name)["origin"].as_str().expect("origin");
        assert!(found.contains(origin), "{name}: {found}");
    }
    let pypi = row("source.pypi.url");
    assert!(pypi["origin"].as_str().is_some_and(|o| o.contains("PIP_INDEX_URL")), "{pypi}");
    let table = world.env.ok(["config", "print"]).stdout;
    assert!(table.starts_with("SETTING") && table.contains("ORIGIN"), "{table}");
}

#[test]
fn config_print_hides_credentials() {
    let mut world = World::new();
    world.env.set("PIP_INDEX_URL", "http://me:hunter2@mirror.invalid/simple/");
    for args in [&["config", "print"][..], &["config", "print", "--json"]] {
        let shown = world.env.ok(args).stdout;
        assert!(shown.contains("mirror.invalid") && !shown.contains("hunter2"), "{shown}");
    }
}
