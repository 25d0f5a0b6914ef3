//! What happened to a stack, and why a service runs or does not.

use jiff::Timestamp;

use super::{Context, Error, Result, control, logs, run};
use crate::base::{EnvName, ServiceName};
use crate::supervise::control::Client;
use crate::supervise::journal::{self, History, Why};
use crate::supervise::status::Record;

/// Lines of a log that go into an answer.
const LAST_WORDS: usize = 5;

/// Shows what is in the journal since a time (all of it when not given) and, with `follow`, what
/// happens from now on, until the stack stops.
pub fn events(
    context: &Context,
    name: &EnvName,
    since: Option<&str>,
    follow: bool,
    mut show: impl FnMut(&Record),
) -> Result<()> {
    let since = since.map(time).transpose()?;
    let data = run::data_dir(context, name)?;
    if follow {
        let client = Client::connect(&data)?;
        let client = client.ok_or_else(|| Error::NotRunning(name.clone()))?;
        client.events(since.as_deref())?.for_each(|record| show(&record));
        return Ok(());
    }
    journal::read(&data, since.as_deref())?.iter().for_each(show);
    Ok(())
}

/// A moment, or a length of time before now, in the form that records have it.
fn time(text: &str) -> Result<String> {
    if let Ok(moment) = text.parse::<Timestamp>() {
        return Ok(format!("{moment:.3}"));
    }
    let before = Timestamp::now().checked_sub(super::gc::duration(text)?);
    let moment = before.map_err(|_| Error::BadDuration(text.to_owned()))?;
    Ok(format!("{moment:.3}"))
}

/// Why a service runs or does not; from the journal alone when no supervisor runs.
pub fn why(context: &Context, name: &EnvName, service: &str) -> Result<Why> {
    let data = run::data_dir(context, name)?;
    if let Some(mut client) = Client::connect(&data)? {
        let status = client.status()?;
        if let Some(found) = control::names(context, name, &[service.to_owned()], &status)?.first()
        {
            return Ok(client.why(found)?);
        }
    }
    let records = journal::read(&data, None)?;
    let history = History::of(&records);
    let words = |n: &ServiceName| logs::last_words(&data, n, LAST_WORDS).unwrap_or_default();
    // What is not declared any more may have run all the same.
    let named = history.services.keys().find(|n| n.as_str() == service).cloned();
    let found = match named {
        Some(found) => found,
        None => match control::declared(context, name, &[service.to_owned()])?.into_iter().next() {
            Some(found) => found,
            None => return Err(Error::NotRunning(name.clone()).into()),
        },
    };
    journal::explain(&history, false, &found, Timestamp::now(), &words)
        .ok_or_else(|| Error::NoHistory { service: found, env: name.clone() }.into())
}
