//! JSON: one flat object of strings, sorted, as `load-env` of nushell and editors take it.

use crate::env::activate::Activation;
use crate::env::error::{Error, Result};

/// Every variable and `PATH`.
///
/// # Errors
/// A value that is not UTF-8: JSON has only text.
pub fn print(activation: &Activation) -> Result<Vec<u8>> {
    let mut all = std::collections::BTreeMap::new();
    for (name, value) in activation.all() {
        let text = value.into_string().map_err(|_| Error::Unprintable {
            name: name.to_owned(),
            format: "JSON",
            why: "it is not UTF-8",
        })?;
        all.insert(name, text);
    }
    let mut out = serde_json::to_vec_pretty(&all).unwrap_or_default();
    out.push(b'\n');
    Ok(out)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::os::unix::ffi::OsStringExt as _;

    use super::*;
    use crate::env::testing;

    #[test]
    fn reads_back() {
        let mut activation = testing::activation();
        let printed = print(&activation).expect("print");
        let read: BTreeMap<String, String> = serde_json::from_slice(&printed).expect("read");
        assert_eq!(read["TRICKY"], testing::TRICKY);
        assert_eq!(read["PATH"], "/store/store/env/bin:/usr/bin");
        activation.rest.push(std::ffi::OsString::from_vec(vec![b'/', 0xff]));
        assert!(matches!(print(&activation), Err(Error::Unprintable { .. })));
    }
}
