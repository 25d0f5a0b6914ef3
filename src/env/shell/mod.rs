//! How each shell and file format writes variables.
//!
//! One file each. Owns quoting; knows nothing of where values come from. Invariant: what a reader
//! of the format gets back is the value, byte for byte.

pub mod bash;
pub mod dotenv;
pub mod fish;
pub mod github;
pub mod json;
pub mod zsh;

/// Shell code under construction: text with arbitrary bytes inside.
#[derive(Debug, Default)]
pub(super) struct Code(Vec<u8>);

impl Code {
    /// Adds text as it is.
    pub(super) fn text(&mut self, text: &str) -> &mut Self {
        self.0.extend_from_slice(text.as_bytes());
        self
    }

    /// Adds bytes as they are.
    pub(super) fn bytes(&mut self, bytes: &[u8]) -> &mut Self {
        self.0.extend_from_slice(bytes);
        self
    }

    /// What was written.
    pub(super) fn finish(self) -> Vec<u8> {
        self.0
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::path::Path;

    /// Runs a shell with an empty environment and gives its output; `None` when it is not
    /// installed.
    #[allow(clippy::disallowed_methods, reason = "the real shell is the judge of quoting")]
    pub(in super::super) fn run(shell: &str, args: &[&str], script: &[u8]) -> Option<Vec<u8>> {
        use std::io::Write as _;
        use std::process::{Command, Stdio};
        let program = ["/bin", "/usr/bin", "/usr/local/bin", "/opt/homebrew/bin"]
            .iter()
            .map(|dir| Path::new(dir).join(shell))
            .find(|path| path.exists())?;
        let mut child = Command::new(program)
            .args(args)
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .env("HOME", "/nonexistent")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("start the shell");
        child.stdin.take().expect("stdin").write_all(script).expect("write the script");
        let output = child.wait_with_output().expect("wait");
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{shell}: {stderr}");
        assert_eq!(stderr, "", "{shell} complains");
        Some(output.stdout)
    }
}
