//! What several executables together expect of the host. Pure.
//!
//! Invariant: merging is the same in any order, but for the interpreter, where the first of two
//! different ones stays.

use crate::binary::Needs;

/// Adds what one more executable expects.
pub fn merge(into: &mut Needs, more: &Needs) {
    let Needs { libc, libc_version, interpreter, libraries } = more;
    if into.libc.is_none() {
        into.libc.clone_from(libc);
    }
    if version_key(libc_version) > version_key(&into.libc_version) {
        into.libc_version.clone_from(libc_version);
    }
    if into.interpreter.is_none() {
        into.interpreter.clone_from(interpreter);
    }
    into.libraries.extend(libraries.iter().cloned());
    into.libraries.sort_unstable();
    into.libraries.dedup();
}

/// `None` when nothing is expected: all executables are static.
pub fn unless_empty(needs: Needs) -> Option<Needs> {
    (needs != Needs::default()).then_some(needs)
}

/// `2.17` as numbers, so that it is more than `2.4`.
fn version_key(version: &Option<String>) -> Vec<u64> {
    let text = version.as_deref().unwrap_or("");
    text.split('.').filter_map(|part| part.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn needs(version: &str, libraries: &[&str]) -> Needs {
        Needs {
            libc: Some("glibc".to_owned()),
            libc_version: Some(version.to_owned()),
            interpreter: Some("/lib64/ld".to_owned()),
            libraries: libraries.iter().map(|l| (*l).to_owned()).collect(),
        }
    }

    #[test]
    fn takes_the_highest_and_all_libraries() {
        let mut all = Needs::default();
        assert_eq!(unless_empty(all.clone()), None);
        for more in [needs("2.4", &["libm.so.6"]), Needs::default(), needs("2.17", &["libc.so.6"])]
        {
            merge(&mut all, &more);
        }
        assert_eq!(unless_empty(all), Some(needs("2.17", &["libc.so.6", "libm.so.6"])));
    }
}
