//! The nearest right name for a wrong one.

/// The candidate closest to `given`, if it is close enough to be a likely slip.
pub fn nearest<'a>(given: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    candidates
        .into_iter()
        .map(|c| (strsim::damerau_levenshtein(given, c), c))
        .filter(|(distance, c)| *distance <= given.len().max(c.len()).div_ceil(3))
        .min_by(|a, b| a.0.cmp(&b.0).then_with(|| a.1.cmp(b.1)))
        .map(|(_, c)| c)
}

/// The end of a message about a wrong name: `; did you mean …?`, or nothing.
pub(super) fn tail<'a>(given: &str, candidates: impl IntoIterator<Item = &'a str>) -> String {
    nearest(given, candidates).map(|near| format!("; did you mean `{near}`?")).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn finds_slips_only() {
        let names = ["command", "ready", "after"];
        assert_eq!(nearest("comand", names), Some("command"));
        assert_eq!(nearest("raedy", names), Some("ready"));
        assert_eq!(nearest("sandbox", names), None);
    }
}
