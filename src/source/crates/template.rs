//! The templates of `[package.metadata.binstall]`: `{ repo }/releases/download/v{ version }/…`.
//!
//! Refuses variables that are not known. Reference: cargo-binstall's SUPPORT.md. Invariant: an
//! answer holds no brace that was not escaped.

use std::collections::BTreeMap;

/// Values by name.
pub(super) type Words = BTreeMap<&'static str, String>;

/// Whether a template has one of these variables.
pub(super) fn has(template: &str, names: &[&str]) -> bool {
    let mut found = false;
    let _ = each(template, |name| {
        found |= names.contains(&name);
        Ok(String::new())
    });
    found
}

/// Renders a template.
///
/// # Errors
/// What in it is not understood.
pub(super) fn render(template: &str, words: &Words) -> Result<String, String> {
    each(template, |name| {
        words.get(name).cloned().ok_or_else(|| format!("`{{ {name} }}` is not known"))
    })
}

fn each(
    template: &str,
    mut value: impl FnMut(&str) -> Result<String, String>,
) -> Result<String, String> {
    let mut out = String::new();
    let mut rest = template;
    while let Some(at) = rest.find(['{', '}', '\\']) {
        out.push_str(&rest[..at]);
        let (sign, after) = rest[at..].split_at(1);
        rest = match sign {
            "{" => {
                let (name, after) = after.split_once('}').ok_or("a `{` is not closed")?;
                out.push_str(&value(name.trim())?);
                after
            }
            "}" => return Err("a `}` closes nothing".to_owned()),
            _ => match after.chars().next() {
                Some(c @ ('{' | '}' | '\\')) => {
                    out.push(c);
                    &after[1..]
                }
                _ => return Err("a `\\` escapes nothing".to_owned()),
            },
        };
    }
    out.push_str(rest);
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn words() -> Words {
        [("name", "tool".to_owned()), ("version", "1.2".to_owned())].into()
    }

    #[test]
    fn renders() {
        for (template, want) in [
            ("", ""),
            ("{name}-v{ version }.zip", "tool-v1.2.zip"),
            ("\\{a\\}\\\\{  name  }", "{a}\\tool"),
        ] {
            assert_eq!(render(template, &words()).as_deref(), Ok(want));
        }
        for (template, why) in [
            ("{ nme }", "`{ nme }`"),
            ("{ name", "not closed"),
            ("name }", "closes nothing"),
            ("a\\b", "escapes nothing"),
        ] {
            let error = render(template, &words()).expect_err(template);
            assert!(error.contains(why), "{error}");
        }
        assert!(has("{ archive-suffix }", &["format", "archive-suffix"]));
        assert!(!has("{ name }", &["format"]));
    }

    proptest! {
        #[test]
        fn never_panics(s in "\\PC{0,30}", t in "(\\{|\\}|\\\\|name| |é){0,12}") {
            let _ = (render(&s, &words()), render(&t, &words()));
        }
    }
}
