//! GitHub Actions' environment files.
//!
//! `$GITHUB_ENV` takes `NAME<<DELIMITER`, the value's lines, `DELIMITER`; `$GITHUB_PATH` takes one
//! directory a line, which is put first. Reference: GitHub's "Workflow commands". The delimiter is
//! not random, so that the output is the same each time; it is made longer until the value does not
//! contain it, so that no value can end its own block.

use std::os::unix::ffi::OsStrExt as _;

use super::Code;
use crate::env::activate::Activation;

/// What to append to `$GITHUB_ENV`.
pub fn print(activation: &Activation) -> Vec<u8> {
    let mut code = Code::default();
    for (name, value) in &activation.variables {
        let mut delimiter = "INFRA_END".to_owned();
        while value.contains(&delimiter) {
            delimiter.push('_');
        }
        code.text(&format!("{name}<<{delimiter}\n{value}\n{delimiter}\n"));
    }
    code.finish()
}

/// What to append to `$GITHUB_PATH`.
pub fn path(activation: &Activation) -> Vec<u8> {
    let mut code = Code::default();
    code.bytes(activation.bin.as_os_str().as_bytes()).text("\n");
    code.finish()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;
    use crate::env::testing;

    /// Reads the file as the runner does.
    fn read(bytes: &[u8]) -> BTreeMap<String, String> {
        let text = std::str::from_utf8(bytes).expect("text");
        let mut lines = text.split('\n');
        let mut read = BTreeMap::new();
        while let Some(head) = lines.next().filter(|line| !line.is_empty()) {
            let (name, delimiter) = head.split_once("<<").expect("head");
            let value: Vec<_> = lines.by_ref().take_while(|line| *line != delimiter).collect();
            read.insert(name.to_owned(), value.join("\n"));
        }
        read
    }

    proptest! {
        #[test]
        fn no_value_ends_its_own_block(value in "(INFRA_END|_|\n|X=|<<|[^\0\r]){0,12}") {
            let mut activation = testing::activation();
            activation.variables.insert("V".to_owned(), value);
            prop_assert_eq!(read(&print(&activation)), activation.variables);
        }
    }

    #[test]
    fn path_is_one_line() {
        assert_eq!(path(&testing::activation()), b"/store/store/env/bin\n");
    }
}
