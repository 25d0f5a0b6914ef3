//! Durations as profiles write them: `500ms`, `10s`, `2m`, `1h`.

use std::time::Duration;

/// Reads a whole number with a unit.
///
/// # Errors
/// What is wrong with it, in words; zero and more than a day are refused.
pub fn parse(text: &str) -> Result<Duration, String> {
    const RULE: &str = "a duration is a whole number with `ms`, `s`, `m` or `h`, e.g. `10s`";
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let number: u64 = number.parse().map_err(|_| RULE.to_owned())?;
    let unit = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => return Err(RULE.to_owned()),
    };
    match number.checked_mul(unit) {
        Some(0) => Err("it must be longer than nothing".to_owned()),
        Some(ms) if ms <= 24 * 3_600_000 => Ok(Duration::from_millis(ms)),
        _ => Err("it must be at most a day".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn rule() {
        assert_eq!(parse("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(parse("2m"), Ok(Duration::from_secs(120)));
        for bad in ["", "10", "s", "0s", "-1s", "1.5s", "25h", "10 s", "99999999999999999999h"] {
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
