//! `.tool-versions`: a name and versions on each line, as asdf and mise read it.

use super::draft::Item;
use super::mise;

/// Reads it; every text is one.
pub(super) fn read(text: &str) -> Vec<Item> {
    let mut out = Vec::new();
    for line in text.lines() {
        let line = line.split('#').next().unwrap_or_default();
        let mut words = line.split_whitespace();
        let Some(name) = words.next() else { continue };
        let versions: Vec<&str> = words.collect();
        let first = versions.first().copied().unwrap_or("latest");
        out.push(Item::new(format!("{name} {first}"), mise::tool(name, first)));
        for other in versions.iter().skip(1) {
            let why = "a dep has one version; the first one listed was taken".to_owned();
            out.push(Item::new(format!("{name} {other}"), Err(why)));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn lines() {
        let items = read("# ours\nuv 0.4.1 0.3.0 # newest\n\nemacs 29\nnpm:esbuild 0.20.0\n");
        let ok: Vec<_> = items.iter().map(|i| (i.said.as_str(), i.outcome.is_ok())).collect();
        let want = [
            ("uv 0.4.1", true),
            ("uv 0.3.0", false),
            ("emacs 29", false),
            ("npm:esbuild 0.20.0", true),
        ];
        assert_eq!(ok, want);
    }

    proptest! {
        #[test]
        fn never_panics(text in "\\PC{0,60}") {
            let _ = read(&text);
        }
    }
}
