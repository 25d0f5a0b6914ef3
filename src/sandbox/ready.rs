//! From a plan to what a child needs: everything that opens files or allocates, before the fork.
//!
//! Invariant: the program's descriptor is open, and held, before anything is checked about it.

use std::ffi::{CString, OsString};
use std::io;
use std::os::fd::{AsFd as _, AsRawFd as _, OwnedFd};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::apply::{Confinement, Step};
use super::held::Held;
use super::plan::{Spec, Start};
use super::{Level, Limits, RuleSets, cgroup, person};

/// A start that is ready: its executable held, its rules made.
#[derive(Debug)]
pub struct Ready {
    program: PathBuf,
    held: Held,
    /// The interpreter of a script, and its argument.
    interpreter: Option<(PathBuf, Held, Option<String>)>,
    by_path: bool,
    confinement: Confinement,
}

/// Why a start is not ready.
#[derive(Debug, thiserror::Error)]
pub enum NotReady {
    /// The executable cannot be opened.
    #[error("cannot open `{}`", path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Somebody writes to the executable.
    #[error("`{}` is open for writing by another process", .0.display())]
    Busy(PathBuf),
    /// The rules cannot be made.
    #[error("its sandbox cannot be made")]
    Rules {
        /// Why.
        source: io::Error,
    },
    /// Its directory cannot be used.
    #[error(transparent)]
    Person(#[from] person::PersonError),
}

fn hold(path: &Path) -> Result<Held, NotReady> {
    Held::open(path).map_err(|source| match source.kind() {
        io::ErrorKind::ExecutableFileBusy => NotReady::Busy(path.to_owned()),
        _ => NotReady::Open { path: path.to_owned(), source },
    })
}

impl Ready {
    /// Holds the program and has its rules made, or takes them from `kept`. `group` is the service's
    /// control group.
    pub fn new(
        program: &Path,
        spec: &Spec,
        group: Option<&cgroup::Group>,
        kept: &RuleSets,
    ) -> Result<Self, NotReady> {
        let held = hold(program)?;
        let interpreter = match &spec.start {
            Start::Interpreter(path, argument) => {
                Some((path.clone(), hold(path)?, argument.clone()))
            }
            Start::Itself | Start::ByPath => None,
        };
        for dir in &spec.own {
            person::own_directory(dir, spec.person.as_ref())?;
        }
        let rules = kept.of(&spec.plan).map_err(|source| NotReady::Rules { source })?;
        let mut confinement = confinement(spec, rules);
        if let Some(group) = group {
            let joining = group.joining().map_err(|source| NotReady::Rules { source })?;
            confinement.group = Some(joining);
        }
        let by_path = spec.start == Start::ByPath;
        Ok(Self { program: program.to_owned(), held, interpreter, by_path, confinement })
    }

    /// Whether what is held is what lies in the store, and nobody has touched it: to be asked after
    /// the store's check.
    pub fn confirm(&self) -> bool {
        let is_same = |held: &Held, path: &Path| held.is_at(path) && held.intact();
        is_same(&self.held, &self.program)
            && self.interpreter.as_ref().is_none_or(|(path, held, _)| is_same(held, path))
    }

    /// Whether nothing of it was written since it was opened.
    pub fn intact(&self) -> bool {
        self.held.intact() && self.interpreter.as_ref().is_none_or(|(_, held, _)| held.intact())
    }

    /// What a child executes.
    pub fn image(&self, args: &[OsString], env: &[(OsString, OsString)]) -> io::Result<Image> {
        let mut argv: Vec<OsString> = Vec::with_capacity(args.len() + 3);
        let held = match &self.interpreter {
            Some((path, held, argument)) => {
                argv.push(path.clone().into());
                argv.extend(argument.iter().map(OsString::from));
                held
            }
            None => &self.held,
        };
        argv.push(self.program.clone().into());
        argv.extend(args.iter().cloned());
        let pair = |(key, value): &(OsString, OsString)| {
            let mut pair = key.clone();
            pair.push("=");
            pair.push(value);
            pair
        };
        let path = if self.by_path { Some(self.program.as_os_str().as_bytes()) } else { None };
        Ok(Image {
            fd: held.as_fd().as_raw_fd(),
            path: CString::new(path.unwrap_or_default())?,
            by_path: self.by_path,
            argv: Words::new(argv)?,
            env: Words::new(env.iter().map(pair).collect())?,
        })
    }

