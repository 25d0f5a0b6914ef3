//! One service's outside: its process, pipes and checks.
//!
//! Obeys the machine's orders and reports what comes of them; every report carries the generation
//! it belongs to.

use std::path::Path;
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{mpsc, oneshot};
use tokio::task::AbortHandle;

use super::News;
use crate::base::interrupt;
use crate::base::vars::exported;
use crate::base::{Problem, ServiceName};
use crate::sandbox::Ready;
use crate::supervise::confined::{self, Groups};
use crate::supervise::contain::{self, RunMark};
use crate::supervise::logs::{LineWatch, Pump, ServiceLog};
use crate::supervise::probe;
use crate::supervise::process::{self, Launch, StartError};
use crate::supervise::reap::Child;
use crate::supervise::spec::{Gate, ProbeSpec, ServiceSpec};
use crate::supervise::state::{Generation, Input, Output};
use crate::supervise::status::LogCounters;

pub(super) struct Unit {
    spec: ServiceSpec,
    log: Arc<ServiceLog>,
    mark: String,
    news: mpsc::UnboundedSender<News>,
    child: Option<Arc<Child>>,
    pump: Option<Pump>,
    probe: Option<AbortHandle>,
    /// Tells that the awaited line came.
    line: Option<oneshot::Receiver<()>>,
    /// Its control group.
    groups: Arc<Groups>,
    /// Its program, held since the gate's check.
    held: Arc<Mutex<Option<Arc<Ready>>>>,
}

impl Unit {
    pub(super) fn new(
        spec: ServiceSpec,
        log: Arc<ServiceLog>,
        mark: &RunMark,
        news: mpsc::UnboundedSender<News>,
        groups: Arc<Groups>,
    ) -> Self {
        let mark = mark.of_service(spec.name.as_str());
        Self {
            spec,
            log,
            mark,
            news,
            child: None,
            pump: None,
            probe: None,
            line: None,
            groups,
            held: Arc::default(),
        }
    }

    pub(super) fn perform(&mut self, output: Output, gate: &Arc<dyn Gate>) {
        match output {
            Output::Gate(generation) => self.ask(generation, gate.clone()),
            Output::Spawn(generation) => self.spawn(generation),
            Output::Probe(generation) => self.check(generation),
            Output::EndProbe => self.end_probe(),
            Output::Signal(number) => self.signal(number),
            Output::KillAll => self.signal(libc::SIGKILL),
            Output::Sweep(generation, patience) => self.sweep(generation, patience),
        }
    }

    fn ask(&self, generation: Generation, gate: Arc<dyn Gate>) {
        let (name, news) = (self.spec.name.clone(), self.news.clone());
        let (spec, groups, held) = (self.spec.clone(), self.groups.clone(), self.held.clone());
        tokio::spawn(async move {
            let look = move || {
                // Held first: what is checked now cannot be changed before it is executed.
                let ready = confined::ready(&spec, &groups)?;
                gate.check(&spec.name).map_err(|problem| told(&problem))?;
                confined::confirm(&spec, ready.as_deref())?;
                interrupt::point("service.checked");
                *held.lock().unwrap_or_else(PoisonError::into_inner) = ready;
                Ok(())
            };
            let answer = tokio::task::spawn_blocking(look).await;
            let input = match answer {
                Ok(Ok(())) => Input::GatePassed(generation),
                Ok(Err(why)) => Input::GateRefused(generation, why),
                Err(_) => Input::GateRefused(generation, "its check did not finish".to_owned()),
            };
            let _ = news.send(News::Input(name, input));
        });
    }

    fn spawn(&mut self, generation: Generation) {
        let watch = match self.spec.ready.as_ref().map(|r| &r.probe) {
            Some(ProbeSpec::Log(text)) => {
                let (seen, line) = oneshot::channel();
                self.line = Some(line);
                Some(LineWatch { text: text.clone(), seen })
            }
            _ => None,
        };
        let (name, news) = (self.spec.name.clone(), self.news.clone());
        let outputs = match Pump::start(self.log.clone(), watch) {
            Ok((pump, outputs)) => {
                self.pump = Some(pump);
                outputs
            }
            Err(source) => {
                let program = self.spec.program.clone();
                let refused = Err(StartError::Refused { program, source });
                let _ = news.send(News::Started(name, generation, refused));
                return;
            }
        };
        let mut env: Vec<_> = self.spec.env.iter().map(|(k, v)| (k.clone(), v.clone())).collect();
        env.push((exported::RUN.into(), self.mark.clone().into()));
        let launch = Launch {
            program: self.spec.program.clone(),
            args: self.spec.args.clone(),
            env,
            cwd: self.spec.cwd.clone(),
            stdin: Stdio::null(),
            stdout: outputs.out.into(),
            stderr: outputs.err.into(),
            dies_with_us: true,
            ready: self.held.lock().unwrap_or_else(PoisonError::into_inner).take(),
        };
        tokio::spawn(async move {
            let started = process::spawn(launch).await;
            let _ = news.send(News::Started(name, generation, started));
        });
    }

