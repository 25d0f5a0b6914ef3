//! Versions in the tags of releases: `v1.2`, `bun-v1.2.19`, `cli/v2.3`, `b4321`.
//!
//! What stands before the version is the tag's kind. Releases of one kind are one product; where a
//! repository has several, plain versions win, then those under the repository's own name. Refuses
//! to guess between others. Invariant: the answer depends on the set of releases, not their order.

use std::collections::BTreeMap;

use crate::base::Version;
use crate::source::forge::Release;

/// Where the profile says the version stands.
const WORD: &str = "${version}";

/// A tag taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Parts<'a> {
    /// What stands before the version, as it is.
    pub(super) prefix: &'a str,
    /// The version.
    pub(super) version: Version,
}

impl Parts<'_> {
    /// The prefix without a `v` and what separates it: `bun` of `bun-v`.
    fn kind(&self) -> String {
        let v = self.prefix.strip_suffix(['v', 'V']);
        // The `v` of `rev1` belongs to the word.
        let v = v.filter(|rest| !rest.ends_with(|c: char| c.is_ascii_alphanumeric()));
        let kind = v.unwrap_or(self.prefix);
        kind.trim_end_matches(|c: char| !c.is_ascii_alphanumeric()).to_ascii_lowercase()
    }
}

/// Takes a tag apart: the version is what stands last in it.
///
/// A version with a dot is looked for first, so that the digit in `lib2-1.0` is not taken for one.
pub(super) fn parse(tag: &str) -> Option<Parts<'_>> {
    let starts = || {
        tag.char_indices().filter(|(at, _)| {
            *at == 0 || tag[..*at].ends_with(|c: char| !c.is_ascii_alphanumeric() && c != '+')
        })
    };
    let at = |start: usize, dotted: bool| {
        let rest = &tag[start..];
        let digits = rest.trim_start_matches(|c: char| c.is_ascii_alphabetic());
        let number = digits.trim_start_matches(|c: char| c.is_ascii_digit());
        let has_dot =
            number.strip_prefix('.').is_some_and(|r| r.starts_with(|c: char| c.is_ascii_digit()));
        if number.len() == digits.len() || dotted != has_dot {
            return None;
        }
        let version = digits.parse().ok()?;
        Some(Parts { prefix: &tag[..tag.len() - digits.len()], version })
    };
    [true, false].into_iter().find_map(|dotted| starts().find_map(|(start, _)| at(start, dotted)))
}

/// The version of a tag that follows a template.
fn by_template<'a>(template: &str, tag: &'a str) -> Option<Parts<'a>> {
    let (before, after) = template.split_once(WORD)?;
    let text = tag.strip_prefix(before)?.strip_suffix(after)?;
    // Without this, `v${version}` would take `vv1.0`, since versions may begin with a `v`.
    let version = text.starts_with(|c: char| c.is_ascii_digit()).then(|| text.parse().ok())??;
    Some(Parts { prefix: &tag[..before.len()], version })
}

/// The tag of a version by a template.
pub(super) fn expand(template: &str, version: &str) -> String {
    template.replace(WORD, version)
}

