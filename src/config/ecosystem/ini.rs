//! The two dialects of key-value files that clients are configured with.
//!
//! Python's `configparser` as pip uses it, and npm's `ini`. Values are taken as written; neither
//! dialect has an invalid line, as little as in the clients themselves: what is no entry is passed
//! over.

/// Which client's rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dialect {
    /// `key = value` or `key: value`; indented lines continue a value; keys without case, `_` is
    /// `-`.
    Pip,
    /// `key=value` only (`:` is part of keys); quotes; ` ;` and ` #` end a value.
    Npm,
}

/// One entry, in the order of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) section: String,
    pub(super) key: String,
    pub(super) value: String,
}

pub(super) fn parse(text: &str, dialect: Dialect) -> Vec<Entry> {
    let mut entries: Vec<Entry> = Vec::new();
    let mut section = String::new();
    for raw in text.trim_start_matches('\u{feff}').lines() {
        let line = raw.trim();
        if line.is_empty() || line.starts_with(['#', ';']) {
            continue;
        }
        if dialect == Dialect::Pip
            && raw.starts_with([' ', '\t'])
            && let Some(last) = entries.last_mut().filter(|e| e.section == section)
        {
            if !last.value.is_empty() {
                last.value.push('\n');
            }
            last.value.push_str(line);
            continue;
        }
        if let Some(name) = line.strip_prefix('[').and_then(|l| l.strip_suffix(']')) {
            section = name.trim().to_owned();
            continue;
        }
        let split = match dialect {
            Dialect::Pip => line.split_once(['=', ':']),
            Dialect::Npm => line.split_once('='),
        };
        let Some((key, value)) = split else { continue };
        let (key, value) = (key.trim(), value.trim());
        let (key, value) = match dialect {
            Dialect::Pip => (key.to_lowercase().replace('_', "-"), value.to_owned()),
            Dialect::Npm => (unquoted(key), unquoted(value)),
        };
        entries.push(Entry { section: section.clone(), key, value });
    }
    entries
}

/// A quoted text without its quotes, an unquoted one up to its comment.
fn unquoted(text: &str) -> String {
    for quote in ['"', '\''] {
        if let Some(inner) = text.strip_prefix(quote).and_then(|t| t.strip_suffix(quote)) {
            return inner.to_owned();
        }
    }
    let mut out = String::new();
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            ';' | '#' => break,
            '\\' => match chars.next_if(|next| matches!(next, ';' | '#' | '\\')) {
                Some(escaped) => out.push(escaped),
                None => out.push(c),
            },
            c => out.push(c),
        }
    }
    out.trim().to_owned()
}

/// The last value of a key in a section: later lines win.
pub(super) fn value<'a>(entries: &'a [Entry], section: &str, key: &str) -> Option<&'a str> {
    entries
        .iter()
        .rev()
        .find(|e| e.section == section && e.key == key)
        .map(|e| e.value.as_str())
        .filter(|value| !value.is_empty())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(dialect: Dialect, text: &str, section: &str, key: &str, want: Option<&str>) {
        assert_eq!(value(&parse(text, dialect), section, key), want, "{text:?}");
    }

    #[test]
    fn pip() {
        let check = |text, want| check(Dialect::Pip, text, "global", "index-url", want);
        check("[global]\nindex-url = http://a/b=c\n", Some("http://a/b=c"));
        check("[global]\nIndex_URL: http://a\n", Some("http://a"));
        check("\u{feff}[ global ]\r\nindex-url=http://a\r\n", Some("http://a"));
        check("[global]\nindex-url =\n    http://a\n", Some("http://a"));
        check("[global]\nindex-url = x\nindex-url = y\n", Some("y"));
        check("[global]\n# index-url = x\n; index-url = y\n", None);
        check("[install]\nindex-url = x\n", None);
        check("index-url = x\n", None);
        check("[global]\nindex-url =\n", None);
    }

    #[test]
    fn npm() {
        let check = |text, key, want| check(Dialect::Npm, text, "", key, want);
        check("registry=http://a/ ; the mirror", "registry", Some("http://a/"));
        check("@s:registry = http://a:1/", "@s:registry", Some("http://a:1/"));
        check("//a:1/x/:_authToken=abc==", "//a:1/x/:_authToken", Some("abc=="));
        check("registry = \"http://a/#b\"", "registry", Some("http://a/#b"));
        check("a = b\\;c\\d", "a", Some("b;c\\d"));
        check("# registry=http://a", "registry", None);
        check("[other]\nregistry=http://a", "registry", None);
        check("registry", "registry", None);
    }

    proptest! {
        #[test]
        fn any_text_is_read(text in "\\PC*", lines in proptest::collection::vec("[ a-z=:\\[\\]#;\"'\\\\]*", 0..8)) {
            for dialect in [Dialect::Pip, Dialect::Npm] {
                parse(&text, dialect);
                let entries = parse(&lines.join("\n"), dialect);
                prop_assert!(entries.len() <= lines.len());
                prop_assert!(entries.iter().all(|e| !e.value.contains('\r')));
            }
            for entry in parse(&lines.join("\n"), Dialect::Pip) {
                prop_assert_eq!(entry.key.trim(), entry.key.as_str());
                prop_assert!(!entry.key.contains(['=', ':', '_']));
            }
        }

        #[test]
        fn what_is_written_is_read(key in "[a-z][a-z-]{0,9}", value in "[a-z0-9:/._@=-]{1,20}") {
            for dialect in [Dialect::Pip, Dialect::Npm] {
                let text = format!("[s]\n{key} = {value}\n");
                let entries = parse(&text, dialect);
                prop_assert_eq!(super::value(&entries, "s", &key), Some(&*value));
            }
        }
    }
}
