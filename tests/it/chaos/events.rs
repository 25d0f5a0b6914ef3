//! What happens to the stack: chosen by chance, carried out without waiting where that is possible.

use rustix::process::Signal;

use super::habits::{self, NAMES};
use super::invariants;
use super::socket;
use super::stage::Stage;
use crate::crashes::random::Random;
use crate::support::{finish, signal};

/// One event.
#[derive(Clone, Debug)]
pub(super) enum Event {
    /// A signal to a leader.
    Leader(&'static str, Signal),
    /// A signal to some child of a leader.
    Child(&'static str, Signal, u64),
    /// Stopped for a moment, and woken.
    Pause(&'static str),
    /// Stopped, and asked to end while it cannot.
    PauseAndStop(&'static str),
    /// A verb over the socket.
    Ask(&'static str, &'static str),
    /// A verb for all services.
    AskAll(&'static str),
    /// Commands at once.
    Commands([(&'static str, &'static str); 3]),
    /// Another profile, applied by a command.
    Apply,
    /// Another profile, taken up by `runtime watch`.
    Watch,
    /// SIGKILL of the supervisor (first), of its guardian (second), and `up`.
    Kill(bool, bool),
    /// `up` twice at once after SIGKILL of the supervisor.
    TwoUps,
    /// The wall clock jumps.
    Clock(&'static str),
    /// `down` and `up`.
    DownUp,
    /// Two `down` at once, then `up`.
    TwoDowns,
    /// A client that does not end its request.
    Stall,
    /// A client that does not read.
    DeafReader,
}

const VERBS: [&str; 4] = ["stop", "start", "restart", "reload"];
const CLOCKS: [&str; 4] = ["+0", "+365d", "-365d", "+1h"];

impl Event {
    /// The next one.
    pub(super) fn draw(random: &mut Random) -> Self {
        let service = pick(random, &NAMES);
        match random.below(100) {
            0..22 => {
                Self::Leader(service, pick(random, &[Signal::KILL, Signal::TERM, Signal::ABORT]))
            }
            22..32 => Self::Child(
                pick(random, &["storm", "escapes", "regroups", "holder"]),
                pick(random, &[Signal::KILL, Signal::STOP]),
                random.below(64),
            ),
            32..36 => Self::Pause(service),
            36..38 => Self::PauseAndStop(pick(random, &["deaf", "storm"])),
            38..58 => Self::Ask(pick(random, &VERBS), service),
            58..60 => Self::AskAll(pick(random, &["restart", "start", "reload"])),
            60..66 => {
                Self::Commands([(); 3].map(|()| (pick(random, &VERBS), pick(random, &NAMES))))
            }
            66..72 => Self::Apply,
            72..74 => Self::Watch,
            74..78 => Self::Kill(true, false),
            78..82 => Self::Kill(false, true),
            82..85 => Self::Kill(true, true),
            85..87 => Self::TwoUps,
            87..92 => Self::Clock(pick(random, &CLOCKS)),
            92..94 => Self::DownUp,
            94..95 => Self::TwoDowns,
            95..98 => Self::Stall,
            _ => Self::DeafReader,
        }
    }

    pub(super) fn happen(&self, stage: &mut Stage) {
        stage.counts.events += 1;
        match *self {
            Self::Leader(service, number) => stage.hit(service, number, None),
            Self::Child(service, number, which) => stage.hit(service, number, Some(which)),
            Self::Pause(service) => {
                stage.hit(service, Signal::STOP, None);
                stage.status();
                stage.hit(service, Signal::CONT, None);
            }
            Self::PauseAndStop(service) => {
                stage.hit(service, Signal::STOP, None);
                stage.ask("stop", &body(service));
            }
            Self::Ask(verb, service) => stage.ask(verb, &body(service)),
            Self::AskAll(verb) => stage.ask(verb, "{}"),
            Self::Commands(commands) => {
                for (verb, service) in commands {
                    stage.begin(&["runtime", verb, service]);
                }
            }
            Self::Apply => {
                next_round(stage);
                stage.begin(&["runtime", "restart", "--changed"]);
                stage.join();
            }
            Self::Watch => watch(stage),
            Self::Kill(supervisor, guardian) => {
                stage.kill(supervisor, guardian);
                if supervisor {
                    stage.up();
                    invariants::nothing_old(stage);
                }
            }
            Self::TwoUps => {
                stage.kill(true, false);
                let both = [stage.begin_up(), stage.begin_up()].map(finish);
                let said = both.each_ref().map(|outcome| &outcome.stderr);
                assert!(both.iter().all(|o| matches!(o.code, Some(0 | 1))), "{said:?}");
                let one = stage.supervisor();
                assert!(one.is_some(), "none of two `up` left a supervisor: {said:?}");
                invariants::nothing_old(stage);
            }
            Self::Clock(time) => stage.clock(time),
            Self::DownUp => {
                down(stage);
                stage.up();
            }
            Self::TwoDowns => {
                let both = [(); 2].map(|()| stage.world.env.command(["runtime", "down"]).spawn());
                for child in both {
                    let outcome = finish(child.expect("start"));
                    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
                }
                invariants::nothing_left(stage);
                stage.up();
            }
            Self::Stall => stage.add_rude(socket::stall(&stage.run())),
            Self::DeafReader => stage.add_rude(socket::deaf_reader(&stage.run())),
        }
    }
}

/// Ends the stack in order, and looks whether anything is left.
pub(super) fn down(stage: &mut Stage) {
    let outcome = stage.world.env.infra(["runtime", "down"]);
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    invariants::nothing_left(stage);
}

fn next_round(stage: &mut Stage) {
    stage.round += 1;
    let profile = habits::profile(stage.round);
    stage.world.profiles(&profile);
}

fn watch(stage: &mut Stage) {
    let before = stage.status().map(|status| status["generation"].clone());
    let watcher = stage.world.env.command(["runtime", "watch"]).spawn().expect("start");
    next_round(stage);
    let applied = || {
        let now = stage.status().map(|status| status["generation"].clone());
        (now != before).then_some(())
    };
    crate::support::wait_for("the watcher to apply a profile", applied);
    signal(watcher.id(), Signal::INT);
    finish(watcher);
}

fn body(service: &str) -> String {
    format!("{{\"services\":[\"{service}\"]}}")
}

fn pick<T: Copy>(random: &mut Random, all: &[T]) -> T {
    let at = random.below(all.len() as u64);
    all[usize::try_from(at).expect("small")]
}
