//! Stories of services, told in words.

use super::*;
use crate::base::EnvName;
use crate::supervise::status::{Action, Event, Exit, Record, StackInfo};

fn name(text: &str) -> ServiceName {
    ServiceName::new(text).unwrap()
}

/// Records with the time counted in seconds from the start of 2026.
#[derive(Default)]
struct Story(Vec<Record>);

impl Story {
    fn begin() -> Self {
        let services =
            [(name("nats"), vec![]), (name("web"), vec![name("nats")]), (name("spare"), vec![])];
        let info = StackInfo {
            env: EnvName::new("dev").unwrap(),
            digest: "sha256-x".into(),
            generation: 4,
            supervisor: 77,
            services: services.into(),
        };
        Self::default().at(0, Event::Begin(info))
    }

    fn at(mut self, second: u64, event: Event) -> Self {
        let at = format!("2026-01-01T00:{:02}:{:02}.000Z", second / 60, second % 60);
        let seq = self.0.len() as u64 + 1;
        self.0.push(Record { seq, at, run: "1.1".into(), event });
        self
    }

    fn change(self, second: u64, service: &str, from: State, to: State, why: Cause) -> Self {
        let change = StateChange {
            service: name(service),
            from,
            to,
            why,
            pid: matches!(to, State::Ready).then_some(4711),
            retry_ms: matches!(to, State::Backoff).then_some(6000),
            at_ms: second * 1000,
            start: 1,
            exit: None,
            ready_ms: matches!(to, State::Ready).then_some(15),
            waits_for: Vec::new(),
        };
        self.at(second, Event::State(change))
    }

    fn why(&self, running: bool, service: &str, second: u64) -> Option<Why> {
        let now: Timestamp =
            format!("2026-01-01T00:{:02}:{:02}Z", second / 60, second % 60).parse().unwrap();
        let words = |n: &ServiceName| vec![format!("last words of {n}")];
        explain(&History::of(&self.0), running, &name(service), now, &words)
    }
}

fn crash() -> Cause {
    Cause::Exited(Exit::Code(1))
}

fn crashing() -> Story {
    let mut story = Story::begin()
        .change(1, "web", State::Stopped, State::Waiting, Cause::Boot)
        .change(1, "nats", State::Stopped, State::Starting, Cause::Boot);
    for second in [2, 4, 8] {
        story = story.change(second, "nats", State::Starting, State::Backoff, crash()).change(
            second + 1,
            "nats",
            State::Backoff,
            State::Starting,
            Cause::Retry,
        );
    }
    story.change(10, "nats", State::Starting, State::Backoff, crash())
}

#[test]
fn a_chain_is_explained_to_its_end() {
    let why = crashing().why(true, "web", 12).unwrap();
    assert_eq!(why.state, Some(State::Waiting));
    assert_eq!(why.because, ["web is waiting since 2026-01-01T00:00:01.000Z (11 s ago): for nats"]);
    let [nats] = why.waits_for.as_slice() else { panic!("{why:?}") };
    assert_eq!(
        nats.because,
        ["nats is in backoff since 2026-01-01T00:00:10.000Z (2 s ago): \
          it ended by itself with exit code 1, 4 times; next try in 4 s"]
    );
    assert_eq!(nats.log, ["last words of nats"]);
    assert!(why.log.is_empty(), "it has said nothing itself");
}

#[test]
fn an_end_without_a_word_and_an_end_that_was_asked() {
    let killed = crashing().why(false, "nats", 60).unwrap();
    assert_eq!(killed.because.len(), 2, "{killed:?}");
    assert!(killed.because[0].contains("without a word after 2026-01-01T00:00:10.000Z"));
    assert!(killed.because[1].starts_with("nats was in backoff from "), "{killed:?}");
    assert!(!killed.because[1].contains("next try"));

    let down = Event::Asked { action: Action::Down, services: vec![], by: Some(9) };
    let ended = crashing().at(20, down).at(21, Event::End { asked: true });
    let ended = ended.why(false, "nats", 81).unwrap();
    assert_eq!(
        ended.because[0],
        "no supervisor runs: pid 9 asked the last one to end, which it did 60 s ago"
    );
}

#[test]
fn ready_stopped_by_hand_never_started_and_unknown() {
    let stop = Event::Asked { action: Action::Stop, services: vec![name("web")], by: Some(5) };
    let story = crashing()
        .change(11, "nats", State::Backoff, State::Starting, Cause::Retry)
        .change(12, "nats", State::Starting, State::Ready, Cause::Ready)
        .at(13, stop)
        .change(13, "web", State::Waiting, State::Stopped, Cause::StopAsked);
    let nats = story.why(true, "nats", 14).unwrap();
    assert_eq!(
        nats.because,
        [
            "nats is ready since 2026-01-01T00:00:12.000Z (2 s ago) with pid 4711, 15 ms after its start",
            "it was started 3 s ago: trying again"
        ]
    );
    assert!(nats.log.is_empty());
    let web = story.why(true, "web", 14).unwrap();
    assert!(web.because[0].ends_with("pid 5 asked for `stop`"), "{web:?}");
    let spare = story.why(true, "spare", 14).unwrap();
    assert_eq!(
        (spare.state, spare.because[0].as_str()),
        (None, "spare was never started in this run")
    );
    assert_eq!(story.why(true, "nobody", 14), None);
}

#[test]
fn failures_before_a_long_ready_time_do_not_count() {
    let story = crashing().change(12, "nats", State::Starting, State::Ready, Cause::Ready).change(
        80,
        "nats",
        State::Ready,
        State::Backoff,
        crash(),
    );
    let nats = story.why(true, "nats", 80).unwrap();
    assert!(
        nats.because[0].contains("it ended by itself with exit code 1; next try in 6 s"),
        "{nats:?}"
    );
}
