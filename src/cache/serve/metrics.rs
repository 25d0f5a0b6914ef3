//! Counters, in Prometheus's text form (version 0.0.4).
//!
//! Invariant: labels come from fixed sets, so that no client can make their number grow.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// What was done.
#[derive(Default)]
pub(super) struct Metrics {
    requests: Mutex<BTreeMap<(&'static str, &'static str, u16), u64>>,
    sent: Arc<AtomicU64>,
    received: AtomicU64,
    connections: AtomicI64,
}

impl Metrics {
    pub(super) fn request(&self, kind: &'static str, method: &'static str, status: u16) {
        let mut requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
        *requests.entry((kind, method, status)).or_default() += 1;
    }

    /// Counts bytes of bodies while they are sent.
    pub(super) fn sent(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.sent)
    }

    pub(super) fn received(&self, bytes: u64) {
        self.received.fetch_add(bytes, Ordering::Relaxed);
    }

    pub(super) fn connected(&self, change: i64) {
        self.connections.fetch_add(change, Ordering::Relaxed);
    }

    pub(super) fn text(&self) -> String {
        let mut out = String::new();
        let head = |out: &mut String, name: &str, kind: &str, help: &str| {
            let _ = writeln!(out, "# HELP {name} {help}\n# TYPE {name} {kind}");
        };
        let name = "infra_cache_requests_total";
        head(&mut out, name, "counter", "Requests by what was asked for, method and status.");
        let requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
        for ((kind, method, status), n) in &*requests {
            let _ = writeln!(
                out,
                "{name}{{kind=\"{kind}\",method=\"{method}\",code=\"{status}\"}} {n}"
            );
        }
        let bytes = [
            ("infra_cache_sent_bytes_total", "Bytes of bodies sent.", &*self.sent),
            ("infra_cache_received_bytes_total", "Bytes of bodies received.", &self.received),
        ];
        for (name, help, value) in bytes {
            head(&mut out, name, "counter", help);
            let _ = writeln!(out, "{name} {}", value.load(Ordering::Relaxed));
        }
        let name = "infra_cache_connections";
        head(&mut out, name, "gauge", "Connections that are open.");
        let _ = writeln!(out, "{name} {}", self.connections.load(Ordering::Relaxed).max(0));
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_form() {
        let metrics = Metrics::default();
        metrics.request("nar", "GET", 200);
        metrics.request("nar", "GET", 200);
        metrics.received(7);
        let text = metrics.text();
        assert!(
            text.contains(
                "infra_cache_requests_total{kind=\"nar\",method=\"GET\",code=\"200\"} 2\n"
            )
        );
        assert!(text.contains("infra_cache_received_bytes_total 7\n"));
        assert!(text.lines().all(|l| l.starts_with('#') || l.split(' ').count() == 2));
    }
}
