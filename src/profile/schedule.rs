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
        // Its message draws the place with several lines; the first says what is wrong.
        Err(e) => {
            let text = e.to_string();
            let line = text.lines().map(str::trim).find(|l| !l.is_empty());
            Err(line.unwrap_or("it is no schedule").to_owned())
        }
    }
}
