//! One service's outside: its process, pipes and checks.
//!
//! Obeys the machine's orders and reports what comes of them; every report carries the generation
//! it belongs to.

mod handing;

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::task::{AbortHandle, JoinHandle};
use tokio_util::sync::CancellationToken;

use super::News;
use super::watch::Watch;
use crate::base::interrupt;
use crate::base::vars::exported;
use crate::base::{Problem, ServiceName};
use crate::sandbox::Ready;
use crate::supervise::confined::{self, Groups};
use crate::supervise::contain::{self, RunMark};
use crate::supervise::helper::{Helper, Surroundings};
use crate::supervise::logs::{LineWatch, Outputs, Pump, Remains, ServiceLog};
use crate::supervise::metrics::ProbeCounts;
use crate::supervise::notify::NotifySocket;
use crate::supervise::ports;
use crate::supervise::process::{self, Launch, StartError, Stdio};
use crate::supervise::reap::Child;
use crate::supervise::spec::{CommandSpec, Gate, ProbeSpec, ReloadSpec, ServiceSpec};
use crate::supervise::state::{Generation, Input, Output};
use crate::supervise::status::LogCounters;

/// How long a command before a start, and one that reloads, may take.
const HOOK: Duration = Duration::from_secs(60);

/// How often a port that a stranger has is looked at.
const PORTS: Duration = Duration::from_millis(500);

pub(super) struct Unit {
    spec: ServiceSpec,
    log: Arc<ServiceLog>,
    run: Arc<Path>,
    run_mark: RunMark,
    mark: String,
    around: Arc<Surroundings>,
    news: mpsc::UnboundedSender<News>,
    child: Option<Arc<Child>>,
    pump: Option<Pump>,
    /// What happens before a start.
    gate: Option<AbortHandle>,
    hook: CancellationToken,
    watch: Watch,
    notify: Option<Arc<NotifySocket>>,
    /// Tells that the awaited line came.
    line: Option<oneshot::Receiver<()>>,
    /// Its control group.
    groups: Arc<Groups>,
    /// Its program, held since the gate's check.
    held: Arc<Mutex<Option<Arc<Ready>>>>,
    /// Signals that are being sent to what left its process group.
    signalling: Vec<JoinHandle<()>>,
    next_run: Option<Duration>,
    /// Held by every command that runs beside it.
    commands: Arc<()>,
    /// What its pump left, while another program is to go on.
    remains: Option<Remains>,
}

impl Unit {
    pub(super) fn new(
        spec: ServiceSpec,
        log: Arc<ServiceLog>,
        run: Arc<Path>,
        run_mark: &RunMark,
        news: mpsc::UnboundedSender<News>,
        groups: Arc<Groups>,
    ) -> Self {
        let mark = run_mark.of_service(spec.name.as_str());
        let around = Arc::new(Surroundings {
            env: spec.env.clone(),
            cwd: spec.cwd.clone(),
            mark: run_mark.of_service(&format!("{}~helper", spec.name)),
            name: spec.name.clone(),
            groups: groups.clone(),
            more: Arc::default(),
            probes: ProbeCounts::default(),
        });
        Self {
            spec,
            log,
            run,
            run_mark: run_mark.clone(),
            mark,
            around,
            news,
            child: None,
            pump: None,
            gate: None,
            hook: CancellationToken::new(),
            watch: Watch::default(),
            notify: None,
            line: None,
            signalling: Vec::new(),
            next_run: None,
            groups,
            held: Arc::default(),
            commands: Arc::default(),
            remains: None,
        }
    }

    pub(super) fn perform(&mut self, output: Output, gate: &Arc<dyn Gate>) {
        match output {
            Output::Gate(generation) => self.ask(generation, gate.clone()),
            Output::EndGate => self.end_gate(),
            Output::AwaitPorts(generation) => self.await_ports(generation),
            Output::Spawn(generation) => self.spawn(generation),
            Output::Probe(generation) => self.check(generation),
            Output::Watch(generation) => self.keep_looking(generation),
            Output::EndProbe => self.watch.end(),
            Output::Reload(generation) => self.reload(generation),
            Output::StopCommand(generation) => self.stop_command(generation),
            Output::Signal(number) => self.signal(number),
            Output::KillAll => self.signal(libc::SIGKILL),
            Output::Sweep(generation, patience) => self.sweep(generation, patience),
        }
    }

