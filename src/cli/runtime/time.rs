//! Points in time as people write them on the command line.
//!
//! Owns their grammar: RFC 3339, a date with or without a time of day (then in UTC, as logs have
//! it), or a length of time, which is that long ago.

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

/// Reads a point in time.
pub(super) fn parse(text: &str) -> Result<Timestamp, String> {
    const RULE: &str = "a time such as 2026-11-24T07:43:16Z or 2026-11-24, or a while such as 90s, \
                        10m, 2h, 1d";
    if let Ok(time) = text.parse::<Timestamp>() {
        return Ok(time);
    }
    if let Ok(time) = text.parse::<DateTime>() {
        return TimeZone::UTC.to_timestamp(time).map_err(|_| RULE.to_owned());
    }
    let past = ago(text).and_then(|ago| Timestamp::now().checked_sub(ago).ok());
    past.ok_or_else(|| RULE.to_owned())
}

/// The sum of numbers with units: `1h30m`.
fn ago(text: &str) -> Option<SignedDuration> {
    let mut sum = SignedDuration::ZERO;
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let number: i64 = rest[..digits].parse().ok()?;
        rest = &rest[digits..];
        let letters = rest.bytes().take_while(u8::is_ascii_alphabetic).count();
        let ms = match &rest[..letters] {
            "ms" => 1,
            "s" => 1_000,
            "m" | "min" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            "w" => 7 * 86_400_000,
            _ => return None,
        };
        rest = &rest[letters..];
        sum = sum.checked_add(SignedDuration::from_millis(number.checked_mul(ms)?))?;
    }
    (!text.is_empty()).then_some(sum)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn times_and_lengths() {
        let at = |t: &str| parse(t).unwrap().as_millisecond();
        assert_eq!(at("2026-01-02T03:04:05.678Z"), 1_767_323_045_678);
        assert_eq!(at("2026-01-02T04:04:05.678+01:00"), 1_767_323_045_678);
        assert_eq!(at("2026-01-02T03:04"), 1_767_323_040_000);
        assert_eq!(at("2026-01-02"), 1_767_312_000_000);
        assert_eq!(ago("1h30m"), Some(SignedDuration::from_mins(90)));
        assert_eq!(ago("500ms"), Some(SignedDuration::from_millis(500)));
        assert_eq!(ago("2d"), Some(SignedDuration::from_hours(48)));
        for bad in [
            "",
            "10",
            "m",
            "1y",
            "soon",
            "-1h",
            "1h ",
            "99999999999999999999d",
            "9999999999999999w",
        ] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn never_panics(s in "\\PC{0,20}") {
            let _ = parse(&s);
        }
    }
}
