//! Handing the run over to another program in this process.
//!
//! Owns the order of it: asked for, quiet, outside closed, still, packed, executed; and the way back
//! from each step. Invariants: only one program waits at a time; whatever fails, the loop goes on as
//! if nothing had been asked, and says why.

use std::sync::Arc;
use std::time::Duration;

use super::outside::Outside;
use super::{Inlets, Manager, Turn};
use crate::fs::FileLock;
use crate::supervise::control::Refusal;
use crate::supervise::host;
use crate::supervise::lease::{LeaseWriter, Leased, RunDir};
use crate::supervise::state::Time;
use crate::supervise::status::{Event, Upgrade, UpgradeOutcome};
use crate::supervise::upgrade;
use crate::supervise::upgrade::check::Checked;
use crate::supervise::upgrade::state::{GuardianState, StackState, State};

/// How long a program may wait for a moment when nothing is under way.
const PATIENCE: Duration = Duration::from_secs(15);

/// How often it is looked whether that moment has come; what changes by itself is seen at once.
const LOOK: Duration = Duration::from_millis(20);

/// How long processes that look at services may take to end.
const STILL: Duration = Duration::from_secs(5);

type Reply = tokio::sync::oneshot::Sender<Result<Upgrade, Refusal>>;

/// A program that is to take over.
pub(super) struct Pending {
    program: Arc<Checked>,
    until: Time,
    /// Whoever asked, until it is certain that it will be tried.
    reply: Option<Reply>,
    upgrade: Upgrade,
}

impl Manager {
    /// A program is to take over.
    pub(super) fn ask_upgrade(&mut self, program: Checked, by: Option<u32>, reply: Reply) {
        let refused = if self.pending.is_some() {
            Some("another upgrade is under way")
        } else if self.fleet.is_stopping() {
            Some("the stack is stopping")
        } else if self.luggage.is_none() || host::current().is_none() {
            Some("this supervisor cannot be replaced")
        } else {
            None
        };
        if let Some(why) = refused {
            let _ = reply.send(Err(Refusal::new(why)));
            return;
        }
        let upgrade = Upgrade {
            number: self.upgrade.as_ref().map_or(0, |u| u.number) + 1,
            from: env!("CARGO_PKG_VERSION").to_owned(),
            to: program.version.clone(),
            program: program.path.clone(),
            outcome: UpgradeOutcome::UnderWay,
            why: None,
        };
        let by = by.map_or_else(String::new, |pid| format!("pid {pid} asked for "));
        let text = format!("{by}an upgrade to `{}`", upgrade.program.display());
        self.reports.tell(Event::Note { text });
        self.pending = Some(Pending {
            program: Arc::new(program),
            until: self.clock.now() + PATIENCE,
            reply: Some(reply),
            upgrade,
        });
    }

    /// What keeps another program from taking over now.
    fn busy_with(&self) -> Option<String> {
        for (name, machine) in self.fleet.iter() {
            if !machine.is_quiet() {
                return Some(format!("service `{name}` is {}", machine.state()));
            }
        }
        if let Some(unit) = self.units.values().find(|unit| unit.has_command()) {
            return Some(format!("a command of service `{}` runs", unit.name()));
        }
        if let Some(name) = self.gone.first() {
            return Some(format!("service `{name}` is being removed"));
        }
        let looking = self.sandboxes.is_looking();
        looking.then(|| "the services' sandboxes are being tried".to_owned())
    }

    /// Whether the loop is to be left for the program that waits.
    pub(super) fn is_time_to_hand_over(&self) -> Option<Turn> {
        let pending = self.pending.as_ref()?;
        if self.fleet.is_stopping() {
            return Some(Turn::Late("the stack is stopping".to_owned()));
        }
        match self.busy_with() {
            None => Some(Turn::Quiet),
            Some(why) if self.clock.now() >= pending.until => Some(Turn::Late(why)),
            Some(_) => None,
        }
    }

    /// When [`Self::is_time_to_hand_over`] has to be asked again.
    pub(super) fn next_look_at_quiet(&self) -> Option<Time> {
        self.pending.as_ref().map(|_| self.clock.now() + LOOK)
    }

    /// The program that waits does not take over.
    pub(super) fn refuse_upgrade(&mut self, why: String) {
        let Some(pending) = self.pending.take() else { return };
        match pending.reply {
            Some(reply) => {
                let text = format!("no upgrade: {why}");
                self.reports.tell(Event::Note { text });
                let hints = vec!["nothing was changed; try again in a moment".to_owned()];
                let _ = reply.send(Err(Refusal { error: format!("no upgrade: {why}"), hints }));
            }
            None => {
                let outcome = UpgradeOutcome::Failed;
                let upgrade = Upgrade { outcome, why: Some(why), ..pending.upgrade };
                self.upgrade = Some(upgrade.clone());
                self.reports.tell(Event::NotUpgraded(upgrade));
            }
        }
    }

    /// Hands over; returns only when that failed.
    pub(super) async fn hand_over(
        &mut self,
        inlets: &mut Inlets,
        outside: &mut Outside,
        lock: &FileLock,
        dir: &RunDir,
    ) {
        let Some(pending) = &mut self.pending else { return };
        let upgrade = pending.upgrade.clone();
        let reply = pending.reply.take();
        self.upgrade = Some(upgrade.clone());
        // The last event of every stream, and the answer to whoever asked, before all are closed.
        self.reports.tell(Event::Upgrading(upgrade.clone()));
        if let Some(reply) = reply {
            let _ = reply.send(Ok(upgrade));
        }
        let why = self.try_to_hand_over(inlets, outside, lock, dir).await;
        outside.reopen();
        // An end that was asked meanwhile, or nothing left to run, needs no words of an upgrade.
        self.refuse_upgrade(why);
    }

