//! The only place that starts programs.
//!
//! Owns what the starting thread does ([`super::host`] says which that is) and the child's first steps
//! (own session, death signal, clean signal state). Refuses shells: an argument vector is executed as it is, with exactly the environment
//! it was given. Invariants: every service process is started by one thread that lives as long as
//! this process, because the kernel sends the death signal when the *thread* that forked ends; a
//! process is in [`super::reap`]'s list of known children before it can end.

#![allow(clippy::disallowed_methods, reason = "this file owns starting programs")]

#[cfg(target_os = "linux")]
use std::ffi::CString;
use std::ffi::OsString;
use std::io::{self, Read as _};
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, OnceLock, mpsc};

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::sync::oneshot;

#[cfg(target_os = "linux")]
use super::fork::{self, Birth};
use super::reap::{self, Child};
pub(super) use super::stream::Stdio;
use crate::fs;
use crate::sandbox::{Ready, Step};

/// A program to start.
pub(super) struct Launch {
    pub(super) program: PathBuf,
    pub(super) args: Vec<OsString>,
    pub(super) env: Vec<(OsString, OsString)>,
    pub(super) cwd: PathBuf,
    pub(super) stdin: Stdio,
    pub(super) stdout: Stdio,
    pub(super) stderr: Stdio,
    /// Ends with this process (services do, the guardian and a detached supervisor do not).
    pub(super) dies_with_us: bool,
    /// The program as it is held, and what the process puts itself under. By path when `None`.
    pub(super) ready: Option<Arc<Ready>>,
}

/// Why a program did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// There is no such file.
    #[error("there is no program `{}`", .0.display())]
    NotFound(PathBuf),
    /// It may not be executed.
    #[error("`{}` may not be executed", .0.display())]
    NotExecutable(PathBuf),
    /// It is no program for this machine.
    #[error("`{}` is not a program for this machine", .0.display())]
    Foreign(PathBuf),
    /// The file is there, its interpreter (`#!` or ELF) is not.
    #[error("`{}` needs an interpreter that this machine does not have", .0.display())]
    Interpreter(PathBuf),
    /// Its own sandbox does not let it be executed.
    #[error(
        "`{}` may not be executed in its sandbox: it, its interpreter or its loader is not of the \
         environment",
        .0.display()
    )]
    Forbidden(PathBuf),
    /// It could not be put under its limits or rules.
    #[error("could not {} (`{}`)", step.says(), program.display())]
    Confine {
        /// The program.
        program: PathBuf,
        /// The step.
        step: Step,
        /// The system's reason.
        source: io::Error,
    },
    /// Somebody wrote to it between its check and its start.
    #[error("`{}` was written to after it was checked", .0.display())]
    Changed(PathBuf),
    /// The working directory cannot be entered.
    #[error("the working directory `{}` cannot be entered", .0.display())]
    WorkingDirectory(PathBuf),
    /// The system refused for another reason.
    #[error("`{}` could not be started", program.display())]
    Refused {
        /// The program.
        program: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
}

impl StartError {
    fn new(program: PathBuf, cwd: &Path, source: io::Error) -> Self {
        if fs::read_dir_names(cwd).is_err() && !fs::exists(cwd).unwrap_or(false) {
            return Self::WorkingDirectory(cwd.to_owned());
        }
        match source.raw_os_error() {
            Some(libc::ENOENT) if fs::exists(&program).unwrap_or(false) => {
                Self::Interpreter(program)
            }
            Some(libc::ENOENT | libc::ENOTDIR) => Self::NotFound(program),
            Some(libc::EACCES | libc::EPERM) => Self::NotExecutable(program),
            Some(libc::ENOEXEC) => Self::Foreign(program),
            _ => Self::Refused { program, source },
        }
    }

    /// Whether the same start may succeed later: the system was short of something.
    pub(super) fn may_pass(&self) -> bool {
        let short = [libc::EAGAIN, libc::ENOMEM, libc::EMFILE, libc::ENFILE, libc::ETXTBSY];
        matches!(self, Self::Refused { source, .. }
            if source.raw_os_error().is_some_and(|e| short.contains(&e)))
    }

    /// The text with its reason, in one line.
    pub(super) fn line(&self) -> String {
        match self {
            Self::Refused { source, .. } | Self::Confine { source, .. } => {
                format!("{self}: {source}")
            }
            _ => self.to_string(),
        }
    }
}

/// What the thread that starts everything is asked.
pub(super) enum Request {
    Start(Box<Launch>, oneshot::Sender<Result<Child, StartError>>),
    /// Something else that only this thread can do.
    Do(Box<dyn FnOnce() + Send>),
}

