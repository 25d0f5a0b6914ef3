//! What can be wrong with a project's profiles.
//!
//! Owns the messages, their hints and the place each points at. Invariant: every flaw of a
//! profile's content carries the place (file and byte range) where it is written; only problems
//! with files as such do not.

use std::path::{Path, PathBuf};

use super::spot::Spot;
use crate::base::{Diagnose, EnvName, Excerpt, Hint, Kind};
use crate::fs;

/// Result of reading profiles.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Profiles that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file could not be read.
    #[error(transparent)]
    File(#[from] fs::Error),
    /// The project has no `profiles/*.toml`.
    #[error("there are no profiles in `{}`", dir.display())]
    NoProfiles {
        /// The directory that was looked at.
        dir: PathBuf,
    },
    /// A file's stem is no environment name.
    #[error("`{}` cannot be a profile: {why}", path.display())]
    FileName {
        /// The file.
        path: PathBuf,
        /// The rule its name breaks.
        why: String,
    },
    /// No file has the name that was asked for.
    #[error("no profile is called `{name}`")]
    UnknownProfile {
        /// What was asked for.
        name: String,
        /// The likely intention.
        near: Option<String>,
        /// The profiles there are.
        known: Vec<String>,
    },
    /// Something written in a profile is wrong.
    #[error("{flaw}")]
    Flaw {
        /// What.
        flaw: Box<Flaw>,
        /// Where.
        spot: Spot,
        /// What to write under the place.
        label: String,
        /// The profile that was being made, when the place is in one that it extends.
        profile: Option<EnvName>,
    },
}

/// What is wrong with the content of a profile.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Flaw {
    /// The file is not TOML.
    #[error("this is not TOML: {0}")]
    Syntax(String),
    /// A key that the table does not have.
    #[error("unknown key `{key}` in {table}")]
    UnknownKey {
        /// The key.
        key: String,
        /// The table, as it is called in messages.
        table: String,
        /// The likely intention.
        near: Option<String>,
        /// The keys there are.
        known: Vec<String>,
    },
    /// A name that nothing has.
    #[error("{what} `{name}` does not exist")]
    UnknownName {
        /// `service`, `port`, `platform`, …
        what: &'static str,
        /// The name.
        name: String,
        /// The likely intention.
        near: Option<String>,
        /// The names there are.
        known: Vec<String>,
    },
    /// A value of the wrong type.
    #[error("`{key}` is {found}, but must be {expected}")]
    WrongType {
        /// Its key, from the top of the file.
        key: String,
        /// What it is.
        found: &'static str,
        /// What it must be.
        expected: &'static str,
        /// How to write it.
        hint: Option<String>,
    },
    /// A value of the right type that means nothing.
    #[error("`{key}` cannot be used: {why}")]
    BadValue {
        /// Its key, from the top of the file.
        key: String,
        /// The rule it breaks.
        why: String,
        /// How to write it.
        hint: Option<String>,
    },
    /// A key that must be there.
    #[error("{table} has no `{key}`")]
    Missing {
        /// The table, as it is called in messages.
        table: String,
        /// The key.
        key: &'static str,
        /// How to write it.
        hint: String,
    },
    /// `false` for something that no parent has.
    #[error("`{key} = false` takes away what is not inherited")]
    NothingToRemove {
        /// Its key, from the top of the file.
        key: String,
        /// What is inherited and has nearly that name.
        near: Option<String>,
    },
    /// Things that lead back to themselves.
    #[error("{what} leads back to itself: {chain}")]
    Cycle {
        /// `extends`, `after` or `[env]`.
        what: &'static str,
        /// `a → b → a`.
        chain: String,
    },
    /// Two port names with one number.
    #[error("ports `{first}` and `{second}` have the same number, {number}")]
    SameNumber {
        /// The name that comes first.
        first: String,
        /// The other.
        second: String,
        /// Their number.
        number: u16,
        /// Where the first is written.
        first_at: String,
    },
    /// Two services on one port.
    #[error("services `{first}` and `{second}` both listen on port `{port}`")]
    SharedPort {
        /// The service that comes first.
        first: String,
        /// The other.
        second: String,
        /// The port's name.
        port: String,
        /// Where the first is written.
        first_at: String,
    },
    /// Two profiles ask for one dep, or set one source, differently.
    #[error("profiles `{first}` and `{second}` disagree about {what} `{name}`")]
    Disagree {
        /// `dep` or `source`.
        what: &'static str,
        /// Its name.
        name: String,
        /// The profile that comes first.
        first: String,
        /// The other.
        second: String,
        /// What the first says and where it is written.
        first_says: String,
        /// What the second says and where it is written.
        second_says: String,
    },
    /// A `[file]` entry without a file.
    #[error("file `{path}` of `{key}` {why}")]
    NoFile {
        /// Its key, from the top of the file.
        key: String,
        /// The path, as written.
        path: String,
        /// `does not exist`, …
        why: &'static str,
    },
}