    /// Its process runs: sees it end.
    pub(super) fn started(&mut self, generation: Generation, child: Child) -> Arc<Child> {
        let child = Arc::new(child);
        self.child = Some(child.clone());
        let (name, news, watched) = (self.spec.name.clone(), self.news.clone(), child.clone());
        tokio::spawn(async move {
            let exit = watched.ended().await;
            let _ = news.send(News::Input(name, Input::Exited(generation, exit)));
        });
        child
    }

    pub(super) fn not_started(&mut self) {
        self.pump = None;
        self.line = None;
    }

    fn check(&mut self, generation: Generation) {
        let (Some(ready), Some(child)) = (&self.spec.ready, &self.child) else { return };
        let (probe, child, line) = (ready.probe.clone(), child.clone(), self.line.take());
        let (name, news) = (self.spec.name.clone(), self.news.clone());
        let task = tokio::spawn(async move {
            let failed = |why| {
                let input = Input::ProbeFailed(generation, why);
                let _ = news.send(News::Input(name.clone(), input));
            };
            probe::until_ready(probe, child, line, failed).await;
            let _ = news.send(News::Input(name.clone(), Input::ProbeOk(generation)));
        });
        self.probe = Some(task.abort_handle());
    }

    fn end_probe(&mut self) {
        if let Some(probe) = self.probe.take() {
            probe.abort();
        }
    }

    fn signal(&self, number: i32) {
        let Some(child) = self.child.clone() else { return };
        // Nearly all services are one process group; the rest takes a look at every process.
        child.signal(number);
        let mark = self.mark.clone();
        let group = self.groups.of(&self.spec.name);
        tokio::task::spawn_blocking(move || {
            contain::signal_others(&child, &mark, group.as_deref(), number);
        });
    }

    fn sweep(&mut self, generation: Generation, patience: std::time::Duration) {
        let (name, news, mark) = (self.spec.name.clone(), self.news.clone(), self.mark.clone());
        let (child, pump) = (self.child.clone(), self.pump.take());
        let group = self.groups.of(&self.spec.name);
        tokio::spawn(async move {
            let sweep = tokio::task::spawn_blocking(move || {
                child.map_or((0, 0), |child| {
                    contain::sweep(&child, &mark, group.as_deref(), patience)
                })
            });
            let swept = sweep.await.unwrap_or((0, 0));
            if let Some(pump) = pump {
                pump.finish().await;
            }
            let _ = news.send(News::Swept(name, generation, swept));
        });
    }

    /// Nothing of it is left (or cannot be ended); gives the leader, to be reaped.
    pub(super) fn swept(&mut self, killed: usize, left: usize) -> Option<Arc<Child>> {
        if killed > 0 {
            self.note(&format!("{killed} processes outlived it and were killed"));
        }
        if left > 0 {
            self.note(&format!("{left} processes of it cannot be ended"));
        }
        self.child.take()
    }

    pub(super) fn child(&self) -> Option<&Child> {
        self.child.as_deref()
    }

    pub(super) fn spec(&self) -> &ServiceSpec {
        &self.spec
    }

    pub(super) fn name(&self) -> &ServiceName {
        &self.spec.name
    }

    pub(super) fn log_path(&self) -> &Path {
        self.log.path()
    }

    pub(super) fn logged(&self) -> LogCounters {
        self.log.counters()
    }

    /// A line of ours in its log.
    pub(super) fn note(&self, text: &str) {
        self.log.note(text);
    }

    pub(super) fn last_words(&self, lines: usize) -> Vec<String> {
        self.log.last_words(lines)
    }
}

/// A problem in one line, with what it says under its message.
fn told(problem: &Problem) -> String {
    let mut text = problem.to_string();
    for detail in problem.inner().details() {
        text += "; ";
        text += &detail;
    }
    text
}
