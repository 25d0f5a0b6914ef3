//! What would change, for each kind of change.

use super::*;
use crate::supervise::tests::{name, script, stack};

fn prints(object: &Path, change: impl FnOnce(&mut Stack)) -> Wanted {
    let mut web = script("web", "serve");
    web.after.insert(name("bus"), crate::supervise::spec::Condition::Ready);
    web.args.push(object.join("etc/web.conf").into_os_string());
    web.env.insert(exported::ENV_GENERATION.into(), "1".into());
    web.env.insert("PATH".into(), object.join("bin").into_os_string());
    web.ports.insert("http".into(), 8080);
    let mut stack = stack(object, [script("bus", "bus"), web]);
    stack.object = object.to_owned();
    change(&mut stack);
    wanted(&stack)
}

fn step(plan: &Plan, service: &str) -> (Step, Vec<String>) {
    let found = plan.services.iter().find(|p| p.service.as_str() == service).unwrap();
    (found.step, found.reasons.clone())
}

fn object_with(text: &str) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir_all(&dir.path().join("etc")).unwrap();
    fs::write_atomic(&dir.path().join("etc/web.conf"), text.as_bytes()).unwrap();
    dir
}

#[test]
fn the_same_in_another_place_and_generation_stays() {
    let (one, two) = (object_with("x"), object_with("x"));
    let old = prints(one.path(), |_| {});
    let new = prints(two.path(), |s| {
        s.generation = 8;
        let web = s.services.get_mut("web").unwrap();
        web.env.insert(exported::ENV_GENERATION.into(), "8".into());
    });
    let plan = compare(Some(&old), &new);
    assert!(plan.is_empty(), "{plan:?}");
    assert_eq!((plan.from, plan.to), (Some(7), 8));
    let order: Vec<&str> = plan.services.iter().map(|p| p.service.as_str()).collect();
    assert_eq!(order, ["bus", "web"], "in the order they start");
}

#[test]
fn each_kind_of_change_is_named() {
    let (one, two) = (object_with("x"), object_with("y"));
    let old = prints(one.path(), |_| {});
    let changed = |f: &dyn Fn(&mut ServiceSpec)| {
        let new = prints(one.path(), |s| f(s.services.get_mut("web").unwrap()));
        step(&compare(Some(&old), &new), "web")
    };
    let restart = |why: &str| (Step::Restart, vec![why.to_owned()]);
    assert_eq!(changed(&|s| s.args.push("-v".into())), restart("command changed"));
    assert_eq!(changed(&|s| s.cwd = "/tmp".into()), restart("command changed"));
    assert_eq!(
        changed(&|s| {
            s.env.insert("A".into(), "1".into());
            s.env.remove(OsStr::new("PATH"));
        }),
        restart("env changed: A, PATH")
    );
    assert_eq!(
        changed(&|s| _ = s.ports.insert("http".into(), 9090)),
        restart("port changed: http 8080 → 9090")
    );
    let (step_, why) = changed(&|s| s.stop_signal = libc::SIGINT);
    assert_eq!((step_, why.len()), (Step::Keep, 1), "its rules hold without a restart");
    let program = "/store/store/01234567890123456789012345678901-web-2/bin/web";
    assert!(changed(&|s| s.program = program.into()).1[0].starts_with("program changed: "));
    let new = prints(two.path(), |_| {});
    assert_eq!(step(&compare(Some(&old), &new), "web"), restart("config changed: web.conf"));
}

#[test]
fn starts_stops_and_nothing_running() {
    let dir = object_with("x");
    let all = prints(dir.path(), |_| {});
    let one = prints(dir.path(), |s| drop(s.services.remove("web")));
    let plan = compare(Some(&all), &one);
    assert_eq!(step(&plan, "web"), (Step::Stop, vec!["no longer declared".to_owned()]));
    assert_eq!(step(&plan, "bus").0, Step::Keep);
    let plan = compare(Some(&one), &all);
    assert_eq!(step(&plan, "web"), (Step::Start, vec!["not running".to_owned()]));
    let plan = compare(None, &all);
    assert!(plan.services.iter().all(|p| p.step == Step::Start) && plan.from.is_none());
    assert_eq!(
        object("/s/01234567890123456789012345678901-web-2/bin/x"),
        Some("01234567890123456789012345678901-web-2")
    );
}

#[test]
fn a_print_shows_no_value() {
    let dir = object_with("x");
    let wanted = prints(dir.path(), |s| {
        let web = s.services.get_mut("web").unwrap();
        web.env.insert("API_KEY".into(), "hunter2".into());
    });
    assert!(!serde_json::to_string(&wanted).unwrap().contains("hunter2"));
}
