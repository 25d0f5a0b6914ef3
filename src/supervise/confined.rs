//! Where the supervisor meets [`crate::sandbox`]: groups of a run, starts that are ready, and what the
//! probe saw.
//!
//! Owns the control groups of one run and the reports of its services. The probe runs beside the
//! start, once for each set of rules, and holds nothing up. Invariant: a report is unknown until the
//! probe answered; a probe that does not answer leaves `none`.

#![allow(clippy::disallowed_methods, reason = "this room owns starting programs")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
use std::time::Duration;

use super::contain::RunMark;
use super::logs::Logs;
use super::spec::{ServiceSpec, Stack};
use super::status::StackStatus;
use crate::base::ServiceName;
use crate::sandbox::{self, Level, Ready, Report};

/// Reports by service; those that are started by path have none.
pub type Reports = BTreeMap<ServiceName, Report>;

/// The control groups of a run.
#[derive(Debug, Default)]
pub(super) struct Groups {
    run: Option<PathBuf>,
    /// What makes a service's group, or why there are none.
    #[cfg(target_os = "linux")]
    maker: Option<Result<sandbox::cgroup::Run, String>>,
    made: Mutex<Made>,
    /// Rule sets of earlier starts.
    #[cfg(target_os = "linux")]
    kept: sandbox::RuleSets,
}

/// What another program in this process goes on with.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub(super) struct GroupsState {
    run: Option<PathBuf>,
    #[cfg(target_os = "linux")]
    maker: Option<Result<sandbox::cgroup::Run, String>>,
    made: Made,
}

/// What was made so far; a changed stack adds to it.
#[derive(Clone, Debug, Default, serde::Serialize, serde::Deserialize)]
struct Made {
    #[cfg(target_os = "linux")]
    services: BTreeMap<ServiceName, sandbox::cgroup::Group>,
    /// What was limited by them, and what could not be.
    told: BTreeMap<ServiceName, Vec<String>>,
}

#[cfg(target_os = "linux")]
impl Groups {
    /// Makes them, where that is possible.
    pub(super) fn open(mark: &RunMark, stack: &Stack) -> Self {
        use sandbox::cgroup;
        let mut groups = Self::default();
        let confined = || stack.services.values().filter_map(|s| s.confine.as_ref());
        if confined().next().is_none() {
            return groups;
        }
        let wanted = confined().any(|spec| cgroup::wants(&spec.limits));
        let run = cgroup::Run::create(mark.as_str(), wanted);
        groups.run = run.as_ref().ok().map(|run| run.path().to_owned());
        groups.maker = Some(run);
        groups.add(stack);
        groups
    }

    /// Makes those that a changed stack has and this run has not yet, and gives all their limits.
    pub(super) fn add(&self, stack: &Stack) {
        use sandbox::cgroup;
        let mut all = self.made();
        for (name, spec) in
            stack.services.iter().filter_map(|(n, s)| Some((n, s.confine.as_ref()?)))
        {
            let maker = self.maker.as_ref();
            let maker = maker.map_or(Err("this run has no control group"), |m| {
                m.as_ref().map_err(String::as_str)
            });
            let made = maker.map_err(str::to_owned).and_then(|run| {
                run.service(name.as_str(), &spec.limits).map_err(|e| e.to_string())
            });
            let told = match made {
                Ok(group) => {
                    let told = group.told.clone();
                    all.services.insert(name.clone(), group);
                    told
                }
                Err(why) => cgroup::without(&spec.limits, &why),
            };
            all.told.insert(name.clone(), told);
        }
    }

    /// The directory of a service's group.
    pub(super) fn of(&self, name: &ServiceName) -> Option<PathBuf> {
        self.made().services.get(name).map(|group| group.path().to_owned())
    }
}

#[cfg(not(target_os = "linux"))]
impl Groups {
    pub(super) fn open(_: &RunMark, _: &Stack) -> Self {
        Self::default()
    }

    pub(super) fn add(&self, _: &Stack) {}

    pub(super) fn of(&self, _: &ServiceName) -> Option<PathBuf> {
        None
    }
}

impl Groups {
    fn made(&self) -> MutexGuard<'_, Made> {
        self.made.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Written down for another program.
    pub(super) fn pack(&self) -> GroupsState {
        GroupsState {
            run: self.run.clone(),
            #[cfg(target_os = "linux")]
            maker: self.maker.clone(),
            made: self.made().clone(),
        }
    }

