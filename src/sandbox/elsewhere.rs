//! Other systems than Linux: no start is ever ready, so services start by path.
//!
//! Invariant: [`Ready`] has no value.

use std::convert::Infallible;
use std::ffi::OsString;
use std::io;

/// A start that is ready; there is none here.
#[derive(Debug)]
pub struct Ready(Infallible);

/// Which step failed; none does here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Step {
    /// What the caller does around us.
    Start = 0,
    /// The exec itself.
    Exec = 8,
}

impl Step {
    /// From its number.
    pub const fn from_byte(_: u8) -> Self {
        Self::Start
    }

    /// What could not be done.
    pub const fn says(self) -> &'static str {
        "start it"
    }
}

/// What a child executes; there is nothing here.
#[derive(Debug)]
pub struct Image(Infallible);

impl Image {
    /// Never called.
    pub fn exec(&self) -> (Step, i32) {
        match self.0 {}
    }
}

impl Ready {
    /// Never called.
    pub fn intact(&self) -> bool {
        match self.0 {}
    }

    /// Never called.
    pub fn image(&self, _: &[OsString], _: &[(OsString, OsString)]) -> io::Result<Image> {
        match self.0 {}
    }

    /// Never called.
    pub fn confinement(&self) -> &Self {
        match self.0 {}
    }

    /// Never called.
    pub fn apply(&self) -> Result<(), (Step, i32)> {
        match self.0 {}
    }

    /// Never called.
    pub fn has_rules(&self) -> bool {
        match self.0 {}
    }
}