impl Error {
    /// A flaw at a place.
    pub(super) fn at(spot: &Spot, flaw: Flaw, label: impl Into<String>) -> Self {
        Self::Flaw { flaw: Box::new(flaw), spot: spot.clone(), label: label.into(), profile: None }
    }

    /// Notes which profile was being made, unless the place says so already.
    pub(super) fn while_making(mut self, name: &EnvName, own: &Path) -> Self {
        if let Self::Flaw { spot, profile, .. } = &mut self
            && spot.file() != own
        {
            *profile = Some(name.clone());
        }
        self
    }
}

impl Diagnose for Error {
    fn kind(&self) -> Kind {
        match self {
            Self::File(e) => e.kind(),
            Self::NoProfiles { .. } => Kind::User,
            Self::FileName { .. } | Self::UnknownProfile { .. } | Self::Flaw { .. } => Kind::Usage,
        }
    }

    fn hints(&self) -> Vec<Hint> {
        match self {
            Self::File(e) => e.hints(),
            Self::NoProfiles { .. } => {
                vec![Hint::new("`infra init` writes a set of profiles to start from")]
            }
            Self::FileName { .. } => vec![Hint::new("rename the file")],
            Self::UnknownProfile { near, known, .. } => {
                choice("the profiles are", near.as_deref(), known)
            }
            Self::Flaw { flaw, .. } => flaw.hints(),
        }
    }

    fn details(&self) -> Vec<String> {
        match self {
            Self::File(e) => e.details(),
            Self::Flaw { flaw, profile, .. } => {
                let through =
                    profile.as_ref().map(|p| format!("in profile `{p}`, which extends it"));
                flaw.details().into_iter().chain(through).collect()
            }
            _ => Vec::new(),
        }
    }

    fn excerpt(&self) -> Option<Excerpt> {
        match self {
            Self::Flaw { spot, label, .. } => Some(spot.excerpt(label)),
            _ => None,
        }
    }
}

impl Flaw {
    fn hints(&self) -> Vec<Hint> {
        match self {
            Self::UnknownKey { near, known, .. } => {
                choice("the keys here are", near.as_deref(), known)
            }
            Self::UnknownName { known, what, .. } if known.is_empty() => {
                vec![Hint::new(format!("there is no {what} to name in this profile"))]
            }
            Self::UnknownName { near, known, .. } => choice("there are", near.as_deref(), known),
            Self::WrongType { hint, .. } | Self::BadValue { hint, .. } => {
                hint.iter().map(Hint::new).collect()
            }
            Self::Missing { hint, .. } => vec![Hint::new(hint)],
            Self::NothingToRemove { near: Some(near), .. } => {
                vec![Hint::new(format!("did you mean `{near}`?"))]
            }
            Self::NothingToRemove { near: None, key } => {
                let variable = key.starts_with("env.") || key.contains(".env.");
                let text = "for the text, write \"false\" in quotes";
                vec![Hint::new(if variable { text } else { "remove the line" })]
            }
            Self::SameNumber { .. } => {
                vec![Hint::new("give one of them another number, or \"auto\"")]
            }
            Self::SharedPort { port, .. } => vec![Hint::new(format!(
                "set `listen` in the services: only the one that opens the port lists `{port}`"
            ))],
            Self::Disagree { name, what: "dep", .. } => vec![Hint::new(format!(
                "one lockfile serves every profile: make them equal, or give one another name, \
                 e.g. `{name}-next`"
            ))],
            Self::Disagree { .. } => {
                vec![Hint::new("set it in the profile that both of them extend")]
            }
            Self::NoFile { .. } => {
                vec![Hint::new("paths in `[file]` start at the project's directory")]
            }
            Self::Syntax(_) | Self::Cycle { .. } => Vec::new(),
        }
    }

    fn details(&self) -> Vec<String> {
        match self {
            Self::SameNumber { first, first_at, .. } => vec![format!("`{first}` is at {first_at}")],
            Self::SharedPort { first, first_at, .. } => vec![format!("`{first}` is at {first_at}")],
            Self::Disagree { first, second, first_says, second_says, .. } => {
                vec![format!("{first}  {first_says}"), format!("{second}  {second_says}")]
            }
            _ => Vec::new(),
        }
    }
}

/// The likely name, else all of them.
fn choice(lead: &str, near: Option<&str>, known: &[String]) -> Vec<Hint> {
    let all = known.iter().map(|k| format!("`{k}`")).collect::<Vec<_>>().join(", ");
    match near {
        Some(near) if known.len() == 1 => vec![Hint::new(format!("did you mean `{near}`?"))],
        Some(near) => {
            vec![Hint::new(format!("did you mean `{near}`?")), Hint::new(format!("{lead} {all}"))]
        }
        None => vec![Hint::new(format!("{lead} {all}"))],
    }
}
