//! The control interface as a program has it: HTTP over the socket and over loopback, held to
//! `docs/technical/openapi.json` both ways.

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;

use serde_json::{Value, json};

use super::stack::ready;
use crate::world::World;

/// An answer: its status, its media type and its body.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) kind: String,
    pub(super) body: String,
}

fn exchange(mut stream: impl Read + Write, request: &str) -> Answer {
    stream.write_all(request.as_bytes()).expect("ask");
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).expect("answer");
    let text = String::from_utf8(bytes).expect("text");
    let (head, body) = text.split_once("\r\n\r\n").expect("a head");
    let status = head[9..12].parse().expect("a status");
    let header = |name: &str| {
        let lines = head.lines().filter_map(|l| l.split_once(": "));
        lines.filter(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v.to_owned()).next()
    };
    let body = match header("transfer-encoding").as_deref() {
        Some("chunked") => dechunk(body),
        _ => body.to_owned(),
    };
    Answer { status, kind: header("content-type").unwrap_or_default(), body }
}

fn dechunk(mut rest: &str) -> String {
    let mut out = String::new();
    while let Some((size, after)) = rest.split_once("\r\n") {
        let size = usize::from_str_radix(size, 16).expect("a size");
        out.push_str(&after[..size]);
        rest = after[size..].trim_start_matches("\r\n");
    }
    out
}

