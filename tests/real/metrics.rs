//! The supervisor's metrics before the reader of the format's own project.

use std::process::Command;

use rustix::process::Signal;
use serde_json::Value;

use crate::python;
use crate::running::Run;
use crate::world::Project;

/// Reads a page and prints its samples; whatever the reader refuses ends it.
const READ: &str = r#"
import json, sys
from prometheus_client.parser import text_string_to_metric_families
families = list(text_string_to_metric_families(open(sys.argv[1]).read()))
names = [f.name for f in families]
assert len(names) == len(set(names)), "a family twice"
assert all(f.type in ("counter", "gauge", "histogram") and f.documentation for f in families)
print(json.dumps([[s.name, s.labels, s.value] for f in families for s in f.samples]))
"#;

#[test]
fn metrics_are_read_by_the_prometheus_client() {
    let project = Project::new();
    let run = Run::ready(&project);
    let page = project.ok("runtime metrics --env test").stdout;
    assert_eq!(run.end(Signal::INT).code, Some(0));

    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("page");
    std::fs::write(&path, &page).expect("write");
    let python = python::with(directory.path(), &["prometheus-client"]);
    let read = Command::new(python).args(["-c", READ]).arg(&path).output().expect("python");
    assert!(read.status.success(), "{}\n{page}", String::from_utf8_lossy(&read.stderr));

    let samples: Vec<(String, Value, f64)> = serde_json::from_slice(&read.stdout).expect("samples");
    let of = |name: &str, service: &str, more: (&str, &str)| {
        let is = |s: &&(String, Value, f64)| {
            s.0 == name && s.1["service"] == service && (more.0.is_empty() || s.1[more.0] == more.1)
        };
        samples.iter().find(is).unwrap_or_else(|| panic!("{name} {service} {more:?}\n{page}")).2
    };
    for service in ["nats", "pocketbase", "caddy"] {
        assert_eq!(of("infra_service_ready", service, ("", "")), 1.0);
        assert_eq!(of("infra_service_starts_total", service, ("cause", "boot")), 1.0);
        assert_eq!(of("infra_service_startup_duration_seconds_count", service, ("", "")), 1.0);
        assert!(of("infra_probe_duration_seconds_count", service, ("kind", "http")) >= 1.0);
        assert!(of("infra_service_memory_rss_bytes", service, ("", "")) > 1e6);
        assert_eq!(of("infra_service_sandbox", service, ("grade", "none")), 0.0);
    }
}
