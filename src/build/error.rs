//! What goes wrong when a command is built.

use std::path::PathBuf;

use super::run::StartError;
use crate::base::{Diagnose, Hint, Kind};
use crate::{archive, fs};

/// A build that failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The filesystem refused.
    #[error(transparent)]
    File(#[from] fs::Error),
    /// A module's zip cannot be read.
    #[error("the module's zip `{}` cannot be read", path.display())]
    Zip {
        /// The file.
        path: PathBuf,
        /// Why.
        source: Box<archive::Error>,
    },
    /// The toolchain could not be started.
    #[error("the toolchain does not run")]
    Start(#[source] StartError),
    /// The toolchain said no.
    #[error("`{package}` {version} cannot be {what}{}", on.as_ref().map(|on| format!(" for {on}")).unwrap_or_default())]
    Failed {
        /// `built`, `looked up`.
        what: &'static str,
        /// The package.
        package: String,
        /// Its version.
        version: String,
        /// `GOOS/GOARCH`.
        on: Option<String>,
        /// The end of what it said.
        said: Vec<String>,
    },
    /// It ended well and left no command.
    #[error("the toolchain made no command of `{package}`")]
    NoCommand {
        /// The package.
        package: String,
    },
    /// No module of the closure has the package.
    #[error("no module of `{package}` {version} is at hand")]
    NoModule {
        /// The package.
        package: String,
        /// Its version.
        version: String,
    },
    /// A sum that Go kept is not that of the file.
    #[error("the download of `{about}` changed while it was looked at")]
    Unstable {
        /// Module, version, which file.
        about: String,
    },
}

/// Result of building.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Diagnose for Error {
    fn kind(&self) -> Kind {
        match self {
            Self::File(e) => e.kind(),
            Self::Zip { source, .. } => source.kind(),
            Self::Start(_) | Self::Failed { .. } | Self::NoCommand { .. } => Kind::User,
            Self::NoModule { .. } | Self::Unstable { .. } => Kind::Integrity,
        }
    }

    fn hints(&self) -> Vec<Hint> {
        let texts = match self {
            Self::File(e) => return e.hints(),
            Self::Zip { source, .. } => return source.hints(),
            Self::Start(_) => {
                vec!["check that the dep of the toolchain is Go for this machine".to_owned()]
            }
            Self::Failed { said, what, on, .. } => failed(said, what, on.as_deref()),
            Self::NoCommand { .. } => vec![
                "name the package that holds `func main`, e.g. `go:example.com/tool/cmd/tool`"
                    .to_owned(),
            ],
            Self::NoModule { .. } => vec!["the lock was edited; run `infra dep lock`".to_owned()],
            Self::Unstable { .. } => vec!["run the same command again".to_owned()],
        };
        texts.into_iter().map(Hint::new).collect()
    }

    fn details(&self) -> Vec<String> {
        match self {
            Self::Failed { said, .. } => said.clone(),
            _ => Vec::new(),
        }
    }
}

/// What to do, by what Go says.
fn failed(said: &[String], what: &str, on: Option<&str>) -> Vec<String> {
    let has = |words: &str| said.iter().any(|line| line.contains(words));
    if has("requires go >=") || has("is too old") {
        return vec![
            "the module needs a newer Go: raise `version` of the toolchain's dep in the profile"
                .to_owned(),
        ];
    }
    if has("not a main package") {
        return vec![
            "name the package that holds `func main`, e.g. `go:example.com/tool/cmd/tool`"
                .to_owned(),
        ];
    }
    if has("GOVCS disallows") {
        return vec![
            "the module is not on a proxy, and version control is not used: set GOPROXY to a \
             proxy that has it, and leave it out of GOPRIVATE and GONOPROXY"
                .to_owned(),
        ];
    }
    if has("SECURITY ERROR") || has("checksum mismatch") {
        return vec![
            "the proxy serves other bytes than the checksum database knows; nothing was locked"
                .to_owned(),
        ];
    }
    if has("sumdb") || has("GOSUMDB") {
        return vec![
            "the checksum database cannot be asked: set GOSUMDB or GONOSUMDB as for Go itself"
                .to_owned(),
        ];
    }
    match (what, on) {
        ("built", Some(_)) => vec![
            "if it does not support that platform, leave it out with `platforms` of the dep"
                .to_owned(),
            "nothing of the system is used, not even a C compiler: packages that need cgo cannot \
             be built"
                .to_owned(),
        ],
        _ => Vec::new(),
    }
}

/// The last lines of an output, without our directories in it.
pub(super) fn tail(output: &str, hide: &[(String, &str)]) -> Vec<String> {
    const LINES: usize = 20;
    const WIDTH: usize = 400;
    let lines: Vec<&str> = output
        .lines()
        .filter(|line| !line.starts_with("go: downloading ") && !line.trim().is_empty())
        .collect();
    lines[lines.len().saturating_sub(LINES)..]
        .iter()
        .map(|line| {
            let mut line = (*line).replace('\t', "    ");
            for (what, with) in hide {
                line = line.replace(what, with);
            }
            line.chars().filter(|c| !c.is_control()).take(WIDTH).collect()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_an_output() {
        let mut output = "go: downloading example.com/a v1\n".to_owned();
        for n in 0..30 {
            output.push_str(&format!("/tmp/x/mod/a.go:{n}: \tno\x1b[m\n\n"));
        }
        let tail = tail(&output, &[("/tmp/x/mod".to_owned(), "…")]);
        assert_eq!(tail.len(), 20);
        assert_eq!(tail[19], "…/a.go:29:     no[m");
    }

    #[test]
    fn hints_by_what_was_said() {
        let hint = |said: &str| {
            let (package, version) = ("example.com/a".to_owned(), "v1".to_owned());
            let on = Some("linux/amd64".to_owned());
            let said = vec![said.to_owned()];
            Error::Failed { what: "built", package, version, on, said }.hints()[0].0.clone()
        };
        let old = "go: example.com/a@v1 requires go >= 1.99 (running go 1.26.6; GOTOOLCHAIN=local)";
        assert!(hint(old).contains("newer Go"));
        assert!(hint("package example.com/a is not a main package").contains("func main"));
        assert!(hint("a.go:1: undefined: x").contains("`platforms`"));
    }
}
