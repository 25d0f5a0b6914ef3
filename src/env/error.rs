//! What can go wrong with an environment. The remedies are in [`super::remedy`].

use std::path::PathBuf;

use crate::base::{
    CommandName, DepName, EnvName, Excerpt, ObjectName, Platform, RelPath, ServiceName,
};
use crate::{fs, store};

/// An operation on an environment that failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The lock says that the source has nothing for this platform.
    #[error("`{dep}` is not available on {platform}: {reason}")]
    Unavailable {
        /// The dep.
        dep: DepName,
        /// The platform.
        platform: Platform,
        /// The lock's reason.
        reason: String,
        /// Where the profile asks for it.
        excerpt: Option<Box<Excerpt>>,
    },
    /// The lock does not know a dep of the profile.
    #[error("`{dep}` is in the profile `{env}` but not in the lock")]
    NotLocked {
        /// The dep.
        dep: DepName,
        /// The profile.
        env: EnvName,
    },
    /// The lock has no row for the platform.
    #[error("the lock has no row for `{dep}` on {platform}")]
    NoRow {
        /// The dep.
        dep: DepName,
        /// The platform.
        platform: Platform,
    },
    /// Several deps offer one command.
    #[error("the command `{command}` is offered by {}", list(deps))]
    CommandConflict {
        /// The command.
        command: CommandName,
        /// The deps, sorted.
        deps: Vec<DepName>,
        /// Where the profile asks for one of them.
        excerpt: Option<Box<Excerpt>>,
    },
    /// `[command]` picks a dep that does not offer the command.
    #[error("`[command]` picks `{dep}` for `{command}`, which {}", offered(offers))]
    WrongPick {
        /// The command.
        command: CommandName,
        /// The dep picked.
        dep: DepName,
        /// What the dep offers.
        offers: Vec<CommandName>,
        /// The line in the profile.
        excerpt: Option<Box<Excerpt>>,
    },
    /// A service's first word is no command of the environment.
    #[error("service `{service}` runs `{program}`, which is no command of the environment `{env}`")]
    UnknownProgram {
        /// The service.
        service: ServiceName,
        /// Its first word.
        program: String,
        /// The environment.
        env: EnvName,
        /// Every command there is.
        commands: Vec<CommandName>,
        /// The line in the profile.
        excerpt: Option<Box<Excerpt>>,
    },
    /// A service has no command at all.
    #[error("service `{service}` has an empty command")]
    EmptyCommand {
        /// The service.
        service: ServiceName,
        /// The line in the profile.
        excerpt: Option<Box<Excerpt>>,
    },
    /// `${dep.NAME}` of a dep that the environment does not have on this platform.
    #[error("`{place}` names `${{dep.{dep}}}`, which this environment does not have on {platform}")]
    DepNotHere {
        /// `env.NAME` or `service.NAME`.
        place: String,
        /// The dep.
        dep: String,
        /// The platform.
        platform: Platform,
        /// The line in the profile.
        excerpt: Option<Box<Excerpt>>,
    },
    /// A variable's name that we set ourselves or that no shell can set.
    #[error("`{name}` cannot be set in `[env]`: {why}")]
    ReservedVariable {
        /// The name.
        name: String,
        /// The rule it breaks.
        why: &'static str,
        /// The line in the profile.
        excerpt: Option<Box<Excerpt>>,
    },
    /// A `[file]` name that is a directory for another.
    #[error(
        "`[file]` has both `{outer}` and `{inner}`: the first cannot be a file and a directory"
    )]
    FileClash {
        /// The shorter name.
        outer: RelPath,
        /// The longer one.
        inner: RelPath,
        /// The line in the profile.
        excerpt: Option<Box<Excerpt>>,
    },
    /// A `[file]` entry that cannot be read.
    #[error("cannot take the file `{name}` into the environment")]
    ProjectFile {
        /// Its name in `etc/`.
        name: RelPath,
        /// Why.
        source: fs::Error,
    },
    /// A path that must be text is not.
    #[error("{what} `{}` is not UTF-8", path.display())]
    NotText {
        /// What it is: `project directory`.
        what: &'static str,
        /// The path.
        path: PathBuf,
    },
    /// The store lies where no `PATH` can name it.
    #[error("`{}` cannot be in PATH: it has a colon or a line break", path.display())]
    NotInPath {
        /// The environment's object.
        path: PathBuf,
    },
    /// A caller gave no object for a dep: our mistake.
    #[error("no store object was given for `{dep}` (`{object}`)")]
    MissingObject {
        /// The dep.
        dep: DepName,
        /// The object it resolved to.
        object: ObjectName,
    },
    /// The object given is not the one that the lock names.
    #[error("`{dep}` is not the object in the lock")]
    WrongObject {
        /// The dep.
        dep: DepName,
        /// From the lock.
        expected: String,
        /// Of the object.
        received: String,
    },
    /// A command that the lock promises is not in the dep's tree.
    #[error("`{dep}` has no file `{path}` for its command `{command}`")]
    CommandMissing {
        /// The command.
        command: CommandName,
        /// The dep.
        dep: DepName,
        /// Where the lock says it lies.
        path: RelPath,
    },
    /// The store refused.
    #[error(transparent)]
    Store(store::Error),
    /// A file operation failed.
    #[error(transparent)]
    Fs(#[from] fs::Error),
    /// `env.json` or a generation's record cannot be used.
    #[error("`{}` is damaged: {why}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// A newer `infra` wrote it.
    #[error("`{}` has format version {found}; this infra reads {known}", path.display())]
    TooNew {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: u64,
        /// Ours.
        known: u32,
    },
    /// The environment was never built in this project.
    #[error("the environment `{0}` is not built yet")]
    NotBuilt(EnvName),
    /// There is no such generation.
    #[error("the environment `{env}` has no generation {number}")]
    NoGeneration {
        /// The environment.
        env: EnvName,
        /// The number asked for.
        number: u64,
        /// The numbers there are.
        have: Vec<u64>,
    },
    /// There is no generation before the current one.
    #[error("the environment `{env}` has no generation before {current}")]
    NothingBefore {
        /// The environment.
        env: EnvName,
        /// The current number.
        current: u64,
    },
    /// A generation whose object was collected.
    #[error("generation {number} of `{env}` is gone: `{object}` is no longer in the store")]
    GenerationGone {
        /// The environment.
        env: EnvName,
        /// The generation.
        number: u64,
        /// Its object.
        object: ObjectName,
    },
    /// The environment's object went between building it and pointing at it.
    #[error("`{object}` of the environment `{env}` was collected before it was used")]
    Collected {
        /// The environment.
        env: EnvName,
        /// Its object.
        object: ObjectName,
    },
    /// Variables that name each other in a circle.
    #[error("variables name each other in a circle: {}", names.join(" → "))]
    Cycle {
        /// The circle, first name again at its end.
        names: Vec<String>,
    },
    /// A name in a template that the environment does not define.
    #[error("`${{{reference}}}` names nothing in the environment `{env}`")]
    UnknownReference {
        /// Between the braces.
        reference: String,
        /// The environment.
        env: EnvName,
    },
    /// No free loopback port could be had.
    #[error("cannot get a free port for `{name}`")]
    NoPort {
        /// The port's name.
        name: String,
        /// The system's reason.
        source: std::io::Error,
    },
    /// No such command in the environment.
    #[error("the environment `{env}` has no command `{command}`")]
    NoCommand {
        /// The environment.
        env: EnvName,
        /// What was asked for.
        command: String,
        /// The nearest command there is.
        nearest: Option<String>,
    },
    /// A link in `bin/` leads elsewhere than into its dep's object.
    #[error("the command `{command}` does not lead into the object of `{dep}`")]
    LinkAstray {
        /// The command.
        command: CommandName,
        /// The dep that provides it.
        dep: DepName,
        /// Where it should lead.
        expected: PathBuf,
        /// Where it leads.
        found: PathBuf,
    },
    /// A value that the output's format cannot carry.
    #[error("the value of `{name}` cannot be written as {format}: {why}")]
    Unprintable {
        /// The variable.
        name: String,
        /// The format.
        format: &'static str,
        /// Why.
        why: &'static str,
    },
}

/// Result of an operation on an environment.
pub type Result<T, E = Error> = std::result::Result<T, E>;

fn list<T: std::fmt::Display>(names: &[T]) -> String {
    let quoted: Vec<_> = names.iter().map(|n| format!("`{n}`")).collect();
    match quoted.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, [one])) => format!("both {one} and {last}"),
        Some((last, rest)) => format!("{} and {last}", rest.join(", ")),
        None => "nothing".to_owned(),
    }
}

fn offered(offers: &[CommandName]) -> String {
    if offers.is_empty() {
        return "offers no command here".to_owned();
    }
    let quoted: Vec<_> = offers.iter().map(|n| format!("`{n}`")).collect();
    format!("offers only {}", quoted.join(", "))
}
