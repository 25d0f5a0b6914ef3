//! An environment on this host: its ports chosen, its values expanded.

use std::collections::BTreeMap;

use super::environment::Environment;
use super::{Context, Result};
use crate::env::Values;
use crate::env::ports::{self, InUse};
use crate::env::replicas;
use crate::env::values::{self, Place};

/// Ports and values of an environment here.
pub(super) struct Host {
    ports: BTreeMap<String, u16>,
    /// Every value.
    pub(super) values: Values,
}

impl Host {
    /// Chooses ports where the profile says `"auto"` and expands every value.
    pub(super) fn new(context: &Context, environment: &Environment, in_use: InUse) -> Result<Self> {
        let manifest = &environment.manifest;
        let data = values::data_dir(manifest, context.project());
        let wait = context.settings().lock_timeout.value;
        let ports = ports::assign(&data, &replicas::ports(manifest), in_use, wait)?;
        let values = Values::new(manifest, &place(context, environment, &ports))?;
        Ok(Self { ports, values })
    }

    /// Where the environment is used.
    pub(super) fn place<'a>(
        &'a self,
        context: &'a Context,
        environment: &'a Environment,
    ) -> Place<'a> {
        place(context, environment, &self.ports)
    }
}

fn place<'a>(
    context: &'a Context,
    environment: &'a Environment,
    ports: &'a BTreeMap<String, u16>,
) -> Place<'a> {
    Place {
        project: context.project(),
        object: environment.object.path(),
        digest: &environment.digest,
        generation: environment.generation,
        ports,
    }
}
