//! The page against a strict reader of the format.

use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::base::EnvName;
use crate::sandbox::{Grade, Level, Report};
use crate::supervise::status::{LogCounters, ServiceStatus, StackStatus, State, Usage};
use crate::supervise::usage::Own;

fn name(text: &str) -> ServiceName {
    ServiceName::new(text).unwrap()
}

fn service(text: &str) -> ServiceStatus {
    ServiceStatus {
        name: name(text),
        state: State::Ready,
        why: Cause::Ready,
        required: true,
        pid: Some(7),
        since_ms: 1500,
        ready_ms: Some(12),
        retry_ms: None,
        restarts: 1,
        last_exit: Some(Exit::Signal(9)),
        waits_for: Vec::new(),
        ports: BTreeMap::new(),
        log: "x.log".into(),
        logged: LogCounters { lines: 3, bytes: 90, rotated_away: 0, unwritten: 0 },
        start: 2,
        replica_of: None,
        next_ms: None,
        wanted: true,
        says: None,
        sandbox: (text == "a")
            .then(|| Report { grade: Grade::Partial, ..Report::unknown(Level::Strict) }),
        usage: Some(Usage { processes: 1, cpu_ms: 40, rss_bytes: 4096, open_fds: Some(5) }),
    }
}

fn status() -> StackStatus {
    StackStatus {
        env: EnvName::new("dev").unwrap(),
        digest: "sha256-\"odd\\one\"\n".into(),
        generation: 3,
        project: "/p".into(),
        supervisor: 1,
        uptime_ms: 2000,
        version: "0.1.0".into(),
        upgrade: None,
        stopping: false,
        services: vec![service("a"), service("b")],
    }
}

fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

/// A sample: its name, its labels and its value.
type Samples = BTreeMap<(String, Vec<(String, String)>), f64>;

/// Reads a page as the format's text says, and refuses whatever it does not allow.
pub(crate) fn strict(page: &str) -> Samples {
    let mut kinds: BTreeMap<&str, &str> = BTreeMap::new();
    let mut helped = BTreeSet::new();
    let mut closed: BTreeSet<&str> = BTreeSet::new();
    let mut current = "";
    let mut samples = Samples::new();
    assert!(page.ends_with('\n'));
    for line in page.lines() {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            let (family, help) = rest.split_once(' ').unwrap();
            assert!(helped.insert(family) && !help.is_empty(), "{line}");
            assert!(closed.insert(current) || current.is_empty(), "{line}");
            assert!(!closed.contains(family), "the samples of {family} are not together");
            current = family;
        } else if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (family, kind) = rest.split_once(' ').unwrap();
            assert_eq!(family, current, "{line}");
            assert!(["counter", "gauge", "histogram"].contains(&kind), "{line}");
            assert!(kinds.insert(family, kind).is_none(), "{line}");
            assert_eq!(kind == "counter", family.ends_with("_total"), "{line}");
        } else {
            let (name, labels, value) = sample(line);
            let suffix =
                name.strip_prefix(current).unwrap_or_else(|| panic!("{line} in {current}"));
            let allowed: &[&str] = match kinds[current] {
                "histogram" => &["_bucket", "_sum", "_count"],
                _ => &[""],
            };
            assert!(allowed.contains(&suffix), "{line}");
            assert!(samples.insert((name, labels), value).is_none(), "twice: {line}");
        }
    }
    histograms(&kinds, &samples);
    samples
}

fn sample(line: &str) -> (String, Vec<(String, String)>, f64) {
    let good = |n: &str| {
        n.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
            && n.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
    };
    let end = line.find(['{', ' ']).unwrap();
    let name = &line[..end];
    assert!(good(name), "{line}");
    let mut labels = Vec::new();
    let mut rest = &line[end..];
    if let Some(mut inner) = rest.strip_prefix('{') {
        loop {
            let (label, after) = inner.split_once("=\"").unwrap();
            assert!(good(label), "{line}");
            let mut value = String::new();
            let mut chars = after.char_indices();
            let close = loop {
                match chars.next().expect("the value is closed") {
                    (_, '\\') => match chars.next().unwrap().1 {
                        'n' => value.push('\n'),
                        c @ ('\\' | '"') => value.push(c),
                        c => panic!("\\{c} in {line}"),
                    },
                    (at, '"') => break at,
                    (_, c) => value.push(c),
                }
            };
            labels.push((label.to_owned(), value));
            let after = &after[close + 1..];
            if let Some(next) = after.strip_prefix(',') {
                inner = next;
            } else {
                rest = after.strip_prefix('}').unwrap();
                break;
            }
        }
    }
    let names: BTreeSet<_> = labels.iter().map(|(n, _)| n).collect();
    assert_eq!(names.len(), labels.len(), "a label twice: {line}");
    let value = rest.strip_prefix(' ').unwrap().parse().unwrap();
    (name.to_owned(), labels, value)
}

