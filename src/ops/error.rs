//! What goes wrong between rooms.

use std::path::PathBuf;

use crate::base::RelPath;
use crate::base::{
    CommandName, DepName, Diagnose, EnvName, Excerpt, Hint, Kind, Platform, ServiceName,
};
use crate::lock::{StaleReason, Violation};
use crate::provenance;

/// An operation that failed for a reason no lower room has.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// What another program left for this one is not as it should be.
    #[error("the stack cannot be taken over: {why}")]
    HandedOver {
        /// What is wrong.
        why: String,
    },
    /// The asynchronous runtime could not be made.
    #[error("cannot start the runtime for network access")]
    Runtime(#[source] std::io::Error),
    /// Profiles and lock disagree.
    #[error("dep.lock.json does not match the profiles")]
    Stale(Vec<StaleReason>),
    /// The policy of the profiles refuses a lock, or what it would be made from.
    #[error("the policy of the profiles does not accept {}", of(violations))]
    Policy {
        /// Each thing that it refuses.
        violations: Vec<Violation>,
        /// Where the policy says so.
        excerpt: Option<Box<Excerpt>>,
    },
    /// The trust root that the profiles name is none.
    #[error("`{file}` cannot be used as the trust root")]
    TrustedRoot {
        /// The file.
        file: RelPath,
        /// Why.
        source: Box<provenance::Error>,
    },
    /// There is no such dep.
    #[error("no dep is called `{name}`")]
    UnknownDep {
        /// What was asked for.
        name: DepName,
        /// The nearest one there is.
        nearest: Option<String>,
    },
    /// The profiles are not whole without a dep.
    #[error("`{name}` cannot be removed: a profile still names it")]
    StillUsed {
        /// The dep.
        name: DepName,
        /// What a profile would say without it.
        source: Box<crate::profile::Error>,
    },
    /// The dep is there already.
    #[error("`{name}` is already a dep, from {from}")]
    DepExists {
        /// Its name.
        name: DepName,
        /// Where it comes from.
        from: String,
    },
    /// The dep is not in the store.
    #[error("`{name}` is not in the store")]
    NotSynced {
        /// Its name.
        name: DepName,
    },
    /// A path that leads to no object.
    #[error("`{}` is not in an object of the store", path.display())]
    NotInStore {
        /// As given.
        path: PathBuf,
        /// The directory with the objects.
        store: PathBuf,
    },
    /// The dep has nothing for this platform.
    #[error("`{name}` has nothing for {platform}: {reason}")]
    Unavailable {
        /// Its name.
        name: DepName,
        /// The platform.
        platform: Platform,
        /// Why, from the lock.
        reason: String,
    },
    /// A name for a dep could not be made from its package.
    #[error("no dep name can be made from `{package}`")]
    NoName {
        /// The package.
        package: String,
    },
    /// The directory to initialise has profiles.
    #[error("`{}` is already there", path.display())]
    AlreadyInitialised {
        /// The file that is in the way.
        path: PathBuf,
    },
    /// A command is not in the environment.
    #[error("`{command}` is not a command of the environment `{env}`")]
    UnknownCommand {
        /// What was asked for.
        command: String,
        /// The environment.
        env: EnvName,
        /// The nearest one there is.
        nearest: Option<CommandName>,
        /// Whether the host has it, and `--pure` hides it.
        hidden: bool,
    },
    /// The environment in the store is missing and may not be fetched here.
    #[error("the environment `{name}` is not built for what the profiles and lock say now")]
    NotCurrent {
        /// Its name.
        name: EnvName,
    },
    /// Objects are damaged.
    #[error("{} of the store's objects and artifacts are damaged", .0.len())]
    Damaged(Vec<String>),
    /// A secret that a service names is not set.
    #[error("`{variable}` is not set, and the service `{service}` needs it")]
    NoSecret {
        /// The variable.
        variable: String,
        /// The service.
        service: String,
    },
    /// A service's file of variables cannot be used.
    #[error("service `{service}`: {why}")]
    EnvFile {
        /// The service.
        service: String,
        /// Why.
        why: String,
    },
    /// A value of a service that is not usable after expansion.
    #[error("service `{service}`: {what} `{value}` {why}")]
    ServiceValue {
        /// The service.
        service: String,
        /// Which value.
        what: &'static str,
        /// After expansion.
        value: String,
        /// What is wrong with it.
        why: String,
    },
    /// A sandbox is held to less than was required.
    #[error("the sandbox of service `{service}` is not fully held: {report}")]
    Sandbox {
        /// The service.
        service: String,
        /// What the probe saw.
        report: Box<crate::sandbox::Report>,
    },
    /// A service that was asked for is not in the profile.
    #[error("no service is called `{name}`")]
    UnknownService {
        /// What was asked for.
        name: String,
        /// The nearest one there is.
        nearest: Option<String>,
    },
    /// No service is in a group that was asked for.
    #[error("no service is in the group `{name}`")]
    UnknownGroup {
        /// What was asked for, with its `@`.
        name: String,
        /// The nearest one there is.
        nearest: Option<String>,
    },
    /// The journal tells of no such service.
    #[error("the journal of the environment `{env}` tells nothing of `{service}`")]
    NoHistory {
        /// The service.
        service: ServiceName,
        /// The environment.
        env: EnvName,
    },
    /// The generation that the environment points at cannot be run.
    #[error("generation of the environment `{0}` cannot be run: parts of it are not in the store")]
    GenerationLost(EnvName),
    /// The environment has no services.
    #[error("the environment `{0}` has no services to run")]
    NoServices(EnvName),
    /// Nothing runs.
    #[error("nothing is running for the environment `{0}`")]
    NotRunning(EnvName),
    /// The supervisor ended while something was asked of it.
    #[error("the stack of the environment `{0}` has ended: none of its services runs any more")]
    Ended(EnvName),
    /// A time that cannot be read.
    #[error("`{0}` is not a length of time")]
    BadDuration(String),
    /// A size that cannot be read.
    #[error("`{0}` is not a size")]
    BadSize(String),
    /// A time that cannot be read.
    #[error("SOURCE_DATE_EPOCH is `{0}`, which is no number of seconds since 1970")]
    BadEpoch(String),
    /// git knows no such revision.
    #[error("git has no revision `{revision}` here")]
    UnknownRevision {
        /// What was asked for.
        revision: String,
        /// What git said.
        said: String,
    },
    /// The system does not say where this program lies.
    #[error("cannot find out where this program lies")]
    OwnPath(#[source] std::io::Error),
    /// This host lacks what a program needs to start.
    #[error("`{}` cannot start on this host", program.display())]
    CannotStart {
        /// The file.
        program: PathBuf,
        /// What it needs.
        lines: Vec<String>,
        /// What to do about it.
        next: String,
    },
    /// No cache was named.
    #[error("no binary cache is named")]
    NoCache,
    /// A key that cannot be used.
    #[error("{what} is {source}")]
    Key {
        /// The file, flag or profile that has it.
        what: String,
        /// What is wrong with it.
        source: crate::cache::InvalidKey,
    },
    /// Pushes were to be allowed, and there is no token.
    #[error("INFRA_CACHE_TOKEN is not set, so nobody could push")]
    NoToken,
    /// A store takes nothing from a network.
    #[error("nothing can be pushed into a store")]
    PushIntoStore,
    /// What to keep in a cache is not said.
    #[error("what the cache shall keep is not said")]
    NothingKept,
    /// A name that is neither an object nor an environment.
    #[error("`{0}` is neither an object nor an environment")]
    NoObject(String),
    /// Objects of a cache are damaged.
    #[error("{} of the cache's objects are damaged", .0.len())]
    CacheDamaged(Vec<String>),
    /// An exported file's bytes would go to a terminal.
    #[error("the exported file would be written to the terminal")]
    ToTerminal,
    /// The exported file carries no lock, and one was asked for.
    #[error("the exported file carries no lock")]
    NoLockCarried,
    /// A file is in the way.
    #[error("`{}` is there already, and is not what would be written", path.display())]
    InTheWay {
        /// The file.
        path: PathBuf,
    },
    /// git refused.
    #[error("git could not {what}")]
    Git {
        /// What was asked of it.
        what: &'static str,
        /// What it said.
        said: String,
    },
}

/// The deps that a policy refuses.
fn of(violations: &[Violation]) -> String {
    let mut names: Vec<String> = violations
        .iter()
        .map(|violation| match violation {
            Violation::Source { dep, .. } | Violation::Proof { dep, .. } => format!("`{dep}`"),
        })
        .collect();
    names.dedup();
    names.join(", ")
}

impl Diagnose for Error {
    fn kind(&self) -> Kind {
        match self {
            Self::UnknownDep { .. }
            | Self::StillUsed { .. }
            | Self::UnknownService { .. }
            | Self::UnknownGroup { .. }
            | Self::BadDuration(_)
            | Self::BadSize(_)
            | Self::BadEpoch(_)
            | Self::NoName { .. }
            | Self::ServiceValue { .. }
            | Self::NoCache
            | Self::Key { .. }
            | Self::NothingKept
            | Self::NoToken
            | Self::PushIntoStore
            | Self::NoObject(_)
            | Self::ToTerminal
            | Self::NoServices(_) => Kind::Usage,
            Self::TrustedRoot { source, .. } => source.kind(),
            Self::Damaged(_) | Self::CacheDamaged(_) => Kind::Integrity,
            _ => Kind::User,
        }
    }

    fn exit_code(&self) -> u8 {
        match self {
            // As shells have it.
            Self::UnknownCommand { .. } | Self::CannotStart { .. } => 127,
            _ => self.kind().exit_code(),
        }
    }

    fn details(&self) -> Vec<String> {
        match self {
            Self::Stale(reasons) => reasons.iter().map(ToString::to_string).collect(),
            Self::Damaged(lines) | Self::CannotStart { lines, .. } | Self::CacheDamaged(lines) => {
                lines.clone()
            }
            Self::Policy { violations, .. } => violations.iter().map(ToString::to_string).collect(),
            Self::UnknownRevision { said, .. } | Self::Git { said, .. } if !said.is_empty() => {
                said.lines().map(|line| format!("git says  {line}")).collect()
            }
            _ => Vec::new(),
        }
    }

    fn excerpt(&self) -> Option<Excerpt> {
        match self {
            Self::StillUsed { source, .. } => source.excerpt(),
            Self::Policy { excerpt, .. } => excerpt.as_deref().cloned(),
            _ => None,
        }
    }

    fn hints(&self) -> Vec<Hint> {
        let did_you_mean = |nearest: &Option<String>| {
            nearest.iter().map(|n| format!("did you mean `{n}`?")).collect::<Vec<_>>()
        };
        let texts = match self {
            Self::Stale(_) => {
                vec!["run `infra dep lock`, then review and commit dep.lock.json".into()]
            }
            Self::Policy { violations, .. } => {
                let lacks = violations.iter().any(|v| matches!(v, Violation::Proof { .. }));
                if lacks {
                    vec![
                        "`infra dep lock` looks for the proof again; if there is none, choose \
                         another version or source"
                            .into(),
                    ]
                } else {
                    vec!["choose another source, or add it to `sources` of `[policy]`".into()]
                }
            }
            Self::TrustedRoot { source, .. } => return source.hints(),
            Self::UnknownDep { nearest, .. } => {
                let mut texts = did_you_mean(nearest);
                texts.push("`infra dep list` shows every dep".into());
                texts
            }
            Self::CannotStart { next, .. } => {
                vec![next.clone(), "`infra doctor` looks at every dep".into()]
            }
            Self::GenerationLost(name) => vec![format!("`infra env build {name}` mends it")],
            Self::UnknownGroup { nearest, .. } => did_you_mean(nearest),
            Self::UnknownService { nearest, .. } => {
                let mut texts = did_you_mean(nearest);
                texts.push("`infra runtime list` shows every service".into());
                texts
            }
            Self::StillUsed { .. } => vec!["take it out there first; nothing was removed".into()],
            Self::UnknownCommand { hidden: true, .. } => {
                vec!["this host has it, but `--pure` hides what the environment does not".into()]
            }
            Self::UnknownCommand { nearest, env, .. } => {
                let mut texts = did_you_mean(&nearest.as_ref().map(ToString::to_string));
                texts.push(format!("`ls $(infra env build {env} --quiet)/bin` shows what it has"));
                texts
            }
            Self::DepExists { name, .. } => vec![format!(
                "`infra dep update {name}` moves it; `--name` gives a second one another name"
            )],
            Self::NotSynced { .. } => vec!["run `infra dep sync`".into()],
            Self::NotInStore { store, .. } => {
                vec![format!("objects lie in `{}`", store.display())]
            }
            Self::NoName { .. } => vec!["give one with `--name`".into()],
            Self::AlreadyInitialised { .. } => {
                vec!["nothing was written; edit the profiles that are there".into()]
            }
            Self::NotCurrent { name } => vec![format!("run `infra env build {name}`")],
            Self::Damaged(_) => vec!["run `infra store repair`".into()],
            Self::NoSecret { variable, .. } => {
                vec![format!("export {variable}, or put `{variable}=…` into the project's .env")]
            }
            Self::EnvFile { .. } => vec![
                "it holds lines `NAME=value`, is read at each start, and is no part of the environment"
                    .into(),
            ],
            Self::Sandbox { .. } => vec![
                "`docs/technical/sandbox.md` says what opens a sandbox; without \
                 `--require-sandbox` it starts and `infra runtime status` shows this"
                    .into(),
            ],
            Self::NotRunning(name) => vec![format!("`infra runtime up --env {name}` starts it")],
            Self::Ended(name) => vec![
                format!("`infra runtime logs --env {name}` says why"),
                format!("then `infra runtime up --env {name}` starts it"),
            ],
            Self::BadDuration(_) => vec!["write it like `90s`, `12h` or `30d`".into()],
            Self::UnknownRevision { .. } => {
                vec!["name a branch, a tag or a commit, e.g. `infra dep diff main`".into()]
            }
            Self::NoCache => vec![
                "give its URL, set INFRA_CACHE, or write `[cache] url = …` into a profile".into(),
            ],
            Self::Key { .. } => vec!["`infra cache key generate NAME` makes a pair".into()],
            Self::NoToken => vec!["set it to a long random text, here and where you push".into()],
            Self::PushIntoStore => {
                vec!["name a cache directory: `infra cache serve DIR --allow-push`".into()]
            }
            Self::NothingKept => vec![
                "give lock files, environments or objects with `--keep`; nothing was removed"
                    .into(),
            ],
            Self::NoObject(_) => vec![
                "`infra env list` shows environments; an object is called `<digest>-<name>`".into(),
            ],
            Self::CacheDamaged(_) => vec![
                "remove their `.narinfo` files, then `infra cache push` again from a store that \
                 has them"
                    .into(),
            ],
            Self::ToTerminal => {
                vec!["write it to a file: `infra store export dev > dev.nar`".into()]
            }
            Self::NoLockCarried => vec!["export it with `--lock`".into()],
            Self::InTheWay { .. } => vec!["move it away, or name another file".into()],
            Self::BadSize(_) => vec!["write it like `500M` or `20G`".into()],
            Self::Unavailable { .. } => {
                vec!["take the dep out of this profile, or ask for a version that has it".into()]
            }
            Self::NoServices(name) => {
                vec![format!(
                    "add a `[service.NAME]` to profiles/{name}.toml or a profile it extends"
                )]
            }
            _ => Vec::new(),
        };
        texts.into_iter().map(Hint::new).collect()
    }
}
