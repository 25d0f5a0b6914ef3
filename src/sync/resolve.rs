//! From requirements to a lock, moving no more than was asked.
//!
//! An entry whose requirement did not change is kept without asking anyone; one whose version
//! still fits keeps its version; only what is named by an update, or fits no longer, moves. Rows
//! of a project's own directory are read anew each time, since they cost no network and the
//! directory is as much the project's as its profiles. Invariant: every dep of the result has a
//! row for every platform it is wanted on, and each row was made from bytes that were read here or
//! is the old one.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};
use tokio::sync::Semaphore;

use super::age;
use super::attest::Kept;
use super::built::lock as building;
use super::context::Context;
use super::error::{Error, Result};
use super::execute::shown;
use super::relook;
use super::reuse::{self, Fit, Match};
use super::rows::{self, Group};
use crate::base::{DepName, Platform, Proof, SourceKind, Version, suggest};
use crate::lock::model::{Build, Lock, LockedDep, Pin, Row};
use crate::lock::{self, Requirements};
use crate::profile::model::Requirement;
use crate::source::{Offer, Query, Source, StackOffer};

/// Index documents looked up at once; they are small.
const LOOKUPS: usize = 16;

/// What may move.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Nothing that still fits.
    Keep,
    /// These deps, to the newest version in their range.
    Update(BTreeSet<DepName>),
    /// Every dep.
    UpdateAll,
}

impl Mode {
    fn moves(&self, dep: &DepName) -> bool {
        match self {
            Self::Keep => false,
            Self::Update(names) => names.contains(dep),
            Self::UpdateAll => true,
        }
    }
}

/// Answers requirements with pins for every platform, on the runtime it is called in.
///
/// # Errors
/// The first dep that cannot be locked; nothing is written anywhere but the artifact cache (and,
/// for directories of the project, the store).
pub async fn resolve(
    context: &Context<'_>,
    requirements: &Requirements,
    old: Option<&Lock>,
    mode: &Mode,
) -> Result<Lock> {
    if let Mode::Update(names) = mode
        && let Some(dep) = names.iter().find(|dep| !requirements.deps.contains_key(*dep))
    {
        let known = requirements.deps.keys().map(DepName::as_str);
        let nearest = suggest::nearest(dep.as_str(), known).map(str::to_owned);
        return Err(Error::UnknownDep { dep: dep.clone(), nearest });
    }
    let slots = Semaphore::new(context.jobs());
    let kept = Kept::default();
    // Collected, since a closure kept across an await would tie the future to one thread.
    let mut work = Vec::new();
    let mut built = Vec::new();
    for (dep, requirement) in &requirements.deps {
        let one = Resolve {
            context,
            slots: &slots,
            kept: &kept,
            dep,
            requirement,
            wanted: requirements.platforms_of(requirement),
            old: old.and_then(|lock| lock.deps.get(dep)),
            update: mode.moves(dep),
        };
        if requirement.from.kind() == SourceKind::Go {
            built.push(one);
        } else {
            work.push(async move { Ok::<_, Error>((dep.clone(), one.run().await?)) });
        }
    }
    let mut results = stream::iter(work).buffer_unordered(LOOKUPS);
    let (mut deps, mut missing) = (BTreeMap::new(), Vec::new());
    while let Some(result) = results.next().await {
        match result {
            Ok((dep, locked)) => {
                deps.insert(dep, locked);
            }
            // Without a network, everything that needs it is named at once.
            Err(error) => match error.offline_need() {
                Some(need) => missing.push(need),
                None => return Err(error),
            },
        }
    }
    drop(results);
    missing.sort();
    if !missing.is_empty() {
        return Err(Error::OfflineLock { missing });
    }
    let mut new = Lock { deps };
    // What builds them is known now. One at a time: each build uses every processor.
    for one in built {
        let dep = one.dep.clone();
        let locked = one.build(&new, requirements).await?;
        new.deps.insert(dep, locked);
    }
    // Only now, so that a lock that is refused, here or by whoever asked, leaves the store as it
    // was.
    if lock::violations(&new, requirements, &context.rules.policy).is_empty() {
        kept.write(context).await?;
    }
    Ok(new)
}

