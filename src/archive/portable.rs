//! Names that Windows cannot hold.
//!
//! Refuses device names (`CON`, `nul.txt`, `COM¹`) and components that end in a dot or a space: there
//! they are another file, or none, so that a tree with them is not the same everywhere. Accepts
//! them in Debian packages, which are made for one system and have such files (headers named
//! `aux.h`). A colon within a name is accepted, as manuals of Perl modules have it; a drive is
//! refused with the absolute paths.

use super::{Entry, Format, Refusal};

/// Names of devices, with any extension and in any case.
const DEVICES: [&str; 6] = ["CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$"];

/// Whether archives of a format are looked at: the name of a single file is given by the project,
/// not by the archive, and images are of one system, as Debian packages are.
pub(super) fn applies(format: Format) -> bool {
    format != Format::Deb && !format.is_file() && !format.is_layer()
}

/// Looks at each entry's own name: parents are entries too.
pub(super) fn check(entries: &[Entry]) -> Result<(), (&str, Refusal)> {
    for entry in entries {
        let name = entry.path.file_name();
        if !fits(name) {
            return Err((entry.path.as_str(), Refusal::Windows(name.to_owned())));
        }
    }
    Ok(())
}

/// Whether Windows can hold a file of this name.
pub(super) fn fits(name: &str) -> bool {
    if name.ends_with(['.', ' ']) {
        return false;
    }
    // Windows looks at what comes before the first dot, less the spaces before it.
    let stem = name.split('.').next().unwrap_or(name).trim_end_matches(' ');
    if DEVICES.iter().any(|device| stem.eq_ignore_ascii_case(device)) {
        return false;
    }
    let port = stem
        .get(..3)
        .is_some_and(|s| s.eq_ignore_ascii_case("COM") || s.eq_ignore_ascii_case("LPT"));
    let mut number = stem.chars().skip(3);
    let digit = matches!(number.next(), Some('0'..='9' | '¹' | '²' | '³'));
    !(port && digit && number.next().is_none())
}

#[cfg(test)]
mod tests {
    use super::fits;

    #[test]
    fn what_windows_cannot_hold() {
        for name in [
            "CON",
            "con",
            "nul.txt",
            "Aux.h",
            "prn.tar.gz",
            "COM1",
            "com9.x",
            "LPT¹",
            "com³.log",
            "lpt0",
            "conin$",
            "nul .txt",
            "a.",
            "a ",
            "...",
            "..a. ",
        ] {
            assert!(!fits(name), "{name}");
        }
        for name in [
            "console",
            "nulls",
            "COM",
            "COM10",
            "com1x",
            "aux-1",
            "xCON",
            ".con",
            "a.nul",
            "lpt",
            "€",
            "co€",
            "a b",
            ".a",
            "..a",
            "Foo::Bar.3pm",
            "comé",
        ] {
            assert!(fits(name), "{name}");
        }
    }
}