    /// Goes on with what another program made.
    pub(super) fn adopt(state: GroupsState) -> Self {
        Self {
            run: state.run,
            #[cfg(target_os = "linux")]
            maker: state.maker,
            made: Mutex::new(state.made),
            ..Self::default()
        }
    }

    /// What was limited for a service, and what could not be.
    fn told(&self, name: &ServiceName) -> Vec<String> {
        self.made().told.get(name).cloned().unwrap_or_default()
    }

    /// The directory of the run's group.
    pub(super) fn run(&self) -> Option<&Path> {
        self.run.as_deref()
    }

    /// Removes them; nothing of the run is alive.
    pub(super) fn remove(&self) {
        if let Some(run) = &self.run {
            remove(run);
        }
    }
}

/// Whether a directory is the group of the run with this mark.
pub(super) fn is_of(group: &Path, mark: &RunMark) -> bool {
    group.file_name().is_some_and(|name| *name == *format!("infra-{}", mark.as_str()))
}

/// The processes in a group and below it.
pub(super) fn processes(group: &Path) -> Vec<u32> {
    #[cfg(target_os = "linux")]
    return sandbox::cgroup::processes(group);
    #[cfg(not(target_os = "linux"))]
    return {
        let _ = group;
        Vec::new()
    };
}

/// Ends everything in a group and below it, at once.
pub(super) fn kill(group: &Path) {
    #[cfg(target_os = "linux")]
    sandbox::cgroup::kill(group);
    #[cfg(not(target_os = "linux"))]
    let _ = group;
}

/// Removes a group with those below it.
pub(super) fn remove(group: &Path) {
    #[cfg(target_os = "linux")]
    sandbox::cgroup::remove(group);
    #[cfg(not(target_os = "linux"))]
    let _ = group;
}

/// Holds a program of a service, its own or one beside it, and makes its rules; `None` when it starts by path. Blocking.
///
/// # Errors
/// Why it may not start, in words.
pub(super) fn ready(
    name: &ServiceName,
    program: &Path,
    confine: Option<&sandbox::Spec>,
    groups: &Groups,
) -> Result<Option<Arc<Ready>>, String> {
    #[cfg(target_os = "linux")]
    if let Some(confine) = confine {
        let group = groups.made().services.get(name).cloned();
        let ready = Ready::new(program, confine, group.as_ref(), &groups.kept)
            .map_err(|e| crate::base::chain(&e))?;
        return Ok(Some(Arc::new(ready)));
    }
    let _ = (name, program, confine, groups);
    Ok(None)
}

/// Makes the rules of all services, beside what else has to be done before they start. A start finds
/// them made, or waits for them.
pub(super) fn warm(stack: &Stack, groups: &Arc<Groups>) {
    #[cfg(target_os = "linux")]
    {
        let (stack, groups) = (stack.clone(), groups.clone());
        let make = move || {
            for spec in stack.services.values().filter_map(|s| s.confine.as_ref()) {
                // What cannot be made says so at the start.
                let _ = groups.kept.make(&spec.plan);
            }
        };
        // Without the thread each start makes its own.
        let _ = std::thread::Builder::new().name("rules".into()).stack_size(256 * 1024).spawn(make);
    }
    let _ = (stack, groups);
}

/// Whether what is held is what was checked.
///
/// # Errors
/// That it is not, in words.
pub(super) fn confirm(spec: &ServiceSpec, ready: Option<&Ready>) -> Result<(), String> {
    #[cfg(target_os = "linux")]
    if ready.is_some_and(|ready| !ready.confirm()) {
        return Err(format!("`{}` was changed while it was checked", spec.program.display()));
    }
    let _ = (spec, ready);
    Ok(())
}

/// How long a look waits for the first starts.
const PATIENCE: Duration = Duration::from_millis(500);

/// What is known of the services' sandboxes.
#[derive(Clone, Debug)]
pub(super) struct Sandboxes(Arc<Mutex<Reports>>);

impl Sandboxes {
    /// Nothing is known yet but what nobody has to look for.
    pub(super) fn open(stack: &Stack, groups: &Groups) -> Self {
        let first = |(name, service): (&ServiceName, &ServiceSpec)| {
            let spec = service.confine.as_ref()?;
            let mut report = match spec.plan.level {
                Level::Off => Report::none(Level::Off, spec.why.clone()),
                level => Report::unknown(level),
            };
            report.limits = groups.told(name);
            Some((name.clone(), report))
        };
        Self(Arc::new(Mutex::new(stack.services.iter().filter_map(first).collect())))
    }

