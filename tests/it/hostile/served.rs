//! One case of each kind through the built binary: served, locked, refused.
//!
//! Nothing is locked, nothing is in the store, nothing is left in its staging directory.

use infra::archive::Format;
use infra::base::Platform;

use super::cases;
use crate::crashes::fixture;
use crate::support::TestEnv;
use crate::upstream::FakeUpstream;

/// Which cases are served: by format and what is wrong.
const SERVED: [(Format, &str); 24] = [
    (Format::TarGz, "a name with .."),
    (Format::TarXz, "a link that leaves"),
    (Format::TarZst, "a file below a link that leaves"),
    (Format::TarBz2, "a device"),
    (Format::TarGz, "garbage after the end"),
    (Format::Tar, "names that differ in case"),
    (Format::Tar, "a device name"),
    (Format::Tar, "a hard link with .."),
    (Format::Tar, "a sparse file 1.0"),
    (Format::Tar, "a pax size that is no number"),
    (Format::Tar, "a global name"),
    (Format::Tar, "an escape sequence"),
    (Format::Zip, "a name with .."),
    (Format::Zip, "two names for an entry"),
    (Format::Zip, "encrypted"),
    (Format::Zip, "a bomb"),
    (Format::Zip, "data before"),
    (Format::Zip, "a wrong checksum"),
    (Format::Zip, "entries that share their data"),
    (Format::Deb, "data twice"),
    (Format::Deb, "a set-user-ID file"),
    (Format::FileGz, "a wrong checksum"),
    (Format::FileXz, "a bomb"),
    (Format::FileZst, "a window of terabytes"),
];

#[test]
fn what_is_served_is_refused() {
    let host = Platform::host().name();
    let cases = cases();
    for (format, what) in SERVED {
        let case = cases.iter().find(|c| c.format == format && c.what == what);
        let case = case.unwrap_or_else(|| panic!("no case {format}, {what}"));
        let up = FakeUpstream::start();
        let file = format!("evil-1.0.0.{format}");
        up.file(&format!("/dist/{file}"), case.bytes.clone());
        let env = TestEnv::new();
        let from = up.url(&format!("/dist/{file}"));
        env.write(
            "profiles/dev.toml",
            format!(
                "platforms = [\"{host}\"]\n[dep]\n\
                 evil = {{ from = \"url:{from}\", version = \"1.0.0\" }}\n"
            ),
        );
        let before = fixture::walk(&env.project(), true);
        let outcome = env.infra(["dep", "lock"]);
        let said = &outcome.stderr;
        assert!(
            matches!(outcome.code, Some(1 | 3)),
            "{format}, {what}: {:?}\n{said}",
            outcome.code
        );
        assert!(
            said.contains("`evil` 1.0.0") && said.contains("hint: "),
            "{format}, {what}: {said}"
        );
        assert!(!said.contains('\x1b'), "{format}, {what}: {said:?}");
        assert_eq!(fixture::walk(&env.project(), true), before, "{format}, {what}: the project");
        crate::integrity::nothing_of(&format!("{format}, {what}"), &env, "evil-1.0.0");
        assert!(!env.root().join("escaped").exists(), "{format}, {what}: outside");
    }
    assert!(!std::path::Path::new("/tmp/escaped").exists());
}
