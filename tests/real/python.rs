//! A Python of a test's own, with packages from the index that this machine is configured for.

use std::path::{Path, PathBuf};
use std::process::Command;

/// Makes it below `directory`; gives its interpreter.
pub fn with(directory: &Path, packages: &[&str]) -> PathBuf {
    let venv = directory.join("venv");
    let run = |command: &mut Command| {
        let done = command.output().expect("start python");
        let said = String::from_utf8_lossy(&done.stderr).into_owned();
        assert!(done.status.success(), "{command:?}: {said}");
    };
    run(Command::new("python3").args(["-m", "venv"]).arg(&venv));
    let python = venv.join("bin/python");
    run(Command::new(&python)
        .args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"])
        .args(packages));
    python
}
