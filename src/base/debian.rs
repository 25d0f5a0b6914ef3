//! Debian's version numbers: their order, and the release that a requirement sees in them.
//!
//! Reference: Debian Policy 5.6.12 and deb-version(7): `[epoch:]upstream[-revision]`, where `~`
//! sorts before everything, even the end. A requirement is about the upstream release: epoch and
//! revision decide which of two packages of one release is newer, not which release it is.

use std::cmp::Ordering;

/// Compares two versions as dpkg does.
pub(super) fn cmp(a: &str, b: &str) -> Ordering {
    let (a, b) = (Parts::of(a), Parts::of(b));
    a.epoch
        .cmp(&b.epoch)
        .then_with(|| compare(a.upstream, b.upstream))
        .then_with(|| compare(a.revision, b.revision))
}

/// The release: up to three numbers; a candidate (`~rc1`, `~beta2`) is a pre-release of it, every
/// other suffix (`+dfsg`, `~ds`, `~git…`) only says how it was packed.
pub(super) fn release(text: &str) -> Option<semver::Version> {
    let known = |b: u8| b.is_ascii_alphanumeric() || b".+-:~".contains(&b);
    if text.len() > 64 || !text.bytes().all(known) || text.matches(':').count() > 1 {
        return None;
    }
    if let Some((epoch, _)) = text.split_once(':')
        && (epoch.is_empty() || epoch.len() > 9 || !epoch.bytes().all(|b| b.is_ascii_digit()))
    {
        return None;
    }
    let upstream = Parts::of(text).upstream;
    let mut numbers = [0u64; 3];
    let mut rest = upstream;
    for (at, number) in numbers.iter_mut().enumerate() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        if digits == 0 {
            // The first must be there (Policy: an upstream version starts with a digit).
            if at == 0 {
                return None;
            }
            break;
        }
        *number = rest[..digits].parse().ok()?;
        rest = &rest[digits..];
        match rest.strip_prefix('.') {
            Some(next) if next.starts_with(|c: char| c.is_ascii_digit()) => rest = next,
            _ => break,
        }
    }
    let mut version = semver::Version::new(numbers[0], numbers[1], numbers[2]);
    if let Some((_, word)) = upstream.split_once('~') {
        let word: String = word.chars().take_while(char::is_ascii_alphanumeric).collect();
        let name = word.trim_end_matches(|c: char| c.is_ascii_digit()).to_ascii_lowercase();
        if ["a", "alpha", "b", "beta", "dev", "pre", "rc"].contains(&name.as_str()) {
            let number = word[name.len()..].trim_start_matches('0');
            let pre = if number.is_empty() { name } else { format!("{name}.{number}") };
            version.pre = semver::Prerelease::new(&pre).ok()?;
        }
    }
    Some(version)
}

struct Parts<'a> {
    epoch: u64,
    upstream: &'a str,
    revision: &'a str,
}

impl<'a> Parts<'a> {
    fn of(text: &'a str) -> Self {
        let (epoch, rest) = text.split_once(':').unwrap_or(("0", text));
        let (upstream, revision) = rest.rsplit_once('-').unwrap_or((rest, ""));
        Self { epoch: epoch.parse().unwrap_or(0), upstream, revision }
    }
}

/// Alternates between what is no digits, compared by [`weight`], and numbers.
fn compare(mut a: &str, mut b: &str) -> Ordering {
    while !a.is_empty() || !b.is_empty() {
        let (word_a, word_b) = (text(&mut a), text(&mut b));
        let (mut left, mut right) = (word_a.bytes(), word_b.bytes());
        loop {
            let (x, y) = (left.next(), right.next());
            let order = weight(x).cmp(&weight(y));
            if order != Ordering::Equal {
                return order;
            }
            if x.is_none() && y.is_none() {
                break;
            }
        }
        let (number_a, number_b) = (number(&mut a), number(&mut b));
        let order = number_a.len().cmp(&number_b.len()).then_with(|| number_a.cmp(number_b));
        if order != Ordering::Equal {
            return order;
        }
    }
    Ordering::Equal
}