/// One dep.
pub(super) struct Resolve<'a, 'c> {
    pub(super) context: &'a Context<'c>,
    /// Bounds downloads and readings over all deps.
    pub(super) slots: &'a Semaphore,
    /// Collects the evidence that is to be kept.
    pub(super) kept: &'a Kept,
    pub(super) dep: &'a DepName,
    pub(super) requirement: &'a Requirement,
    wanted: BTreeSet<Platform>,
    pub(super) old: Option<&'a LockedDep>,
    pub(super) update: bool,
}

impl<'a, 'c> Resolve<'a, 'c> {
    async fn run(self) -> Result<LockedDep> {
        let fit = self.fit();
        let is_local = self.requirement.from.kind() == SourceKind::Path;
        let mut done = BTreeMap::new();
        if let (Fit::Exact, Some(old), false) = (fit, self.old, is_local) {
            // A policy that asks for more than was looked for makes it look again.
            let kept = old
                .platforms
                .iter()
                .filter(|(p, row)| self.wanted.contains(p) && !self.lacks_proof(row));
            done.extend(kept.map(|(platform, row)| (*platform, row.clone())));
        }
        let version = self.version(fit).await?;
        let missing = self.missing(&done);
        if !missing.is_empty() {
            done.extend(self.rows(&version, &missing).await?);
            self.warn(&version, &done, &missing)?;
        }
        let definition = match self.query().definition {
            Some(kept) => Some(kept.clone()),
            None if missing.is_empty() => None,
            None => self.source().definition(&self.query()).await?,
        };
        Ok(LockedDep {
            source: self.requirement.from.clone(),
            requirement: self.requirement.canonical(),
            version,
            build: None,
            definition,
            platforms: done,
        })
    }

    /// The locked version where it still fits, else the one to choose.
    async fn version(&self, fit: Fit) -> Result<Version> {
        match (fit, self.old) {
            (Fit::Exact | Fit::Version, Some(old)) => Ok(old.version.clone()),
            _ => self.choose_version().await,
        }
    }

    /// The platforms that have no row yet.
    fn missing(&self, done: &BTreeMap<Platform, Row>) -> Vec<Platform> {
        self.wanted.iter().copied().filter(|p| !done.contains_key(p)).collect()
    }

    fn fit(&self) -> Fit {
        if self.update { Fit::None } else { reuse::fit(self.old, self.requirement) }
    }

    /// Like [`Self::run`], for a dep that is built by another of the lock.
    async fn build(self, lock: &Lock, requirements: &Requirements) -> Result<LockedDep> {
        let mut build = building::by(&self, lock)?;
        let fit = self.fit();
        let mut done = BTreeMap::new();
        let mut kept: &[String] = &[];
        let same = |b: &&Build| b.toolchain == build.toolchain && b.version == build.version;
        if let (Fit::Exact, Some(old)) = (fit, self.old)
            && let Some(before) = old.build.as_ref().filter(same)
        {
            let rows = old.platforms.iter().filter(|(p, _)| self.wanted.contains(p));
            done.extend(rows.map(|(platform, row)| (*platform, row.clone())));
            kept = &before.sums;
            build.sums.clone_from(&before.sums);
        }
        let version = self.version(fit).await?;
        let missing = self.missing(&done);
        if !missing.is_empty() {
            let made =
                building::rows(&self, lock, requirements, &version, &missing, build, kept).await?;
            done.extend(made.rows);
            build = made.build;
            self.warn(&version, &done, &missing)?;
        }
        Ok(LockedDep {
            source: self.requirement.from.clone(),
            requirement: self.requirement.canonical(),
            version,
            build: Some(build),
            definition: None,
            platforms: done,
        })
    }

