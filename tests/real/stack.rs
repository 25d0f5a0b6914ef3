//! The whole stack with real services: ready, useful, ended in order, and its data still there.

use std::path::Path;

use data_encoding::BASE64;
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::http::{self, get};
use crate::nats::Nats;
use crate::processes;
use crate::running::{Run, Status, assert_nothing_left};
use crate::world::{Project, store};

const ACCOUNT: (&str, &str) = ("owner@example.com", "correct horse battery");

#[test]
fn three_services_are_ready_and_end_in_order() {
    let project = Project::new();
    let run = Run::ready(&project);
    let status = Status::ready(&project);
    assert_eq!(status.supervisor, run.pid());
    assert_eq!(status.digest, project.ok("env digest test").stdout.trim());

    for (port, path, holds) in [
        ("nats_monitor", "/healthz", r#""status":"ok""#),
        ("pocketbase", "/api/health", r#""code":200"#),
        ("caddy_admin", "/config/", "reverse_proxy"),
        ("http", "/pocketbase/api/health", r#""code":200"#),
        ("http", "/", "It runs."),
    ] {
        let answer = get(status.port(port), path).expect(path);
        assert_eq!(answer.status, 200, "{path}: {answer:?}");
        assert!(answer.body.replace(' ', "").contains(&holds.replace(' ', "")), "{answer:?}");
    }
    for pid in status.all_pids() {
        let program = std::fs::read_link(format!("/proc/{pid}/exe")).expect("program");
        assert!(program.starts_with(store().join("store")), "{program:?}");
        let variables = std::fs::read(format!("/proc/{pid}/environ")).expect("environ");
        let digest = format!("INFRA_ENV_DIGEST={}", status.digest);
        assert!(String::from_utf8_lossy(&variables).split('\0').any(|v| v == digest));
    }
    let guardian = processes::guardian(run.pid(), None);

    let ended = run.end(Signal::INT);
    assert_eq!(ended.code, Some(0), "{}", ended.notes.join("\n"));
    for first in ["nats", "pocketbase"] {
        assert!(ended.place("ready", first) < ended.place("starting", "caddy"));
        assert!(ended.place("stopped", "caddy") < ended.place("stopping", first));
        assert!(ended.place("stopping", first) < ended.place("stopped", first));
    }
    assert!(!crate::support::alive(guardian));
    assert_nothing_left(&project, &status);
    assert_eq!(project.infra("runtime status --env test").code, Some(1));
}

#[test]
fn other_signals_end_it_in_order_too() {
    for signal in [Signal::TERM, Signal::HUP] {
        let project = Project::new();
        let run = Run::ready(&project);
        let status = Status::ready(&project);
        let ended = run.end(signal);
        assert_eq!(ended.code, Some(0), "{}", ended.notes.join("\n"));
        assert!(ended.place("stopped", "caddy") < ended.place("stopping", "nats"));
        assert_nothing_left(&project, &status);
    }
}

#[test]
fn a_stream_survives_a_restart_of_the_stack() {
    let project = Project::new();
    let run = Run::ready(&project);
    let mut nats = Nats::connect(Status::ready(&project).port("nats"));
    let config = json!({ "name": "ORDERS", "subjects": ["orders.>"], "storage": "file" });
    nats.request("$JS.API.STREAM.CREATE.ORDERS", &config.to_string());
    for n in 1..=3 {
        let ack = nats.request(&format!("orders.{n}"), &format!("order number {n}"));
        assert_eq!((&ack["stream"], &ack["seq"]), (&json!("ORDERS"), &json!(n)));
    }
    drop(nats);
    assert_eq!(run.end(Signal::INT).code, Some(0));

    let run = Run::ready(&project);
    let mut nats = Nats::connect(Status::ready(&project).port("nats"));
    let info = nats.request("$JS.API.STREAM.INFO.ORDERS", "");
    assert_eq!(info["state"]["messages"], 3, "{info}");
    let second = nats.request("$JS.API.STREAM.MSG.GET.ORDERS", r#"{"seq":2}"#);
    assert_eq!(second["message"]["subject"], "orders.2");
    let data = second["message"]["data"].as_str().expect("data");
    assert_eq!(BASE64.decode(data.as_bytes()).expect("base64"), b"order number 2");
    assert_eq!(nats.request("orders.4", "one more")["seq"], 4);
    assert_eq!(run.end(Signal::INT).code, Some(0));
}

/// Logs in; gives the token.
fn login(port: u16) -> String {
    let path = "/api/collections/_superusers/auth-with-password";
    let words = json!({ "identity": ACCOUNT.0, "password": ACCOUNT.1 });
    let answer = http::post(port, path, None, &words).json();
    answer["token"].as_str().expect("token").to_owned()
}

#[test]
fn a_record_survives_a_restart_of_the_stack() {
    let project = Project::new();
    let run = Run::ready(&project);
    let port = Status::ready(&project).port("pocketbase");
    // The pinned program itself makes the first account, beside the one that serves.
    let data = project.env.project().join(".data-test/pocketbase");
    project.env.ok([
        "env",
        "exec",
        "test",
        "--",
        "pocketbase",
        "superuser",
        "upsert",
        ACCOUNT.0,
        ACCOUNT.1,
        "--dir",
        data.to_str().expect("UTF-8"),
    ]);
    let token = login(port);
    let fields = json!([{ "name": "text", "type": "text" }]);
    let collection = json!({ "name": "notes", "type": "base", "fields": fields });
    http::post(port, "/api/collections", Some(&token), &collection).json();
    let note = json!({ "text": "remember me" });
    let made = http::post(port, "/api/collections/notes/records", Some(&token), &note).json();
    let path = format!("/api/collections/notes/records/{}", made["id"].as_str().expect("id"));
    assert_eq!(run.end(Signal::INT).code, Some(0));

    let run = Run::ready(&project);
    let status = Status::ready(&project);
    let token = login(status.port("pocketbase"));
    // Directly, and through the proxy.
    for (port, path) in [("pocketbase", path.clone()), ("http", format!("/pocketbase{path}"))] {
        let answer = http::request(status.port(port), "GET", &path, "", Some(&token));
        assert_eq!(answer.expect("an answer").json()["text"], "remember me");
    }
    assert_eq!(run.end(Signal::INT).code, Some(0));
}

#[test]
fn in_the_background() {
    let project = Project::new();
    let up = Status::from(&project.json("runtime up --env test --json"));
    let status = Status::ready(&project);
    assert_eq!(up.pids, status.pids);

    let again = project.ok("runtime up --env test --json");
    assert!(again.stderr.contains("already running"), "{}", again.stderr);
    assert_eq!(Status::from(&serde_json::from_str(&again.stdout).expect("JSON")).pids, up.pids);

    let list = project.json("runtime list --env test --json");
    let row = |name: &str| -> &Value {
        let rows = list.as_array().expect("rows");
        rows.iter().find(|r| r["name"] == name).unwrap_or_else(|| panic!("{name}: {list}"))
    };
    assert_eq!(row("caddy")["after"], json!(["nats", "pocketbase"]));
    for name in ["caddy", "nats", "pocketbase"] {
        assert_eq!((&row(name)["state"], &row(name)["required"]), (&json!("ready"), &json!(true)));
    }
    assert_eq!(
        row("pocketbase")["ports"],
        json!([format!("pocketbase={}", up.port("pocketbase"))])
    );

    let logs = project.ok("runtime logs --env test nats").stdout;
    assert!(logs.contains("Server is ready"), "{logs}");
    assert!(logs.lines().all(|l| l.starts_with("nats")), "{logs}");
    let last = project.ok("runtime logs --env test -n 2").stdout;
    for name in ["caddy", "nats", "pocketbase"] {
        assert_eq!(last.lines().filter(|l| l.starts_with(name)).count(), 2, "{last}");
    }

    let restarted = Status::from(&project.json("runtime restart --env test nats --json"));
    assert_ne!(restarted.pid("nats"), up.pid("nats"));
    for name in ["caddy", "pocketbase"] {
        assert_eq!(restarted.pid(name), up.pid(name), "{name} was left alone");
    }
    assert_eq!(restarted.states["nats"], "ready");

    project.ok("runtime down --env test");
    assert_nothing_left(&project, &restarted);
    let status = project.infra("runtime status --env test --json");
    let said: Value = serde_json::from_str(&status.stdout).expect("JSON");
    assert_eq!((status.code, &said["running"]), (Some(1), &json!(false)));
    let logs = project.ok("runtime logs --env test nats").stdout;
    assert!(logs.contains("Server Exiting"), "{logs}");
    assert!(Path::new(&project.env.project().join(".data-test/logs/nats.log")).exists());
    assert_eq!(project.infra("runtime down --env test").code, Some(0), "again is no failure");
}
