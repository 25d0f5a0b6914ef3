//! A project whose stack is tormented, and what the test remembers of it.

use std::collections::BTreeSet;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::Child;

use rustix::process::Signal;
use serde_json::Value;

use super::processes::{self, Process};
use super::{habits, socket};
use crate::machine::tools::faketime;
use crate::support::{Outcome, finish, signal, wait_for};
use crate::world::World;

/// What was done, for the figures.
#[derive(Debug, Default)]
pub(super) struct Counts {
    pub(super) events: u64,
    pub(super) kills: u64,
    pub(super) supervisors: u64,
    pub(super) guardians: u64,
    pub(super) looks: u64,
}

/// The stage.
pub(super) struct Stage {
    pub(super) world: World,
    pub(super) round: u64,
    /// Leaders that were killed, with the supervisor they had.
    pub(super) killed: Vec<(u32, String, u64)>,
    /// Marks of all runs so far.
    pub(super) runs: BTreeSet<String>,
    /// Supervisors and guardians that must be gone.
    pub(super) dead: Vec<Process>,
    /// Guardians of dead supervisors: they end when they have done their work.
    pub(super) dying: Vec<Process>,
    /// The first count of descriptors of a supervisor.
    pub(super) descriptors: Option<(u32, usize)>,
    pub(super) counts: Counts,
    library: Option<PathBuf>,
    rude: Vec<UnixStream>,
    running: Vec<Child>,
}

impl Stage {
    pub(super) fn new() -> Self {
        let stage = Self {
            world: habits::project(),
            round: 0,
            killed: Vec::new(),
            runs: BTreeSet::new(),
            dead: Vec::new(),
            dying: Vec::new(),
            descriptors: None,
            counts: Counts::default(),
            library: faketime(),
            rude: Vec::new(),
            running: Vec::new(),
        };
        stage.clock("+0");
        stage
    }

    pub(super) fn data(&self) -> PathBuf {
        self.world.env.project().join(".data")
    }

    pub(super) fn run(&self) -> PathBuf {
        self.data().join("run")
    }

    /// Sets the supervisor's wall clock, now and for later ones.
    pub(super) fn clock(&self, time: &str) {
        let file = self.world.env.root().join("clock");
        let new = self.world.env.root().join("clock.new");
        std::fs::write(&new, time).expect("write");
        std::fs::rename(new, file).expect("rename");
    }

    /// Starts `runtime up`; its supervisor reads its wall clock from a file.
    pub(super) fn begin_up(&self) -> Child {
        let mut command = self.world.env.command(["runtime", "up", "-q"]);
        if let Some(library) = &self.library {
            command
                .env("LD_PRELOAD", library)
                .env("FAKETIME_TIMESTAMP_FILE", self.world.env.root().join("clock"))
                .env("FAKETIME_NO_CACHE", "1")
                .env("FAKETIME_DONT_FAKE_MONOTONIC", "1")
                .env("NO_FAKE_STAT", "1");
        }
        command.spawn().expect("start")
    }

    /// `runtime up`. That some service is down is no surprise here; that no supervisor runs is.
    pub(super) fn up(&mut self) -> Outcome {
        let outcome = finish(self.begin_up());
        let fine = matches!(outcome.code, Some(0 | 1));
        assert!(fine, "up: {:?} {}", outcome.code, outcome.stderr);
        assert!(self.supervisor().is_some(), "no supervisor after `up`: {}", outcome.stderr);
        outcome
    }

    /// A command that goes on beside everything else.
    pub(super) fn begin(&mut self, args: &[&str]) {
        self.running.push(self.world.env.command(args).spawn().expect("start"));
    }

    /// Waits for the commands that were begun: none may hang, crash or say nothing.
    pub(super) fn join(&mut self) {
        for mut child in self.running.drain(..) {
            let id = child.id();
            let ended = || child.try_wait().expect("wait").is_some().then_some(());
            wait_for(&format!("the command {id} to end"), ended);
            let outcome = finish(child);
            let says = !outcome.stderr.is_empty() || !outcome.stdout.is_empty();
            let fine = matches!(outcome.code, Some(0 | 1)) && says;
            assert!(fine, "{:?} {:?} {}", outcome.code, outcome.signal, outcome.stderr);
        }
    }

    pub(super) fn status(&self) -> Option<Value> {
        let (code, status) = socket::ask(&self.run(), "GET", "/v1/status", "")?;
        (code == 200).then_some(status)
    }

    pub(super) fn supervisor(&self) -> Option<u32> {
        u32::try_from(self.status()?["supervisor"].as_u64()?).ok()
    }

    /// Asks for something over the socket; a refusal is fine, silence of a living supervisor is not.
    pub(super) fn ask(&self, verb: &str, body: &str) {
        socket::ask(&self.run(), "POST", &format!("/v1/{verb}"), body);
    }

    /// A client that is rude from now on; only so many at once.
    pub(super) fn add_rude(&mut self, client: Option<UnixStream>) {
        self.rude.extend(client);
        if self.rude.len() > 8 {
            self.rude.remove(0);
        }
    }

    /// Sends a signal to a service's leader, or to one of its children.
    pub(super) fn hit(&mut self, service: &str, number: Signal, child: Option<u64>) {
        let Some(status) = self.status() else { return };
        let services = status["services"].as_array().expect("services");
        let leader = services.iter().find(|s| s["name"] == service).and_then(|s| s["pid"].as_u64());
        let (Some(pid), Some(supervisor)) = (leader, status["supervisor"].as_u64()) else { return };
        let leader = u32::try_from(pid).expect("a pid");
        match child {
            None => {
                // Only while it is surely the same process.
                let Some(process) = Process::read(leader).filter(|p| !p.zombie) else { return };
                if process.mark.is_none_or(|(name, _)| name != service) {
                    return;
                }
                signal(leader, number);
                self.counts.kills += 1;
                if number == Signal::KILL {
                    let supervisor = u32::try_from(supervisor).expect("a pid");
                    self.killed.push((supervisor, service.to_owned(), pid));
                }
            }
            Some(which) => {
                let all = processes::all();
                let mine = |p: &&Process| p.child_of == Some(leader) && !p.zombie;
                let children: Vec<_> = all.iter().filter(mine).collect();
                if !children.is_empty() {
                    let at = usize::try_from(which).expect("small") % children.len();
                    signal(children[at].pid, number);
                    self.counts.kills += 1;
                }
            }
        }
    }

    /// Kills the supervisor, its guardian or both, so that none of them sees the other go first.
    pub(super) fn kill(&mut self, supervisor: bool, guardian: bool) {
        let Some(pid) = self.supervisor() else { return };
        let all = processes::all();
        let guardians = processes::guardians(&all, pid);
        let mut victims: Vec<Process> = Vec::new();
        if supervisor {
            victims.extend(all.iter().filter(|p| p.pid == pid).cloned());
        }
        if guardian {
            victims.extend(guardians);
        } else {
            self.dying.extend(guardians);
        }
        for number in [Signal::STOP, Signal::KILL] {
            victims.iter().for_each(|victim| signal(victim.pid, number));
        }
        self.counts.supervisors += u64::from(supervisor);
        self.counts.guardians += u64::from(guardian);
        for victim in &victims {
            wait_for("its end", || (!victim.lives()).then_some(()));
        }
        self.dead.extend(victims);
    }
}
