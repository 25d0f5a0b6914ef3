//! What can be wrong with the content of a profile.
//!
//! Owns the messages and hints. Invariant: a message names the key from the top of the file, or the
//! name that is wrong; the place is [`super::Error`]'s.

use crate::base::Hint;

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

impl Flaw {
    /// Next steps, most useful first.
    pub(super) fn hints(&self) -> Vec<Hint> {
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
            Self::Syntax(_) => vec![Hint::new(
                "tables are `[name]` on a line of their own, keys `name = value`, texts in quotes",
            )],
            Self::Cycle { what, .. } => {
                vec![Hint::new(format!("take one step of it out of {what}"))]
            }
        }
    }

    /// Lines under the message.
    pub(super) fn details(&self) -> Vec<String> {
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
pub(super) fn choice(lead: &str, near: Option<&str>, known: &[String]) -> Vec<Hint> {
    let all = known.iter().map(|k| format!("`{k}`")).collect::<Vec<_>>().join(", ");
    match near {
        Some(near) if known.len() == 1 => vec![Hint::new(format!("did you mean `{near}`?"))],
        Some(near) => {
            vec![Hint::new(format!("did you mean `{near}`?")), Hint::new(format!("{lead} {all}"))]
        }
        None => vec![Hint::new(format!("{lead} {all}"))],
    }
}