impl Request {
    pub(super) fn carry_out(self) {
        match self {
            Self::Start(launch, answer) => _ = answer.send(start(*launch)),
            Self::Do(deed) => deed(),
        }
    }
}

/// The thread that starts everything: of the host that this thread works for
/// ([`super::host`]), or else one that ends only with this process.
fn spawner() -> io::Result<mpsc::Sender<Request>> {
    static SPAWNER: OnceLock<mpsc::Sender<Request>> = OnceLock::new();
    if let Some(sender) = super::host::current().or_else(|| SPAWNER.get().cloned()) {
        return Ok(sender);
    }
    let (sender, requests) = mpsc::channel::<Request>();
    std::thread::Builder::new().name("spawner".into()).stack_size(128 * 1024).spawn(move || {
        // The static keeps a sender, so this ends only when another thread won the race below.
        requests.into_iter().for_each(Request::carry_out);
    })?;
    Ok(SPAWNER.get_or_init(|| sender).clone())
}

/// Starts a program on the spawner thread.
pub(super) async fn spawn(launch: Launch) -> Result<Child, StartError> {
    let program = launch.program.clone();
    let refused = |source| StartError::Refused { program: program.clone(), source };
    let (answer, result) = oneshot::channel();
    let ended = || io::Error::other("the spawner thread has ended");
    let request = Request::Start(Box::new(launch), answer);
    spawner().map_err(refused)?.send(request).map_err(|_| refused(ended()))?;
    result.await.map_err(|_| refused(ended()))?
}

/// Whether the kernel would execute the file itself. `execvp`, which `Command` uses, hands any
/// other executable file to a shell, so `ENOEXEC` has to be found before.
fn is_executable_format(program: &Path) -> bool {
    let mut magic = [0u8; 4];
    let read = fs::open(program).map(|mut f| f.read(&mut magic));
    match read {
        Ok(Ok(n)) if cfg!(target_os = "linux") => {
            magic[..n].starts_with(b"\x7fELF") || magic[..n].starts_with(b"#!")
        }
        // Other systems have other formats; and what cannot be read may still be executed.
        _ => true,
    }
}

/// Starts a program from this thread; for what must not die with a thread.
pub(super) fn start(launch: Launch) -> Result<Child, StartError> {
    if let Some(ready) = launch.ready.clone() {
        #[cfg(target_os = "linux")]
        return start_ready(launch, &ready);
        #[cfg(not(target_os = "linux"))]
        ready.never();
    }
    let Launch { program, args, env, cwd, stdin, stdout, stderr, dies_with_us, .. } = launch;
    if !is_executable_format(&program) {
        let source = io::Error::from_raw_os_error(libc::ENOEXEC);
        return Err(StartError::new(program, &cwd, source));
    }
    // It holds our copies of the pipes' ends; they close when it is dropped.
    let mut command = Command::new(&program);
    command.args(args).env_clear().envs(env).current_dir(&cwd);
    command.stdin(stdin).stdout(stdout).stderr(stderr);
    let death = Death::new(dies_with_us);
    let first_steps = move || {
        rustix::process::setsid()?;
        death.follow()?;
        reset_signals();
        Ok(())
    };
    #[allow(unsafe_code, reason = "the child's first steps have no safe interface")]
    // SAFETY: between fork and exec only async-signal-safe work is allowed. The closure makes
    // system calls (setsid, prctl, getppid, sigaction) and allocates nothing: `us` is a copied
    // integer and the error holds only a number.
    unsafe {
        command.pre_exec(first_steps);
    }
    reap::register(|| command.spawn().map(|child| child.id()))
        .map_err(|source| StartError::new(program, &cwd, source))
}

