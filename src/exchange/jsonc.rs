//! JSON as people write it: with comments and commas before a closing bracket.

use serde::de::DeserializeOwned;

/// Parses; the reason when it is not even that.
pub(super) fn parse<T: DeserializeOwned>(text: &str) -> Result<T, String> {
    serde_json::from_str(&plain(text)).map_err(|e| e.to_string())
}

/// The text with comments and trailing commas blanked, so that places in it stay where they were.
fn plain(text: &str) -> String {
    let mut out: Vec<char> = Vec::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    let mut comma: Option<usize> = None;
    while let Some(c) = chars.next() {
        match (c, chars.peek()) {
            ('"', _) => {
                comma = None;
                out.push(c);
                while let Some(inner) = chars.next() {
                    out.push(inner);
                    match inner {
                        '\\' => out.extend(chars.next()),
                        '"' => break,
                        _ => {}
                    }
                }
            }
            ('/', Some('/')) => {
                out.push(' ');
                while chars.peek().is_some_and(|c| *c != '\n') {
                    chars.next();
                    out.push(' ');
                }
            }
            ('/', Some('*')) => {
                // The star that opens a comment does not close it.
                chars.next();
                out.extend([' ', ' ']);
                let mut last = ' ';
                for inner in chars.by_ref() {
                    out.push(if inner == '\n' { '\n' } else { ' ' });
                    if last == '*' && inner == '/' {
                        break;
                    }
                    last = inner;
                }
            }
            (',', _) => {
                comma = Some(out.len());
                out.push(c);
            }
            ('}' | ']', _) => {
                if let Some(at) = comma.take() {
                    out[at] = ' ';
                }
                out.push(c);
            }
            _ => {
                if !c.is_whitespace() {
                    comma = None;
                }
                out.push(c);
            }
        }
    }
    out.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    #[test]
    fn comments_and_commas() {
        let text = "{ // a\n \"x\": [1, 2, /* b, */ ], \"u\": \"http://h//\\\"\", }";
        assert_eq!(parse::<Value>(text), Ok(json!({"x": [1, 2], "u": "http://h//\""})));
        assert!(parse::<Value>("{").is_err());
    }

    proptest! {
        #[test]
        fn json_stays_itself(text in "\\PC{0,30}") {
            let value = json!({"a": text, "b": [1, {}]});
            prop_assert_eq!(parse::<Value>(&value.to_string()), Ok(value));
            let _ = parse::<Value>(&text);
        }
    }
}
