//! Names of modules, packages and their versions, and how a proxy's paths spell them.
//!
//! Pure. Refuses what no module can be called, so that no name leaves the directory it is put in.
//! Reference: <https://go.dev/ref/mod#module-path>.

/// Whether a text can be the path of a package that is built from a module proxy: elements of
/// letters, digits and `-._~`, none that begins or ends with a dot, and a dot in the first.
pub fn is_package(path: &str) -> bool {
    let good = |element: &str| {
        !element.is_empty()
            && !element.starts_with('.')
            && !element.ends_with('.')
            && element.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._~+".contains(&b))
    };
    let first = path.split('/').next().unwrap_or_default();
    path.len() <= 255
        && first.contains('.')
        && !first.starts_with('-')
        && first.bytes().all(|b| b.is_ascii_alphanumeric() || b"-.".contains(&b))
        && path.split('/').all(good)
}

/// Whether a text can be a version in a proxy's paths.
pub fn is_version(text: &str) -> bool {
    text.starts_with('v')
        && text.len() <= 128
        && !text.contains("..")
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-.+".contains(&b))
}

/// As a proxy's paths spell it: `!` and the small letter for each capital one.
pub fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 4);
    for c in text.chars() {
        if c.is_ascii_uppercase() {
            out.push('!');
        }
        out.push(c.to_ascii_lowercase());
    }
    out
}

/// The name behind [`escape`]; `None` when nothing is spelled so.
pub fn unescape(text: &str) -> Option<String> {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            '!' => out.push(chars.next().filter(char::is_ascii_lowercase)?.to_ascii_uppercase()),
            c if c.is_ascii_uppercase() => return None,
            c => out.push(c),
        }
    }
    Some(out)
}

/// The paths that the module of a package may have, longest first.
pub fn prefixes(package: &str) -> impl Iterator<Item = &str> {
    let cuts = package.match_indices('/').map(|(at, _)| at);
    let cuts: Vec<usize> = cuts.chain([package.len()]).collect();
    cuts.into_iter().rev().map(|at| &package[..at])
}

/// What the command of a package is called: its last element, or the one before where that is a
/// major version (`…/tool/v2` is `tool`).
pub fn command(package: &str) -> &str {
    let mut elements = package.rsplit('/');
    let last = elements.next().unwrap_or(package);
    match elements.next() {
        Some(before) if is_major(last) => before,
        _ => last,
    }
}

/// `v2`, `v3`, …, `v10`: not `v1`, which no path ends in.
fn is_major(element: &str) -> bool {
    element.strip_prefix('v').is_some_and(|digits| {
        !digits.is_empty()
            && !digits.starts_with('0')
            && digits != "1"
            && digits.bytes().all(|b| b.is_ascii_digit())
    })
}

/// Whether a comma-separated list of patterns, as `GOPRIVATE` has it, covers a module: a pattern
/// covers a path when it matches as many elements of it as it has. Gives the pattern.
pub fn covered<'a>(patterns: &'a str, module: &str) -> Option<&'a str> {
    patterns.split(',').map(str::trim).filter(|p| !p.is_empty()).find(|pattern| {
        let pattern = pattern.trim_end_matches('/');
        let count = pattern.split('/').count();
        let elements: Vec<&str> = module.split('/').take(count).collect();
        elements.len() == count
            && pattern.split('/').zip(elements).all(|(p, e)| glob(p.as_bytes(), e.as_bytes()))
    })
}

