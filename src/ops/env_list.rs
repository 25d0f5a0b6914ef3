//! Environments and their generations.

use serde::Serialize;

use super::{Context, Result};
use crate::base::{EnvName, Platform};
use crate::env::Generations;

/// An environment, or one generation of it.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    /// The environment.
    pub name: EnvName,
    /// Its generation; absent when it was never built here.
    pub generation: Option<u64>,
    /// Whether the name points at this generation.
    pub current: bool,
    /// `current`, `outdated` (the project's files changed), `held` (by a roll-back), `old`, or
    /// `not built`.
    pub state: &'static str,
    /// Its digest.
    pub digest: Option<String>,
    /// When it was built, RFC 3339.
    pub built: Option<String>,
}

/// Every profile with its current generation, or with all of them.
pub fn list(context: &Context, all: bool) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    for name in context.profiles()?.names() {
        let generations = Generations::new(context.project(), name);
        let found =
            if all { generations.list()? } else { generations.current()?.into_iter().collect() };
        if found.is_empty() {
            let name = name.clone();
            rows.push(Row {
                name,
                generation: None,
                current: false,
                state: "not built",
                digest: None,
                built: None,
            });
        }
        for generation in found {
            let up_to_date = generation.is_current(context.project(), Platform::host())?;
            let state = match (generation.current, up_to_date) {
                (true, _) if generation.is_held() => "held",
                (true, true) => "current",
                (true, false) => "outdated",
                (false, _) => "old",
            };
            let record = generation.record.as_ref();
            rows.push(Row {
                name: name.clone(),
                generation: Some(generation.number),
                current: state == "current",
                state,
                digest: record.map(|r| r.digest.to_string()),
                built: record.map(|r| r.created.to_string()),
            });
        }
    }
    Ok(rows)
}