    pub(super) fn source(&self) -> &'c dyn Source {
        (self.context.sources)(self.requirement.from.kind())
    }

    pub(super) fn query(&self) -> Query<'a> {
        // An entry that stays keeps the definition that it was locked with.
        let kept = self.old.filter(|_| self.fit() != Fit::None);
        let definition = kept.and_then(|old| old.definition.as_ref());
        Query { definition, ..Query::new(self.dep, self.requirement) }
    }

    async fn choose_version(&self) -> Result<Version> {
        let chosen = age::choose_version(self.context, &self.query()).await?;
        // An age is no reason to go back: what is locked was accepted before.
        let locked = self.old.filter(|old| {
            self.context.rules.policy.age_of(self.dep).is_some()
                && old.source == self.requirement.from
                && self.requirement.version.matches(&old.version)
        });
        Ok(locked.map(|old| old.version.clone()).filter(|v| *v > chosen).unwrap_or(chosen))
    }

    /// What must vouch for the dep.
    pub(super) fn required(&self) -> BTreeSet<Proof> {
        lock::required(&self.context.rules.policy, self.requirement)
    }

    fn lacks_proof(&self, row: &Row) -> bool {
        let is_there = |pin: &Pin| self.required().iter().all(|p| pin.verified.contains(p));
        row.pin().is_some_and(|pin| !is_there(pin))
    }

    /// The rows of some platforms at a version.
    async fn rows(
        &self,
        version: &Version,
        platforms: &[Platform],
    ) -> Result<BTreeMap<Platform, Row>> {
        let query = self.query();
        let mut asking = Vec::new();
        for platform in platforms {
            let query = &query;
            asking.push(async move {
                let offer = self.source().offer(query, version, *platform).await?;
                Ok::<_, Error>((*platform, offer))
            });
        }
        let offers: Vec<(Platform, Offer)> =
            stream::iter(asking).buffered(LOOKUPS).try_collect().await?;

        let mut out = BTreeMap::new();
        let mut groups: Vec<Group> = Vec::new();
        let mut directories = BTreeMap::new();
        let mut offered = Vec::new();
        for (platform, offer) in offers {
            match offer {
                Offer::Unavailable { reason } => {
                    out.insert(platform, Row::Unavailable { reason });
                }
                Offer::Build(_) => {
                    // Those are made by `build`; a source that mixes both has no rows here.
                    let reason = "it is built, not fetched".to_owned();
                    out.insert(platform, Row::Unavailable { reason });
                }
                Offer::Directory { path, commands } => {
                    directories.entry(path).or_insert_with(Vec::new).push((platform, commands));
                }
                Offer::Artifact(offer) => offered.push((platform, StackOffer::from(*offer))),
                Offer::Stack(offer) => offered.push((platform, *offer)),
            }
        }
        let mut staying = Vec::new();
        for (platform, offer) in offered {
            match self.kept(version, platform, &offer)? {
                Some(row) => staying.push((platform, row, offer)),
                None => Group::add(&mut groups, platform, offer),
            }
        }
        out.extend(relook::rows(self, version, staying).await?);
        for (path, platforms) in directories {
            out.extend(rows::of_directory(self, version, &path, platforms).await?);
        }
        let mut making = Vec::new();
        for group in &groups {
            making.push(rows::of_group(self, version, group));
        }
        let made: Vec<_> =
            stream::iter(making).buffer_unordered(self.context.jobs()).try_collect().await?;
        out.extend(made.into_iter().flatten());
        Ok(out)
    }

    /// The old row of a platform, when the offer is the same file.
    fn kept(
        &self,
        version: &Version,
        platform: Platform,
        offer: &StackOffer,
    ) -> Result<Option<Row>> {
        let Some(old) = self.old else { return Ok(None) };
        let Some(row) = old.platforms.get(&platform) else { return Ok(None) };
        let Some(pin) = row.pin() else { return Ok(None) };
        if self.update && offer.first.integrity.is_none() {
            // Only fetching it anew tells whether it is still the same.
            return Ok(None);
        }
        match reuse::compare(old, pin, version, platform, self.requirement, offer) {
            Match::Same if self.lacks_proof(row) => Ok(None),
            Match::Same => Ok(Some(row.clone())),
            Match::Other => Ok(None),
            // What an update finds is told when the new rows are there.
            Match::Changed if self.update => Ok(None),
            Match::Changed => Err(self.changed(version, platform, pin, offer)),
        }
    }

    fn changed(
        &self,
        version: &Version,
        platform: Platform,
        pin: &Pin,
        stack: &StackOffer,
    ) -> Error {
        let offer = &stack.first;
        for (locked, offered) in pin.with.iter().zip(&stack.with) {
            if locked.integrity != offered.integrity {
                return Error::Changed {
                    shown: shown(self.dep, version.as_str(), platform),
                    dep: self.dep.clone(),
                    file: offered.file.clone(),
                    locked: locked.integrity.to_string(),
                    served: offered.integrity.to_string(),
                };
            }
        }
        let bytes = |size: Option<u64>| size.map_or_else(String::new, |s| format!("{s} bytes"));
        let locked = pin.artifact.as_ref();
        let (locked, served) = match (locked.map(|a| &a.integrity), &offer.integrity) {
            (Some(locked), Some(served)) if locked != served => {
                (locked.to_string(), served.to_string())
            }
            _ => (bytes(locked.map(|a| a.size)), bytes(offer.size)),
        };
        Error::Changed {
            shown: shown(self.dep, version.as_str(), platform),
            dep: self.dep.clone(),
            file: offer.file.clone(),
            locked,
            served,
        }
    }

    /// Says what a user should look at in new rows; refuses a version that nobody can have.
    fn warn(
        &self,
        version: &Version,
        rows: &BTreeMap<Platform, Row>,
        new: &[Platform],
    ) -> Result<()> {
        let reasons: Vec<_> = rows
            .iter()
            .filter_map(|(platform, row)| match row {
                Row::Unavailable { reason } => Some((*platform, reason.clone())),
                Row::Pinned(_) => None,
            })
            .collect();
        if reasons.len() == rows.len() {
            let (dep, version) = (self.dep.clone(), version.clone());
            return Err(Error::Nowhere { dep, version, reasons });
        }
        for (platform, reason) in reasons.iter().filter(|(platform, _)| new.contains(platform)) {
            let dep = self.dep;
            let said = format!("`{dep}` {version} has nothing for {platform}: {reason}");
            self.context.reporter.warn(&said);
        }
        let pins = || new.iter().filter_map(|p| Some((*p, rows.get(p)?.pin()?)));
        let bare: Vec<_> =
            pins().filter(|(_, pin)| pin.bin.is_empty()).map(|(p, _)| p.name()).collect();
        if !bare.is_empty() {
            self.context.reporter.warn(&format!(
                "`{}` {version} offers no command ({}); if it should, name its files under `bin`",
                self.dep,
                bare.join(", ")
            ));
        }
        for (platform, pin) in pins() {
            let Some(old) = self.old else { continue };
            let Some(before) = old.platforms.get(&platform).and_then(Row::pin) else { continue };
            let shown = shown(self.dep, version.as_str(), platform);
            if old.version == *version
                && let (Some(was), Some(is)) = (&before.artifact, &pin.artifact)
                && was.file == is.file
                && was.integrity != is.integrity
            {
                self.context.reporter.warn(&format!(
                    "`{}` of {shown} changed in its source under the same version",
                    is.file
                ));
            }
            if old.source != self.requirement.from || self.context.rules.accept.covers(self.dep) {
                continue;
            }
            let changes = lock::regressions(before, pin);
            if !changes.is_empty() {
                return Err(Error::Regress { shown, dep: self.dep.clone(), changes });
            }
        }
        Ok(())
    }
}

#[cfg(test)]
#[path = "resolve_tests.rs"]
mod tests;
