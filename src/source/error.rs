//! What goes wrong at a source.

use crate::base::Diagnose;

/// A source that failed or has nothing.
#[derive(Debug, thiserror::Error)]
#[error("placeholder")]
pub struct Error;

impl Diagnose for Error {}

/// Result of asking a source.
pub type Result<T> = std::result::Result<T, Error>;
