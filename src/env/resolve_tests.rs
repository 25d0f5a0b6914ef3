//! What an environment is resolved to, and what is refused.

use std::collections::BTreeSet;
use std::path::PathBuf;

use super::super::testing::{PLATFORM, lock, pin, pins, profile, requirement, service};
use super::*;
use crate::base::{Diagnose as _, Kind};

fn nowhere(_: &[&str]) -> Option<Excerpt> {
    None
}

/// An excerpt that says what was asked for.
fn echo(path: &[&str]) -> Option<Excerpt> {
    let label = path.join(" ");
    Some(Excerpt { file: PathBuf::from("p.toml"), text: String::new(), span: 0..0, label })
}

fn refused(profile: &Profile, lock: &Lock) -> (Error, String) {
    let error = resolve(profile, lock, PLATFORM, &echo).expect_err("refused");
    let label = error.excerpt().map(|excerpt| excerpt.label).unwrap_or_default();
    (error, label)
}

#[test]
fn everything_the_profile_asks_for_is_there() {
    let resolved = resolve(&profile(), &lock(&pins()), PLATFORM, &nowhere).expect("resolve");
    let manifest = &resolved.manifest;
    assert_eq!(manifest.commands["nats-server"].as_str(), "nats");
    assert_eq!(manifest.commands["tool"].as_str(), "tool");
    let (dep, path) = resolved.command("tool").expect("command");
    assert_eq!((dep.as_str(), path.as_str()), ("tool", "bin/tool"));
    let nats = &manifest.services["nats"];
    assert_eq!((nats.restart.as_str(), nats.stop_grace_ms), ("on-failure", 10_000));
    assert_eq!(nats.command[2].as_str(), "${file.nats.conf}", "symbolic");
    assert_eq!(nats.listen, BTreeSet::from(["nats".to_owned()]), "from its readiness check");
    assert_eq!(nats.ready.as_ref().map(|ready| ready.timeout_ms), Some(30_000));
}

#[test]
fn order_of_the_lock_does_not_matter_and_unused_deps_stay_out() {
    let [nats, tool] = pins();
    let extra = ("extra", pin("extra", 3, &["nats"]));
    let one = resolve(&profile(), &lock(&[nats.clone(), tool.clone()]), PLATFORM, &nowhere);
    let two = resolve(&profile(), &lock(&[extra, tool, nats]), PLATFORM, &nowhere);
    let bytes = |resolved: Result<Resolved>| resolved.expect("resolve").manifest.to_bytes();
    assert_eq!(bytes(one), bytes(two));
}

#[test]
fn a_wanted_dep_must_be_pinned_here() {
    let mut locked = lock(&pins());
    let row = Row::Unavailable { reason: "no wheel".to_owned() };
    let tool = locked.deps.get_mut("tool").expect("dep");
    tool.platforms.insert(PLATFORM, row);
    let (error, label) = refused(&profile(), &locked);
    assert_eq!(error.to_string(), "`tool` is not available on x86_64-linux: no wheel");
    assert_eq!((error.kind(), label.as_str()), (Kind::User, "dep tool"));

    let mut elsewhere = profile();
    let only = BTreeSet::from([Platform::Aarch64Darwin]);
    elsewhere.deps.get_mut("tool").expect("dep").platforms = Some(only);
    let resolved = resolve(&elsewhere, &locked, PLATFORM, &nowhere).expect("not wanted here");
    assert!(!resolved.manifest.commands.contains_key("tool"));

    locked.deps.get_mut("tool").expect("dep").platforms.clear();
    assert!(matches!(refused(&profile(), &locked).0, Error::NoRow { .. }));
    locked.deps.remove("tool");
    assert!(matches!(refused(&profile(), &locked).0, Error::NotLocked { .. }));
}

#[test]
fn one_command_has_one_dep() {
    let [nats, _] = pins();
    let locked = lock(&[nats, ("tool", pin("tool", 2, &["tool", "nats"]))]);
    let (error, label) = refused(&profile(), &locked);
    assert_eq!(error.to_string(), "the command `nats` is offered by both `nats` and `tool`");
    assert_eq!((error.kind(), label.as_str()), (Kind::Usage, "dep tool"));
    assert!(error.hints()[0].0.contains("[command]"), "{:?}", error.hints());

    let mut picked = profile();
    let command: CommandName = "nats".parse().expect("name");
    picked.prefer.insert(command.clone(), "tool".parse().expect("name"));
    let resolved = resolve(&picked, &locked, PLATFORM, &nowhere).expect("picked");
    assert_eq!(resolved.manifest.commands["nats"].as_str(), "tool");

    let (error, label) = refused(&picked, &lock(&pins()));
    assert_eq!(error.to_string(), "`[command]` picks `tool` for `nats`, which offers only `tool`");
    assert_eq!(label, "command nats");
}

#[test]
fn a_service_runs_a_command_of_the_environment() {
    for (program, nearest) in [
        ("nats-serve", Some("nats-server")),
        ("/bin/sh", None),
        ("${dep.nats}/bin/nats-server", None),
        ("sh", None),
    ] {
        let mut changed = profile();
        changed.services.insert("nats".parse().expect("name"), service(&[program]));
        let (error, label) = refused(&changed, &lock(&pins()));
        assert_eq!(label, "service nats command", "{program}");
        assert!(matches!(error, Error::UnknownProgram { .. }), "{program}: {error}");
        let hint = &error.hints()[0].0;
        match nearest {
            Some(nearest) => assert_eq!(*hint, format!("did you mean `{nearest}`?")),
            None => assert!(error.details()[0].contains("nats nats-server tool"), "{program}"),
        }
    }
    let mut empty = profile();
    empty.services.insert("nats".parse().expect("name"), service(&[]));
    assert!(matches!(refused(&empty, &lock(&pins())).0, Error::EmptyCommand { .. }));
}

#[test]
fn a_dep_that_is_not_here_cannot_be_named() {
    let mut changed = profile();
    changed.deps.insert("other".parse().expect("name"), Requirement::elsewhere());
    changed.env.insert("X".to_owned(), "${dep.other}/lib".parse().expect("template"));
    let (error, label) = refused(&changed, &lock(&pins()));
    assert!(matches!(error, Error::DepNotHere { .. }), "{error}");
    assert_eq!(label, "env X");
}

#[test]
fn our_variables_and_unsettable_names_are_refused() {
    for name in ["PATH", "INFRA_ENV_DIGEST", "A-B", "1A", "", "Ä", "A=B"] {
        let mut changed = profile();
        changed.env.insert(name.to_owned(), "1".parse().expect("template"));
        let (error, _) = refused(&changed, &lock(&pins()));
        assert!(matches!(error, Error::ReservedVariable { .. }), "{name}: {error}");
    }
}

#[test]
fn a_file_is_no_directory() {
    let mut changed = profile();
    let inner = RelPath::new("nats.conf/x").expect("path");
    changed.etc.insert(inner.clone(), inner);
    assert!(matches!(refused(&changed, &lock(&pins())).0, Error::FileClash { .. }));
}

use crate::profile::model::Requirement;

impl Requirement {
    /// Wanted on another platform only.
    fn elsewhere() -> Self {
        let only = BTreeSet::from([Platform::Aarch64Darwin]);
        Self { platforms: Some(only), ..requirement("pypi:other") }
    }
}
