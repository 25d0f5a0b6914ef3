//! Going on with a run that another program in this process handed over.
//!
//! Owns the order: everything that can fail is done on copies of what was inherited; then the way
//! back is given up ([`Handed::take`]); then services are adopted, heard and read again. Invariant:
//! what fails before that moment has used up nothing.

use std::sync::Arc;

use super::begin::{Parts, Surroundings, drive, on_runtime, system};
use super::clock::Clock;
use super::{Options, Outcome};
use crate::base::Secret;
use crate::fs::FileLock;
use crate::supervise::confined::{Groups, Sandboxes};
use crate::supervise::contain::RunMark;
use crate::supervise::control::server::Server;
use crate::supervise::control::tcp::Loopback;
use crate::supervise::desired::Desired;
use crate::supervise::guardian::Guardian;
use crate::supervise::journal::JournalWriter;
use crate::supervise::lease::{LeaseWriter, RunDir};
use crate::supervise::logs::Logs;
use crate::supervise::spec::{Gate, Stack};
use crate::supervise::status::{Event, UpgradeOutcome};
use crate::supervise::upgrade::state::{StackState, State};
use crate::supervise::upgrade::{self, Descriptors, Handed};
use crate::supervise::{Error, host, init, reap};

/// Goes on with a run that another program began. The calling thread has to be the one that this
/// program was executed by: the services are its children.
pub fn go_on_blocking(
    handed: Handed,
    gate: Arc<dyn Gate>,
    options: Options,
) -> Result<Outcome, Error> {
    let signals = options.signals;
    let work = move || on_runtime(async { go_on(handed, gate, options).await });
    host::host(signals, work).map_err(system("start a thread"))?
}

async fn go_on(
    handed: Handed,
    gate: Arc<dyn Gate>,
    mut options: Options,
) -> Result<Outcome, Error> {
    let taken = system("take over its descriptors");
    let state = handed.state();
    let copy = |fd: &i32| Ok((*fd, upgrade::copy(*fd)?));
    let copies = state.descriptors.iter().map(copy).collect::<std::io::Result<Descriptors>>();
    let mut descriptors = copies.map_err(taken)?;
    let signals = options.signals;
    options.init |= state.init;
    options.stop_within = state.stop_within;
    let (parts, lock) = parts(state, &mut descriptors, signals, options.init)?;
    let because = handed.because().map(str::to_owned);
    options.guardian.clone_from(&state.guardian_command);
    options.token = state.token.clone().map(Secret::new);

    // There is no way back from here.
    let state = handed.take();
    parts.server.keep();
    let StackState { env, digest, generation, project, object, data, services } = state.stack;
    let stack = Stack { env, digest, generation, project, object, data, services, gate };
    let dir = RunDir::of(&stack.data);
    reap::become_subreaper();
    let stop = std::mem::take(&mut options.stop);
    let (mut manager, outside, inlets) = parts.assemble(stack, options, stop, dir.path());
    manager.reports.go_on(state.reports);
    manager.times.go_on(&state.times);
    for (name, unit_state) in state.units {
        let generation = manager.fleet.get(&name).map_or(0, |machine| machine.generation());
        if let Some(unit) = manager.units.get_mut(&name) {
            unit.unpack(unit_state, &mut descriptors, generation);
        }
    }
    if let Some(left) = state.guardian
        && let Some(pipe) = descriptors.remove(&left.pipe)
        && let Some(child) = reap::adopt(left.child.pid, left.child.start_time)
    {
        manager.guardian = Some(Guardian::adopt(pipe, child));
        manager.watch_guardian();
    } else if !(manager.init && init::is_first()) {
        manager.replace_guardian();
    }
    drop(descriptors);
    // Handlers stand: what came since the last program took signals is heard now.
    if signals {
        let _ = host::on_host(|| host::hold_signals(false)).await;
    }
    let mut upgrade = state.upgrade;
    upgrade.outcome = if because.is_some() { UpgradeOutcome::Failed } else { UpgradeOutcome::Done };
    upgrade.why = because;
    manager.upgrade = Some(upgrade.clone());
    manager.reports.tell(match upgrade.outcome {
        UpgradeOutcome::Done => Event::Upgraded(upgrade),
        _ => Event::NotUpgraded(upgrade),
    });
    manager.move_on();
    manager.write_lease();
    // Time went by: what fell due meanwhile is done first.
    let actions = manager.fleet.tick(manager.clock.moment());
    manager.perform(actions);
    drive(manager, outside, inlets, lock, &dir).await
}

/// Everything that can fail. Nothing of it does anything before it is put together.
fn parts(
    state: &State,
    descriptors: &mut Descriptors,
    signals: bool,
    init: bool,
) -> Result<(Parts, FileLock), Error> {
    let missing = || system("take over its descriptors")(std::io::ErrorKind::NotFound.into());
    let mut own = |fd: i32| descriptors.remove(&fd).ok_or_else(missing);
    let stack = &state.stack;
    let dir = RunDir::of(&stack.data);
    let control = own(state.control)?;
    let path = dir.path().join("control.sock");
    let server =
        Server::adopt(dir.path(), control).map_err(|source| Error::Control { path, source })?;
    let mut loopback = Vec::new();
    for (metrics, fd) in &state.loopback {
        let listener = Loopback::adopt(*metrics, own(*fd)?);
        loopback.push(listener.map_err(system("take over its listeners"))?);
    }
    let lock = own(state.lock)?;
    let logs = Logs::open(&stack.data, stack.services.iter().map(|(n, s)| (n, s.logs)))?;
    for (name, kept) in &state.logs {
        if let Some(log) = logs.get(name) {
            log.go_on(*kept);
        }
    }
    let desired = Desired::read(dir.path())?;
    let journal =
        JournalWriter::start(&stack.data, &state.mark).map_err(system("start a thread"))?;
    let lease = LeaseWriter::start(&dir).map_err(system("start a thread"))?;
    let surroundings = Surroundings::listen(signals, init)?;
    let parts = Parts {
        desired,
        clock: Clock::go_on(state.began),
        fleet: state.fleet.clone(),
        logs: Arc::new(logs),
        mark: RunMark::from_text(&state.mark),
        loopback,
        journal,
        groups: Arc::new(Groups::adopt(state.groups.clone())),
        guardian: None,
        server,
        lease,
        surroundings,
        sandboxes: Sandboxes::adopt(state.sandboxes.clone()),
        starting: None,
        wanted: state.wanted.clone(),
    };
    Ok((parts, FileLock::adopt(lock)))
}
