//! What is wrong with this host and project, and what to do about it.
//!
//! Looks only and changes nothing; of the network it wants only to know whether the sources answer. Invariant: every finding that is not good
//! carries a remedy.

use serde::Serialize;

use super::{Context, host_needs, stack};
use crate::base::{Diagnose, Libc, Os, Platform, Problem};
use crate::binary::Host;
use crate::config::Origin;
use crate::fs;
use crate::lock::{self, Lock, Row};
use crate::profile::{Profiles, Union};
use crate::source::deb_repositories;

/// How a finding is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// As it should be.
    Good,
    /// Works, but worth knowing.
    Note,
    /// Something that a command will fail on.
    Wrong,
}

/// One thing that was looked at.
#[derive(Clone, Debug, Serialize)]
pub struct Finding {
    /// How it is meant.
    pub level: Level,
    /// What was looked at.
    pub what: &'static str,
    /// What was found.
    pub found: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remedy: Option<String>,
}

impl Finding {
    pub(super) fn good(what: &'static str, found: impl Into<String>) -> Self {
        Self { level: Level::Good, what, found: found.into(), remedy: None }
    }

    pub(super) fn note(
        what: &'static str,
        found: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        let remedy = Some(remedy.into());
        Self { level: Level::Note, what, found: found.into(), remedy }
    }

    pub(super) fn wrong(
        what: &'static str,
        found: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        let remedy = Some(remedy.into());
        Self { level: Level::Wrong, what, found: found.into(), remedy }
    }

    fn problem(what: &'static str, problem: &Problem, otherwise: &str) -> Self {
        let inner: &dyn Diagnose = problem.inner();
        let place = inner.excerpt().map(|e| format!(" ({})", e.file.display())).unwrap_or_default();
        let hint = inner.hints().first().map(ToString::to_string);
        Self::wrong(what, format!("{inner}{place}"), hint.unwrap_or_else(|| otherwise.to_owned()))
    }
}

/// A gigabyte: less free space than this is worth a word.
const LOW_SPACE: u64 = 1 << 30;

/// What to do about a store on another machine's filesystem.
pub(super) const REMOTE_REMEDY: &str =
    "set INFRA_STORE to a local disk; share objects between machines with a binary cache";

/// What is to be said of a store on another machine's filesystem.
pub(super) fn remote_store(root: &std::path::Path, kind: fs::Filesystem) -> String {
    format!(
        "{} lies on {}: its locks and what outlasts a power cut are up to its server",
        root.display(),
        kind.name
    )
}

/// Looks at the platform, the store, the sources, the project, the lock and the ports.
pub fn examine(context: &Context) -> Vec<Finding> {
    let mut findings = vec![Finding::good("platform", Platform::host().name())];
    libc(&mut findings);
    store(context, &mut findings);
    match context.profiles().and_then(|p| Ok((p.union()?, p))) {
        Ok((union, profiles)) => project(context, &profiles, &union, &mut findings),
        Err(problem) => findings.push(Finding::problem("profiles", &problem, "run `infra init`")),
    }
    findings
}

fn store(context: &Context, findings: &mut Vec<Finding>) {
    let info = match context.store().info() {
        Ok(info) => info,
        Err(error) => {
            let problem = error.into();
            findings.push(Finding::problem("store", &problem, "set INFRA_STORE to another place"));
            return;
        }
    };
    let shown = info.root.display();
    if !info.writable {
        findings.push(Finding::wrong(
            "store",
            format!("{shown} is not writable"),
            "set INFRA_STORE to a directory of your own",
        ));
    } else {
        findings.push(Finding::good("store", format!("{shown}, {} objects", info.objects)));
    }
    if let Some(kind) = fs::filesystem(&info.root) {
        findings.push(Finding::note("store", remote_store(&info.root, kind), REMOTE_REMEDY));
    }
    if info.damaged_registrations > 0 {
        findings.push(Finding::wrong(
            "store",
            format!("{} damaged registrations", info.damaged_registrations),
            "run `infra store repair`",
        ));
    }
    if info.free < LOW_SPACE {
        findings.push(Finding::note(
            "disk space",
            format!("{} MiB free", info.free >> 20),
            "run `infra store gc --artifacts`, or move the store with INFRA_STORE",
        ));
    }
}

