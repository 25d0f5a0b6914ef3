//! An environment's variables, for a shell or a program. Never builds and never connects: a prompt
//! hook calls this.

use super::host::Host;
use super::{Context, Result, environment};
use crate::base::EnvName;
use crate::env::Activation;
use crate::env::activate::{self, Format, Purity};
use crate::env::ports::InUse;

/// The text that activates an environment.
pub fn print(context: &Context, name: &EnvName, format: Format) -> Result<Vec<u8>> {
    let environment = environment::require(context, name)?;
    let host = Host::new(context, &environment, InUse::Keep)?;
    let activation = Activation::new(&host.values, context.environ(), Purity::Inherit);
    Ok(activate::render(format, &activation)?)
}
