//! A project with one dep of one source: version 1.0.0 is locked and in the store, 1.1.0 is asked
//! for.

use infra::base::{Arch, Integrity, Platform};

use crate::support::Outcome;
use crate::upstream::{FakeUpstream, GithubRelease, NpmPackage, Tree, tar_gz, tgz};
use crate::world::{World, program, publish_pypi};

/// Sources that the matrix is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Pypi,
    Npm,
    Github,
    Url,
    #[cfg(feature = "deb")]
    Deb,
}

/// The stage of one source.
pub(super) struct Stage {
    pub(super) world: World,
    /// Path of the document that tells of 1.1.0.
    pub(super) index: String,
    /// Path of the file of 1.1.0 for this host.
    pub(super) file: String,
    /// Whether `dep sync` reads the document.
    pub(super) sync_asks: bool,
    /// The lock with 1.0.0.
    old: String,
    /// The lock with 1.1.0.
    new: String,
}

const VERSIONS: [&str; 2] = ["1.0.0", "1.1.0"];

impl Stage {
    pub(super) fn new(kind: Kind) -> Self {
        let mut world = World::empty();
        let host = Platform::host();
        let up = &world.upstream;
        let (from, source) = publish(kind, up, &mut world.env);
        let (index, file) = paths(kind);
        let profile = |version: &str| {
            let version = if is_deb(kind) { format!("{version}-1") } else { version.to_owned() };
            let from = from.replace("@VERSION@", &version);
            format!("platforms = [\"{host}\"]\n{source}\n[dep]\ntool = {from}\n")
        };
        world
            .env
            .set("INFRA_CONNECT_TIMEOUT", "2")
            .set("INFRA_STALL_TIMEOUT", "1")
            .set("INFRA_JOBS", "2");
        world.profiles(&profile("1.1.0"));
        world.env.ok(["dep", "lock", "-q"]);
        let new = world.env.read("dep.lock.json");
        world.lose(&[]);
        std::fs::remove_file(world.env.project().join("dep.lock.json")).expect("remove");
        world.profiles(&profile("1.0.0"));
        world.env.ok(["dep", "lock", "-q"]);
        world.env.ok(["dep", "sync", "-q"]);
        let old = world.env.read("dep.lock.json");
        world.profiles(&profile("1.1.0"));
        let sync_asks = matches!(kind, Kind::Pypi | Kind::Npm | Kind::Github);
        Self { world, index, file, sync_asks, old, new }
    }

    /// As before a command: the lock that it starts from, and nothing cached.
    pub(super) fn reset(&self, command: &str) {
        let lock = if command == "lock" { &self.old } else { &self.new };
        self.world.env.write("dep.lock.json", lock);
        self.world.lose(&["artifacts", "index"]);
        if command == "sync" {
            self.world.lose(&["store", "meta", "roots", "tmp"]);
        }
        self.world.upstream.heal();
    }

    /// `dep lock` or `dep sync`.
    pub(super) fn run(&self, command: &str, retries: u32) -> Outcome {
        let mut command = self.world.env.command(["dep", command]);
        command.env("INFRA_RETRIES", retries.to_string());
        crate::support::finish(command.spawn().expect("start infra"))
    }
}

pub(super) fn is_deb(kind: Kind) -> bool {
    format!("{kind:?}") == "Deb"
}

/// Publishes both versions; gives the dep's table and `[source.…]`.
fn publish(kind: Kind, up: &FakeUpstream, env: &mut crate::support::TestEnv) -> (String, String) {
    let host = Platform::host();
    let tree = |v: &str, at: &str| Tree::new().executable(at, program("tool", v, host));
    match kind {
        Kind::Pypi => {
            VERSIONS.iter().for_each(|v| publish_pypi(up, "tool", v));
            ("{ from = \"pypi:tool-bin\", version = \"=@VERSION@\" }".to_owned(), String::new())
        }
        Kind::Npm => {
            for v in VERSIONS {
                let tarball = tgz("tool", v, &tree(v, "bin/tool"));
                let bin = serde_json::json!({"tool": "bin/tool"});
                up.npm(NpmPackage::new("tool", v, tarball).set("bin", bin));
            }
            ("{ from = \"npm:tool\", version = \"=@VERSION@\" }".to_owned(), String::new())
        }
        Kind::Github => {
            let releases = VERSIONS.map(|v| {
                let body = tar_gz(&tree(v, "bin/tool"));
                GithubRelease::new(&format!("v{v}")).asset(&asset(v), body)
            });
            up.github("some/tool", &releases, 10);
            env.set("GITHUB_API_URL", up.github_url());
            ("{ from = \"github:some/tool\", version = \"=@VERSION@\" }".to_owned(), String::new())
        }
        Kind::Url => {
            for v in VERSIONS {
                let body = tar_gz(&tree(v, "tool"));
                let sums = format!("{}  tool-{v}.tar.gz\n", Integrity::sha256_of(&body).hex());
                up.file(&format!("/url/tool-{v}.tar.gz"), body);
                up.file(&format!("/url/SUMS-{v}"), sums);
            }
            let from = "{ from = \"url:/tool-${version}.tar.gz\", version = \"=@VERSION@\", \
                        checksum = \"/SUMS-${version}\" }";
            (from.to_owned(), format!("[source.url]\nurl = \"{}\"", up.url("/url")))
        }
        #[cfg(feature = "deb")]
        Kind::Deb => {
            use crate::upstream::{AptKey, AptSuite};
            let key = AptKey::new();
            let mut suite = AptSuite::new("stable");
            for v in VERSIONS {
                suite =
                    suite.package("tool", &format!("{v}-1"), debian(), &tree(v, "usr/bin/tool"));
            }
            up.apt(&suite, &key);
            env.write("keys.asc", key.armored());
            let source = format!(
                "[source.deb]\nurl = \"{}\"\nsuite = \"stable\"\nsigned-by = \"keys.asc\"",
                up.apt_url()
            );
            ("{ from = \"deb:tool\", version = \"=@VERSION@\" }".to_owned(), source)
        }
    }
}

fn debian() -> &'static str {
    match Platform::host().arch() {
        Arch::X86_64 => "amd64",
        Arch::Aarch64 => "arm64",
    }
}

fn asset(version: &str) -> String {
    format!("tool_{version}_linux_{}.tar.gz", debian())
}

/// Document and file of 1.1.0.
fn paths(kind: Kind) -> (String, String) {
    let arch = match Platform::host().arch() {
        Arch::X86_64 => "x86_64",
        Arch::Aarch64 => "aarch64",
    };
    match kind {
        Kind::Pypi => {
            let file = format!("tool_bin-1.1.0-py3-none-manylinux_2_17_{arch}.whl");
            (FakeUpstream::pypi_page("tool-bin"), FakeUpstream::pypi_file(&file))
        }
        Kind::Npm => {
            (FakeUpstream::npm_document("tool"), FakeUpstream::npm_tarball("tool", "1.1.0"))
        }
        Kind::Github => (
            FakeUpstream::github_tag("some/tool", "v1.1.0"),
            FakeUpstream::github_asset("some/tool", "v1.1.0", &asset("1.1.0")),
        ),
        Kind::Url => ("/url/SUMS-1.1.0".to_owned(), "/url/tool-1.1.0.tar.gz".to_owned()),
        #[cfg(feature = "deb")]
        Kind::Deb => (
            FakeUpstream::apt_file("stable", "InRelease"),
            format!("/debian/pool/main/t/tool/tool_1.1.0-1_{}.deb", debian()),
        ),
    }
}
