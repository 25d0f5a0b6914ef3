//! Credentials by host, from `.netrc` (`_netrc` where there is none; `NETRC` names another file).
//!
//! The format of ftp(1): words separated by white space; a word may be quoted. Of it, `machine`,
//! `default`, `login` and `password` matter; a `macdef` ends at an empty line.

use std::path::PathBuf;

use url::Url;

use super::super::{Environ, Error};
use super::{basic, read};
use crate::base::Secret;

pub(super) fn authorization(environ: &Environ, url: &Url) -> Result<Option<Secret>, Error> {
    let files = match (environ.get_os("NETRC"), environ.home()) {
        (Some(path), _) => vec![PathBuf::from(path)],
        (None, Some(home)) => vec![home.join(".netrc"), home.join("_netrc")],
        (None, None) => return Ok(None),
    };
    let mut text = None;
    for file in files {
        if text.is_none() {
            text = read(&file)?;
        }
    }
    let (Some(text), Some(host)) = (text, url.host_str()) else { return Ok(None) };
    Ok(find(&text, host).map(|(login, password)| basic(&login, &password)))
}

/// Login and password for a host: the first entry that names it, else `default`.
fn find(text: &str, host: &str) -> Option<(String, String)> {
    let mut words = words(text).into_iter();
    let mut best = None;
    let mut matches = false;
    while let Some(word) = words.next() {
        match word.as_str() {
            "machine" => {
                if matches {
                    break;
                }
                matches = words.next().is_some_and(|name| name.eq_ignore_ascii_case(host));
                if matches {
                    best = Some(Default::default());
                }
            }
            "default" => {
                if matches {
                    break;
                }
                matches = true;
                best = Some(Default::default());
            }
            "login" | "password" | "account" => {
                let value = words.next().unwrap_or_default();
                if let (true, Some((login, password))) = (matches, &mut best) {
                    match word.as_str() {
                        "login" => *login = value,
                        "password" => *password = value,
                        _ => {}
                    }
                }
            }
            _ => {}
        }
    }
    best.filter(|(login, password): &(String, String)| !login.is_empty() || !password.is_empty())
}

fn words(text: &str) -> Vec<String> {
    let mut out = Vec::new();
    let mut macro_body = false;
    for line in text.lines() {
        if line.trim().is_empty() {
            macro_body = false;
        }
        if macro_body || line.trim_start().starts_with('#') {
            continue;
        }
        let mut rest = line.trim_start();
        while !rest.is_empty() {
            let (word, tail) = word(rest);
            rest = tail.trim_start();
            if word == "macdef" {
                macro_body = true;
                break;
            }
            out.push(word);
        }
    }
    out
}

/// The first word and what follows it.
fn word(text: &str) -> (String, &str) {
    let quoted = text.starts_with('"');
    let mut out = String::new();
    let mut chars = text.char_indices().skip(usize::from(quoted));
    while let Some((at, c)) = chars.next() {
        match c {
            '"' if quoted => return (out, &text[at + 1..]),
            c if !quoted && c.is_whitespace() => return (out, &text[at..]),
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

    fn check(text: &str, want: Option<(&str, &str)>) {
        let want = want.map(|(login, password)| (login.to_owned(), password.to_owned()));
        assert_eq!(find(text, "b.invalid"), want, "{text}");
    }

    #[test]
    fn entries() {
        check("machine b.invalid login me password secret", Some(("me", "secret")));
        check("machine a.invalid login x\nmachine B.invalid\n\tlogin me\n", Some(("me", "")));
        check("machine a.invalid login x password y", None);
        check("machine a.invalid login x default login d password e", Some(("d", "e")));
        check("machine b.invalid login 1 machine b.invalid login 2", Some(("1", "")));
        check(
            "machine b.invalid password \"with \\\" space\" login me",
            Some(("me", "with \" space")),
        );
        check("# machine b.invalid login x", None);
        check("macdef m\nmachine b.invalid login x\n\nmachine b.invalid login y", Some(("y", "")));
        check("machine b.invalid password login", Some(("", "login")));
        check("machine", None);
        check("", None);
    }

    proptest! {
        #[test]
        fn any_text_is_read(text in "\\PC*") {
            find(&text, "b.invalid");
        }

        #[test]
        fn passwords_survive_quoting(password in "[ -~]{1,12}") {
            let quoted = password.replace('\\', "\\\\").replace('"', "\\\"");
            let text = format!("machine b.invalid login me password \"{quoted}\"\n");
            prop_assert_eq!(find(&text, "b.invalid"), Some(("me".to_owned(), password)));
        }
    }
}
