//! zsh: printing is bash's, entering goes through `ZDOTDIR`.
//!
//! zsh has no `--rcfile`: it is pointed at a directory of ours, whose files call the user's own from
//! where they really are, and give `ZDOTDIR` back before the user's `.zshrc` runs.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use super::{Code, bash};
use crate::env::activate::Activation;

/// Exports, and the function that takes them back. bash's code is zsh's too: single quotes, also
/// under `RC_QUOTES`, `typeset -f`, `unset -f` and `hash -r` mean the same in both.
pub fn print(activation: &Activation) -> Vec<u8> {
    bash::print(activation)
}

/// `.zshenv` in our directory: the user's, then back to ours.
pub fn zshenv(ours: &Path, users: Option<&OsStr>) -> Vec<u8> {
    let mut code = Code::default();
    match users {
        Some(dir) => {
            code.text("ZDOTDIR=").bytes(&bash::quote(dir.as_bytes())).text("\n");
        }
        None => {
            code.text("unset ZDOTDIR\n");
        }
    }
    code.text("if [[ -r ${ZDOTDIR:-$HOME}/.zshenv ]]; then . ${ZDOTDIR:-$HOME}/.zshenv; fi\n");
    // The user's file may have moved it.
    code.text("__infra_zdotdir=${ZDOTDIR-}\nZDOTDIR=");
    code.bytes(&bash::quote(ours.as_os_str().as_bytes())).text("\n");
    code.finish()
}

/// `.zshrc` in our directory: the user's, then the environment over it.
pub fn zshrc(activation: &Activation) -> Vec<u8> {
    let mut code = Code::default();
    // The system's start-up file may have put the history beside what it took for the user's files.
    code.text(
        "if [[ -n ${HISTFILE-} && $HISTFILE == $ZDOTDIR/* ]]; then \
         HISTFILE=${__infra_zdotdir:-$HOME}/${HISTFILE##*/}; fi\n\
         if [[ -n $__infra_zdotdir ]]; then ZDOTDIR=$__infra_zdotdir; else unset ZDOTDIR; fi\n\
         unset __infra_zdotdir\n\
         if [[ -r ${ZDOTDIR:-$HOME}/.zshrc ]]; then . ${ZDOTDIR:-$HOME}/.zshrc; fi\n",
    );
    bash::exports(&mut code, activation);
    code.text("__infra_bin=").bytes(&bash::quote(activation.bin.as_os_str().as_bytes()));
    // A parameter inside a pattern is text, not a pattern, in zsh.
    code.text("\npath=(\"$__infra_bin\" \"${(@)path:#$__infra_bin}\")\nunset __infra_bin\n");
    code.text("export PATH\nrehash\n");
    code.text(&format!("PROMPT='(infra:{}) '\"${{PROMPT-}}\"\n", activation.name));
    code.finish()
}

#[cfg(test)]
mod tests {
    use super::super::tests::run;
    use super::*;
    use crate::env::testing;

    #[test]
    fn print_leaves_as_bash_does() {
        let activation = testing::activation();
        let mut script = b"export NATS_URL=before PATH=/usr/bin:/bin\n".to_vec();
        script.extend(print(&activation));
        script.extend(b"printf '%s|%s|%s\\n' \"$NATS_URL\" \"$TRICKY\" \"$PATH\"\ninfra_leave\n");
        script.extend(b"printf '%s|%s' \"$NATS_URL\" \"${TRICKY-unset}\"");
        let Some(out) = run("zsh", &["-f"], &script) else { return };
        let expected = format!(
            "nats://127.0.0.1:4222|{}|/store/store/env/bin:/usr/bin\nbefore|unset",
            testing::TRICKY
        );
        assert_eq!(String::from_utf8_lossy(&out), expected);
    }

    #[test]
    fn start_up_files_give_zdotdir_back() {
        let ours = Path::new("/tmp/it's ours");
        let users = zshenv(ours, Some(OsStr::new("/home/u/zsh")));
        let text = String::from_utf8(users).expect("text");
        assert!(text.starts_with("ZDOTDIR='/home/u/zsh'\n"), "{text}");
        assert!(text.ends_with("ZDOTDIR='/tmp/it'\\''s ours'\n"), "{text}");
        assert!(zshenv(ours, None).starts_with(b"unset ZDOTDIR\n"));
        let rc = String::from_utf8(zshrc(&testing::activation())).expect("text");
        let (back, user) = (rc.find("ZDOTDIR=$__infra_zdotdir"), rc.find("/.zshrc; fi"));
        assert!(back < user && user < rc.find("export NATS_URL="), "{rc}");
    }

    #[test]
    fn start_up_files_put_the_environment_over_the_users() {
        let mut activation = testing::activation();
        activation.bin = "/odd [a-z]* 'dir'/bin".into();
        let mut script =
            b"HISTFILE=/ours/.zsh_history ZDOTDIR=/ours PROMPT='% ' NATS_URL=x\n".to_vec();
        script.extend(b"path=(/a \"/odd [a-z]* 'dir'/bin\" /usr/bin)\n");
        script.extend(zshenv(Path::new("/ours"), Some(OsStr::new("/users dir"))));
        script.extend(zshrc(&activation));
        script.extend(
            b"printf '%s|' \"$PATH\" \"$PROMPT\" \"$NATS_URL\" \"$ZDOTDIR\" \"$HISTFILE\"\n",
        );
        script.extend(b"typeset -m '__infra*'");
        let Some(out) = run("zsh", &["-f"], &script) else { return };
        let expected = "/odd [a-z]* 'dir'/bin:/a:/usr/bin|(infra:dev) % |nats://127.0.0.1:4222\
                        |/users dir|/users dir/.zsh_history|";
        assert_eq!(String::from_utf8_lossy(&out), expected);
    }
}
