//! Rule sets kept for further starts, so that a start makes none.
//!
//! Owns at most [`MOST`] sets, each for one plan, whichever service has it; a domain that a process
//! entered is the kernel's copy, so sharing a set shares nothing else. Refuses a set whose
//! [`Source`](super::source) does not stand any more: it is made anew. One is made at a time, so that
//! services which start together with equal plans wait for one set instead of making it each.
//! Invariant: what is given is what [`rules::rule_set`] would give.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, PoisonError};

use super::rules::{self, Made};
use super::{Level, Plan};

/// Sets kept; each is a descriptor.
const MOST: usize = 32;

/// See the module.
#[derive(Debug, Default)]
pub struct RuleSets(Mutex<Vec<Kept>>);

#[derive(Debug)]
struct Kept {
    plan: Plan,
    rules: Arc<OwnedFd>,
    source: super::source::Source,
}

impl RuleSets {
    /// Makes the rule set of a plan, to be found later.
    ///
    /// # Errors
    /// Why there can be none.
    pub fn make(&self, plan: &Plan) -> io::Result<()> {
        self.of(plan).map(drop)
    }

    /// The rule set of a plan; `None` for [`Level::Off`] and where the kernel has no Landlock for us.
    pub(super) fn of(&self, plan: &Plan) -> io::Result<Option<Arc<OwnedFd>>> {
        if plan.level == Level::Off {
            return Ok(None);
        }
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(at) = all.iter().position(|kept| kept.plan == *plan) {
            if all[at].source.stands() {
                return Ok(Some(all[at].rules.clone()));
            }
            all.remove(at);
        }
        let Some(Made { rules, source }) = rules::rule_set(plan)? else { return Ok(None) };
        let rules = Arc::new(rules);
        if all.len() >= MOST {
            all.remove(0);
        }
        all.push(Kept { plan: plan.clone(), rules: rules.clone(), source });
        Ok(Some(rules))
    }
}

#[cfg(test)]
#[allow(clippy::disallowed_methods, reason = "tests change what rules are made from")]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::fs;

    #[test]
    fn a_set_is_kept_until_what_it_was_made_from_changes() {
        if rules::abi().is_none() {
            return;
        }
        let dir = tempfile::tempdir().unwrap();
        let top = fs::canonicalize(dir.path()).unwrap();
        for path in ["store/object", "beside", "data"] {
            std::fs::create_dir_all(top.join(path)).unwrap();
        }
        let mut plan = Plan::off();
        plan.level = Level::Exec;
        plan.store = top.join("store");
        plan.execute = BTreeSet::from([top.join("store/object")]);
        plan.write = BTreeSet::from([top.join("data")]);
        let sets = RuleSets::default();
        let get = |plan: &Plan| sets.of(plan).unwrap().unwrap();
        let kept = |plan: &Plan, before: &Arc<OwnedFd>| Arc::ptr_eq(&get(plan), before);
        // Others make files beside this directory all the time; now and then they do not.
        let settled = || {
            let pairs = std::iter::repeat_with(|| (get(&plan), get(&plan)));
            let same = pairs.take(10_000).find(|(one, next)| Arc::ptr_eq(one, next));
            same.expect("a set is kept").0
        };
        let mut last = settled();
        // Another plan has another set.
        let other = Plan { level: Level::Strict, ..plan.clone() };
        assert!(!kept(&other, &last));
        let changes: [&dyn Fn(); 4] = [
            &|| std::fs::create_dir(top.join("new")).unwrap(),
            &|| std::fs::remove_dir(top.join("beside")).unwrap(),
            &|| {
                std::fs::rename(top.join("store/object"), top.join("store/old")).unwrap();
                std::fs::create_dir(top.join("store/object")).unwrap();
            },
            &|| std::fs::rename(top.join("data"), top.join("store/data")).unwrap(),
        ];
        for (number, change) in changes.iter().enumerate() {
            change();
            assert!(!kept(&plan, &last), "change {number}");
            last = settled();
        }
    }
}
