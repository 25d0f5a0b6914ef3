//! `schedule`: whether a text is one.
//!
//! Only the grammar; when a task is due is the supervisor's.

use cronexpr::{FallbackTimezoneOption, ParseOptions, parse_crontab_with};

/// Five fields as in crontab(5), in UTC unless a sixth names a time zone.
pub(super) fn check(text: &str) -> Result<(), String> {
    let mut options = ParseOptions::default();
    options.fallback_timezone_option = FallbackTimezoneOption::UTC;
    match parse_crontab_with(text, options) {
        Ok(_) => Ok(()),
        // Its message draws the place over several lines; the last says what is wrong there.
        Err(e) => {
            let text = e.to_string();
            let last = text.lines().last().unwrap_or_default().trim_start_matches([' ', '^']);
            Err(last.split(';').next().unwrap_or_default().to_owned())
        }
    }
}