/// Every release of the product with its version; the kinds when it is unclear which is meant.
pub(super) fn versions<'a>(
    releases: &'a [Release],
    template: Option<&str>,
    repository: &str,
) -> Result<BTreeMap<Version, &'a Release>, Vec<String>> {
    let mut kinds: BTreeMap<String, BTreeMap<Version, (&str, &Release)>> = BTreeMap::new();
    for release in releases {
        let tag = release.tag.as_str();
        let parts = match template {
            Some(template) => by_template(template, tag),
            None => parse(tag),
        };
        let Some(parts) = parts else { continue };
        let kind = if template.is_some() { String::new() } else { parts.kind() };
        let version = parts.version;
        let place = kinds.entry(kind).or_default().entry(version);
        let found = place.or_insert((parts.prefix, release));
        // `v1.0` and `1.0` beside each other: the greater text, whatever the order.
        if found.1.tag.as_str() < tag {
            *found = (parts.prefix, release);
        }
    }
    let own = repository.to_ascii_lowercase();
    let chosen = ["", own.as_str()].into_iter().find(|kind| kinds.contains_key(*kind));
    let chosen = chosen.map(str::to_owned).or_else(|| match kinds.len() {
        0 | 1 => kinds.keys().next().cloned(),
        _ => None,
    });
    match chosen {
        Some(kind) => {
            let found = kinds.remove(&kind).unwrap_or_default();
            Ok(found.into_iter().map(|(version, (_, release))| (version, release)).collect())
        }
        None if kinds.is_empty() => Ok(BTreeMap::new()),
        None => Err(kinds
            .values()
            .filter_map(|found| found.last_key_value())
            .map(|(_, (prefix, _))| format!("{prefix}{WORD}"))
            .collect()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn release(tag: &str) -> Release {
        Release { tag: tag.to_owned(), ..Release::default() }
    }

    fn found(tags: &[&str], template: Option<&str>) -> Result<Vec<String>, Vec<String>> {
        let releases: Vec<_> = tags.iter().map(|tag| release(tag)).collect();
        let found = versions(&releases, template, "Tool")?;
        Ok(found.into_iter().map(|(v, r)| format!("{v} {}", r.tag)).collect())
    }

    #[test]
    fn takes_tags_apart() {
        for (tag, want) in [
            ("v1.2.3", Some(("v", "1.2.3", ""))),
            ("1.2.3", Some(("", "1.2.3", ""))),
            ("V2.0", Some(("V", "2.0", ""))),
            ("bun-v1.2.19", Some(("bun-v", "1.2.19", "bun"))),
            ("cli/v2.3", Some(("cli/v", "2.3", "cli"))),
            ("kustomize/v5.0.0", Some(("kustomize/v", "5.0.0", "kustomize"))),
            ("@scope/tool@1.0.0", Some(("@scope/tool@", "1.0.0", "@scope/tool"))),
            ("jq-1.7.1", Some(("jq-", "1.7.1", "jq"))),
            ("go1.21.0", Some(("go", "1.21.0", "go"))),
            ("b4321", Some(("b", "4321", "b"))),
            ("v1.0.0-rc.1", Some(("v", "1.0.0-rc.1", ""))),
            ("v1.0.0+build.5", Some(("v", "1.0.0+build.5", ""))),
            ("lib2-1.0", Some(("lib2-", "1.0", "lib2"))),
            ("x86-v1.2", Some(("x86-v", "1.2", "x86"))),
            ("20250818", Some(("", "20250818", ""))),
            ("rev1.0", Some(("rev", "1.0", "rev"))),
            ("nightly", None),
            ("latest", None),
            ("", None),
            ("v", None),
        ] {
            let got = parse(tag);
            let got = got.as_ref().map(|p| (p.prefix, p.version.as_str(), p.kind()));
            let want = want.map(|(a, b, c)| (a, b, c.to_owned()));
            assert_eq!(got, want, "{tag}");
        }
    }

    #[test]
    fn one_kind_is_chosen() {
        let ok = |list: &[&str]| Ok(list.iter().map(|s| (*s).to_owned()).collect::<Vec<_>>());
        assert_eq!(
            found(&["v1.0", "v1.1", "nightly", "cli/v9.0"], None),
            ok(&["1.0 v1.0", "1.1 v1.1"])
        );
        assert_eq!(found(&["tool-v1.0", "lib-v9.0"], None), ok(&["1.0 tool-v1.0"]));
        assert_eq!(found(&["other-v1.0"], None), ok(&["1.0 other-v1.0"]));
        assert_eq!(found(&["1.0", "v1.0"], None), ok(&["1.0 v1.0"]));
        assert_eq!(found(&["v1.0", "1.0"], None), ok(&["1.0 v1.0"]));
        assert_eq!(found(&["nightly"], None), ok(&[]));
        let kinds = vec!["cli/v${version}".to_owned(), "lib@${version}".to_owned()];
        assert_eq!(found(&["cli/v1.0", "lib@2.0", "cli/v1.1"], None), Err(kinds));
    }

    #[test]
    fn a_template_says_which() {
        let tags = ["v9.0", "bun-v1.2.19", "bun-vv1.0", "bun-vx", "cli/v2.3", "v3.1-cli"];
        for (template, want) in [
            ("bun-v${version}", &["1.2.19 bun-v1.2.19"][..]),
            ("cli/v${version}", &["2.3 cli/v2.3"]),
            ("v${version}-cli", &["3.1 v3.1-cli"]),
            ("${version}", &[]),
        ] {
            assert_eq!(found(&tags, Some(template)).expect("one kind"), want, "{template}");
        }
        assert_eq!(expand("bun-v${version}", "1.2"), "bun-v1.2");
    }

    proptest! {
        #[test]
        fn never_panics(s in "\\PC{0,40}", t in "(v|V|-|/|@|\\.|1|20|rc|x|ä){0,10}") {
            for tag in [&s, &t] {
                if let Some(parts) = parse(tag) {
                    prop_assert_eq!(format!("{}{}", parts.prefix, parts.version), tag.clone());
                }
                let _ = by_template(&s, tag);
            }
        }
        #[test]
        fn order_does_not_matter(mut tags in prop::collection::vec("(v|tool-|cli/)?[0-2]\\.[0-2]", 0..6)) {
            let ask = |tags: &[String]| found(&tags.iter().map(String::as_str).collect::<Vec<_>>(), None);
            let first = ask(&tags);
            tags.reverse();
            prop_assert_eq!(first, ask(&tags));
        }
        #[test]
        fn a_template_takes_back_what_it_gives(v in "[0-9]{1,3}\\.[0-9]{1,3}(\\.[0-9]{1,3})?", before in "[a-z/-]{0,5}", after in "(-[a-z]{1,4})?") {
            let template = format!("{before}{WORD}{after}");
            let tag = expand(&template, &v);
            prop_assert_eq!(by_template(&template, &tag).map(|p| p.version.to_string()), Some(v));
        }
    }
}
