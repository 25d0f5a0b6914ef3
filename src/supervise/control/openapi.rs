//! `docs/technical/openapi.json` from the table of routes and the types, and its comparison.

use schemars::generate::{SchemaGenerator, SchemaSettings};
use schemars::{JsonSchema, Schema};
use serde_json::{Map, Value, json};

use super::routes::{Needs, Op, ROUTES, Route};
use super::types::{Accepted, Asking, PlanRequest, Refusal, UpgradeRequest, Version};
use crate::supervise::journal::Why;
use crate::supervise::plan::Plan;
use crate::supervise::status::{Event, Record, ServiceStatus, StackStatus, Upgrade};

fn schema<T: JsonSchema>(generator: &mut SchemaGenerator) -> Schema {
    generator.subschema_for::<T>()
}

/// The good answer of a route: its status, media type and schema.
fn answer(op: Op, g: &mut SchemaGenerator) -> (&'static str, &'static str, Value) {
    let json = "application/json";
    let lines = super::body::LINES;
    let (status, kind, schema) = match op {
        Op::Version => ("200", json, schema::<Version>(g)),
        Op::Status => ("200", json, schema::<StackStatus>(g)),
        Op::Services => ("200", json, schema::<Vec<ServiceStatus>>(g)),
        Op::Service => ("200", json, schema::<ServiceStatus>(g)),
        Op::Why => ("200", json, schema::<Why>(g)),
        Op::Events => ("200", lines, schema::<Record>(g)),
        Op::Journal => ("200", json, schema::<Vec<Record>>(g)),
        Op::Logs => ("200", lines, schema::<Event>(g)),
        Op::OpenApi => ("200", json, schema::<Map<String, Value>>(g)),
        Op::Metrics => ("200", crate::supervise::metrics::TYPE, schema::<String>(g)),
        Op::Plan => ("200", json, schema::<Plan>(g)),
        Op::Apply => ("202", json, schema::<Plan>(g)),
        Op::Upgrade => ("202", json, schema::<Upgrade>(g)),
        Op::Start | Op::Stop | Op::Restart | Op::Reload | Op::Signal | Op::Down => {
            ("202", json, schema::<Accepted>(g))
        }
    };
    (status, kind, schema.to_value())
}

fn parameters(route: &Route) -> Vec<Value> {
    let query = |name: &str, text: &str, schema: Value| json!({ "name": name, "in": "query", "description": text, "schema": schema });
    let mut out = Vec::new();
    if route.path.contains("{service}") {
        out.push(json!({
            "name": "service", "in": "path", "required": true,
            "description": "Its name", "schema": { "type": "string" }
        }));
    }
    match route.op {
        Op::Status | Op::Services | Op::Service => out.push(query(
            "usage",
            "Whether to read what the processes use",
            json!({ "type": "boolean", "default": false }),
        )),
        Op::Events | Op::Journal => out.push(query(
            "since",
            "Records from this time on (RFC 3339); events that are kept come first",
            json!({ "type": "string", "format": "date-time" }),
        )),
        Op::Logs => {
            out.push(query(
                "service",
                "A service; may be repeated; all when not given",
                json!({ "type": "array", "items": { "type": "string" } }),
            ));
            out.push(query(
                "lines",
                "How many lines that are in memory, of each service",
                json!({ "type": "integer", "minimum": 0, "default": 100 }),
            ));
            out.push(query(
                "follow",
                "Whether to go on with new lines",
                json!({ "type": "boolean", "default": false }),
            ));
        }
        _ => {}
    }
    out
}

fn document() -> Value {
    let settings =
        SchemaSettings::draft2020_12().with(|s| s.definitions_path = "/components/schemas".into());
    let mut g = settings.for_serialize().into_generator();
    let refusal = schema::<Refusal>(&mut g).to_value();
    let mut paths = Map::new();
    for route in ROUTES {
        let (status, kind, good) = answer(route.op, &mut g);
        let name = format!("{:?}", route.op);
        let mut operation = json!({
            "operationId": name[..1].to_lowercase() + &name[1..],
            "summary": route.summary,
            "responses": {
                status: { "description": "Done", "content": { kind: { "schema": good } } },
                "default": {
                    "description": "Not done",
                    "content": { "application/json": { "schema": refusal } }
                }
            }
        });
        let parameters = parameters(route);
        if !parameters.is_empty() {
            operation["parameters"] = parameters.into();
        }
        if route.method == "POST" {
            let body = match route.op {
                Op::Plan => schema::<PlanRequest>(&mut g),
                Op::Upgrade => schema::<UpgradeRequest>(&mut g),
                _ => schema::<Asking>(&mut g),
            };
            operation["requestBody"] =
                json!({ "content": { "application/json": { "schema": body.to_value() } } });
        }
        if route.needs == Needs::Token {
            operation["security"] = json!([{ "token": [] }]);
        }
        let path = paths.entry(route.path).or_insert_with(|| json!({}));
        path[route.method.to_lowercase()] = operation;
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "infra supervisor",
            "version": "1",
            "description": "Served on <data>/run/control.sock, and on loopback where the profile \
                names the port `control`. The token is needed on loopback only. Within version 1, \
                fields and kinds of events may be added."
        },
        "paths": paths,
        "components": {
            "schemas": g.take_definitions(true),
            "securitySchemes": { "token": { "type": "http", "scheme": "bearer" } }
        }
    })
}

#[test]
fn the_committed_description_is_what_the_code_serves() {
    let text = serde_json::to_string_pretty(&document()).unwrap() + "\n";
    if text != super::OPENAPI {
        let new = std::env::temp_dir().join("openapi.json");
        crate::fs::write_atomic(&new, text.as_bytes()).unwrap();
        panic!("docs/technical/openapi.json is not what the code serves: see {}", new.display());
    }
}