    async fn try_to_hand_over(
        &mut self,
        inlets: &mut Inlets,
        outside: &mut Outside,
        lock: &FileLock,
        dir: &RunDir,
    ) -> String {
        // What was asked before is answered, and done.
        loop {
            tokio::select! {
                biased;
                Some(ask) = inlets.asks.recv() => self.answer(ask),
                Some(news) = inlets.heard.recv() => self.hear(news),
                () = outside.close() => break,
            }
        }
        loop {
            match self.turn(inlets).await {
                Turn::End => return "nothing was left to run".to_owned(),
                Turn::Late(why) => return why,
                Turn::Quiet => {}
            }
            let still = async {
                for unit in self.units.values_mut() {
                    unit.be_still().await;
                }
            };
            let still = tokio::time::timeout(STILL, still).await;
            while let Ok(news) = inlets.heard.try_recv() {
                self.hear(news);
            }
            if still.is_err() {
                self.move_on();
                return "a command that looks at a service does not end".to_owned();
            }
            if self.busy_with().is_none() {
                break;
            }
            self.move_on();
        }
        for unit in self.units.values_mut() {
            unit.rest().await;
        }
        let why = self.execute(inlets, outside, lock, dir).await;
        self.move_on();
        why
    }

    /// Everything goes on in this program.
    pub(super) fn move_on(&mut self) {
        let gate = &self.stack.gate;
        for (name, unit) in &mut self.units {
            if let Some(machine) = self.fleet.get(name) {
                unit.go_on(machine.generation(), machine.go_on(), gate);
            }
        }
    }

    /// Writes everything down and executes the program; gives why that did not work.
    async fn execute(
        &mut self,
        inlets: &mut Inlets,
        outside: &mut Outside,
        lock: &FileLock,
        dir: &RunDir,
    ) -> String {
        if !outside.show_all().await {
            return "what the supervisor shows is not being read".to_owned();
        }
        self.reports.flush().await;
        self.lease.finish();
        let failed = self.replace(inlets, outside, lock).await;
        match LeaseWriter::start(dir) {
            Ok(lease) => self.lease = lease,
            Err(e) => {
                let text = format!("the lease is written no more: {e}");
                self.reports.tell(Event::Note { text });
            }
        }
        self.write_lease();
        failed
    }

    async fn replace(&mut self, inlets: &mut Inlets, outside: &Outside, lock: &FileLock) -> String {
        let Some(pending) = &self.pending else { return String::new() };
        let program = pending.program.clone();
        let state = self.pack(pending.upgrade.clone(), outside, lock);
        // From here on whoever asks for the end is heard by the next program.
        if host::on_host(|| host::hold_signals(true)).await.is_none() {
            return "this supervisor cannot be replaced".to_owned();
        }
        let failed = match inlets.signals.came(self.clock.now()) {
            Some(wish) => {
                self.obey(wish);
                "a signal came".to_owned()
            }
            None => {
                let failed = host::on_host(move || upgrade::execute(&program, &state)).await;
                let why = failed.map_or_else(String::new, |e| format!(": {e}"));
                format!("the program could not be executed{why}")
            }
        };
        let _ = host::on_host(|| host::hold_signals(false)).await;
        failed
    }

    fn pack(&self, upgrade: Upgrade, outside: &Outside, lock: &FileLock) -> State {
        let (luggage, mut descriptors) =
            self.luggage.as_ref().map(|luggage| luggage.pack()).unwrap_or_default();
        let mut units = std::collections::BTreeMap::new();
        for (name, unit) in &self.units {
            units.insert(name.clone(), unit.pack(&mut descriptors));
        }
        let (control, loopback) = outside.descriptors();
        let guardian = self.guardian.as_ref().map(|guardian| {
            let child = guardian.child();
            let child = Leased { pid: child.pid(), start_time: child.start() };
            GuardianState { pipe: guardian.descriptor(), child }
        });
        descriptors.extend([control, lock.descriptor()]);
        descriptors.extend(loopback.iter().map(|(_, fd)| *fd));
        descriptors.extend(guardian.iter().map(|guardian| guardian.pipe));
        let (format, version) = State::head();
        let stack = &self.stack;
        State {
            format,
            version,
            upgrade,
            gate: stack.gate.pack(),
            luggage,
            descriptors,
            stack: StackState {
                env: stack.env.clone(),
                digest: stack.digest.clone(),
                generation: stack.generation,
                project: stack.project.clone(),
                object: stack.object.clone(),
                data: stack.data.clone(),
                services: stack.services.clone(),
            },
            wanted: self.wanted.clone(),
            mark: self.mark.as_str().to_owned(),
            began: self.clock.began(),
            fleet: self.fleet.clone(),
            reports: self.reports.pack(),
            times: self.times.pack(),
            units,
            logs: self.logs.kept(),
            groups: self.groups.pack(),
            init: self.init,
            stop_within: self.stop_within,
            sandboxes: self.sandboxes.known(),
            guardian,
            guardian_command: self.guardian_command.clone(),
            lock: lock.descriptor(),
            control,
            loopback,
            token: self.token.as_ref().map(|token| token.expose().to_owned()),
        }
    }
}
