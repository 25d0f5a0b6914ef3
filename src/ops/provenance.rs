//! Who signed what is locked, verified again for every platform: without the network where the
//! evidence was kept.

use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};
use serde::Serialize;

use super::{Context, Result, lock::known};
use crate::base::{DepName, Platform, Proof, Version};
use crate::lock::model::{Attestation, LockedDep, Pin, Row};
use crate::profile::model::Requirement;
use crate::sync::{self, Again};

/// Verifications under way at once.
const AT_ONCE: usize = 8;

/// How a row's attestation is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    /// It holds.
    Verified,
    /// It holds; its evidence had to be fetched again.
    Fetched,
    /// It was verified when it was locked, and cannot be again: the bytes or the evidence are not
    /// here. The pin itself still holds.
    Unchecked,
    /// It does not hold.
    Refused,
}

/// One attestation of one row, or a row without any.
#[derive(Clone, Debug, Serialize)]
pub struct Checked {
    /// The dep.
    pub name: DepName,
    /// Its version.
    pub version: Version,
    /// The platform.
    pub platform: Platform,
    /// The kind of proof; `None` for a row that nobody signed.
    pub kind: Option<Proof>,
    /// Who signed, as the lock says.
    pub signer: Option<String>,
    /// How it is; `None` for a row that nobody signed.
    pub status: Option<Status>,
    /// Why, when it is not simply verified.
    pub why: Option<String>,
    /// What vouched for the row when it was locked.
    pub verified: Vec<Proof>,
}

/// Verifies what the lock says of the named deps (all when none is named), on every platform.
pub fn verify(context: &Context, names: &[DepName]) -> Result<Vec<Checked>> {
    let (lock, union) = super::lock::fresh(context)?;
    for name in names {
        known(name, lock.deps.keys())?;
    }
    let mut out = Vec::new();
    let mut asked = Vec::new();
    for (name, locked) in &lock.deps {
        if !names.is_empty() && !names.contains(name) {
            continue;
        }
        for (platform, row) in &locked.platforms {
            let Row::Pinned(pin) = row else { continue };
            for attestation in &pin.attestations {
                asked.push((name, locked, *platform, pin.as_ref(), attestation));
            }
            if pin.attestations.is_empty() {
                out.push(Checked {
                    name: name.clone(),
                    version: locked.version.clone(),
                    platform: *platform,
                    kind: None,
                    signer: None,
                    status: None,
                    why: None,
                    verified: pin.verified.clone(),
                });
            }
        }
    }
    if !asked.is_empty() {
        let bar = context.reporter().begin("verifying who signed", None);
        let found = context.with_sources(&union, async |sync| {
            let mut work = Vec::new();
            for (name, locked, platform, pin, attestation) in &asked {
                let wish = union.requirements.get(*name);
                let wish = wish.filter(|wish| wish.from == locked.source).cloned();
                let bar = &bar;
                work.push(async move {
                    let wish = wish.unwrap_or_else(|| of_lock(locked));
                    bar.stage(name.as_str());
                    let row = (*platform, *pin);
                    let again =
                        sync::verify_again(sync, name, locked, &wish, row, attestation).await?;
                    Ok::<_, sync::Error>(checked(name, locked, row, attestation, again))
                });
            }
            stream::iter(work).buffered(AT_ONCE).try_collect::<Vec<_>>().await
        })?;
        out.extend(found);
    }
    out.sort_by(|a, b| {
        (&a.name, a.platform, a.kind, &a.signer).cmp(&(&b.name, b.platform, b.kind, &b.signer))
    });
    Ok(out)
}

/// As much of a requirement as a lock knows.
fn of_lock(locked: &LockedDep) -> Requirement {
    Requirement::new(locked.source.clone(), crate::base::VersionReq::any())
}

fn checked(
    name: &DepName,
    locked: &LockedDep,
    (platform, pin): (Platform, &Pin),
    attestation: &Attestation,
    again: Again,
) -> Checked {
    let told = |error: &dyn crate::base::Diagnose| {
        let mut lines = vec![error.to_string()];
        lines.extend(error.details());
        lines.join("; ")
    };
    let (status, why) = match again {
        Again::Holds => (Status::Verified, None),
        Again::Fetched => (Status::Fetched, Some("its evidence was fetched again".to_owned())),
        Again::NeedsContent => {
            (Status::Unchecked, Some("the artifact's bytes are not in the cache".to_owned()))
        }
        Again::NotHere => (
            Status::Unchecked,
            Some("its evidence is not in this store, and the network is not to be used".to_owned()),
        ),
        Again::Gone(None) => (
            Status::Unchecked,
            Some("its source has no evidence any more; the pin itself still holds".to_owned()),
        ),
        Again::Gone(Some(why)) => {
            (Status::Unchecked, Some(format!("its evidence cannot be fetched again: {why}")))
        }
        Again::Refused(error) => (Status::Refused, Some(told(error.as_ref()))),
        Again::Changed(error) => (Status::Refused, Some(told(error.as_ref()))),
        Again::Differs(found) => {
            (Status::Refused, Some(format!("it was signed by {}", found.signer)))
        }
    };
    Checked {
        name: name.clone(),
        version: locked.version.clone(),
        platform,
        kind: Some(attestation.kind),
        signer: Some(attestation.signer.clone()),
        status: Some(status),
        why,
        verified: pin.verified.clone(),
    }
}
