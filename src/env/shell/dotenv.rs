//! dotenv: `NAME=value` lines, for what reads env files.
//!
//! The format has no standard. Written here is what POSIX shells (`set -a; . FILE`), the common
//! dotenv libraries and systemd's `EnvironmentFile` read alike: a bare word where nothing needs
//! quoting, single quotes where the value has none of `'` and `\`, else double quotes with `\`, `"`,
//! `$` and the backtick escaped as the shell wants it. A line break stays a line break in quotes.

use std::os::unix::ffi::OsStrExt as _;

use super::Code;
use crate::env::activate::Activation;

/// One line for each variable, and `PATH`.
pub fn print(activation: &Activation) -> Vec<u8> {
    let mut code = Code::default();
    for (name, value) in activation.all() {
        code.text(name).text("=").bytes(&quote(value.as_bytes())).text("\n");
    }
    code.finish()
}

fn quote(value: &[u8]) -> Vec<u8> {
    let bare = |b: &u8| b.is_ascii_alphanumeric() || b"_-./:@%+,=".contains(b);
    if !value.is_empty() && value.iter().all(bare) {
        return value.to_vec();
    }
    let mut out = Vec::with_capacity(value.len() + 2);
    if value.iter().all(|b| !b"'\\".contains(b)) {
        out.push(b'\'');
        out.extend_from_slice(value);
        out.push(b'\'');
        return out;
    }
    out.push(b'"');
    for &byte in value {
        if b"\"\\$`".contains(&byte) {
            out.push(b'\\');
        }
        out.push(byte);
    }
    out.push(b'"');
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::tests::run;
    use super::*;
    use crate::env::testing;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn a_shell_reads_every_value(value in proptest::collection::vec(1u8..=255, 0..40)) {
            let mut script = b"V=".to_vec();
            script.extend(quote(&value));
            script.extend(b"\nprintf %s \"$V\"");
            if let Some(out) = run("bash", &["--norc", "--noprofile"], &script) {
                prop_assert_eq!(out, value);
            }
        }
    }

    #[test]
    fn quotes_only_what_needs_it() {
        let printed = String::from_utf8(print(&testing::activation())).expect("text");
        assert!(printed.contains("NATS_URL=nats://127.0.0.1:4222\n"), "{printed}");
        assert!(printed.contains("PATH=/store/store/env/bin:/usr/bin\n"), "{printed}");
        assert_eq!(quote(b""), b"''");
        assert_eq!(quote(b"a b$c"), b"'a b$c'");
        assert_eq!(quote(b"it's $5"), b"\"it's \\$5\"");
    }
}
