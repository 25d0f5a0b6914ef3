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
    let client = Client::connect(&data)?.ok_or_else(|| Error::NotRunning(name.clone()))?;
    std::thread::spawn(move || {
        if to_the_end(&data, client, tail, &tell) {
            tell(Heard::End);
        }
    });
    Ok(())
}

/// Whether somebody listened to the end.
fn to_the_end(
    data: &Path,
    client: Client,
    mut tail: usize,
    tell: &(impl Fn(Heard) -> bool + Clone + Send + 'static),
) -> bool {
    let again = || Client::connect(data).ok().flatten();
    let mut client = Some(client);
    while let Some(events) = client {
        let lines = again().map(|lines| {
            let tell = tell.clone();
            std::thread::spawn(move || {
                if let Ok(mut lines) = lines.logs(&[], tail, true) {
                    let _ = lines.all(|event| tell(Heard::Event(event)));
                }
            })
        });
        if let Ok(mut events) = events.events(None)
            && !events.all(|record| tell(Heard::Event(record.event)))
        {
            return false;
        }
        // Ends when the supervisor does.
        let _ = lines.map(std::thread::JoinHandle::join);
        tail = 0;
        std::thread::sleep(AGAIN);
        client = again();
    }
    true
}
