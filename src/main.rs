//! The `infra` program: calls the command line and turns its outcome into an exit code.

use std::process::ExitCode;

fn main() -> ExitCode {
    infra::cli::main(std::env::args_os())
}
