//! From counts and a status to a page.

use super::text::Page;
use super::{CAUSES, Meter, REASONS, ServiceMeter};
use crate::sandbox::Grade;
use crate::supervise::status::{Exit, ServiceStatus, StackStatus, State};
use crate::supervise::usage::Own;

/// What a family's samples are made of.
type Value = fn(&ServiceStatus) -> Option<f64>;

/// Families with one sample for each service that has a value.
const SIMPLE: [(&str, &str, &str, Value); 13] = [
    ("infra_service_ready", "gauge", "Whether the service is ready.", |s| {
        Some(f64::from(u8::from(s.state == State::Ready)))
    }),
    ("infra_service_up", "gauge", "Whether it is ready, or ended for good with success.", |s| {
        Some(f64::from(u8::from(s.is_up())))
    }),
    ("infra_service_restarts_total", "counter", "Starts after the first.", |s| {
        Some(count(s.restarts))
    }),
    ("infra_service_last_exit_code", "gauge", "Code of the last exit; 128 + signal.", |s| {
        s.last_exit.map(|exit| match exit {
            Exit::Code(code) => f64::from(code),
            Exit::Signal(signal) => f64::from(128 + signal),
        })
    }),
    (
        "infra_service_backoff_seconds",
        "gauge",
        "Time until the next try, 0 when none is due.",
        |s| Some(millis(s.retry_ms.unwrap_or(0))),
    ),
    ("infra_service_state_seconds", "gauge", "Time in the present state.", |s| {
        Some(millis(s.since_ms))
    }),
    ("infra_service_cpu_seconds_total", "counter", "Processor time of its processes.", |s| {
        s.usage.map(|u| millis(u.cpu_ms))
    }),
    ("infra_service_memory_rss_bytes", "gauge", "Resident memory of its processes.", |s| {
        s.usage.map(|u| count(u.rss_bytes))
    }),
    ("infra_service_processes", "gauge", "Its processes.", |s| s.usage.map(|u| count(u.processes))),
    ("infra_service_open_fds", "gauge", "Open descriptors of its processes.", |s| {
        s.usage.and_then(|u| u.open_fds).map(count)
    }),
    ("infra_service_log_lines_total", "counter", "Lines written to its log.", |s| {
        Some(count(s.logged.lines))
    }),
    ("infra_service_log_bytes_total", "counter", "Bytes written to its log.", |s| {
        Some(count(s.logged.bytes))
    }),
    ("infra_service_log_dropped_bytes_total", "counter", "Bytes that could not be written.", |s| {
        Some(count(s.logged.unwritten))
    }),
];

/// One of a service's histograms.
type Pick = fn(&ServiceMeter) -> &super::Histogram;

const STATES: [State; 10] = [
    State::Waiting,
    State::Starting,
    State::Ready,
    State::Stopping,
    State::Stopped,
    State::Completed,
    State::Scheduled,
    State::Backoff,
    State::Failed,
    State::Blocked,
];

/// The whole page.
pub(in crate::supervise) fn render(meter: &Meter, status: &StackStatus, own: &Own) -> String {
    let mut page = Page::default();
    about(&mut page, status);
    for (name, kind, help, value) in SIMPLE {
        page.family(name, kind, help);
        for service in &status.services {
            if let Some(value) = value(service) {
                page.float(name, &[("service", service.name.as_str())], value);
            }
        }
    }
    states(&mut page, status);
    sandboxes(&mut page, status);
    counted(&mut page, meter, status);
    process(&mut page, own);
    page.finish()
}

fn about(page: &mut Page, status: &StackStatus) {
    page.family("infra_build_info", "gauge", "The program.");
    page.int("infra_build_info", &[("version", env!("CARGO_PKG_VERSION"))], 1);
    page.family("infra_stack_info", "gauge", "The environment that runs.");
    let labels = [("env", status.env.as_str()), ("digest", status.digest.as_str())];
    page.int("infra_stack_info", &labels, 1);
    page.family("infra_stack_generation", "gauge", "Its generation.");
    page.int("infra_stack_generation", &[], status.generation);
    page.family("infra_stack_uptime_seconds", "gauge", "Time since the supervisor began.");
    page.float("infra_stack_uptime_seconds", &[], millis(status.uptime_ms));
    page.family("infra_stack_down", "gauge", "Required services that are not up.");
    page.int("infra_stack_down", &[], status.down().len() as u64);
    page.family("infra_service_info", "gauge", "The services.");
    for service in &status.services {
        let required = if service.required { "true" } else { "false" };
        let labels = [("service", service.name.as_str()), ("required", required)];
        page.int("infra_service_info", &labels, 1);
    }
}

