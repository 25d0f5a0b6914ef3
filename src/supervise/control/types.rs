//! What requests and answers hold, beside what [`status`](crate::supervise::status) and
//! [`plan`](crate::supervise::plan) have.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::base::ServiceName;
use crate::supervise::plan::Wanted;

/// Something is asked for services.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Asking {
    /// The services; all of them when there are none.
    #[serde(default)]
    pub services: Vec<ServiceName>,
    /// For `signal`: its name, with or without `SIG`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signal: Option<String>,
    /// For `down`: milliseconds that the ordered end may take.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub within_ms: Option<u64>,
}

/// What was asked is under way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Accepted {
    /// The services that it concerns.
    pub services: Vec<ServiceName>,
}

/// What was asked is not done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Refusal {
    /// Why.
    pub error: String,
    /// What to do about it.
    pub hints: Vec<String>,
}

impl Refusal {
    /// Without a hint.
    pub fn new(error: impl Into<String>) -> Self {
        Self { error: error.into(), hints: Vec::new() }
    }
}

/// Who answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Version {
    /// The program's version.
    pub version: String,
    /// The version of this interface.
    pub api: u32,
    /// The supervisor's process id.
    pub supervisor: u32,
}

/// Another program is to take over.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct UpgradeRequest {
    /// Absolute path of the program; the one that lies where the running one was started from when
    /// not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub program: Option<PathBuf>,
}

/// What a plan is wanted for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct PlanRequest {
    /// The stack that is wanted; the environment's current generation when not given.
    #[serde(default)]
    pub wanted: Option<Wanted>,
}
