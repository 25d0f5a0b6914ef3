//! What a service may do: the rules that the kernel keeps it to, and how we know that it does.
//!
//! # Theory of operation
//! A [`Plan`] says what one service may execute, read, write and reach; an operation makes it from
//! the environment. Before each start [`Ready::new`] turns it into what the child needs: the
//! program's open descriptor ([`held`]), a Landlock rule set ([`rules`], [`kept`] for the next
//! start), a seccomp filter
//! ([`seccomp`]), limits and identity ([`person`]). The child applies it ([`apply`]) between fork and
//! exec and executes *that descriptor*.
//!
//! Whether it holds is not concluded but tried: [`probe`] is a process that puts itself under the
//! same rules and walks the known ways around. [`Report`] says what it saw.
//!
//! Owns: Landlock, seccomp, resource limits, control groups. Starts no service (that is
//! `supervise::process`) and reads no profile. Invariant: nothing is called refused that a probe
//! under the same rules did not see refused.
//!
//! On other systems than Linux plans exist and nothing enforces them; the report says so.

pub mod plan;
pub mod report;
pub mod script;

#[cfg(target_os = "linux")]
pub mod apply;
#[cfg(target_os = "linux")]
mod beside;
#[cfg(target_os = "linux")]
pub mod cgroup;
#[cfg(target_os = "linux")]
pub mod held;
#[cfg(target_os = "linux")]
mod kept;
#[cfg(target_os = "linux")]
pub mod person;
#[cfg(target_os = "linux")]
pub mod probe;
#[cfg(target_os = "linux")]
pub mod ready;
#[cfg(target_os = "linux")]
mod rules;
#[cfg(target_os = "linux")]
mod seccomp;
#[cfg(target_os = "linux")]
mod source;

pub use crate::profile::confine::{Level, Limits};
pub use plan::{Plan, Spec};
pub use report::{Grade, Report};

#[cfg(target_os = "linux")]
pub use {apply::Step, kept::RuleSets, ready::Ready};

#[cfg(not(target_os = "linux"))]
mod elsewhere;
#[cfg(not(target_os = "linux"))]
pub use elsewhere::{Ready, Step};

/// Whether this kernel has Landlock in a version that is used.
pub fn is_available() -> bool {
    #[cfg(target_os = "linux")]
    return rules::abi().is_some();
    #[cfg(not(target_os = "linux"))]
    return false;
}
