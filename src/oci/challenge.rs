//! `WWW-Authenticate`: how a registry wants to be told who asks. Pure.
//!
//! Reference: RFC 9110, 11.6.1; Docker's "Token authentication specification".

/// What a registry wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Challenge {
    /// User and password (RFC 7617).
    Basic,
    /// A token of a service.
    Bearer {
        /// The service's URL.
        realm: String,
        /// The registry's name there.
        service: Option<String>,
    },
}

/// The first challenge that is understood, tokens first.
pub(super) fn choose(headers: &[String]) -> Option<Challenge> {
    let all: Vec<Challenge> = headers.iter().flat_map(|header| parse(header)).collect();
    let bearer = all.iter().find(|c| matches!(c, Challenge::Bearer { .. }));
    bearer.or(all.first()).cloned()
}

/// Every challenge of a header that is understood.
fn parse(header: &str) -> Vec<Challenge> {
    let mut out = Vec::new();
    let mut scheme = String::new();
    let mut parameters: Vec<(String, String)> = Vec::new();
    let mut rest = header.trim_start();
    while !rest.is_empty() {
        let (word, after) = token(rest);
        if word.is_empty() {
            // A comma, or something that is no challenge.
            let mut chars = rest.chars();
            chars.next();
            rest = chars.as_str().trim_start();
            continue;
        }
        match after.trim_start().strip_prefix('=') {
            Some(value) => {
                let (value, after) = text(value.trim_start());
                parameters.push((word.to_ascii_lowercase(), value));
                rest = after.trim_start();
            }
            None => {
                out.extend(challenge(&scheme, &parameters));
                scheme = word.to_ascii_lowercase();
                parameters.clear();
                rest = after.trim_start();
            }
        }
    }
    out.extend(challenge(&scheme, &parameters));
    out
}

fn challenge(scheme: &str, parameters: &[(String, String)]) -> Option<Challenge> {
    let get = |name: &str| parameters.iter().find(|(key, _)| key == name).map(|(_, v)| v.clone());
    match scheme {
        "basic" => Some(Challenge::Basic),
        "bearer" => Some(Challenge::Bearer { realm: get("realm")?, service: get("service") }),
        _ => None,
    }
}

fn token(text: &str) -> (&str, &str) {
    let end = text
        .find(|c: char| !(c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c)))
        .unwrap_or(text.len());
    text.split_at(end)
}

/// A token or a quoted text, and what follows.
fn text(rest: &str) -> (String, &str) {
    let Some(quoted) = rest.strip_prefix('"') else {
        // Values that are no tokens are seen unquoted, too.
        let end = rest.find([',', ' ']).unwrap_or(rest.len());
        return (rest[..end].to_owned(), &rest[end..]);
    };
    let mut out = String::new();
    let mut chars = quoted.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return (out, &quoted[at + 1..]),
            '\\' => out.extend(chars.next().map(|(_, c)| c)),
            c => out.push(c),
        }
    }
    (out, "")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn bearer(realm: &str, service: Option<&str>) -> Challenge {
        Challenge::Bearer { realm: realm.to_owned(), service: service.map(str::to_owned) }
    }

    #[test]
    fn challenges() {
        let choose = |text: &str| choose(&[text.to_owned()]);
        let both = bearer("https://auth.invalid/token", Some("registry, the \"one\""));
        for (text, want) in [
            ("Basic realm=\"x\"", Some(Challenge::Basic)),
            ("bearer realm=https://a.invalid/t", Some(bearer("https://a.invalid/t", None))),
            (
                "Bearer realm=\"https://auth.invalid/token\",service=\"registry, the \\\"one\\\"\",\
                 scope=\"repository:a/b:pull\"",
                Some(both.clone()),
            ),
            (
                "Basic realm=\"x\", Bearer realm=\"https://auth.invalid/token\" , service = \
                 \"registry, the \\\"one\\\"\"",
                Some(both),
            ),
            ("Bearer service=\"x\"", None),
            ("Negotiate", None),
            ("", None),
        ] {
            assert_eq!(choose(text), want, "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_header_is_read(text in "\\PC{0,60}") {
            parse(&text);
        }
    }
}
