//! What can be wrong with a project's profiles.
//!
//! Owns problems with files and names, and the place of each [`Flaw`]. Invariant: every flaw of a
//! profile's content carries the place (file and byte range) where it is written; only problems
//! with files as such do not.

use std::path::{Path, PathBuf};

use super::flaw::{Flaw, choice};
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
