//! `crate:` against the registry that Cargo is configured for here: index, `.crate` files and the
//! addresses that real metadata gives. The packages themselves lie on a forge and are not fetched.

use std::collections::BTreeMap;
use std::time::Duration;

use infra::base::{DepName, Platform, Version};
use infra::config::Environ;
use infra::http;
use infra::profile::model::Requirement;
use infra::source::{Query, Setup, Sources};

use Platform::{
    Aarch64Darwin, Aarch64Linux, Aarch64LinuxMusl, Aarch64Windows, X86_64Darwin, X86_64Linux,
    X86_64LinuxMusl, X86_64Windows,
};

/// A client and the sources as this machine configures them.
pub fn sources() -> (http::Client, Sources) {
    let client = http::Client::new(http::Options {
        offline: false,
        connect_timeout: Duration::from_secs(20),
        stall_timeout: Duration::from_secs(30),
        retries: 3,
        extra_roots: Vec::new(),
        cache: None,
    })
    .expect("client");
    let sources = Sources::new(Setup {
        client: client.clone(),
        // Without the forge's variables, so that what is rendered is shown as it is.
        environ: Environ::from_vars(
            std::env::vars().filter(|(name, _)| !name.starts_with("GITHUB_")),
        ),
        project: std::env::temp_dir(),
        overrides: BTreeMap::new(),
        cache: None,
    });
    (client, sources)
}

/// A crate's version, and for every platform the file of the release `tag` of `repository`.
fn check(name: &str, version: &str, repository: &str, tag: &str, files: &[(Platform, &str)]) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("runtime").block_on(async {
        let (_, sources) = sources();
        let source = sources.get(infra::base::SourceKind::Crate);
        let dep = DepName::new("tool").expect("name");
        let from = format!("crate:{name}").parse().expect("source");
        let requirement = Requirement::new(from, format!("={version}").parse().expect("version"));
        let query = Query::new(&dep, &requirement);
        let all = source.versions(&query).await.expect("versions");
        let version: Version = version.parse().expect("version");
        let listed = all.iter().find(|one| one.version == version).expect("a published version");
        assert!(!listed.yanked, "{name} {version}");
        for (platform, file) in files {
            let locked = format!("{repository}/releases/{tag}/{file}");
            let found = source.locate(&query, &version, *platform, &locked).await;
            let found = found.unwrap_or_else(|e| panic!("{name} {platform}: {e}"));
            let path = format!("/{repository}/releases/download/{tag}/{file}");
            assert_eq!(found[0].url.path(), path, "{name} {platform}");
            assert!(found[0].authorization.is_none());
        }
        let strange = format!("{repository}/releases/{tag}/strange.zip");
        assert!(source.locate(&query, &version, X86_64Linux, &strange).await.is_err());
    });
}

#[test]
fn metadata_with_one_address() {
    check(
        "cargo-nextest",
        "0.9.90",
        "nextest-rs/nextest",
        "cargo-nextest-0.9.90",
        &[
            (Aarch64Darwin, "cargo-nextest-0.9.90-universal-apple-darwin.tar.gz"),
            (Aarch64Linux, "cargo-nextest-0.9.90-aarch64-unknown-linux-gnu.tar.gz"),
            (Aarch64LinuxMusl, "cargo-nextest-0.9.90-aarch64-unknown-linux-musl.tar.gz"),
            (Aarch64Windows, "cargo-nextest-0.9.90-aarch64-pc-windows-msvc.tar.gz"),
            (X86_64Darwin, "cargo-nextest-0.9.90-universal-apple-darwin.tar.gz"),
            (X86_64Linux, "cargo-nextest-0.9.90-x86_64-unknown-linux-gnu.tar.gz"),
            (X86_64LinuxMusl, "cargo-nextest-0.9.90-x86_64-unknown-linux-musl.tar.gz"),
            (X86_64Windows, "cargo-nextest-0.9.90-x86_64-pc-windows-msvc.tar.gz"),
        ],
    );
}

#[test]
fn metadata_with_overrides_of_the_format() {
    check(
        "cargo-binstall",
        "1.10.0",
        "cargo-bins/cargo-binstall",
        "v1.10.0",
        &[
            (Aarch64Darwin, "cargo-binstall-aarch64-apple-darwin.zip"),
            (Aarch64Linux, "cargo-binstall-aarch64-unknown-linux-gnu.tgz"),
            (Aarch64LinuxMusl, "cargo-binstall-aarch64-unknown-linux-musl.tgz"),
            (Aarch64Windows, "cargo-binstall-aarch64-pc-windows-msvc.zip"),
            (X86_64Darwin, "cargo-binstall-x86_64-apple-darwin.zip"),
            (X86_64Linux, "cargo-binstall-x86_64-unknown-linux-musl.tgz"),
            (X86_64LinuxMusl, "cargo-binstall-x86_64-unknown-linux-musl.tgz"),
            (X86_64Windows, "cargo-binstall-x86_64-pc-windows-msvc.zip"),
        ],
    );
}

/// Crates without metadata, whose releases follow the habit.
#[test]
fn names_by_habit() {
    for (name, version, repository, tag) in [
        ("ripgrep", "14.1.1", "BurntSushi/ripgrep", "14.1.1"),
        ("just", "1.40.0", "casey/just", "1.40.0"),
        ("bat", "0.25.0", "sharkdp/bat", "v0.25.0"),
    ] {
        let stem = match name {
            "bat" => format!("{name}-v{version}"),
            _ => format!("{name}-{version}"),
        };
        let file = |rest: &str| format!("{stem}-{rest}");
        let files = [
            (Aarch64Darwin, file("aarch64-apple-darwin.tar.gz")),
            (Aarch64Linux, file("aarch64-unknown-linux-gnu.tar.gz")),
            (Aarch64LinuxMusl, file("aarch64-unknown-linux-musl.tar.gz")),
            (Aarch64Windows, file("aarch64-pc-windows-msvc.zip")),
            (X86_64Darwin, file("x86_64-apple-darwin.tar.gz")),
            (X86_64Linux, file("x86_64-unknown-linux-musl.tar.gz")),
            (X86_64LinuxMusl, file("x86_64-unknown-linux-musl.tar.gz")),
            (X86_64Windows, file("x86_64-pc-windows-msvc.zip")),
        ];
        let files: Vec<_> = files.iter().map(|(p, file)| (*p, file.as_str())).collect();
        check(name, version, repository, tag, &files);
    }
}
