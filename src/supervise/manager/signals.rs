//! Signals that the supervisor gets: what each means, and what it leads to.
//!
//! | signal | meaning |
//! |---|---|
//! | SIGTERM, SIGINT, SIGQUIT | end in order; a second one: at once |
//! | SIGHUP | end in order; of an init: reload |
//! | SIGPWR, `SIGRTMIN+3` | of an init: end in order |
//! | SIGUSR1, SIGUSR2, SIGWINCH | passed on to the services that ask for them |
//!
//! Invariant: nothing but a second signal of a person or an engine ends services at once. A signal
//! that arrives twice in the same moment, as `timeout` and some wrappers send it, is one.

use std::io;
use std::time::Duration;

use tokio::signal::unix::Signal;

use super::Manager;
use crate::base::ServiceName;
use crate::supervise::init::{self, HALT};
use crate::supervise::state::{Input, Time};
use crate::supervise::status::{Action as Deed, Event, signal_name};

/// How far apart two signals are that mean more than one.
const APART: Duration = Duration::from_millis(250);

/// Those that are passed on.
const PASSED_ON: [i32; 3] = [libc::SIGUSR1, libc::SIGUSR2, libc::SIGWINCH];

/// What a signal asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wish {
    Stop,
    Kill,
    Reload,
    PassOn(i32),
    Nothing,
}

/// What signals mean, given those that came before.
#[derive(Clone, Copy, Debug, Default)]
struct Meaning {
    init: bool,
    /// When the first one asked for the end.
    first: Option<Time>,
    interrupted: bool,
}

impl Meaning {
    fn of(&mut self, number: i32, now: Time) -> Wish {
        match number {
            libc::SIGTERM | libc::SIGINT | libc::SIGQUIT => {
                let again = self.first.is_some_and(|first| now >= first + APART);
                // Keys are pressed by a person: the second one is meant.
                let key = number == libc::SIGINT && self.interrupted;
                self.interrupted |= number == libc::SIGINT;
                self.first.get_or_insert(now);
                if again || key { Wish::Kill } else { Wish::Stop }
            }
            libc::SIGHUP if self.init => Wish::Reload,
            // A closed terminal may send more than one; it never means "at once".
            libc::SIGHUP => Wish::Stop,
            number if HALT.contains(&number) => Wish::Stop,
            number if PASSED_ON.contains(&number) => Wish::PassOn(number),
            _ => Wish::Nothing,
        }
    }
}

/// The signals that are listened to.
pub(super) struct Signals {
    listening: Vec<(i32, Signal)>,
    meaning: Meaning,
}

impl Signals {
    /// Installs handlers, `really` or not at all.
    pub(super) fn listen(really: bool, init: bool) -> io::Result<Self> {
        let usual = [libc::SIGTERM, libc::SIGINT, libc::SIGQUIT, libc::SIGHUP];
        let mut numbers: Vec<i32> = usual.into_iter().chain(PASSED_ON).collect();
        if init {
            numbers.extend(HALT);
        }
        let listening = init::listen(numbers.into_iter().filter(|_| really))?;
        if really {
            init::take_over();
        }
        Ok(Self { listening, meaning: Meaning { init, ..Meaning::default() } })
    }

    /// What the next one asks for. Cancelling loses nothing.
    pub(super) async fn next(&mut self, now: impl Fn() -> Time) -> Wish {
        let number = init::next(&mut self.listening).await;
        self.meaning.of(number, now())
    }
}

impl Signals {
    /// What one that came and was not taken yet asks for; it is taken with this.
    pub(super) fn came(&mut self, now: Time) -> Option<Wish> {
        use std::task::{Context, Poll, Waker};
        let next = std::pin::pin!(self.next(|| now));
        match next.poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(wish) => Some(wish),
            Poll::Pending => None,
        }
    }
}

impl Manager {
    pub(super) fn obey(&mut self, wish: Wish) {
        match wish {
            Wish::Stop => self.stop(),
            Wish::Kill => self.kill(),
            Wish::Reload => self.reload_all(),
            Wish::PassOn(number) => self.pass_on(number),
            Wish::Nothing => {}
        }
    }

    /// Reloads what can be reloaded.
    fn reload_all(&mut self) {
        let can = |(n, s): (&ServiceName, &crate::supervise::spec::ServiceSpec)| {
            s.reload.is_some().then(|| n.clone())
        };
        let names: Vec<ServiceName> = self.stack.services.iter().filter_map(can).collect();
        if names.is_empty() {
            let text = "SIGHUP: no service has a `reload`".to_owned();
            self.reports.tell(Event::Note { text });
            return;
        }
        let event = Event::Asked { action: Deed::Reload, services: names.clone(), by: None };
        self.reports.tell(event);
        let actions = self.fleet.ask(self.clock.moment(), &names, &Input::Reload);
        self.perform(actions);
    }

    /// To the main process of each service that asks for it.
    fn pass_on(&mut self, number: i32) {
        let name = signal_name(number).unwrap_or("a signal");
        let mut asked = false;
        for unit in self.units.values().filter(|u| u.spec().forward_signals.contains(&number)) {
            asked = true;
            if let Some(child) = unit.child() {
                child.signal_alone(number);
                unit.note(&format!("{name} was passed on to it"));
            }
        }
        // A terminal that changes its size says so often, and to everybody.
        if !asked && number != libc::SIGWINCH {
            let text = format!("{name}: no service has it among its `forward-signals`");
            self.reports.tell(Event::Note { text });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(ms: u64) -> Time {
        Time::from_millis(ms)
    }

    #[test]
    fn a_second_one_means_at_once_unless_it_is_the_same() {
        let (term, int, quit) = (libc::SIGTERM, libc::SIGINT, libc::SIGQUIT);
        for (signals, last) in [
            ([(term, 0), (term, 3)], Wish::Stop),
            ([(term, 0), (term, 250)], Wish::Kill),
            ([(int, 0), (int, 40)], Wish::Kill),
            ([(int, 0), (term, 40)], Wish::Stop),
            ([(quit, 0), (term, 5_000)], Wish::Kill),
            ([(libc::SIGHUP, 0), (libc::SIGHUP, 5_000)], Wish::Stop),
            ([(libc::SIGHUP, 0), (term, 5_000)], Wish::Stop),
        ] {
            let mut meaning = Meaning::default();
            let [(first, at), (second, then)] = signals;
            assert_eq!(meaning.of(first, ms(at)), Wish::Stop);
            assert_eq!(meaning.of(second, ms(then)), last, "{signals:?}");
        }
    }

    #[test]
    fn an_init_reloads_and_halts() {
        let mut plain = Meaning::default();
        let mut init = Meaning { init: true, ..Meaning::default() };
        assert_eq!(plain.of(libc::SIGHUP, ms(0)), Wish::Stop);
        assert_eq!(init.of(libc::SIGHUP, ms(0)), Wish::Reload);
        for number in HALT {
            assert_eq!(init.of(number, ms(9_000)), Wish::Stop);
            assert_eq!(init.of(number, ms(19_000)), Wish::Stop, "an engine repeats itself");
        }
        assert_eq!(init.of(libc::SIGUSR1, ms(0)), Wish::PassOn(libc::SIGUSR1));
        assert_eq!(init.of(libc::SIGALRM, ms(0)), Wish::Nothing);
    }
}
