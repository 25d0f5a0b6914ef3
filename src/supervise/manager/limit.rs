//! Saying what a limited end has cut short, and what an init lacks.

use std::time::Duration;

use super::Manager;
use crate::base::ServiceName;
use crate::supervise::init;
use crate::supervise::status::Event;

impl Manager {
    /// Ends all in order within a time; what was said at the start counts when it is shorter.
    pub(super) fn stop_in(&mut self, limit: Option<Duration>) {
        self.stop();
        if let Some(limit) = limit {
            let actions = self.fleet.stop_within(self.clock.moment(), limit);
            self.perform(actions);
        }
    }

    /// A service is killed: says so by name when that is because of the limit.
    pub(super) fn say_if_cut(&mut self, name: &ServiceName) {
        let machine = self.fleet.get(name);
        let Some((had, own)) = machine.and_then(|m| m.cut_short(self.clock.now())) else { return };
        let text = format!(
            "{name} is killed after {} of the {} that it may take to end: all has to be over in time",
            shown(had),
            shown(own)
        );
        if let Some(unit) = self.units.get(name) {
            unit.note(&text);
        }
        self.reports.tell(Event::Note { text });
    }

    pub(super) fn say_what_lacks(&mut self) {
        for text in init::lacking() {
            self.reports.tell(Event::Note { text });
        }
    }
}

fn shown(time: Duration) -> String {
    match time.as_millis() {
        ms if ms < 1_000 => format!("{ms} ms"),
        _ if time.subsec_millis() == 0 => format!("{} s", time.as_secs()),
        _ => format!("{:.1} s", time.as_secs_f64()),
    }
}