    /// The gate, then its ports, then the command before the start.
    fn ask(&mut self, generation: Generation, gate: Arc<dyn Gate>) {
        let (name, news) = (self.spec.name.clone(), self.news.clone());
        let (spec, groups, held) = (self.spec.clone(), self.groups.clone(), self.held.clone());
        let (ports, mark) = (self.spec.ports.clone(), self.run_mark.clone());
        let hook = self.spec.pre_start.clone().map(|command| (command, self.helper_output()));
        let around = self.around.clone();
        let cancel = CancellationToken::new();
        self.hook = cancel.clone();
        let task = tokio::spawn(async move {
            let around = around.clone();
            let helpers = around.clone();
            let looked = tokio::task::spawn_blocking(move || {
                let look = || {
                    // Held first: what is checked now cannot be changed before it is executed.
                    let confine = spec.confine.as_deref();
                    let ready = confined::ready(&spec.name, &spec.program, confine, &groups)?;
                    gate.check(&spec.name).map_err(|problem| told(&problem))?;
                    confined::confirm(&spec, ready.as_deref())?;
                    interrupt::point("service.checked");
                    *held.lock().unwrap_or_else(PoisonError::into_inner) = ready;
                    around.read_file(&spec)?;
                    Ok(())
                };
                if let Err(why) = look() {
                    return Some(Input::GateRefused(generation, why));
                }
                ports::foreign(&ports, &mark).map(|why| Input::PortTaken(generation, why))
            });
            let input = match looked.await {
                Ok(Some(refused)) => refused,
                Ok(None) => match hook {
                    None => Input::GatePassed(generation),
                    Some((command, output)) => {
                        match pre_start(command, helpers, output, cancel).await {
                            Ok(()) => Input::GatePassed(generation),
                            Err(why) => Input::PreStartFailed(generation, why),
                        }
                    }
                },
                Err(_) => Input::GateRefused(generation, "its check did not finish".to_owned()),
            };
            let _ = news.send(News::Input(name, input));
        });
        // A command before the start answers once it is dead; the rest may be forgotten.
        self.gate = self.spec.pre_start.is_none().then(|| task.abort_handle());
    }

    fn end_gate(&mut self) {
        self.hook.cancel();
        if let Some(gate) = self.gate.take() {
            gate.abort();
        }
    }

    fn await_ports(&mut self, generation: Generation) {
        let (name, news) = (self.spec.name.clone(), self.news.clone());
        let wanted = self.spec.ports.clone();
        let task = tokio::spawn(async move {
            loop {
                tokio::time::sleep(PORTS).await;
                let ports = wanted.clone();
                let taken = tokio::task::spawn_blocking(move || ports::any_taken(&ports));
                if matches!(taken.await, Ok(false)) {
                    let _ = news.send(News::Input(name, Input::PortFree(generation)));
                    return;
                }
            }
        });
        self.gate = Some(task.abort_handle());
    }

    /// A pump for a helper's output.
    fn helper_output(&self) -> Option<(Pump, Outputs)> {
        Pump::start(self.log.clone(), None).ok()
    }

    fn reload(&self, generation: Generation) {
        match (&self.spec.reload, &self.child) {
            (Some(ReloadSpec::Signal(number)), Some(child)) => child.signal_alone(*number),
            (Some(ReloadSpec::Command(command)), Some(child)) => {
                self.command(command.clone(), child.pid(), HOOK, move |log, outcome| {
                    if let Err(why) = outcome {
                        log.note(&format!("reload failed (start {generation}): {why}"));
                    }
                    None
                });
            }
            _ => {}
        }
    }

    fn stop_command(&self, generation: Generation) {
        let (Some(command), Some(child)) = (&self.spec.stop_command, &self.child) else { return };
        let grace = self.spec.stop_grace;
        self.command(command.clone(), child.pid(), grace, move |log, outcome| {
            let why = outcome.err()?;
            log.note(&format!("its stop command failed: {why}; the signal is sent instead"));
            Some(Input::StopCommandFailed(generation))
        });
    }