/// `*`, `?`, `[…]` and `\` within one element.
fn glob(pattern: &[u8], text: &[u8]) -> bool {
    match pattern {
        [] => text.is_empty(),
        [b'*', rest @ ..] => (0..=text.len()).any(|at| glob(rest, &text[at..])),
        [b'?', rest @ ..] => !text.is_empty() && glob(rest, &text[1..]),
        [b'[', rest @ ..] => {
            let (Some(end), Some(first)) = (rest.iter().position(|b| *b == b']'), text.first())
            else {
                return false;
            };
            let (negated, set) = match &rest[..end] {
                [b'^', set @ ..] => (true, set),
                set => (false, set),
            };
            let mut hit = false;
            let mut at = 0;
            while at < set.len() {
                if let [low, b'-', high, ..] = &set[at..] {
                    hit |= (low..=high).contains(&first);
                    at += 3;
                } else {
                    hit |= set[at] == *first;
                    at += 1;
                }
            }
            hit != negated && glob(&rest[end + 1..], &text[1..])
        }
        [b'\\', literal, rest @ ..] | [literal, rest @ ..] => {
            text.first() == Some(literal) && glob(rest, &text[1..])
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn packages() {
        for good in ["example.com/a", "example.com/A-b/v2", "gopkg.invalid/x.v1", "a.b"] {
            assert!(is_package(good), "{good}");
        }
        for bad in [
            "",
            "a/b",
            "example.com//a",
            "example.com/../a",
            "example.com/.git",
            "example.com/a.",
            "/example.com",
            "example.com/",
            "example.com/a@v1",
            "example.com/a b",
            "-x.y/a",
            "example.com/ä",
            "example.com/!a",
        ] {
            assert!(!is_package(bad), "{bad}");
        }
        assert!(is_version("v1.2.3-RC1+incompatible"));
        for bad in ["1.2.3", "v1/../2", "v1..2", "", "v 1"] {
            assert!(!is_version(bad), "{bad}");
        }
    }

    #[test]
    fn capitals_are_escaped() {
        assert_eq!(escape("example.com/Azure/SDK"), "example.com/!azure/!s!d!k");
        assert_eq!(unescape("example.com/!azure").as_deref(), Some("example.com/Azure"));
        for bad in ["A", "!", "!A", "!1"] {
            assert_eq!(unescape(bad), None, "{bad}");
        }
    }

    #[test]
    fn modules_of_a_package() {
        let all: Vec<_> = prefixes("example.com/a/cmd").collect();
        assert_eq!(all, ["example.com/a/cmd", "example.com/a", "example.com"]);
    }

    #[test]
    fn commands() {
        for (package, name) in [
            ("example.com/cli/nats", "nats"),
            ("example.com/tool/v2", "tool"),
            ("example.com/tool/v10", "tool"),
            ("example.com/tool/v1", "v1"),
            ("example.com/tool/v0", "v0"),
            ("example.com/tool/v2x", "v2x"),
            ("example.com/tool/cmd/bento", "bento"),
        ] {
            assert_eq!(command(package), name, "{package}");
        }
    }

    #[test]
    fn patterns() {
        for (patterns, module, want) in [
            ("corp.invalid", "corp.invalid/a/b", Some("corp.invalid")),
            ("*.corp.invalid", "git.corp.invalid/a", Some("*.corp.invalid")),
            ("*.corp.invalid", "corp.invalid/a", None),
            ("x.invalid/me, y.invalid/*", "y.invalid/z", Some("y.invalid/*")),
            ("y.invalid/*/b", "y.invalid/z", None),
            ("y.invalid/[a-c]?", "y.invalid/bx/z", Some("y.invalid/[a-c]?")),
            ("y.invalid/[^a-c]", "y.invalid/b", None),
            ("", "y.invalid/b", None),
            ("none", "y.invalid/b", None),
        ] {
            assert_eq!(covered(patterns, module), want, "{patterns} {module}");
        }
    }

    proptest! {
        #[test]
        fn escaping_round_trips(text in "[a-zA-Z0-9./~-]{0,40}") {
            let escaped = escape(&text);
            prop_assert!(!escaped.bytes().any(|b| b.is_ascii_uppercase()));
            prop_assert_eq!(unescape(&escaped), Some(text));
        }

        #[test]
        fn nothing_panics(a in "\\PC{0,20}", b in "\\PC{0,20}") {
            let _ = (is_package(&a), is_version(&a), unescape(&a), covered(&a, &b));
        }
    }
}
