//! An environment's variables, for a shell or a program. Never builds and never connects: a prompt
//! hook calls this.

use super::environment::Environment;
use super::{Context, Result, environment};
use crate::base::EnvName;
use crate::env::activate::{self, Format, Purity};
use crate::env::ports::{self, InUse};
use crate::env::values::{self, Place};
use crate::env::{Activation, Values};

/// The text that activates an environment.
pub fn print(context: &Context, name: &EnvName, format: Format) -> Result<Vec<u8>> {
    let environment = environment::require(context, name)?;
    let values = expand(context, &environment, InUse::Keep)?;
    let activation = Activation::new(&values, context.environ(), Purity::Inherit);
    Ok(activate::render(format, &activation)?)
}

/// An environment's values on this host.
pub(super) fn expand(
    context: &Context,
    environment: &Environment,
    in_use: InUse,
) -> Result<Values> {
    let manifest = &environment.manifest;
    let data = values::data_dir(manifest, context.project());
    let wait = context.settings().lock_timeout.value;
    let ports = ports::assign(&data, &manifest.ports, in_use, wait)?;
    let place = Place {
        project: context.project(),
        object: environment.object.path(),
        digest: &environment.digest,
        generation: environment.generation,
        ports: &ports,
    };
    Ok(Values::new(manifest, &place)?)
}