    /// What the child puts itself under.
    pub fn confinement(&self) -> &Confinement {
        &self.confinement
    }
}

/// Everything of a spec but its control group. `rules` is its plan's set.
pub(super) fn confinement(spec: &Spec, rules: Option<Arc<OwnedFd>>) -> Confinement {
    let filter = spec.plan.level != Level::Off && rules.is_some();
    Confinement {
        rules,
        filter,
        group: None,
        limits: resources(&spec.limits),
        person: spec.person.clone(),
        umask: spec.umask,
        nice: spec.nice,
    }
}

/// The limits that each process has for itself.
#[allow(clippy::unnecessary_cast, reason = "each libc has its own type for these numbers")]
fn resources(limits: &Limits) -> Vec<(u32, u64)> {
    let pairs = [
        (libc::RLIMIT_NOFILE as u32, limits.nofile),
        (libc::RLIMIT_NPROC as u32, limits.nproc),
        (libc::RLIMIT_AS as u32, limits.address_space),
        (libc::RLIMIT_CORE as u32, limits.core),
        (libc::RLIMIT_CPU as u32, limits.cpu_seconds),
        (libc::RLIMIT_FSIZE as u32, limits.file_size),
    ];
    pairs.into_iter().filter_map(|(resource, value)| Some((resource, value?))).collect()
}

/// What `execveat` is handed. Refers to descriptors of the [`Ready`] it comes from.
#[derive(Debug)]
pub struct Image {
    fd: libc::c_int,
    path: CString,
    by_path: bool,
    argv: Words,
    env: Words,
}

/// Strings in the form that the kernel reads: pointers, the last one null.
#[derive(Debug)]
struct Words {
    // Owns what the pointers point to; a `CString`'s text does not move with it.
    _texts: Vec<CString>,
    pointers: Vec<*const libc::c_char>,
}

impl Words {
    fn new(words: Vec<OsString>) -> io::Result<Self> {
        let texts: Vec<CString> =
            words.into_iter().map(|w| CString::new(w.into_vec())).collect::<Result<_, _>>()?;
        let ends = std::iter::once(std::ptr::null());
        let pointers = texts.iter().map(|text| text.as_ptr()).chain(ends).collect();
        Ok(Self { _texts: texts, pointers })
    }
}

#[allow(unsafe_code, reason = "raw pointers say nothing of threads by themselves")]
// SAFETY: the pointers lead into heap memory that the same value owns and nobody changes.
unsafe impl Send for Words {}
#[allow(unsafe_code, reason = "raw pointers say nothing of threads by themselves")]
// SAFETY: as above; shared access only reads.
unsafe impl Sync for Words {}

impl Image {
    /// Executes it in place of the calling process; comes back only with an error. Safe between
    /// fork and exec. The descriptor closes on exec; `/proc/self/exe` is the file it refers to.
    #[allow(unsafe_code, reason = "there is no safe interface to execveat")]
    pub fn exec(&self) -> (Step, i32) {
        let flags = if self.by_path { 0 } else { libc::AT_EMPTY_PATH };
        // SAFETY: path, arguments and variables are null-terminated and live as long as `self`;
        // with an absolute path the descriptor is not looked at.
        unsafe {
            libc::syscall(
                libc::SYS_execveat,
                self.fd,
                self.path.as_ptr(),
                self.argv.pointers.as_ptr(),
                self.env.pointers.as_ptr(),
                flags,
            );
        }
        (Step::Exec, super::seccomp::last_errno())
    }
}
