//! Other systems than Linux: no start is ever ready, so services start by path.
//!
//! Invariant: [`Ready`] has no value.

use std::convert::Infallible;

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

impl Ready {
    /// There is none.
    pub fn never(&self) -> ! {
        match self.0 {}
    }
}
