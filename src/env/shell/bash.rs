//! bash, and the code it shares with zsh.
//!
//! The printed code defines `infra_leave`, which restores what was there before and removes itself;
//! printing into a shell that is already in an environment leaves that one first. Safe under
//! `set -eu`. Quoting: POSIX single quotes, in which only `'` is special.

use std::os::unix::ffi::OsStrExt as _;

use super::Code;
use crate::env::activate::Activation;

/// The value as one word.
pub fn quote(value: &[u8]) -> Vec<u8> {
    let mut out = vec![b'\''];
    for &byte in value {
        match byte {
            b'\'' => out.extend_from_slice(b"'\\''"),
            other => out.push(other),
        }
    }
    out.push(b'\'');
    out
}

/// Exports, and the function that takes them back.
pub fn print(activation: &Activation) -> Vec<u8> {
    let all = activation.all();
    let mut code = Code::default();
    code.text("if typeset -f infra_leave >/dev/null 2>&1; then infra_leave; fi\n");
    for (name, value) in &all {
        code.text(&format!("__infra_had_{name}=${{{name}+x}} __infra_old_{name}=${{{name}-}}\n"));
        code.text(&format!("export {name}=")).bytes(&quote(value.as_bytes())).text("\n");
    }
    code.text("infra_leave() {\n");
    for name in all.keys() {
        code.text(&format!(
            "  if [ -n \"$__infra_had_{name}\" ]; then export {name}=\"$__infra_old_{name}\"; \
             else unset {name}; fi\n  unset __infra_had_{name} __infra_old_{name}\n"
        ));
    }
    code.text("  unset -f infra_leave\n  hash -r 2>/dev/null || :\n}\n");
    code.text("hash -r 2>/dev/null || :\n");
    code.finish()
}

/// The start-up file of a shell that is entered: the user's own, then the environment over it,
/// since the user's may set any of its variables and put other directories before `PATH`.
pub fn startup(activation: &Activation) -> Vec<u8> {
    let mut code = Code::default();
    code.text("if [ -r ~/.bashrc ]; then . ~/.bashrc; fi\n");
    exports(&mut code, activation);
    let bin = quote(activation.bin.as_os_str().as_bytes());
    code.text("__infra_bin=").bytes(&bin).text(FIRST_IN_PATH);
    code.text(&format!("PS1='(infra:{}) '\"${{PS1-}}\"\n", activation.name));
    code.finish()
}

/// Moves `$__infra_bin` to the front of `PATH`. An empty entry, which means the working directory,
/// stays where the user has it.
const FIRST_IN_PATH: &str = r#"
__infra_path=:${PATH-}:
while [[ $__infra_path == *":$__infra_bin:"* ]]; do
  __infra_path=${__infra_path/":$__infra_bin:"/:}
done
__infra_path=${__infra_path#:}
__infra_path=${__infra_path%:}
export PATH="$__infra_bin${__infra_path:+:$__infra_path}"
unset __infra_bin __infra_path
hash -r 2>/dev/null || :
"#;

/// Exports without `PATH`.
pub(super) fn exports(code: &mut Code, activation: &Activation) {
    for (name, value) in &activation.variables {
        code.text(&format!("export {name}=")).bytes(&quote(value.as_bytes())).text("\n");
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;

    use proptest::prelude::*;

    use super::super::tests::run;
    use super::*;
    use crate::env::testing;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn every_byte_survives(value in proptest::collection::vec(1u8..=255, 0..40)) {
            let mut script = b"printf %s ".to_vec();
            script.extend(quote(&value));
            if let Some(out) = run("bash", &["--norc", "--noprofile"], &script) {
                prop_assert_eq!(out, value);
            }
        }
    }

    #[test]
    fn quotes_what_a_shell_would_read() {
        assert_eq!(quote(b""), b"''");
        assert_eq!(quote(b"$HOME `x` \\ \"!\n"), b"'$HOME `x` \\ \"!\n'");
        assert_eq!(quote(b"it's"), b"'it'\\''s'");
    }

    #[test]
    fn leaving_restores_what_was_there() {
        let activation = testing::activation();
        let mut script = b"set -eu\nexport NATS_URL=before EMPTY= PATH=/usr/bin:/bin\n".to_vec();
        script.extend(print(&activation));
        script.extend(b"printf '%s|%s|%s|%s\n' \"$NATS_URL\" \"$TRICKY\" \"$EMPTY\" \"$PATH\"\n");
        // Twice: the second leaves the first.
        script.extend(print(&activation));
        script.extend(b"infra_leave\n");
        script.extend(b"printf '%s|%s|%s|%s' \"$NATS_URL\" \"${TRICKY-unset}\" \"${EMPTY-unset}\" \"$PATH\"\n");
        script.extend(b"! typeset -f infra_leave >/dev/null; ! set | grep -q ^__infra");
        let Some(out) = run("bash", &["--norc", "--noprofile"], &script) else { return };
        let expected = format!(
            "nats://127.0.0.1:4222|{}|set|/store/store/env/bin:/usr/bin\nbefore|unset||/usr/bin:/bin",
            testing::TRICKY
        );
        assert_eq!(String::from_utf8_lossy(&out), expected);
    }

    #[test]
    fn the_start_up_file_puts_the_environment_last_and_first() {
        let mut activation = testing::activation();
        activation.bin = OsString::from("/odd [a-z]* 'dir'/bin").into();
        for (before, after) in [
            ("/usr/bin:/bin", "/usr/bin:/bin"),
            ("/a:/odd [a-z]* 'dir'/bin:/odd [a-z]* 'dir'/bin:/b:", "/a:/b:"),
            ("/odd [a-z]* 'dir'/bin", ""),
            ("", ""),
        ] {
            let mut script = b"export PS1='$ ' PATH=".to_vec();
            script.extend(quote(before.as_bytes()));
            script.push(b'\n');
            script.extend(startup(&activation));
            script.extend(b"printf '%s|%s|%s' \"$PATH\" \"$PS1\" \"$NATS_URL\"");
            let Some(out) = run("bash", &["--norc", "--noprofile"], &script) else { return };
            let colon = if after.is_empty() { "" } else { ":" };
            let expected =
                format!("/odd [a-z]* 'dir'/bin{colon}{after}|(infra:dev) $ |nats://127.0.0.1:4222");
            assert_eq!(String::from_utf8_lossy(&out), expected, "{before}");
        }
    }
}
