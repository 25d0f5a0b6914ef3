//! The `Link` header, as far as lists in pages need it.
//!
//! Reference: RFC 8288. Refuses targets that are not http(s). Invariant: whatever a server sends,
//! reading ends and never panics.

use url::Url;

/// The target whose relation is `next`, resolved against the document's own URL.
pub(super) fn next(header: &str, base: &Url) -> Option<Url> {
    let mut rest = header;
    while let Some((_, after)) = rest.split_once('<') {
        let (target, tail) = after.split_once('>')?;
        // A comma in a quoted parameter would end the link too early, which only loses a link.
        let (parameters, others) = tail.split_once(',').unwrap_or((tail, ""));
        if parameters.split(';').any(is_next) {
            return base
                .join(target.trim())
                .ok()
                .filter(|u| matches!(u.scheme(), "http" | "https"));
        }
        rest = others;
    }
    None
}

fn is_next(parameter: &str) -> bool {
    let Some((name, value)) = parameter.split_once('=') else { return false };
    let relations = value.trim().trim_matches('"');
    name.trim().eq_ignore_ascii_case("rel")
        && relations.split_ascii_whitespace().any(|r| r.eq_ignore_ascii_case("next"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn base() -> Url {
        "https://mirror.invalid/repos/a/b/releases?per_page=100".parse().unwrap()
    }

    #[test]
    fn finds_the_next_page() {
        for (header, want) in [
            (
                "<https://mirror.invalid/x?page=2>; rel=\"next\", <https://mirror.invalid/x?page=9>; rel=\"last\"",
                Some("https://mirror.invalid/x?page=2"),
            ),
            ("</y>;rel=prev , </x?page=3> ; REL=Next", Some("https://mirror.invalid/x?page=3")),
            (
                "<?page=2>; title=t; rel=\"other next\"",
                Some("https://mirror.invalid/repos/a/b/releases?page=2"),
            ),
            ("</x>; rel=\"last\"", None),
            ("</x>; rel=\"nextish\"", None),
            ("<file:///etc/passwd>; rel=next", None),
            ("<x", None),
            ("", None),
        ] {
            assert_eq!(next(header, &base()).as_ref().map(Url::as_str), want, "{header}");
        }
    }

    proptest! {
        #[test]
        fn never_panics(s in "\\PC{0,60}", t in "(<|>|,|;|=|rel|next|\"|/x| ){0,14}") {
            let _ = (next(&s, &base()), next(&t, &base()));
        }
    }
}
