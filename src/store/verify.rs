//! Verification of the whole store, on every core.
//!
//! Reports all damage instead of stopping at the first. Changes nothing but stamps of objects that
//! turn out right. Invariant: what is not listed was checked at the level that was asked for.

use std::fmt;
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use super::registration::Registration;
use super::{CheckLevel, Error, Result, Store, fs, parallel};
use crate::base::{Digest, Integrity, TreeHash};

/// How far a verification is; each number only grows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Objects and artifacts done.
    pub done: usize,
    /// Objects and artifacts there are.
    pub total: usize,
    /// Their bytes done.
    pub bytes: u64,
    /// Their bytes there are.
    pub total_bytes: u64,
}

/// What a verification found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VerifyReport {
    /// Objects checked.
    pub objects: usize,
    /// Artifacts checked; none at [`CheckLevel::Quick`].
    pub artifacts: usize,
    /// Bytes of both.
    pub bytes: u64,
    /// What is not as it was added, sorted.
    pub damaged: Vec<Damage>,
}

/// Something that is not as it was added.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Damage {
    /// A registration that cannot be understood; its object counts as not there.
    Registration {
        /// Which.
        digest: Digest,
        /// What is wrong with it.
        why: String,
    },
    /// An object with other bytes.
    Changed {
        /// Its registration.
        registration: Box<Registration>,
        /// The hash of what is there.
        actual: TreeHash,
    },
    /// An object without files.
    Missing {
        /// Its registration.
        registration: Box<Registration>,
    },
    /// An object that cannot be read.
    Unreadable {
        /// Its registration.
        registration: Box<Registration>,
        /// The system's reason.
        why: String,
    },
    /// A cached artifact with other bytes.
    Artifact {
        /// What its name promises.
        integrity: Integrity,
        /// The file.
        path: PathBuf,
        /// Its hash, or why it cannot be read.
        actual: Result<Integrity, String>,
    },
}

enum Item {
    Object(Box<Registration>),
    Artifact(Integrity, PathBuf),
}

impl Store {
    /// Checks every object and, at [`CheckLevel::Full`], every cached artifact. `on_progress` is
    /// called from several threads, after each one.
    pub fn verify(
        &self,
        level: CheckLevel,
        on_progress: &(dyn Fn(Progress) + Sync),
    ) -> Result<VerifyReport> {
        let mut report = VerifyReport::default();
        let mut items: Vec<(u64, Item)> = Vec::new();
        let known = self.known()?;
        for (digest, error) in known.bad {
            let why = match error {
                Error::BadRegistration { why, .. } => why,
                other => other.to_string(),
            };
            report.damaged.push(Damage::Registration { digest, why });
        }
        for registration in known.good.into_values() {
            items.push((registration.nar_size, Item::Object(Box::new(registration))));
        }
        report.objects = items.len();
        if level == CheckLevel::Full {
            let artifacts = self.artifacts.list()?.into_iter();
            items.extend(artifacts.map(|a| (a.meta.size, Item::Artifact(a.integrity, a.path))));
            report.artifacts = items.len() - report.objects;
        }
        // The largest first, so that no core is left with one at the end.
        items.sort_by_key(|(size, _)| std::cmp::Reverse(*size));
        report.bytes = items.iter().map(|(size, _)| size).sum();

        let done = AtomicUsize::new(0);
        let bytes = AtomicU64::new(0);
        let damaged = Mutex::new(Vec::new());
        parallel::each(&items, |(size, item)| {
            if let Some(damage) = self.damage_of(item, level) {
                damaged.lock().unwrap_or_else(|e| e.into_inner()).push(damage);
            }
            on_progress(Progress {
                done: done.fetch_add(1, Ordering::Relaxed) + 1,
                total: items.len(),
                bytes: bytes.fetch_add(*size, Ordering::Relaxed) + size,
                total_bytes: report.bytes,
            });
            Ok(())
        })?;
        report.damaged.extend(damaged.into_inner().unwrap_or_else(|e| e.into_inner()));
        report.damaged.sort_by_key(Damage::subject);
        Ok(report)
    }

    fn damage_of(&self, item: &Item, level: CheckLevel) -> Option<Damage> {
        match item {
            Item::Object(registration) => {
                let checked = self.check_registered(registration, level);
                let registration = registration.clone();
                match checked {
                    Ok(()) => None,
                    Err(Error::Damaged { actual, .. }) => {
                        Some(Damage::Changed { registration, actual })
                    }
                    Err(Error::Missing { .. }) => Some(Damage::Missing { registration }),
                    Err(e) => Some(Damage::Unreadable { registration, why: e.to_string() }),
                }
            }
            Item::Artifact(integrity, path) => {
                let actual = match fs::hash_file(path, integrity.algorithm()) {
                    Ok((actual, _)) if actual == *integrity => return None,
                    Ok((actual, _)) => Ok(actual),
                    // Evicted while we looked.
                    Err(e) if e.is_not_found() => return None,
                    Err(e) => Err(e.to_string()),
                };
                let (integrity, path) = (integrity.clone(), path.clone());
                Some(Damage::Artifact { integrity, path, actual })
            }
        }
    }
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let subject = self.subject();
        match self {
            Self::Registration { why, .. } => write!(f, "{subject}: its registration: {why}"),
            Self::Changed { registration, actual } => {
                write!(f, "{subject}: expected {}, found {actual}", registration.tree)
            }
            Self::Missing { .. } => write!(f, "{subject}: its files are gone"),
            Self::Unreadable { why, .. } => write!(f, "{subject}: {why}"),
            Self::Artifact { integrity, actual: Ok(actual), .. } => {
                write!(f, "{subject}: expected {integrity}, found {actual}")
            }
            Self::Artifact { actual: Err(why), .. } => write!(f, "{subject}: {why}"),
        }
    }
}

impl Damage {
    /// What is damaged: an object's name, a digest or a file.
    pub fn subject(&self) -> String {
        match self {
            Self::Registration { digest, .. } => digest.to_string(),
            Self::Changed { registration, .. }
            | Self::Missing { registration }
            | Self::Unreadable { registration, .. } => registration.object.to_string(),
            Self::Artifact { path, .. } => path.display().to_string(),
        }
    }
}