fn request(method: &str, path: &str, body: &str, more: &str) -> String {
    format!(
        "{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{more}\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

pub(super) fn ask(world: &World, method: &str, path: &str, body: &str) -> Answer {
    let socket = world.env.project().join(".data/run/control.sock");
    let stream = UnixStream::connect(socket).expect("connect");
    exchange(stream, &request(method, path, body, ""))
}

/// A value against a schema; gives the properties that the schema speaks of.
fn check(doc: &Value, schema: &Value, value: &Value) -> Result<BTreeSet<String>, String> {
    let mut known = BTreeSet::new();
    let Some(schema) = schema.as_object() else { return Ok(known) };
    if let Some(target) = schema.get("$ref").and_then(Value::as_str) {
        let target = doc.pointer(target.trim_start_matches('#')).ok_or("no such $ref")?;
        known.extend(check(doc, target, value)?);
    }
    if let Some(kinds) = schema.get("type") {
        let is = |kind: &Value| match kind.as_str().unwrap_or_default() {
            "object" => value.is_object(),
            "array" => value.is_array(),
            "string" => value.is_string(),
            "integer" => value.is_u64() || value.is_i64(),
            "number" => value.is_number(),
            "boolean" => value.is_boolean(),
            "null" => value.is_null(),
            other => panic!("type {other}"),
        };
        let good = kinds.as_array().map_or_else(|| is(kinds), |all| all.iter().any(is));
        if !good {
            return Err(format!("{value} is no {kinds}"));
        }
    }
    if schema.get("const").is_some_and(|c| c != value) {
        return Err(format!("{value} is not {}", schema["const"]));
    }
    if schema.get("enum").and_then(Value::as_array).is_some_and(|all| !all.contains(value)) {
        return Err(format!("{value} is none of {}", schema["enum"]));
    }
    for word in ["oneOf", "anyOf"] {
        if let Some(all) = schema.get(word).and_then(Value::as_array) {
            let found: Vec<_> = all.iter().map(|s| check(doc, s, value)).collect();
            match found.iter().flatten().max_by_key(|k| k.len()) {
                Some(more) => known.extend(more.iter().cloned()),
                None => return Err(format!("{value} is none of these: {found:?}")),
            }
        }
    }
    for part in schema.get("allOf").and_then(Value::as_array).into_iter().flatten() {
        known.extend(check(doc, part, value)?);
    }
    if let Some(object) = value.as_object() {
        for name in schema.get("required").and_then(Value::as_array).into_iter().flatten() {
            let name = name.as_str().unwrap_or_default();
            if !object.contains_key(name) {
                return Err(format!("{value} has no `{name}`"));
            }
        }
        let properties = schema.get("properties").and_then(Value::as_object);
        for (name, inner) in object {
            if let Some(schema) = properties.and_then(|p| p.get(name)) {
                closed(doc, schema, inner).map_err(|e| format!("{name}: {e}"))?;
                known.insert(name.clone());
            } else if let Some(schema) = schema.get("additionalProperties")
                && schema != &json!(false)
            {
                closed(doc, schema, inner).map_err(|e| format!("{name}: {e}"))?;
                known.insert(name.clone());
            }
        }
    }
    if let (Some(items), Some(values)) = (schema.get("items"), value.as_array()) {
        for inner in values {
            closed(doc, items, inner)?;
        }
    }
    Ok(known)
}

/// Like [`check`], and the value has nothing that the schema does not speak of.
fn closed(doc: &Value, schema: &Value, value: &Value) -> Result<(), String> {
    let known = check(doc, schema, value)?;
    let unknown = value.as_object().into_iter().flatten().find(|(n, _)| !known.contains(*n));
    // A schema without any word about properties takes all of them.
    let says = schema.as_object().is_some_and(|s| s.len() > usize::from(s.contains_key("type")));
    match unknown {
        Some((name, _)) if says && schema.get("additionalProperties") != Some(&json!(true)) => {
            Err(format!("the schema knows no `{name}` in {value}"))
        }
        _ => Ok(()),
    }
}

fn document() -> Value {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/technical/openapi.json");
    serde_json::from_str(&std::fs::read_to_string(path).expect("read")).expect("JSON")
}

/// The body that a route is tried with.
fn body_of(path: &str) -> &'static str {
    match path {
        "/v1/signal" => "{\"services\":[\"first\"],\"signal\":\"USR2\"}",
        "/v1/start" | "/v1/stop" | "/v1/restart" => "{\"services\":[\"second\"]}",
        _ => "",
    }
}

#[test]
fn every_route_answers_as_its_description_says() {
    let world = ready();
    world.env.ok(["runtime", "up", "-q"]);
    let doc = document();
    let served = ask(&world, "GET", "/v1/openapi.json", "");
    assert_eq!(serde_json::from_str::<Value>(&served.body).expect("JSON"), doc);
    let mut tried = 0;
    let mut routes: Vec<(&String, &String, &Value)> = Vec::new();
    for (path, methods) in doc["paths"].as_object().expect("paths") {
        for (method, operation) in methods.as_object().expect("methods") {
            routes.push((path, method, operation));
        }
    }
    // What ends the stack comes last, and a signal before what restarts its service.
    routes.sort_by_key(|(path, ..)| (*path == "/v1/down", *path != "/v1/signal"));
    for (path, method, operation) in routes {
        let real = path.replace("{service}", "first");
        let real = match real.as_str() {
            // Streams that go on would not end.
            "/v1/events" => continue,
            "/v1/status" | "/v1/services" => real + "?usage=true",
            _ => real,
        };
        let answer = ask(&world, &method.to_uppercase(), &real, body_of(path));
        let responses = operation["responses"].as_object().expect("responses");
        let (status, good) = responses.iter().find(|(s, _)| *s != "default").expect("a good one");
        assert_eq!(answer.status.to_string(), *status, "{method} {path}: {}", answer.body);
        let (kind, content) =
            good["content"].as_object().expect("content").iter().next().expect("one");
        assert_eq!(answer.kind, *kind, "{path}");
        let schema = &content["schema"];
        let values: Vec<Value> = match kind.as_str() {
            "application/json" => vec![serde_json::from_str(&answer.body).expect("JSON")],
            "application/x-ndjson" => {
                answer.body.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
            }
            _ => vec![json!(answer.body)],
        };
        assert!(!values.is_empty(), "{path} says nothing");
        for value in values {
            closed(&doc, schema, &value).unwrap_or_else(|e| panic!("{method} {path}: {e}"));
        }
        let wrong = ask(&world, "DELETE", &real, "");
        assert_eq!(wrong.status, 405, "{path}");
        tried += 1;
    }
    assert!(tried > 12, "{tried}");
}

#[test]
fn what_is_wrong_is_refused_in_the_form_described() {
    let world = ready();
    world.env.ok(["runtime", "up", "-q"]);
    let doc = document();
    let refusal = json!({ "$ref": "#/components/schemas/Refusal" });
    for (method, path, body, status) in [
        ("GET", "/", "", 404),
        ("GET", "/v2/status", "", 404),
        ("GET", "/v1/services/nobody", "", 404),
        ("GET", "/v1/services/nobody/why", "", 404),
        ("GET", "/v1/services/-", "", 404),
        ("POST", "/v1/status", "", 405),
        ("GET", "/v1/logs?service=nobody", "", 404),
        ("GET", "/v1/logs?lines=x", "", 400),
        ("GET", "/v1/status?usage=perhaps", "", 400),
        ("GET", "/v1/journal?since=yesterday", "", 400),
        ("POST", "/v1/restart", "{\"services\":[\"nobody\"]}", 409),
        ("POST", "/v1/restart", "{\"servces\":[]}", 400),
        ("POST", "/v1/restart", "[", 400),
        ("POST", "/v1/signal", "{}", 400),
        ("POST", "/v1/signal", "{\"signal\":\"STOP\"}", 400),
        ("POST", "/v1/stop", "{\"signal\":\"HUP\"}", 400),
    ] {
        let answer = ask(&world, method, path, body);
        assert_eq!(answer.status, status, "{method} {path} {body}: {}", answer.body);
        let value = serde_json::from_str(&answer.body).expect("JSON");
        closed(&doc, &refusal, &value).expect("a refusal");
    }
    assert_eq!(world.env.infra(["runtime", "status"]).code, Some(0), "nothing happened");
}

#[test]
fn loopback_is_there_when_asked_for_and_guarded() {
    let mut world = ready();
    world.env.ok(["runtime", "up", "-q"]);
    world.env.ok(["runtime", "down", "-q"]);
    world.edit("profiles/base.toml", "[port]", "[port]\ncontrol = \"auto\"\nmetrics = \"auto\"");
    world.env.set("INFRA_CONTROL_TOKEN", "s3cret");
    world.env.ok(["runtime", "up", "-q"]);
    let ports: Value = serde_json::from_str(&world.env.read(".data/ports.json")).expect("JSON");
    let port =
        |name: &str| u16::try_from(ports["ports"][name].as_u64().expect("port")).expect("port");
    let on = |name: &str, text: &str| {
        let stream = TcpStream::connect(("127.0.0.1", port(name))).expect("connect");
        exchange(stream, text)
    };
    let get = |path: &str, more: &str| request("GET", path, "", more);
    let metrics = on("metrics", &get("/metrics", ""));
    assert_eq!(metrics.status, 200, "{}", metrics.body);
    assert!(
        metrics.body.contains("infra_service_ready{service=\"first\"} 1\n"),
        "{}",
        metrics.body
    );
    assert_eq!(on("metrics", &get("/v1/status", "")).status, 404);

    assert_eq!(on("control", &get("/v1/status", "")).status, 200);
    let down = |more: &str| request("POST", "/v1/down", "", more);
    assert_eq!(on("control", &down("")).status, 401);
    assert_eq!(on("control", &down("Authorization: Bearer wrong\r\n")).status, 401);
    assert_eq!(on("control", &get("/v1/logs", "")).status, 401, "what services wrote");
    assert_eq!(on("control", &get("/v1/status", "Origin: http://evil.example\r\n")).status, 403);
    let rebound = get("/v1/status", "").replace("Host: localhost", "Host: evil.example");
    assert_eq!(on("control", &rebound).status, 421);
    let token = "Authorization: Bearer s3cret\r\n";
    assert_eq!(on("control", &get("/v1/logs", token)).status, 200);
    assert_eq!(world.env.infra(["runtime", "status"]).code, Some(0));
    assert_eq!(on("control", &down(token)).status, 202);
    crate::support::wait_for("the end", || {
        (world.env.infra(["runtime", "status"]).code == Some(1)).then_some(())
    });
}
