//! The Aqua registry on the fake upstream: a repository of the forge, file by file at a commit.

use super::server::FakeUpstream;

/// Where the registry is.
const REPOSITORY: &str = "/github/api/repos/aquaproj/aqua-registry";

impl FakeUpstream {
    /// Path of the question for the newest commit, for faults and counting.
    pub(crate) fn aqua_head() -> String {
        format!("{REPOSITORY}/commits/HEAD")
    }

    /// Path of a package's definition, for faults and counting.
    pub(crate) fn aqua_file(package: &str) -> String {
        format!("{REPOSITORY}/contents/pkgs/{package}/registry.yaml")
    }

    /// Commits a new state of the registry, whose name is made of one letter: every definition by
    /// its package, and all of them in one file. Older states stay.
    pub(crate) fn aqua(&self, letter: char, definitions: &[(&str, &str)]) -> String {
        let revision = letter.to_string().repeat(40);
        let mut all = "packages:\n".to_owned();
        for (package, definition) in definitions {
            let file = format!("packages:\n{definition}");
            self.file(&format!("{}?ref={revision}", Self::aqua_file(package)), file);
            all.push_str(definition);
        }
        let whole = format!("{REPOSITORY}/contents/registry.yaml?ref={revision}");
        self.file(&whole, all);
        self.file(&Self::aqua_head(), revision.clone());
        revision
    }
}
