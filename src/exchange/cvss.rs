//! The base score of a CVSS 3.0 or 3.1 vector.
//!
//! Reference: the specification of CVSS 3.1, sections 7.1 and 7.4 and appendix A (its rounding).
//! Scores are in tenths, so that nothing is shown that the arithmetic of floats made up. Refuses
//! other versions and vectors that lack a base metric. Invariant: a score is from 0 to 100.

/// The base score in tenths: 98 is 9.8.
pub(super) fn base_score(vector: &str) -> Option<u32> {
    let rest = vector.strip_prefix("CVSS:3.1/").or_else(|| vector.strip_prefix("CVSS:3.0/"))?;
    let metric = |name: &str| {
        rest.split('/').find_map(|part| {
            let (key, value) = part.split_once(':')?;
            (key == name).then_some(value)
        })
    };
    let of = |name: &str, table: &[(&str, f64)]| {
        let value = metric(name)?;
        table.iter().find(|(word, _)| *word == value).map(|(_, number)| *number)
    };
    let changed = match metric("S")? {
        "U" => false,
        "C" => true,
        _ => return None,
    };
    let vector = of("AV", &[("N", 0.85), ("A", 0.62), ("L", 0.55), ("P", 0.2)])?;
    let complexity = of("AC", &[("L", 0.77), ("H", 0.44)])?;
    let privileges = match changed {
        false => of("PR", &[("N", 0.85), ("L", 0.62), ("H", 0.27)])?,
        true => of("PR", &[("N", 0.85), ("L", 0.68), ("H", 0.5)])?,
    };
    let interaction = of("UI", &[("N", 0.85), ("R", 0.62)])?;
    let impacts = [("H", 0.56), ("L", 0.22), ("N", 0.0)];
    let [c, i, a] = [of("C", &impacts)?, of("I", &impacts)?, of("A", &impacts)?];
    let base = 1.0 - (1.0 - c) * (1.0 - i) * (1.0 - a);
    let impact = match changed {
        false => 6.42 * base,
        true => 7.52 * (base - 0.029) - 3.25 * (base - 0.02_f64).powi(15),
    };
    if impact <= 0.0 {
        return Some(0);
    }
    let exploitability = 8.22 * vector * complexity * privileges * interaction;
    let sum = impact + exploitability;
    Some(round_up(if changed { 1.08 * sum } else { sum }.min(10.0)))
}

/// To the next tenth, but for what floats add at the end.
fn round_up(score: f64) -> u32 {
    let hundred_thousandths = (score * 100_000.0).round() as u32;
    hundred_thousandths.div_ceil(10_000)
}

/// The word for a score in tenths.
pub(super) const fn rating(tenths: u32) -> &'static str {
    match tenths {
        0 => "none",
        1..40 => "low",
        40..70 => "medium",
        70..90 => "high",
        _ => "critical",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn known_scores() {
        for (vector, want) in [
            ("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H", Some(98)),
            ("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:C/C:H/I:H/A:H", Some(100)),
            ("CVSS:3.0/AV:N/AC:L/PR:N/UI:R/S:C/C:L/I:L/A:N", Some(61)),
            ("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:H", Some(75)),
            ("CVSS:3.1/AV:L/AC:L/PR:L/UI:N/S:U/C:H/I:H/A:H", Some(78)),
            ("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:N", Some(0)),
            ("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H", None),
            ("CVSS:4.0/AV:N/AC:L", None),
            ("AV:N/AC:L/Au:N/C:P/I:P/A:P", None),
        ] {
            assert_eq!(base_score(vector), want, "{vector}");
        }
        assert_eq!([0, 39, 40, 70, 90].map(rating), ["none", "low", "medium", "high", "critical"]);
    }

    proptest! {
        #[test]
        fn stays_in_range(text in "\\PC{0,20}", s in "[UC]", c in "[HLN]", av in "[NALP]", pr in "[NLH]") {
            let _ = base_score(&text);
            let vector = format!("CVSS:3.1/AV:{av}/AC:L/PR:{pr}/UI:N/S:{s}/C:{c}/I:{c}/A:L");
            prop_assert!(base_score(&vector).is_some_and(|score| score <= 100));
        }
    }
}
