//! New rules for a machine that goes on.

use super::{Machine, Rules};

impl Machine {
    /// Takes new rules. They hold from now on; a stop that is under way keeps its time.
    pub fn set_rules(&mut self, rules: Rules) {
        self.rules = rules;
    }
}
