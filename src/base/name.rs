//! Names that people give: deps, environments, services, commands.
//!
//! Invariant: every name is safe as one file name, in a store object's name, and on a command
//! line: letters, digits, `-`, `_`, `.`, `+`, starting with a letter or digit, at most 64 long.

use std::borrow::Borrow;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Why a text is no name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a valid {what} name: {why}")]
pub struct InvalidName {
    /// `dep`, `environment`, `service` or `command`.
    pub what: &'static str,
    /// What was given.
    pub text: String,
    /// The rule it breaks.
    pub why: &'static str,
}

fn check(what: &'static str, text: &str) -> Result<(), InvalidName> {
    let why = match text.as_bytes() {
        [] => "it is empty",
        bytes if bytes.len() > 64 => "it is longer than 64 characters",
        [first, ..] if !first.is_ascii_alphanumeric() => "it must start with a letter or digit",
        bytes if !bytes.iter().all(|b| b.is_ascii_alphanumeric() || b"-_.+".contains(b)) => {
            "only letters, digits, `-`, `_`, `.` and `+` are allowed"
        }
        _ => return Ok(()),
    };
    Err(InvalidName { what, text: text.to_owned(), why })
}

macro_rules! name {
    ($(#[$doc:meta])* $name:ident, $what:literal) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[cfg_attr(test, derive(schemars::JsonSchema))]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// Checks the rule of this module.
            pub fn new(text: impl Into<String>) -> Result<Self, InvalidName> {
                let text = text.into();
                check($what, &text)?;
                Ok(Self(text))
            }

            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&self.0, f)
            }
        }

        impl FromStr for $name {
            type Err = InvalidName;
            fn from_str(s: &str) -> Result<Self, InvalidName> {
                Self::new(s)
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidName;
            fn try_from(s: String) -> Result<Self, InvalidName> {
                Self::new(s)
            }
        }

        impl From<$name> for String {
            fn from(value: $name) -> Self {
                value.0
            }
        }

        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }
    };
}

name!(
    /// The project-local name of a dep, e.g. `nats-server`.
    DepName,
    "dep"
);
name!(
    /// The name of a profile and of the environment made from it, e.g. `test`.
    EnvName,
    "environment"
);
name!(
    /// The name of a supervised service, e.g. `nats`.
    ServiceName,
    "service"
);
name!(
    /// The name under which a dep's executable is found on `PATH`, without `.exe`.
    CommandName,
    "command"
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rule() {
        for good in ["a", "nats-server", "7zip", "g++", "x.y_z"] {
            assert!(DepName::new(good).is_ok(), "{good}");
        }
        for bad in ["", "-a", ".a", "a/b", "a b", "ä", "a\0", &"a".repeat(65)] {
            assert!(DepName::new(bad).is_err(), "{bad}");
        }
    }
}
