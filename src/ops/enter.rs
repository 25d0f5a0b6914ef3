//! Entering an environment: the user's shell inside it.

use std::process::ExitStatus;

use super::host::Host;
use super::{Context, Result, environment, host_needs};
use crate::base::EnvName;
use crate::env::activate::Purity;
use crate::env::enter::{self, Enter};
use crate::env::ports::InUse;
use crate::fs;
use crate::store::Lease;
use crate::supervise::hand_over;

/// A shell that is ready to start.
pub struct Entry {
    /// The environment's generation.
    pub generation: u64,
    /// The environment's digest.
    pub digest: String,
    shell: Enter,
    // Keeps the environment from garbage collection while the shell lives.
    _lease: Lease,
}

/// Builds the environment where needed and prepares the shell.
pub fn prepare(context: &Context, name: &EnvName, pure: bool) -> Result<Entry> {
    let environment = environment::ensure(context, name)?;
    // A shell is of use without some of its commands; each of those would fail with less to say.
    for lacking in host_needs::of_environment(context, &environment) {
        for line in lacking.lines() {
            context.reporter().warn(&format!("{line}; {}", lacking.next));
        }
    }
    let values = Host::new(context, &environment, InUse::Keep)?.values;
    let purity = if pure { Purity::Pure } else { Purity::Inherit };
    let dir = context.project().join(".infra").join("shell").join(name.as_str());
    let shell = enter::enter(&values, context.environ(), purity, &dir);
    for (path, bytes) in &shell.files {
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        fs::write_atomic(path, bytes)?;
    }
    let objects = environment.objects();
    let lease = context.store().hold(&objects, &format!("a shell in {name}"))?;
    let digest = environment.digest.to_string();
    Ok(Entry { generation: environment.generation, digest, shell, _lease: lease })
}

/// Runs the shell until it ends.
pub fn run(entry: Entry) -> Result<ExitStatus> {
    Ok(hand_over::run_interactive(&entry.shell.argv, &entry.shell.env)?)
}
