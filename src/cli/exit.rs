//! Exit codes of children, as shells report them.

use std::process::{ExitCode, ExitStatus};

/// The child's own code; 128 + signal when a signal ended it.
pub(super) fn of_child(status: ExitStatus) -> ExitCode {
    use std::os::unix::process::ExitStatusExt as _;
    let code = status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or(0));
    ExitCode::from(u8::try_from(code).unwrap_or(1))
}
