//! Hearing a stack that another process supervises.
//!
//! Owns two threads that read the control interface's streams. They end with the stack, or when
//! nobody listens any more and something is heard, or with this process. Invariant: a supervisor
//! that took another's place is heard again; what was written meanwhile is in the logs.

use std::path::Path;
use std::time::Duration;

use super::{Context, Error, Result, run};
use crate::base::EnvName;
use crate::supervise::control::Client;
use crate::supervise::status::Event;

/// How long a supervisor may take to be there again after its streams ended.
const AGAIN: Duration = Duration::from_millis(50);

/// What is heard of a stack.
#[derive(Debug)]
pub enum Heard {
    /// Something happened, or a service wrote lines.
    Event(Event),
    /// The stack is down; nothing comes any more.
    End,
}

/// Begins to hear: first the newest `tail` lines of each service, then what comes. `tell` gives
/// whether somebody still listens, and may wait.
///
/// # Errors
/// Nothing runs, or its supervisor cannot be asked.
pub fn hear(
    context: &Context,
    name: &EnvName,
    tail: usize,
    tell: impl Fn(Heard) -> bool + Clone + Send + 'static,
) -> Result<()> {
    let data = run::data_dir(context, name)?;
    let not_running = || Error::NotRunning(name.clone());
    let events = Client::connect(&data)?.ok_or_else(not_running)?.events(None)?;
    let told = tell.clone();
    std::thread::spawn(move || lines(&data, tail, &told));
    std::thread::spawn(move || {
        let mut events = events;
        if events.all(|record| tell(Heard::Event(record.event))) {
            tell(Heard::End);
        }
    });
    Ok(())
}

/// Lines until no supervisor is there any more. Records go on over an upgrade by themselves; streams
/// of lines end with the program that served them.
fn lines(data: &Path, mut tail: usize, tell: &impl Fn(Heard) -> bool) {
    while let Ok(Some(client)) = Client::connect(data) {
        if let Ok(mut lines) = client.logs(&[], tail, true)
            && !lines.all(|event| tell(Heard::Event(event)))
        {
            return;
        }
        tail = 0;
        std::thread::sleep(AGAIN);
    }
}
