//! The probe itself, under rules made here.

use std::io::Write as _;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

fn findings(level: &str, loaders: &[&str]) -> Vec<(String, String)> {
    let dir = tempfile::tempdir().expect("directory");
    let at = |name: &str| {
        let path = dir.path().join(name);
        std::fs::create_dir_all(&path).expect("directory");
        path
    };
    at("store/tmp");
    let order = json!({
        "plan": {
            "level": level, "store": at("store"), "execute": [at("store/object")],
            "loaders": loaders, "read": [], "write": [at("own")], "bind": [], "connect": [],
        },
        "inside": at("own"),
        "outside": at("run"),
    });
    let mut child = Command::new(env!("CARGO_BIN_EXE_infra"))
        .arg("__sandbox-probe")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("start");
    let mut input = child.stdin.take().expect("input");
    input.write_all(order.to_string().as_bytes()).expect("order");
    drop(input);
    let output = child.wait_with_output().expect("end");
    let findings: Vec<Value> = serde_json::from_slice(&output.stdout).expect("findings");
    for name in ["own", "run", "store/tmp"] {
        let left = std::fs::read_dir(dir.path().join(name)).expect("directory").count();
        assert_eq!(left, 0, "the probe leaves nothing in {name}");
    }
    let text = |value: &Value| value.as_str().expect("a word").to_owned();
    findings.iter().map(|f| (text(&f["attempt"]), text(&f["outcome"]))).collect()
}

#[test]
fn what_each_level_refuses() {
    if !super::has_landlock() {
        return;
    }
    let exec = [
        "direct",
        "loader",
        "memfd",
        "other-abi",
        "script",
        "proc-path",
        "written",
        "link",
        "store",
        "mount",
        "shared-memory",
    ];
    let strict = ["write-outside", "read-outside", "connect", "bind", "signal", "abstract-socket"];
    for (level, more) in [("exec", &[][..]), ("strict", &strict[..])] {
        for loader in [None, super::loader()] {
            let found = findings(level, loader.as_slice());
            let names: Vec<&str> = found.iter().map(|f| f.0.as_str()).collect();
            assert_eq!(names, [&exec[..], more].concat(), "{level}");
            for (attempt, outcome) in &found {
                // A program loader maps any file it can read, and no rule forbids mapping.
                let open = attempt == "loader" && loader.is_some();
                assert_eq!(outcome == "open", open, "{level}, {loader:?}: {attempt} is {outcome}");
            }
            // These work on any host, so that their refusal is the rules' doing.
            for attempt in ["direct", "memfd", "script", "proc-path", "written", "store"] {
                let refused = (attempt.to_owned(), "refused".to_owned());
                assert!(found.contains(&refused), "{level}, {loader:?}: {attempt}: {found:?}");
            }
        }
    }
}

#[test]
fn nonsense_is_answered_by_a_failure() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_infra"))
        .arg("__sandbox-probe")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("start");
    child.stdin.take().expect("input").write_all(b"{}").expect("order");
    let output = child.wait_with_output().expect("end");
    assert!(!output.status.success() && output.stdout.is_empty());
}
