//! Commands that run to their end beside a service: probes, hooks, reloads.
//!
//! Owns their bounded time. A helper is held, confined and limited as its service is. A helper leads a session of its own with the service's environment and
//! directory, and carries a mark of its own, so that ending it never ends the service. Invariant:
//! when [`Helper::run`] has answered, or was dropped and the loop turned once more, the helper's
//! process group is dead and its leader reaped.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::confined::{self, Groups};
use super::contain;
use super::env_file;
use super::metrics::ProbeCounts;
use super::process::{self, Launch, Stdio};
use super::reap::Child;
use super::spec::{CommandSpec, ServiceSpec};
use super::status::Exit;
use crate::base::ServiceName;
use crate::base::vars::exported;
use crate::sandbox::Ready;
use crate::sandbox::plan::is_scrubbed;

/// What every helper of a service shares.
#[derive(Debug)]
pub(super) struct Surroundings {
    pub(super) env: BTreeMap<OsString, OsString>,
    pub(super) cwd: PathBuf,
    /// Whose helpers they are, and the control groups of the run.
    pub(super) name: ServiceName,
    pub(super) groups: Arc<Groups>,
    /// What the service's file of variables said before its last start.
    pub(super) more: Arc<Mutex<Vec<(OsString, OsString)>>>,
    /// The value of the mark's variable in helpers.
    pub(super) mark: String,
    /// Where looks at the service are counted.
    pub(super) probes: ProbeCounts,
}

impl Surroundings {
    /// Reads the service's file of variables again. Blocking.
    pub(super) fn read_file(&self, spec: &ServiceSpec) -> Result<(), String> {
        let Some(file) = &spec.env_file else { return Ok(()) };
        let mut found = env_file::read(file)?;
        if let Some(confine) = &spec.confine {
            // As in the environment: a file must not load what the rules keep out.
            let text = |text: &OsString| text.to_string_lossy().into_owned();
            found.retain(|(name, value)| !is_scrubbed(&text(name), &text(value), &confine.plan));
        }
        *self.more.lock().unwrap_or_else(PoisonError::into_inner) = found;
        Ok(())
    }

    /// Variables, with what the file says over them.
    pub(super) fn with_file(
        &self,
        env: &BTreeMap<OsString, OsString>,
    ) -> Vec<(OsString, OsString)> {
        let mut env = env.clone();
        env.extend(self.more.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned());
        env.into_iter().collect()
    }
}

/// A command to run.
pub(super) struct Helper {
    command: CommandSpec,
    around: Arc<Surroundings>,
    more: Vec<(OsString, OsString)>,
    stdout: Stdio,
    stderr: Stdio,
    /// Whether what left its process group is looked for, too; costs a look at every process.
    thorough: bool,
    cancel: CancellationToken,
}

impl Helper {
    /// One whose output nobody wants.
    pub(super) fn new(command: CommandSpec, around: Arc<Surroundings>) -> Self {
        let (stdout, stderr) = (Stdio::null(), Stdio::null());
        let (more, cancel) = (Vec::new(), CancellationToken::new());
        Self { command, around, more, stdout, stderr, thorough: false, cancel }
    }

    /// With a variable that only it gets.
    pub(super) fn with(mut self, name: &str, value: String) -> Self {
        self.more.push((name.into(), value.into()));
        self
    }

    /// With its output somewhere; all that it starts is ended with it.
    pub(super) fn hook(mut self, stdout: Stdio, stderr: Stdio) -> Self {
        (self.stdout, self.stderr, self.thorough) = (stdout, stderr, true);
        self
    }

    /// Ended when this is cancelled; [`Self::run`] still answers, once it is dead.
    pub(super) fn until(mut self, cancel: CancellationToken) -> Self {
        self.cancel = cancel;
        self
    }

    /// Runs it; `Err` says how it failed. Dropping the future ends it.
    pub(super) async fn run(self, limit: Duration) -> Result<(), String> {
        let guard = self.cancel.child_token();
        let task = tokio::spawn(to_the_end(self, limit, guard.clone()));
        let _guard = guard.drop_guard();
        task.await.unwrap_or_else(|_| Err("it was given up".to_owned()))
    }
}

/// A task of its own: the one who asked may stop waiting at any point, even while it is started.
async fn to_the_end(
    helper: Helper,
    limit: Duration,
    cancel: CancellationToken,
) -> Result<(), String> {
    let Helper { command, around, more, stdout, stderr, thorough, cancel: _ } = helper;
    let mut env = around.with_file(&around.env);
    env.extend(more);
    env.push((exported::RUN.into(), around.mark.clone().into()));
    let shown = command.program.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let ready = ready(&command, &around).await?;
    let launch = Launch {
        program: command.program,
        args: command.args,
        env,
        cwd: around.cwd.clone(),
        stdin: Stdio::null(),
        stdout,
        stderr,
        dies_with_us: true,
        ready,
    };
    let child = Arc::new(process::spawn(launch).await.map_err(|e| e.line())?);
    let outcome = tokio::select! {
        exit = child.ended() => match exit {
            Exit::Code(0) => Ok(()),
            exit => Err(format!("`{shown}` ended with {exit}")),
        },
        () = tokio::time::sleep(limit) => {
            Err(format!("`{shown}` did not end within {} ms", limit.as_millis()))
        }
        () = cancel.cancelled() => Err("it was given up".to_owned()),
    };
    end(child, thorough, around.mark.clone()).await;
    outcome
}

/// Its program, held, with the rules that its service has.
async fn ready(
    command: &CommandSpec,
    around: &Arc<Surroundings>,
) -> Result<Option<Arc<Ready>>, String> {
    let Some(confine) = command.confine.clone() else { return Ok(None) };
    let (program, around) = (command.program.clone(), around.clone());
    let make = move || confined::ready(&around.name, &program, Some(&*confine), &around.groups);
    let made = tokio::task::spawn_blocking(make).await;
    made.unwrap_or_else(|_| Err("its sandbox was not made".to_owned()))
}

async fn end(child: Arc<Child>, thorough: bool, mark: String) {
    // Not reaped yet, so the group's number is still its own.
    child.signal(libc::SIGKILL);
    child.ended().await;
    if thorough {
        let swept = child.clone();
        let sweep = move || contain::sweep(&swept, &mark, None, Duration::ZERO);
        let _ = tokio::task::spawn_blocking(sweep).await;
    } else {
        // Once more: a member may have started another while the leader died.
        child.signal(libc::SIGKILL);
    }
    child.reap();
}
