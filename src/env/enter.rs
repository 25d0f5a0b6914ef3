//! What it takes to start the user's shell inside an environment.
//!
//! Owns how each shell is told; starts nothing and writes nothing: the caller writes the files and
//! runs the command. Invariant: after the user's own start-up files ran, the environment's variables
//! are set and its `bin` is first in `PATH`. `exit` leaves: nothing outside that process changed.
//!
//! A pure shell reads no start-up file, since those bring the host's `PATH` back.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use super::activate::{Activation, Purity, process_environment};
use super::shell::{bash, fish, zsh};
use super::values::Values;
use crate::config::Environ;

/// A shell to start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Enter {
    /// Program (an absolute path where the user's `SHELL` is one) and arguments.
    pub argv: Vec<OsString>,
    /// The whole environment of the process.
    pub env: BTreeMap<OsString, OsString>,
    /// Files to write before it starts, absolute; needed until its prompt shows. Their bytes are the
    /// same each time, so the directory may be kept.
    pub files: BTreeMap<PathBuf, Vec<u8>>,
}

/// Prepares the user's shell (`SHELL`, else `sh`). `dir` is a directory of ours for its files.
pub fn enter(values: &Values, environ: &Environ, purity: Purity, dir: &Path) -> Enter {
    let shell = environ.get("SHELL").unwrap_or("/bin/sh");
    let kind = Path::new(shell).file_name().and_then(OsStr::to_str).unwrap_or_default();
    let activation = Activation::new(values, environ, purity);
    let mut env = process_environment(values, environ, purity);
    let mut argv = vec![OsString::from(shell)];
    let mut files = BTreeMap::new();
    let marker = format!("(infra:{}) ", activation.name);
    let bash_prompt = OsString::from(format!("{marker}\\w \\$ "));
    match (kind, purity) {
        ("bash", Purity::Inherit) => {
            let rc = dir.join("bashrc");
            argv.extend(["--rcfile".into(), rc.clone().into_os_string(), "-i".into()]);
            files.insert(rc, bash::startup(&activation));
        }
        ("bash", Purity::Pure) => {
            argv.extend(["--noprofile", "--norc", "-i"].map(OsString::from));
            env.insert("PS1".into(), bash_prompt);
        }
        ("zsh", Purity::Inherit) => {
            let users = environ.all().get(OsStr::new("ZDOTDIR"));
            let users = users.filter(|at| !at.is_empty() && Path::new(at) != dir);
            files.insert(dir.join(".zshenv"), zsh::zshenv(dir, users.map(OsString::as_os_str)));
            files.insert(dir.join(".zshrc"), zsh::zshrc(&activation));
            env.insert("ZDOTDIR".into(), dir.into());
            argv.push("-i".into());
        }
        ("zsh", Purity::Pure) => {
            argv.extend(["-f", "-i"].map(OsString::from));
            env.insert("PS1".into(), format!("{marker}%~ %# ").into());
        }
        ("fish", _) => {
            if purity == Purity::Pure {
                argv.push("--no-config".into());
            }
            let init = dir.join("init.fish");
            let mut source = b"source ".to_vec();
            source.extend(fish::quote(init.as_os_str().as_encoded_bytes()));
            argv.push("--init-command".into());
            argv.push(bytes_to_os(source));
            files.insert(init, fish::startup(&activation));
        }
        // A shell we have no words for still gets the variables.
        _ => {
            argv.push("-i".into());
            env.insert("PS1".into(), format!("{marker}$ ").into());
        }
    }
    Enter { argv, env, files }
}

fn bytes_to_os(bytes: Vec<u8>) -> OsString {
    std::os::unix::ffi::OsStringExt::from_vec(bytes)
}

#[cfg(test)]
mod tests {
    use super::super::testing;
    use super::*;

    fn enter_with(shell: &str, purity: Purity) -> Enter {
        let site = testing::Site::new();
        let environ = Environ::from_vars([
            ("SHELL", shell),
            ("PATH", "/usr/bin"),
            ("ZDOTDIR", "/home/u/zsh"),
            ("HOME", "/home/u"),
        ]);
        enter(&site.values(), &environ, purity, Path::new("/p/.infra/shell"))
    }

    fn words(enter: &Enter) -> Vec<&str> {
        enter.argv.iter().map(|word| word.to_str().expect("text")).collect()
    }

    #[test]
    fn each_shell_reads_our_file_after_the_users() {
        let bash = enter_with("/bin/bash", Purity::Inherit);
        assert_eq!(words(&bash), ["/bin/bash", "--rcfile", "/p/.infra/shell/bashrc", "-i"]);
        assert!(bash.files.contains_key(Path::new("/p/.infra/shell/bashrc")));
        let zsh = enter_with("/usr/bin/zsh", Purity::Inherit);
        assert_eq!(zsh.env[OsStr::new("ZDOTDIR")], "/p/.infra/shell");
        let zshenv = &zsh.files[Path::new("/p/.infra/shell/.zshenv")];
        assert!(zshenv.starts_with(b"ZDOTDIR='/home/u/zsh'\n"));
        let fish = enter_with("/usr/bin/fish", Purity::Inherit);
        assert_eq!(words(&fish)[1..], ["--init-command", "source '/p/.infra/shell/init.fish'"]);
        for shell in [bash, zsh, fish] {
            assert_eq!(shell.env[OsStr::new("PATH")], "/store/store/env/bin:/usr/bin");
        }
    }

    #[test]
    fn a_pure_shell_reads_no_start_up_file_of_the_users() {
        for (shell, flag) in
            [("/bin/bash", "--norc"), ("/bin/zsh", "-f"), ("/bin/fish", "--no-config")]
        {
            let enter = enter_with(shell, Purity::Pure);
            assert!(words(&enter).contains(&flag), "{shell}");
            assert_eq!(enter.env[OsStr::new("PATH")], "/store/store/env/bin");
            assert!(!enter.env.contains_key(OsStr::new("ZDOTDIR")));
        }
    }

    #[test]
    fn an_unknown_shell_gets_the_variables() {
        let enter = enter_with("/opt/odd", Purity::Inherit);
        assert_eq!(words(&enter), ["/opt/odd", "-i"]);
        assert_eq!(enter.env[OsStr::new("NATS_URL")], "nats://127.0.0.1:4222");
        assert!(enter.files.is_empty());
    }
}