    /// Goes on with what another program saw.
    pub(super) fn adopt(reports: Reports) -> Self {
        Self(Arc::new(Mutex::new(reports)))
    }

    /// What is known.
    pub(super) fn known(&self) -> Reports {
        self.reports().clone()
    }

    /// Whether somebody still looks.
    pub(super) fn is_looking(&self) -> bool {
        Arc::strong_count(&self.0) > 1
    }

    fn reports(&self) -> MutexGuard<'_, Reports> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks, beside everything else, and writes what was seen to the services' logs. Begins once
    /// what is given back was dropped, or after [`PATIENCE`]: services that start are in more of a
    /// hurry.
    pub(super) fn look(&self, stack: &Stack, logs: &Arc<Logs>) -> mpsc::Sender<()> {
        let (reports, stack, logs) = (self.clone(), stack.clone(), logs.clone());
        let (busy, rest) = mpsc::channel();
        let look = move || {
            let _ = rest.recv_timeout(PATIENCE);
            for (name, seen) in look(&stack) {
                let mut all = reports.reports();
                let limits = all.get(&name).map(|r| r.limits.clone()).unwrap_or_default();
                if let Some(log) = logs.get(&name) {
                    log.note(&format!("sandbox {seen}"));
                    limits.iter().for_each(|limit| log.note(&format!("limit {limit}")));
                }
                all.insert(name, Report { limits, ..seen });
            }
        };
        // Without the thread nothing is claimed: the reports stay unknown.
        let _ =
            std::thread::Builder::new().name("sandbox".into()).stack_size(256 * 1024).spawn(look);
        busy
    }

    /// Fills the services' reports in.
    pub(super) fn tell(&self, status: &mut StackStatus) {
        let reports = self.reports();
        for service in &mut status.services {
            service.sandbox = reports.get(&service.name).cloned();
        }
    }
}

/// Has every service's rules tried, each set once. Blocking, some milliseconds.
pub fn look(stack: &Stack) -> Reports {
    let mut reports = Reports::new();
    let mut seen: BTreeMap<&sandbox::Plan, Report> = BTreeMap::new();
    for (name, service) in &stack.services {
        let Some(spec) = &service.confine else { continue };
        let report = match spec.plan.level {
            Level::Off => Report::none(Level::Off, spec.why.clone()),
            level if !sandbox::is_available() => {
                Report::none(level, vec!["this kernel has no Landlock".to_owned()])
            }
            _ => match seen.get(&spec.plan) {
                Some(report) => report.clone(),
                None => {
                    let report = probe(stack, spec);
                    seen.insert(&spec.plan, report.clone());
                    report
                }
            },
        };
        reports.insert(name.clone(), report);
    }
    reports
}

#[cfg(target_os = "linux")]
fn probe(stack: &Stack, spec: &sandbox::Spec) -> Report {
    use sandbox::probe::{Order, SUBCOMMAND};
    use std::io::Write as _;
    use std::process::{Command, Stdio};

    let level = spec.plan.level;
    let run = stack.data.join("run");
    // Made by whom they belong to, before the probe puts something into them.
    for dir in &spec.own {
        if let Err(e) = sandbox::person::own_directory(dir, spec.person.as_ref()) {
            return Report::none(level, vec![e.to_string()]);
        }
    }
    let inside = spec.own.first().filter(|_| level == Level::Strict).unwrap_or(&run);
    let order = Order { plan: spec.plan.clone(), inside: inside.clone(), outside: run.clone() };
    let answer = || -> std::io::Result<Vec<u8>> {
        let mut child = Command::new(super::process::own_program()?)
            .arg(SUBCOMMAND)
            .env_clear()
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        if let Some(mut input) = child.stdin.take() {
            input.write_all(&serde_json::to_vec(&order)?)?;
        }
        Ok(child.wait_with_output()?.stdout)
    };
    let findings = answer().ok().and_then(|text| serde_json::from_slice::<Vec<_>>(&text).ok());
    match findings {
        Some(findings) => Report::from_findings(level, &findings, &spec.why),
        None => Report::none(level, vec!["the probe did not answer".to_owned()]),
    }
}

#[cfg(not(target_os = "linux"))]
fn probe(_: &Stack, spec: &sandbox::Spec) -> Report {
    Report::none(spec.plan.level, vec!["only Linux has it".to_owned()])
}