fn states(page: &mut Page, status: &StackStatus) {
    let name = "infra_service_state";
    page.family(name, "gauge", "1 for the state that the service is in.");
    for service in &status.services {
        for state in STATES {
            let labels = [("service", service.name.as_str()), ("state", state.as_str())];
            page.int(name, &labels, u64::from(service.state == state));
        }
    }
}

fn sandboxes(page: &mut Page, status: &StackStatus) {
    let name = "infra_service_sandbox";
    page.family(name, "gauge", "1 for how far the level of its sandbox is held, as probed.");
    for service in &status.services {
        let Some(report) = &service.sandbox else { continue };
        for grade in [Grade::Full, Grade::Partial, Grade::None, Grade::Unknown] {
            let labels = [
                ("service", service.name.as_str()),
                ("level", report.level.as_str()),
                ("grade", grade.as_str()),
            ];
            page.int(name, &labels, u64::from(report.grade == grade));
        }
    }
}

fn counted(page: &mut Page, meter: &Meter, status: &StackStatus) {
    let none = ServiceMeter::default();
    let each = || {
        status
            .services
            .iter()
            .map(|s| (s.name.as_str(), meter.services.get(&s.name).unwrap_or(&none)))
    };
    page.family("infra_service_starts_total", "counter", "Starts, by what caused them.");
    for (name, meter) in each() {
        for cause in CAUSES {
            let labels = [("service", name), ("cause", cause)];
            let n = meter.starts.get(cause).copied().unwrap_or(0);
            page.int("infra_service_starts_total", &labels, n);
        }
    }
    page.family("infra_service_exits_total", "counter", "Ends of its process, by reason.");
    for (name, meter) in each() {
        for reason in REASONS {
            let labels = [("service", name), ("reason", reason)];
            let n = meter.exits.get(reason).copied().unwrap_or(0);
            page.int("infra_service_exits_total", &labels, n);
        }
    }
    page.family("infra_service_kills_total", "counter", "Stops that took SIGKILL.");
    for (name, meter) in each() {
        page.int("infra_service_kills_total", &[("service", name)], meter.kills);
    }
    let looks: Vec<_> = each().map(|(name, meter)| (name, meter.probes.now())).collect();
    let looks = || looks.iter().flat_map(|(name, l)| l.iter().map(|(kind, l)| (*name, *kind, l)));
    let family = "infra_probe_failures_total";
    page.family(family, "counter", "Probes that found a service not ready or not alive.");
    for (name, kind, looks) in looks() {
        page.int(family, &[("service", name), ("kind", kind)], looks.failures);
    }
    let family = "infra_probe_duration_seconds";
    page.family(family, "histogram", "What probes took.");
    for (name, kind, looks) in looks() {
        page.histogram(family, &[("service", name), ("kind", kind)], &looks.took);
    }
    let histograms: [(&str, &str, Pick); 3] = [
        ("infra_service_startup_duration_seconds", "From start to readiness.", |m| &m.startup),
        ("infra_service_restart_delay_seconds", "From an end to the next start.", |m| {
            &m.restart_delay
        }),
        ("infra_service_stop_duration_seconds", "From being asked to end to the end.", |m| &m.stop),
    ];
    for (family, help, histogram) in histograms {
        page.family(family, "histogram", help);
        for (name, meter) in each() {
            page.histogram(family, &[("service", name)], histogram(meter));
        }
    }
    page.family("infra_orphans_reaped_total", "counter", "Processes left behind that were ended.");
    page.int("infra_orphans_reaped_total", &[], meter.orphans);
}

fn process(page: &mut Page, own: &Own) {
    let mut one = |name, kind, help, value| {
        page.family(name, kind, help);
        page.float(name, &[], value);
    };
    one(
        "process_cpu_seconds_total",
        "counter",
        "Processor time of the supervisor.",
        millis(own.cpu_ms),
    );
    one("process_resident_memory_bytes", "gauge", "Its resident memory.", count(own.rss_bytes));
    one("process_virtual_memory_bytes", "gauge", "Its address space.", count(own.virtual_bytes));
    one("process_open_fds", "gauge", "Its open descriptors.", count(own.open_fds));
    if let Some(max) = own.max_fds {
        one("process_max_fds", "gauge", "How many it may open.", count(max));
    }
    one("process_threads", "gauge", "Its threads.", count(own.threads));
    one("process_start_time_seconds", "gauge", "When it started, since 1970.", own.started);
}

#[allow(clippy::cast_precision_loss, reason = "a sample is a double")]
fn count(n: u64) -> f64 {
    n as f64
}

fn millis(ms: u64) -> f64 {
    count(ms) / 1000.0
}