    /// Runs a command beside the running service, with the service's pid in `MAINPID`.
    fn command(
        &self,
        command: CommandSpec,
        pid: u32,
        limit: Duration,
        then: impl FnOnce(&ServiceLog, Result<(), String>) -> Option<Input> + Send + 'static,
    ) {
        let (name, news, log) = (self.spec.name.clone(), self.news.clone(), self.log.clone());
        let (around, output) = (self.around.clone(), self.helper_output());
        let running = self.commands.clone();
        tokio::spawn(async move {
            let helper = Helper::new(command, around).with("MAINPID", pid.to_string());
            let outcome = run_hook(helper, output, limit).await;
            drop(running);
            if let Some(input) = then(&log, outcome) {
                let _ = news.send(News::Input(name, input));
            }
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
        let mut env = self.around.with_file(&self.spec.env);
        env.push((exported::RUN.into(), self.mark.clone().into()));
        if self.spec.notifies() {
            let bound = NotifySocket::bind(&self.run, self.spec.name.as_str(), generation);
            match bound {
                Ok(socket) => {
                    env.push(("NOTIFY_SOCKET".into(), socket.address().clone()));
                    self.notify = Some(Arc::new(socket));
                }
                Err(e) => self.note(&format!("it has no notify socket: {e}")),
            }
        }
        if let Some(period) = self.spec.watchdog() {
            env.push(("WATCHDOG_USEC".into(), period.as_micros().to_string().into()));
        }
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
        self.hear(generation);
        self.await_end(generation, child.clone());
        child
    }

    fn hear(&mut self, generation: Generation) {
        if let (Some(socket), Some(child)) = (&self.notify, &self.child) {
            let (name, news) = (self.spec.name.clone(), self.news.clone());
            self.watch.hear(socket.clone(), child.clone(), move |notice| {
                let _ = news.send(News::Input(name.clone(), Input::Notice(generation, notice)));
            });
        }
    }

    fn await_end(&self, generation: Generation, child: Arc<Child>) {
        let (name, news) = (self.spec.name.clone(), self.news.clone());
        tokio::spawn(async move {
            let exit = child.ended().await;
            let _ = news.send(News::Input(name, Input::Exited(generation, exit)));
        });
    }

    pub(super) fn not_started(&mut self) {
        self.pump = None;
        self.line = None;
        self.notify = None;
    }

    fn check(&mut self, generation: Generation) {
        let (Some(ready), Some(child)) = (&self.spec.ready, &self.child) else { return };
        let (name, news) = (self.spec.name.clone(), self.news.clone());
        let tell = move |input| {
            let _ = news.send(News::Input(name.clone(), input));
        };
        let (child, around) = (child.clone(), self.around.clone());
        self.watch.until_ready(ready.probe.clone(), child, around, self.line.take(), move |seen| {
            tell(match seen {
                Ok(()) => Input::ProbeOk(generation),
                Err(why) => Input::ProbeFailed(generation, why),
            });
        });
    }

    fn keep_looking(&mut self, generation: Generation) {
        let (Some(alive), Some(child)) = (&self.spec.alive, &self.child) else { return };
        let (name, news) = (self.spec.name.clone(), self.news.clone());
        let (child, around) = (child.clone(), self.around.clone());
        self.watch.keep_looking(alive.clone(), child, around, move |seen| {
            let _ = news.send(News::Input(name.clone(), Input::Alive(generation, seen)));
        });
    }

    fn signal(&mut self, number: i32) {
        let Some(child) = self.child.clone() else { return };
        // Nearly all services are one process group; the rest takes a look at every process.
        child.signal(number);
        let mark = self.mark.clone();
        let group = self.groups.of(&self.spec.name);
        self.signalling.push(tokio::task::spawn_blocking(move || {
            contain::signal_others(&child, &mark, group.as_deref(), number);
        }));
    }

    fn sweep(&mut self, generation: Generation, patience: Duration) {
        let (name, news, mark) = (self.spec.name.clone(), self.news.clone(), self.mark.clone());
        let (child, pump) = (self.child.clone(), self.pump.take());
        let group = self.groups.of(&self.spec.name);
        self.watch.end_hearing();
        self.notify = None;
        let signalling = std::mem::take(&mut self.signalling);
        tokio::spawn(async move {
            // The next start has the same mark and group: a signal for this one must not meet it.
            for deed in signalling {
                let _ = deed.await;
            }
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

    /// Takes another specification; the next start follows it.
    pub(super) fn set_spec(&mut self, spec: ServiceSpec) {
        self.spec = spec;
    }

    /// Sends a signal of the user's; `false` when nothing runs.
    pub(super) fn send(&self, number: i32) -> bool {
        match &self.child {
            Some(child) => {
                child.signal(number);
                true
            }
            None => false,
        }
    }

    pub(super) fn name(&self) -> &ServiceName {
        &self.spec.name
    }

    /// How long until its next scheduled run.
    pub(super) fn next_run(&self) -> Option<Duration> {
        self.next_run
    }

    pub(super) fn set_next_run(&mut self, time: Option<Duration>) {
        self.next_run = time;
    }

    pub(super) fn log_path(&self) -> &Path {
        self.log.path()
    }

    pub(super) fn logged(&self) -> LogCounters {
        self.log.counters()
    }

    /// What its probes took and found.
    pub(super) fn probes(&self) -> &ProbeCounts {
        &self.around.probes
    }

    /// A line of ours in its log.
    pub(super) fn note(&self, text: &str) {
        self.log.note(text);
    }

    pub(super) fn last_words(&self, lines: usize) -> Vec<String> {
        self.log.last_words(lines)
    }
}

/// Runs the command before a start; being told to give up ends it, and answers once it is dead.
async fn pre_start(
    command: CommandSpec,
    around: Arc<Surroundings>,
    output: Option<(Pump, Outputs)>,
    cancel: CancellationToken,
) -> Result<(), String> {
    run_hook(Helper::new(command, around).until(cancel), output, HOOK).await
}

/// Runs a helper to its end with its output in the log.
async fn run_hook(
    helper: Helper,
    output: Option<(Pump, Outputs)>,
    limit: Duration,
) -> Result<(), String> {
    let (pump, helper) = match output {
        Some((pump, outputs)) => (Some(pump), helper.hook(outputs.out.into(), outputs.err.into())),
        None => (None, helper.hook(Stdio::null(), Stdio::null())),
    };
    let outcome = helper.run(limit).await;
    if let Some(pump) = pump {
        pump.finish().await;
    }
    outcome
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
