//! The command line: one file per subcommand, each parses and calls `ops`.
//!
//! Owns clap, the exit code and the choice of streams (through `ui`). Refuses nothing itself beyond
//! bad usage. Invariant: the hidden guardian and the sandbox's probe are dispatched before anything else is set up.

mod args;
mod cache;
mod completion;
mod config;
mod dep;
mod doctor;
mod env;
mod exit;
mod export;
mod import;
mod init;
mod run;
mod runtime;
mod screen;
mod store;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::Parser as _;

use crate::base::interrupt;
use crate::base::vars;
use crate::config::{Environ, Flags, Settings};
use crate::ops::Context;
#[cfg(target_os = "linux")]
use crate::sandbox::probe;
use crate::supervise::guardian;
use crate::supervise::upgrade::{self, check};
use crate::ui::Printer;
use args::{Cli, Command};

/// What every subcommand is handed.
pub(crate) struct Session {
    /// Settings, environment and progress, for `ops`.
    pub(crate) context: Context,
    /// Both streams.
    pub(crate) printer: Printer,
}

/// How a subcommand ends when it does not fail: an exit code.
pub(crate) type Outcome = Result<ExitCode, crate::base::Problem>;

/// Runs the program with its arguments, the first being its own name.
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    if arguments.get(1).is_some_and(|a| a == guardian::SUBCOMMAND) {
        return ExitCode::from(guardian::main(std::io::stdin().lock()));
    }
    if arguments.get(1).is_some_and(|a| a == check::SUBCOMMAND) {
        Printer::new(false, true).data(&check::answer());
        return ExitCode::SUCCESS;
    }
    #[cfg(target_os = "linux")]
    if arguments.get(1).is_some_and(|a| a == probe::SUBCOMMAND) {
        let Some(answer) = probe::main(std::io::stdin().lock()) else { return ExitCode::FAILURE };
        Printer::new(false, true).data(&answer);
        return ExitCode::SUCCESS;
    }
    let arguments = upgrade::receive(arguments);
    if !upgrade::is_pending() {
        return program(&arguments);
    }
    // Whatever this program ends of before it goes on with the services, the one before can.
    let ended = std::panic::catch_unwind(|| program(&arguments));
    upgrade::fall_back("it ended before it went on with the services; see the supervisor's log");
    ended.unwrap_or(ExitCode::FAILURE)
}

fn program(arguments: &[OsString]) -> ExitCode {
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(error) => {
            let code = error.exit_code();
            // A closed pipe while printing help is no failure.
            let _ = error.print();
            return ExitCode::from(u8::try_from(code).unwrap_or(2));
        }
    };
    let environ = Environ::capture();
    if let Some(point) = environ.get(vars::INTERRUPT_AT.name) {
        interrupt::arm(point);
    }
    let colour = environ.get("NO_COLOR").is_none() && environ.get("TERM") != Some("dumb");
    let printer = Printer::new(colour, cli.global.quiet);
    match dispatch(cli, environ, printer.clone()) {
        Ok(code) => code,
        Err(error) => {
            printer.problem(&error);
            ExitCode::from(error.inner().exit_code())
        }
    }
}

fn dispatch(cli: Cli, environ: Environ, printer: Printer) -> Outcome {
    let Some(command) = cli.command else { return Ok(args::no_command(&printer)) };
    if let Command::Completion(args) = &command {
        return completion::run(args, &printer);
    }
    let flags = Flags {
        store: cli.global.store,
        project: cli.global.project,
        env: cli.global.env,
        offline: cli.global.offline,
        jobs: cli.global.jobs,
        cache: cli.global.cache,
    };
    #[allow(clippy::disallowed_methods, reason = "the command line asks where it was called")]
    let cwd = std::env::current_dir().unwrap_or_default();
    let settings = Settings::resolve(&flags, &environ, &cwd)?;
    let context = Context::new(settings, environ, cwd, printer.reporter());
    if matches!(&command, Command::Dep(_) | Command::Env(_) | Command::Run(_) | Command::Store(_)) {
        context.warn_of_remote_store();
    }
    let session = Session { context, printer };
    match command {
        Command::Init(args) => init::run(&args, &session),
        Command::Dep(command) => dep::run(command, &session),
        Command::Env(command) => env::run(command, &session),
        Command::Run(args) => run::run(&args, &session),
        Command::Runtime(command) => runtime::run(command, &session),
        Command::Shutdown(args) => runtime::down(&args, &session),
        Command::Store(command) => store::run(command, &session),
        Command::Cache(command) => cache::run(command, &session),
        Command::Doctor(args) => doctor::run(&args, &session),
        Command::Import(args) => import::run(&args, &session),
        Command::Export(args) => export::run(&args, &session),
        Command::Config(command) => config::run(command, &session),
        Command::Completion(args) => completion::run(&args, &session.printer),
    }
}
