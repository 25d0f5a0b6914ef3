//! A snapshot of the process environment, and what it says of the person and the machine.
//!
//! Invariant: the process environment is read once, in [`Environ::capture`].

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

/// A snapshot of the process environment; the only place that reads it.
#[derive(Clone, Debug, Default)]
pub struct Environ {
    vars: BTreeMap<OsString, OsString>,
}

impl Environ {
    /// The variables of this process.
    #[allow(clippy::disallowed_methods, reason = "this room owns the environment")]
    pub fn capture() -> Self {
        Self { vars: std::env::vars_os().collect() }
    }

    /// Exactly these variables, for tests.
    pub fn from_vars<K: Into<OsString>, V: Into<OsString>>(
        vars: impl IntoIterator<Item = (K, V)>,
    ) -> Self {
        Self { vars: vars.into_iter().map(|(k, v)| (k.into(), v.into())).collect() }
    }

    /// A variable that is set, not empty, and UTF-8.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.get_os(name)?.to_str()
    }

    /// A variable that is set and not empty, whatever its bytes.
    pub fn get_os(&self, name: &str) -> Option<&OsStr> {
        self.vars.get(OsStr::new(name)).map(OsString::as_os_str).filter(|v| !v.is_empty())
    }

    /// Every variable.
    pub fn all(&self) -> &BTreeMap<OsString, OsString> {
        &self.vars
    }

    /// The user's home directory (`HOME`), if it is absolute.
    pub fn home(&self) -> Option<&Path> {
        self.absolute("HOME")
    }

    /// The user's login shell (`SHELL`), if it is absolute.
    pub fn shell(&self) -> Option<&Path> {
        self.absolute("SHELL")
    }

    /// The search path (`PATH`), as it is.
    pub fn path(&self) -> Option<&OsStr> {
        self.get_os("PATH")
    }

    /// Whether this runs unattended: `CI` is set to something other than `0` or `false`.
    pub fn is_ci(&self) -> bool {
        self.get_os("CI").is_some_and(|v| v != "0" && !v.eq_ignore_ascii_case("false"))
    }

    /// Whether colours are unwanted: `NO_COLOR` is set and not empty.
    pub fn no_color(&self) -> bool {
        self.get_os("NO_COLOR").is_some()
    }

    /// A variable that holds an absolute path; the XDG base directory specification wants
    /// relative ones ignored.
    pub fn absolute(&self, name: &str) -> Option<&Path> {
        self.get_os(name).map(Path::new).filter(|p| p.is_absolute())
    }

    /// The user's cache directory: `XDG_CACHE_HOME`, else `.cache` in the home.
    pub fn cache_home(&self) -> Option<PathBuf> {
        match self.absolute("XDG_CACHE_HOME") {
            Some(path) => Some(path.to_owned()),
            None => Some(self.home()?.join(".cache")),
        }
    }

    /// The user's configuration directory: `XDG_CONFIG_HOME`, else `.config` in the home.
    pub fn config_home(&self) -> Option<PathBuf> {
        match self.absolute("XDG_CONFIG_HOME") {
            Some(path) => Some(path.to_owned()),
            None => Some(self.home()?.join(".config")),
        }
    }
}

/// The first executable file of that name on `PATH`. Relative and empty entries are passed over:
/// what they find would depend on the working directory.
pub fn find_on_path(environ: &Environ, name: &str) -> Option<PathBuf> {
    find_in(environ.path()?, name.as_ref())
}

/// The first executable file of that name in the absolute directories of a `PATH`.
pub fn find_in(path: &OsStr, name: &OsStr) -> Option<PathBuf> {
    if name.is_empty() || name.as_encoded_bytes().contains(&b'/') {
        return None;
    }
    std::env::split_paths(path)
        .filter(|dir| dir.is_absolute())
        .map(|dir| dir.join(name))
        .find(|file| is_executable(file))
}

fn is_executable(file: &Path) -> bool {
    file.is_file() && rustix::fs::access(file, rustix::fs::Access::EXEC_OK).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fs;

    #[test]
    fn reads_what_is_set() {
        let environ = Environ::from_vars([
            ("HOME", "/home/me"),
            ("SHELL", "zsh"),
            ("EMPTY", ""),
            ("CI", "true"),
            ("NO_COLOR", "1"),
        ]);
        assert_eq!(environ.home(), Some(Path::new("/home/me")));
        assert_eq!(environ.shell(), None, "relative");
        assert_eq!(environ.get("EMPTY"), None);
        assert_eq!(environ.config_home(), Some(PathBuf::from("/home/me/.config")));
        assert!(environ.is_ci() && environ.no_color());
        for quiet in ["", "0", "false", "FALSE"] {
            assert!(!Environ::from_vars([("CI", quiet)]).is_ci(), "{quiet}");
        }
    }

    #[test]
    fn a_value_that_is_not_utf8_is_still_a_path() {
        use std::os::unix::ffi::OsStrExt as _;
        let odd = OsStr::from_bytes(b"/a\xff");
        let environ = Environ::from_vars([("HOME", odd)]);
        assert_eq!(environ.get("HOME"), None);
        assert_eq!(environ.home(), Some(Path::new(odd)));
    }

    #[test]
    fn finds_the_first_executable() {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name);
        for (file, mode) in [("a/tool", 0o644), ("b/tool", 0o755), ("c/tool", 0o755)] {
            fs::create_dir_all(path(file).parent().unwrap()).unwrap();
            fs::write_atomic(&path(file), b"").unwrap();
            fs::chmod(&path(file), mode).unwrap();
        }
        fs::create_dir_all(&path("0/tool")).unwrap();
        let dirs = [PathBuf::new(), "rel".into(), path("0"), path("a"), path("b"), path("c")];
        let environ = Environ::from_vars([("PATH", std::env::join_paths(dirs).unwrap())]);
        assert_eq!(find_on_path(&environ, "tool"), Some(path("b/tool")));
        assert_eq!(find_on_path(&environ, "b/tool"), None);
        assert_eq!(find_on_path(&environ, "other"), None);
        assert_eq!(find_on_path(&Environ::default(), "tool"), None);
    }
}