fn histograms(kinds: &BTreeMap<&str, &str>, samples: &Samples) {
    for (family, _) in kinds.iter().filter(|(_, kind)| **kind == "histogram") {
        let counts = samples.iter().filter(|((n, _), _)| *n == format!("{family}_count"));
        for ((_, labels), count) in counts {
            let mut buckets: Vec<(f64, f64)> = samples
                .iter()
                .filter(|((n, l), _)| {
                    *n == format!("{family}_bucket") && labels.iter().all(|x| l.contains(x))
                })
                .map(|((_, l), v)| {
                    (l.iter().find(|(n, _)| n == "le").unwrap().1.parse().unwrap(), *v)
                })
                .collect();
            buckets.sort_by(|a, b| a.0.total_cmp(&b.0));
            assert!(buckets.windows(2).all(|w| w[0].1 <= w[1].1), "{buckets:?}");
            assert_eq!(buckets.last(), Some(&(f64::INFINITY, *count)));
            assert!(samples.contains_key(&(format!("{family}_sum"), labels.clone())));
        }
    }
}

fn value(samples: &Samples, name: &str, labels: &[(&str, &str)]) -> f64 {
    let labels = labels.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect();
    samples[&(name.to_owned(), labels)]
}

#[test]
fn the_page_is_in_the_format_and_says_what_was_counted() {
    let mut meter = Meter { orphans: 2, ..Meter::default() };
    let a = name("a");
    meter.input(&a, ms(10), &Input::Spawned(1, 7), &Cause::Boot, None);
    meter.ready(&a, ms(4));
    meter.ready(&a, ms(4));
    meter.input(&a, ms(50), &Input::Exited(1, Exit::Signal(9)), &Cause::Ready, None);
    meter.input(&a, ms(57), &Input::Spawned(2, 8), &Cause::Exited(Exit::Signal(9)), None);
    let counts = ProbeCounts::default();
    meter.probes(&a, &counts);
    counts.add("http", ms(3), false);
    counts.add("http", ms(700), true);
    meter.input(&a, ms(95), &Input::Exited(2, Exit::Signal(6)), &Cause::Watchdog, None);
    meter.input(&a, ms(97), &Input::Spawned(3, 9), &Cause::RestartAfter(name("b")), None);
    meter.killed(&a);
    meter.input(&a, ms(3000), &Input::Exited(3, Exit::Code(0)), &Cause::Ready, Some(ms(1000)));
    let samples = strict(&render(&meter, &status(), &Own::default()));
    let of_a = |name: &str, more: &[(&str, &str)]| {
        let mut labels = vec![("service", "a")];
        labels.extend(more);
        value(&samples, name, &labels)
    };
    assert_eq!(of_a("infra_service_starts_total", &[("cause", "boot")]), 1.0);
    assert_eq!(of_a("infra_service_starts_total", &[("cause", "crash")]), 1.0);
    assert_eq!(of_a("infra_service_exits_total", &[("reason", "signal")]), 1.0);
    assert_eq!(of_a("infra_service_exits_total", &[("reason", "asked")]), 1.0);
    assert_eq!(of_a("infra_service_startup_duration_seconds_count", &[]), 1.0);
    assert_eq!(of_a("infra_service_startup_duration_seconds_bucket", &[("le", "0.005")]), 1.0);
    assert_eq!(of_a("infra_service_startup_duration_seconds_bucket", &[("le", "0.0025")]), 0.0);
    assert!((of_a("infra_service_restart_delay_seconds_sum", &[]) - 0.009).abs() < 1e-9);
    assert!((of_a("infra_service_stop_duration_seconds_sum", &[]) - 2.0).abs() < 1e-9);
    assert_eq!(of_a("infra_service_kills_total", &[]), 1.0);
    assert_eq!(of_a("infra_service_starts_total", &[("cause", "dependency")]), 1.0);
    assert_eq!(of_a("infra_service_exits_total", &[("reason", "watchdog")]), 1.0);
    let http = ("kind", "http");
    assert_eq!(of_a("infra_probe_failures_total", &[http]), 1.0);
    assert_eq!(of_a("infra_probe_duration_seconds_count", &[http]), 2.0);
    assert_eq!(of_a("infra_probe_duration_seconds_bucket", &[http, ("le", "0.005")]), 1.0);
    let grade = |grade| of_a("infra_service_sandbox", &[("level", "strict"), ("grade", grade)]);
    assert_eq!((grade("partial"), grade("full")), (1.0, 0.0));
    assert_eq!(of_a("infra_service_last_exit_code", &[]), 137.0);
    assert_eq!(of_a("infra_service_state", &[("state", "ready")]), 1.0);
    assert_eq!(of_a("infra_service_state", &[("state", "failed")]), 0.0);
    assert_eq!(value(&samples, "infra_orphans_reaped_total", &[]), 2.0);
    let b = [("service", "b"), ("cause", "boot")];
    assert_eq!(value(&samples, "infra_service_starts_total", &b), 0.0, "declared, so there");
    let info = [("env", "dev"), ("digest", "sha256-\"odd\\one\"\n")];
    assert_eq!(value(&samples, "infra_stack_info", &info), 1.0);
}
