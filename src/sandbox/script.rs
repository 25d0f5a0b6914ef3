//! Scripts: which interpreter a `#!` line asks for.
//!
//! Reads a line as the kernel does (`fs/binfmt_script.c`): the interpreter's path, then at most one
//! argument. Invariant: nothing here looks at the disk.

use std::path::{Path, PathBuf};

/// What a script's first line asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shebang {
    /// The interpreter's path.
    pub interpreter: PathBuf,
    /// Everything after it, as one argument.
    pub argument: Option<String>,
}

impl Shebang {
    /// Reads the beginning of a file; `None` when it is no script, or its line is no text.
    pub fn read(head: &[u8]) -> Option<Self> {
        let line = crate::binary::script_program(head)?;
        let (interpreter, argument) = match line.split_once([' ', '\t']) {
            Some((first, rest)) => (first, Some(rest.trim())),
            None => (line.as_str(), None),
        };
        let argument = argument.filter(|a| !a.is_empty()).map(str::to_owned);
        Some(Self { interpreter: interpreter.into(), argument })
    }

    /// The command that `env NAME` looks up on `PATH`, where the line is that and no more.
    pub fn by_env(&self) -> Option<&str> {
        let is_env = self.interpreter == Path::new("/usr/bin/env")
            || self.interpreter == Path::new("/bin/env");
        let name = self.argument.as_deref().filter(|_| is_env)?;
        let plain = !name.contains([' ', '\t', '=', '/']) && !name.starts_with('-');
        plain.then_some(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_lines_as_the_kernel_does() {
        let read = |text: &str| Shebang::read(text.as_bytes());
        let sh = read("#!/bin/sh\necho\n").expect("a script");
        assert_eq!((sh.interpreter.to_str(), sh.argument.as_deref()), (Some("/bin/sh"), None));
        assert_eq!(sh.by_env(), None);
        let node = read("#! /usr/bin/env node\n").expect("a script");
        assert_eq!(node.by_env(), Some("node"));
        for other in ["#!/usr/bin/env -S node -x\n", "#!/usr/bin/env A=b\n", "#!/usr/bin/env\n"] {
            assert_eq!(read(other).expect("a script").by_env(), None, "{other}");
        }
        let two = read("#!/usr/bin/python3 -s -E\n").expect("a script");
        assert_eq!(two.argument.as_deref(), Some("-s -E"));
        assert_eq!(read("\u{7f}ELF"), None);
        assert_eq!(read("#!\n"), None);
    }
}
