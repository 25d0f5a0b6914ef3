//! Collecting garbage, and counting what is there.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

use super::{Context, Error, Result};
use crate::env::Generations;
use crate::store::{GcOptions, GcReport, RootKind, StoreInfo};

/// What to collect, beside what the store is told.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// For the store.
    pub store: GcOptions,
    /// Forget all but so many of the newest generations of each environment of every project that
    /// uses the store, and the current one; none is forgotten when not given.
    pub keep_generations: Option<usize>,
}

/// What was removed, or would be.
#[derive(Clone, Debug, Default)]
pub struct Collected {
    /// Of the store.
    pub store: GcReport,
    /// Links of the generations that were forgotten.
    pub generations: Vec<PathBuf>,
}

/// Removes (or with `dry_run` lists) what nothing uses.
pub fn gc(context: &Context, request: &Request) -> Result<Collected> {
    let bar = context.reporter().begin("collecting", None);
    bar.stage("what roots reach");
    let mut options = request.store.clone();
    let generations = match request.keep_generations {
        Some(keep) => forget(context, keep, options.dry_run)?,
        None => Vec::new(),
    };
    options.forgotten = generations.iter().cloned().collect();
    Ok(Collected { store: context.store().gc_telling(&options, bar.as_ref())?, generations })
}

/// Forgets old generations of every project that the store knows; gives their links.
fn forget(context: &Context, keep: usize, dry_run: bool) -> Result<Vec<PathBuf>> {
    let mut environments: BTreeMap<PathBuf, Generations> = BTreeMap::new();
    for root in context.store().roots()? {
        let RootKind::Link(link) = root.kind else { continue };
        if let Some((generations, _)) = Generations::of_link(&link) {
            environments.insert(generations.link(), generations);
        }
    }
    let mut links = Vec::new();
    for generations in environments.values() {
        let old: BTreeSet<u64> = if dry_run {
            generations.old(keep)?.into_iter().collect()
        } else {
            let wait = context.settings().lock_timeout.value;
            generations.prune(keep, wait, context.reporter())?.into_iter().collect()
        };
        links.extend(old.into_iter().map(|number| generations.link_of(number)));
    }
    Ok(links)
}
/// Counts objects, artifacts, roots and bytes.
pub fn info(context: &Context) -> Result<StoreInfo> {
    Ok(context.store().info()?)
}

/// `90s`, `15m`, `12h`, `30d`
pub fn duration(text: &str) -> Result<Duration> {
    let bad = || Error::BadDuration(text.to_owned());
    let unit = text.chars().last().ok_or_else(bad)?;
    let seconds: u64 = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3600,
        'd' => 86_400,
        _ => return Err(bad().into()),
    };
    let number: u64 = text[..text.len() - 1].parse().map_err(|_| bad())?;
    number.checked_mul(seconds).map(Duration::from_secs).ok_or_else(|| bad().into())
}

/// `800`, `500K`, `500M`, `20G` (powers of 1024)
pub fn size(text: &str) -> Result<u64> {
    let bad = || Error::BadSize(text.to_owned());
    let (number, factor) = match text.chars().last().ok_or_else(bad)? {
        'K' => (&text[..text.len() - 1], 1 << 10),
        'M' => (&text[..text.len() - 1], 1 << 20),
        'G' => (&text[..text.len() - 1], 1 << 30),
        'T' => (&text[..text.len() - 1], 1 << 40),
        _ => (text, 1u64),
    };
    let number: u64 = number.parse().map_err(|_| bad())?;
    number.checked_mul(factor).ok_or_else(|| bad().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_time_and_sizes() {
        assert_eq!(duration("90s").expect("ok"), Duration::from_secs(90));
        assert_eq!(duration("2d").expect("ok"), Duration::from_secs(172_800));
        assert_eq!(size("2K").expect("ok"), 2048);
        assert_eq!(size("7").expect("ok"), 7);
        for bad in ["", "d", "1", "x1d", "-1s", "1ä", "99999999999999999999d"] {
            assert!(duration(bad).is_err(), "{bad}");
        }
        for bad in ["", "G", "1.5G", "-1", "ä", "99999999999T"] {
            assert!(size(bad).is_err(), "{bad}");
        }
    }
}