/// Starts a program that is held: puts the child under its rules and executes the descriptor.
#[cfg(target_os = "linux")]
fn start_ready(launch: Launch, ready: &Arc<Ready>) -> Result<Child, StartError> {
    use std::os::unix::ffi::OsStrExt as _;

    let Launch { program, args, env, cwd, stdin, stdout, stderr, dies_with_us, .. } = launch;
    let refused = |source| StartError::Refused { program: program.clone(), source };
    if !ready.intact() {
        return Err(StartError::Changed(program));
    }
    let image = ready.image(&args, &env).map_err(refused)?;
    let directory = CString::new(cwd.as_os_str().as_bytes()).map_err(|e| refused(e.into()))?;
    let (mut told, tell) = io::pipe().map_err(refused)?;
    let streams = [stdin, stdout, stderr].map(Stdio::open);
    let [Ok(stdin), Ok(stdout), Ok(stderr)] = streams else {
        let source = streams.into_iter().find_map(Result::err);
        return Err(refused(source.unwrap_or_else(|| io::ErrorKind::Other.into())));
    };
    let streams = [stdin, stdout, stderr];
    let death = Death::new(dies_with_us);
    let rules = ready.confinement();
    let step = std::cell::Cell::new(Step::Start);
    let steps = |joined: bool| {
        let (failed, errno) = match rules.apply(joined) {
            // A change of user takes the death signal away, so it comes after.
            Ok(()) => match death.follow() {
                Ok(()) => image.exec(),
                Err(error) => (Step::Start, error.raw_os_error().unwrap_or(libc::EINVAL)),
            },
            Err(failed) => failed,
        };
        step.set(failed);
        errno
    };
    let failed = |errno: i32| {
        let [a, b, c, d] = errno.to_ne_bytes();
        let _ = rustix::io::write(&tell, &[step.get() as u8, a, b, c, d]);
    };
    let birth = Birth { streams: &streams, cwd: &directory, group: rules.group() };
    #[allow(unsafe_code, reason = "there is no safe interface to a fork")]
    // SAFETY: both closures make system calls on data that was made before (rules, image, pipe) and
    // allocate nothing: errors hold only a number.
    let started = reap::register(|| unsafe { fork::fork(&birth, steps, failed) });
    // Our copies: the pipe ends when the child has executed its program.
    drop((streams, tell));
    let child = started.map_err(refused)?;
    let mut word = [0u8; 5];
    if told.read_exact(&mut word).is_err() {
        // It runs. What was executed is what was checked?
        if ready.intact() {
            return Ok(child);
        }
        child.signal(libc::SIGKILL);
        collect(&child);
        return Err(StartError::Changed(program));
    }
    collect(&child);
    let [step, errno @ ..] = word;
    let source = io::Error::from_raw_os_error(i32::from_ne_bytes(errno));
    Err(match Step::from_byte(step) {
        Step::Start => StartError::new(program, &cwd, source),
        Step::Exec => match source.raw_os_error() {
            Some(libc::EACCES) if rules.has_rules() => StartError::Forbidden(program),
            _ => StartError::new(program, &cwd, source),
        },
        step => StartError::Confine { program, step, source },
    })
}

/// Waits for a child that is ending, and takes it off.
#[cfg(target_os = "linux")]
fn collect(child: &Child) {
    while child.peek().is_none() {
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    child.reap();
}

/// Whether and whose death a child follows.
#[derive(Clone, Copy)]
struct Death {
    us: Option<rustix::process::Pid>,
}

impl Death {
    fn new(dies_with_us: bool) -> Self {
        Self { us: dies_with_us.then(rustix::process::getpid) }
    }

    /// Called in the child.
    fn follow(self) -> io::Result<()> {
        let Some(us) = self.us else { return Ok(()) };
        #[cfg(target_os = "linux")]
        rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL))?;
        // We may have died between fork and prctl: then nobody would end this child.
        if rustix::process::getppid() == Some(us) {
            Ok(())
        } else {
            Err(io::Error::from_raw_os_error(libc::ESRCH))
        }
    }
}

/// Default dispositions: an ignored signal is inherited over exec, and `nohup` or a shell's
/// background job would make services deaf to SIGINT or SIGHUP. The mask is cleared by `Command`.
#[allow(unsafe_code, reason = "there is no safe interface to a signal's disposition")]
pub(super) fn reset_signals() {
    for signal in 1..=64 {
        if matches!(signal, libc::SIGKILL | libc::SIGSTOP) {
            continue;
        }
        // SAFETY: SIG_DFL installs no handler; signals that libc keeps for itself are refused
        // with an error that changes nothing.
        unsafe {
            libc::signal(signal, libc::SIG_DFL);
        }
    }
}

/// Watches a descriptor for being readable. It stands here because tokio's constructor is unsafe.
pub(super) fn readable(fd: OwnedFd) -> Option<AsyncFd<OwnedFd>> {
    #[allow(unsafe_code, reason = "tokio has no safe constructor for this")]
    // SAFETY: an `OwnedFd` is open and gives the same number for as long as it lives, and
    // `AsyncFd` owns it.
    unsafe { AsyncFd::register_with_interest(fd, Interest::READABLE) }.ok()
}

/// Our own program, to be executed again with a hidden subcommand.
pub(super) fn own_program() -> io::Result<PathBuf> {
    let path = std::env::current_exe()?;
    // An upgrade may have replaced the file; the running one is still there under this name.
    let gone = path.to_string_lossy().ends_with(" (deleted)");
    Ok(if gone { Path::new("/proc/self/exe").to_owned() } else { path })
}
