//! Files of variables, in the form that dotenv files have.
//!
//! Owns the reading of a service's `env-file` before each start. Values go into the environment of
//! that service alone: they are in no store object, digest or log of ours, and errors name a
//! variable or a line, never a value. Invariant: a file of which one line is not understood gives
//! nothing.

use std::ffi::OsString;

use super::spec::EnvFile;
use crate::base::vars::exported;
use crate::fs;

/// Reads a file: `NAME=value` lines in their order.
///
/// # Errors
/// What is wrong, in words: it is missing, a line is not understood, or a name is one that the
/// environment sets itself.
pub fn read(file: &EnvFile) -> Result<Vec<(OsString, OsString)>, String> {
    let path = file.path.display();
    let text = match fs::read_to_string_if_exists(&file.path) {
        Ok(Some(text)) => text,
        Ok(None) => return Err(format!("its `env-file` `{path}` does not exist")),
        Err(e) => return Err(format!("its `env-file`: {}", crate::base::chain(&e))),
    };
    let mut out = Vec::new();
    for (number, line) in parse(&text) {
        let (name, value) = line
            .ok_or_else(|| format!("its `env-file` `{path}`: line {number} is not `NAME=value`"))?;
        let ours = [exported::ENV_NAME, exported::ENV_DIGEST, exported::ENV_GENERATION];
        if name == "PATH" || name == exported::RUN || ours.contains(&name) {
            return Err(format!(
                "its `env-file` `{path}`: line {number} sets `{name}`, which the environment sets"
            ));
        }
        if !file.keeps.contains(name) {
            out.push((name.into(), value.into()));
        }
    }
    Ok(out)
}

/// The lines that say something, by number from 1: a name and a value, `None` for what is not
/// understood. Comments, blank lines, `export` and quotes around a whole value are allowed.
pub fn parse(text: &str) -> impl Iterator<Item = (usize, Option<(&str, &str)>)> {
    let lines = text.lines().zip(1..).map(|(line, number)| (number, line.trim()));
    lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#')).map(|(number, line)| {
        let pair = line.strip_prefix("export ").unwrap_or(line).split_once('=');
        (number, pair.and_then(|(name, value)| Some((variable(name.trim())?, bare(value.trim())))))
    })
}

fn variable(name: &str) -> Option<&str> {
    let mut bytes = name.bytes();
    let first = bytes.next().is_some_and(|b| b.is_ascii_alphabetic() || b == b'_');
    (first && bytes.all(|b| b.is_ascii_alphanumeric() || b == b'_')).then_some(name)
}

fn bare(value: &str) -> &str {
    let inside = |quote| value.strip_prefix(quote)?.strip_suffix(quote);
    ['"', '\''].into_iter().find_map(inside).unwrap_or(value)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn file(text: &str) -> (tempfile::TempDir, EnvFile) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(".env.web");
        fs::write_atomic(&path, text.as_bytes()).unwrap();
        (dir, EnvFile { path, keeps: ["OWN".to_owned()].into() })
    }

    #[test]
    fn reads_the_usual_forms_and_leaves_what_is_kept() {
        let (_dir, file) = file("# c\nA=1\n\nexport B = 'two words'\nC=\"x=y\"\nD=\nOWN=no\nE='\n");
        let found = read(&file).unwrap();
        let found: Vec<_> = found.iter().map(|(k, v)| (k.to_str(), v.to_str())).collect();
        let want = [("A", "1"), ("B", "two words"), ("C", "x=y"), ("D", ""), ("E", "'")];
        assert_eq!(found, want.map(|(k, v)| (Some(k), Some(v))));
    }

    #[test]
    fn says_what_is_wrong_without_a_value() {
        for (text, says) in [
            ("A=1\nnonsense", "line 2 is not `NAME=value`"),
            ("1A=secret", "line 1 is not `NAME=value`"),
            ("PATH=/secret", "line 1 sets `PATH`"),
            ("\nINFRA_RUN=secret", "line 2 sets `INFRA_RUN`"),
        ] {
            let (_dir, file) = file(text);
            let error = read(&file).unwrap_err();
            assert!(error.contains(says) && !error.contains("secret"), "{error}");
        }
        let (dir, file) = file("");
        drop(dir);
        assert!(read(&file).unwrap_err().ends_with("does not exist"));
    }

    proptest! {
        #[test]
        fn never_panics(text in "(\\PC|\n){0,80}") {
            parse(&text).for_each(drop);
        }
    }
}
