//! `nix-cache-info`: whose paths a cache holds.
//!
//! Refuses a document without `StoreDir`, and lines that are none. Unknown keys are passed over.

use super::narinfo::STORE_DIR;

/// Its name in a cache.
pub(super) const FILE: &str = "nix-cache-info";

/// What a cache says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CacheInfo {
    /// The directory in the paths of its objects.
    pub store_dir: String,
    /// Whether asking for many objects at once is welcome.
    pub want_mass_query: bool,
    /// Lower is asked first; 40 is what most have.
    pub priority: u32,
}

impl Default for CacheInfo {
    fn default() -> Self {
        Self { store_dir: STORE_DIR.to_owned(), want_mass_query: true, priority: 40 }
    }
}

impl CacheInfo {
    /// Reads the text form; an error says what is wrong.
    pub fn parse(bytes: &[u8]) -> Result<Self, String> {
        let text = std::str::from_utf8(bytes).map_err(|_| "it is not UTF-8".to_owned())?;
        let mut store_dir = None;
        let mut info = Self { want_mass_query: false, priority: 50, ..Self::default() };
        for line in text.lines().filter(|line| !line.trim().is_empty()) {
            let (key, value) =
                line.split_once(':').ok_or_else(|| "a line is not `Key: value`".to_owned())?;
            match (key, value.trim()) {
                ("StoreDir", value) => store_dir = Some(value.to_owned()),
                ("WantMassQuery", value) => info.want_mass_query = value == "1",
                ("Priority", value) => {
                    info.priority =
                        value.parse().map_err(|_| "its priority is no number".to_owned())?;
                }
                _ => {}
            }
        }
        info.store_dir = store_dir.ok_or_else(|| "it does not say `StoreDir`".to_owned())?;
        Ok(info)
    }

    /// The text form.
    pub fn to_text(&self) -> String {
        let Self { store_dir, want_mass_query, priority } = self;
        let mass = u8::from(*want_mass_query);
        format!("StoreDir: {store_dir}\nWantMassQuery: {mass}\nPriority: {priority}\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_it_writes_and_what_nix_does() {
        let ours = CacheInfo { priority: 7, ..CacheInfo::default() };
        assert_eq!(CacheInfo::parse(ours.to_text().as_bytes()), Ok(ours));
        let nix = CacheInfo::parse(b"StoreDir: /nix/store\n").expect("info");
        assert_eq!((nix.want_mass_query, nix.store_dir.as_str()), (false, "/nix/store"));
        for bad in ["", "Priority: 1\n", "StoreDir /nix/store\n", "StoreDir: /x\nPriority: no\n"] {
            assert!(CacheInfo::parse(bad.as_bytes()).is_err(), "{bad}");
        }
    }
}