fn project(context: &Context, profiles: &Profiles, union: &Union, findings: &mut Vec<Finding>) {
    let names: Vec<_> = profiles.names().map(ToString::to_string).collect();
    findings.push(Finding::good("profiles", names.join(", ")));
    if !union.platforms.contains(&Platform::host()) {
        findings.push(Finding::wrong(
            "platforms",
            format!("the profiles do not declare {}", Platform::host()),
            "add it to `platforms` in profiles/base.toml, then run `infra dep lock`",
        ));
    }
    sources(context, union, findings);
    super::mirrors::examine(context, union, findings);
    match lock::read(&context.lock_path()) {
        Err(error) => {
            findings.push(Finding::problem("lock", &error.into(), "run `infra dep lock`"));
        }
        Ok(lock) => {
            let stale = lock::stale(&lock, &super::context::requirements(union));
            match stale.first() {
                None => findings.push(Finding::good("lock", format!("{} deps", lock.deps.len()))),
                Some(first) => findings.push(Finding::wrong(
                    "lock",
                    format!("does not match the profiles: {first}"),
                    "run `infra dep lock`",
                )),
            }
            deps(context, &lock, findings);
        }
    }
    for line in stack::taken_ports(context, profiles) {
        findings.push(Finding::note("ports", line, "stop that program, or change `[port]`"));
    }
}

/// Only the ecosystems that the project uses.
fn sources(context: &Context, union: &Union, findings: &mut Vec<Finding>) {
    use crate::base::SourceKind;
    let used = |kind| union.requirements.values().any(|r| r.from.kind() == kind);
    if used(SourceKind::Deb) {
        repositories(context, union, findings);
    }
    let kinds = [
        SourceKind::Pypi,
        SourceKind::Npm,
        SourceKind::Github,
        SourceKind::Go,
        SourceKind::Aqua,
        SourceKind::Crate,
    ];
    for kind in kinds.into_iter().filter(|k| used(*k)) {
        match context.endpoint(kind, &union.sources) {
            Ok(endpoint) => {
                let origin = match &endpoint.base.origin {
                    client @ Origin::Client(_) => client.to_string(),
                    origin => format!("from {origin}"),
                };
                findings.push(Finding::good("source", format!("{kind}: base URL {origin}")));
            }
            Err(error) => {
                findings.push(Finding::problem("source", &error.into(), "set its base URL"));
            }
        }
    }
}

/// The repositories of `deb:`.
fn repositories(context: &Context, union: &Union, findings: &mut Vec<Finding>) {
    let chosen = union.sources.get(&crate::base::SourceKind::Deb);
    match deb_repositories(chosen, context.environ(), context.project()) {
        Ok(all) => {
            let mut origins: Vec<_> = all.iter().map(|one| one.base.origin.to_string()).collect();
            origins.dedup();
            let plural = if all.len() == 1 { "" } else { "s" };
            let text = format!("deb: {} suite{plural} from {}", all.len(), origins.join(", "));
            findings.push(Finding::good("source", text));
        }
        Err(error) => findings.push(Finding::problem("source", &error.into(), "set its base URL")),
    }
}

/// Whether this host has what the pinned executables expect of it.
fn deps(context: &Context, lock: &Lock, findings: &mut Vec<Finding>) {
    for (name, dep) in &lock.deps {
        if let Some(Row::Unavailable { reason }) = dep.platforms.get(&Platform::host()) {
            findings.push(Finding::note(
                "dep",
                format!("`{name}` has nothing for this platform: {reason}"),
                "environments that want it cannot be built here",
            ));
        }
    }
    for lacking in host_needs::of_lock(context, lock) {
        for line in lacking.lines() {
            findings.push(Finding::wrong("dep", line, lacking.next.clone()));
        }
    }
}

/// The C libraries of a Linux host, as its files have them.
fn libc(findings: &mut Vec<Finding>) {
    let platform = Platform::host();
    if platform.os() != Os::Linux {
        return;
    }
    let found = Host::here().libcs(platform.arch());
    let shown: Vec<_> = found
        .iter()
        .map(|(libc, version)| {
            let version = version.as_ref().map(|v| format!(" {v}")).unwrap_or_default();
            let name = match libc {
                Libc::Glibc => "glibc",
                Libc::Musl => "musl",
            };
            format!("{name}{version}")
        })
        .collect();
    findings.push(match found.first() {
        Some((Libc::Glibc, _)) => Finding::good("libc", shown.join(", ")),
        Some((Libc::Musl, _)) => Finding::note(
            "libc",
            format!("{}, but not glibc, which {platform} means", shown.join(", ")),
            "only static programs start here; `infra dep audit --purity` shows which those are",
        ),
        None => Finding::note(
            "libc",
            "no loader of a C library",
            "only static programs start here; `infra dep audit --purity` shows which those are",
        ),
    });
}