/// `~` before the end, the end before letters, letters before the rest.
fn weight(byte: Option<u8>) -> i32 {
    match byte {
        Some(b'~') => -1,
        None => 0,
        Some(b) if b.is_ascii_alphabetic() => i32::from(b),
        Some(b) => i32::from(b) + 256,
    }
}

/// Takes everything before the next digit.
fn text<'a>(rest: &mut &'a str) -> &'a str {
    let end = rest.find(|c: char| c.is_ascii_digit()).unwrap_or(rest.len());
    let (head, tail) = rest.split_at(end);
    *rest = tail;
    head
}

/// Takes the digits, and drops leading zeros.
fn number<'a>(rest: &mut &'a str) -> &'a str {
    let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    let (head, tail) = rest.split_at(end);
    *rest = tail;
    head.trim_start_matches('0')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn order_of_the_policy() {
        let sorted = [
            "0~20230101-1",
            "0.9-1",
            "1.0~~-1",
            "1.0~~a-1",
            "1.0~beta1-1",
            "1.0~rc1-1",
            "1.0",
            "1.0-0.1",
            "1.0-1~deb12u1",
            "1.0-1",
            "1.0-1+b1",
            "1.0-1+deb12u1",
            "1.0-1.1",
            "1.0-2",
            "1.0-10",
            "1.0a-1",
            "1.0+dfsg-1",
            "1.0.1-1",
            "1.10-1",
            "2023.4-1",
            "1:0.1-1",
            "2:0.1-1",
        ];
        for (at, a) in sorted.iter().enumerate() {
            for (other, b) in sorted.iter().enumerate() {
                assert_eq!(cmp(a, b), at.cmp(&other), "{a} {b}");
            }
        }
        for (a, b) in [("1.0", "1.0-0"), ("1.0", "0:1.0"), ("1.00", "1.0"), ("1.0-01", "1.0-1")] {
            assert_eq!(cmp(a, b), Ordering::Equal, "{a} {b}");
        }
    }

    #[test]
    fn releases() {
        for (text, want) in [
            ("2.10-3", "2.10.0"),
            ("1.6.1-3+deb12u1", "1.6.1"),
            ("2:9.0.1378-2", "9.0.1378"),
            ("1.1.1n-0+deb11u5", "1.1.1"),
            ("5.36.0-7", "5.36.0"),
            ("20240203", "20240203.0.0"),
            ("1.0~rc1-2", "1.0.0-rc.1"),
            ("1.0~beta-2", "1.0.0-beta"),
            ("20.19.2~dfsg-1", "20.19.2"),
            ("1.2-1~deb12u1", "1.2.0"),
            ("1.2.3.4-1", "1.2.3"),
            ("0.105+git20220930.1-1", "0.105.0"),
        ] {
            let got = release(text).unwrap_or_else(|| panic!("{text}"));
            assert_eq!(got.to_string(), want, "{text}");
        }
        for bad in ["", "x", "1:", ":1", "a:1", "1:2:3", "1 0", "1_0", "-1", "99999999999999999999"]
        {
            assert!(release(bad).is_none(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn a_total_order(
            a in "([0-9]:)?[0-9][0-9a-c.+~]{0,6}(-[0-9a-c.+~]{0,4})?",
            b in "([0-9]:)?[0-9][0-9a-c.+~]{0,6}(-[0-9a-c.+~]{0,4})?",
            c in "([0-9]:)?[0-9][0-9a-c.+~]{0,6}(-[0-9a-c.+~]{0,4})?",
        ) {
            prop_assert_eq!(cmp(&a, &b), cmp(&b, &a).reverse());
            prop_assert_eq!(cmp(&a, &a), Ordering::Equal);
            if cmp(&a, &b) != Ordering::Greater && cmp(&b, &c) != Ordering::Greater {
                prop_assert!(cmp(&a, &c) != Ordering::Greater);
            }
        }

        #[test]
        fn never_panics(text in "\\PC{0,70}") {
            let _ = release(&text);
            let _ = cmp(&text, "1.0");
        }
    }
}
