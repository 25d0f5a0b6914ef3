//! The directives of a `go.mod` that matter here: module, versions withdrawn, replacements.
//!
//! Pure. Refuses nothing: a line that is not understood is none of ours, and Go itself reads the
//! file when it builds. Reference: <https://go.dev/ref/mod#go-mod-file>.

/// What was read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GoMod {
    /// The path that the module calls itself.
    pub module: Option<String>,
    /// Withdrawn versions, as ranges with both ends in them.
    pub retracted: Vec<(String, String)>,
    /// Whether it replaces or excludes other modules, which only counts when it is built itself.
    pub overrides: bool,
}

impl GoMod {
    /// Reads a file's text.
    pub fn read(text: &str) -> Self {
        let mut out = Self::default();
        let mut block: Option<String> = None;
        for line in text.lines() {
            let words = words(line);
            let mut words = words.iter().map(String::as_str);
            match &block {
                Some(verb) => match words.next() {
                    None => {}
                    Some(")") => block = None,
                    Some(first) => {
                        let rest: Vec<&str> = [first].into_iter().chain(words).collect();
                        out.directive(verb, &rest);
                    }
                },
                None => {
                    let Some(verb) = words.next() else { continue };
                    let rest: Vec<&str> = words.collect();
                    if rest == ["("] {
                        block = Some(verb.to_owned());
                    } else {
                        out.directive(verb, &rest);
                    }
                }
            }
        }
        out
    }

    fn directive(&mut self, verb: &str, words: &[&str]) {
        match (verb, words) {
            ("module", [path]) => self.module = Some((*path).to_owned()),
            ("replace" | "exclude", [_, ..]) => self.overrides = true,
            ("retract", ["[", low, ",", high, "]"]) => {
                self.retracted.push(((*low).to_owned(), (*high).to_owned()));
            }
            ("retract", [one]) => self.retracted.push(((*one).to_owned(), (*one).to_owned())),
            _ => {}
        }
    }
}

/// The words of a line without its comment. `[`, `]`, `,`, `(` and `)` stand for themselves; a word
/// in quotes is taken without them.
fn words(line: &str) -> Vec<String> {
    let mut out = Vec::new();
    let mut rest = line.trim_start();
    while let Some(first) = rest.chars().next() {
        if rest.starts_with("//") {
            break;
        }
        let end = match first {
            '[' | ']' | ',' | '(' | ')' => {
                out.push(first.to_string());
                1
            }
            '"' | '`' => {
                let inner = &rest[1..];
                let end = inner.find(first).unwrap_or(inner.len());
                out.push(inner[..end].to_owned());
                (end + 2).min(rest.len())
            }
            _ => {
                let stops = |c: char| c.is_whitespace() || "[],()".contains(c);
                let end = rest.find(stops).unwrap_or(rest.len());
                // A comment may follow without a space.
                let end = rest[..end].find("//").filter(|at| *at > 0).unwrap_or(end);
                out.push(rest[..end].to_owned());
                end
            }
        };
        rest = rest[end..].trim_start();
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn directives() {
        let text = "// Deprecated: no\nmodule example.com/tool // the tool\n\ngo 1.22\n\nrequire (\n\
                    \texample.com/a v1.0.0 // indirect\n)\nretract v1.0.1 // broken\nretract (\n\
                    \t[v0.1.0, v0.2.0] // early\n\tv0.9.9\n)\n";
        let read = GoMod::read(text);
        assert_eq!(read.module.as_deref(), Some("example.com/tool"));
        let pair = |a: &str, b: &str| (a.to_owned(), b.to_owned());
        assert_eq!(
            read.retracted,
            [pair("v1.0.1", "v1.0.1"), pair("v0.1.0", "v0.2.0"), pair("v0.9.9", "v0.9.9")]
        );
        assert!(!read.overrides);
    }

    #[test]
    fn overrides() {
        for text in [
            "replace example.com/a => ../a",
            "replace (\n\texample.com/a v1 => example.com/b v2\n)",
            "exclude example.com/a v1.2.3",
            "exclude (\n  example.com/a v1.2.3\n)",
        ] {
            assert!(GoMod::read(text).overrides, "{text}");
        }
        for text in ["// replace a => b", "replace (\n)\n", "require example.com/replace v1"] {
            assert!(!GoMod::read(text).overrides, "{text}");
        }
        let quoted = GoMod::read("module \"example.com/q\"");
        assert_eq!(quoted.module.as_deref(), Some("example.com/q"));
    }

    proptest! {
        #[test]
        fn any_text_is_read(text in "(?s).{0,200}") {
            let _ = GoMod::read(&text);
        }

        #[test]
        fn ranges_are_found(low in "v[0-9]\\.[0-9]\\.[0-9]", high in "v[0-9]\\.[0-9]\\.[0-9]", space in " {0,2}") {
            let text = format!("retract{space} [{space}{low}{space},{space}{high}{space}]// why\n");
            prop_assert_eq!(GoMod::read(&text).retracted, vec![(low, high)]);
        }
    }
}
