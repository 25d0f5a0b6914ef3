//! Starting toolchains, for rooms that are handed a way to do it.

use crate::build::{Call, Ended, Runner, StartError};
use crate::supervise::tool;

/// Starts them as any other tool.
pub(super) struct Tools;

impl Runner for Tools {
    fn run(&self, call: &Call) -> Result<Ended, StartError> {
        let Call { program, args, env, cwd } = call;
        match tool::run_exactly(program, args, env, cwd) {
            Ok(done) => Ok(Ended { success: done.success(), stderr: done.stderr }),
            Err(error) => {
                let source = std::error::Error::source(&error);
                let reason = source.map_or_else(|| error.to_string(), ToString::to_string);
                Err(StartError { program: program.display().to_string(), reason })
            }
        }
    }
}
