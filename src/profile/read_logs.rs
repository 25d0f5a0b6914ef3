//! `[logs]` and `logs` of a service: how much of services' output is kept.
//!
//! What a service says counts before what the profile says, key by key. Refuses sizes in which no
//! line would have room. Numbers that nobody gives are the supervisor's to know.

use super::error::Result;
use super::model::Logs;
use super::node::Node;
use super::policy;

/// The smallest file: room for the longest piece of a line.
const LEAST: u64 = 128 * 1024;
/// Files beside the current one.
const MOST: i64 = 10_000;

pub(super) fn logs(node: &Node<'_>) -> Result<Logs> {
    let mut fields = node.fields("a table", &["size", "age", "keep", "compress"])?;
    let mut out = Logs::default();
    if let Some(n) = fields.take("size") {
        let text = n.text("a size such as \"10MiB\"")?;
        out.size = Some(size(text).map_err(|why| n.bad(why, None, "not a size"))?);
    }
    if let Some(n) = fields.take("age") {
        let text = n.text("an age such as \"1d\"")?;
        out.age = Some(policy::age(text).map_err(|why| n.bad(why, None, "not an age"))?);
    }
    if let Some(n) = fields.take("keep") {
        let number = n.as_integer().ok_or_else(|| n.wrong_type("a number of files", None))?;
        let fits = (0..=MOST).contains(&number).then(|| u32::try_from(number).ok()).flatten();
        let why = format!("it must be from 0 to {MOST}");
        out.keep = Some(fits.ok_or_else(|| n.bad(why, None, "out of range"))?);
    }
    if let Some(n) = fields.take("compress") {
        out.compress = Some(n.as_boolean().ok_or_else(|| n.wrong_type("true or false", None))?);
    }
    Ok(out)
}

/// A size: a whole number with `KiB`, `MiB` or `GiB`.
fn size(text: &str) -> Result<u64, String> {
    const RULE: &str = "a size is a whole number with `KiB`, `MiB` or `GiB`, e.g. `10MiB`";
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let number: u64 = number.parse().map_err(|_| RULE.to_owned())?;
    let unit = match unit {
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1u64 << 30,
        _ => return Err(RULE.to_owned()),
    };
    match number.checked_mul(unit) {
        Some(bytes) if bytes < LEAST => Err("it must be at least 128KiB".to_owned()),
        Some(bytes) if bytes <= 1 << 50 => Ok(bytes),
        _ => Err("it is larger than any disk".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn sizes() {
        assert_eq!(size("10MiB"), Ok(10 << 20));
        assert_eq!(size("1GiB"), Ok(1 << 30));
        for bad in ["", "10", "MiB", "1KiB", "10 MiB", "1.5MiB", "10MB", "99999999999GiB", "-1MiB"]
        {
            assert!(size(bad).is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn never_panics(s in "\\PC{0,20}") {
            let _ = size(&s);
        }
    }
}
