//! A source, a server and a store for tests, all in memory or in a temporary directory.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;

use super::context::{Context, Fetch, FetchError, Rules};
use super::error::Error;
use super::resolve::{Mode, resolve};
use crate::archive::Format;
use crate::base::{
    Algorithm, DepName, Hasher, Integrity, Platform, Quiet, Reporter, SourceKind, Task, Version,
};
use crate::http::Downloaded;
use crate::lock::fixture::requirement;
use crate::lock::{Lock, Proof, Requirements};
use crate::source::{
    ArtifactOffer, Candidate, Commands, Location, Offer, Query, Result as SourceResult, Source,
};
use crate::store::Store;
use crate::{fs, source};

/// An ELF executable for x86-64 or ARM64 that is static: a header, and `seed` behind it.
pub(super) fn elf(platform: Platform, seed: &str) -> Vec<u8> {
    let machine: u16 = match platform.arch() {
        crate::base::Arch::X86_64 => 62,
        crate::base::Arch::Aarch64 => 183,
    };
    let mut out = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0".to_vec();
    out.extend(2u16.to_le_bytes());
    out.extend(machine.to_le_bytes());
    out.extend(1u32.to_le_bytes());
    out.extend([0u64, 64, 0].into_iter().flat_map(u64::to_le_bytes));
    out.extend(0u32.to_le_bytes());
    out.extend([64u16, 56, 1, 64, 0, 0].into_iter().flat_map(u16::to_le_bytes));
    // One loadable segment: the whole file.
    out.extend(1u32.to_le_bytes());
    out.extend(5u32.to_le_bytes());
    let size = 120 + seed.len() as u64;
    out.extend([0u64, 0, 0, size, size, 4096].into_iter().flat_map(u64::to_le_bytes));
    out.extend(seed.as_bytes());
    out
}

/// A tar archive of these files.
pub(super) fn tar(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (path, content) in files {
        let mut header = tar::Header::new_ustar();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        builder.append_data(&mut header, path, *content).expect("append");
    }
    builder.into_inner().expect("tar")
}

/// One file of a release.
#[derive(Clone)]
pub(super) struct File {
    pub(super) name: String,
    pub(super) bytes: Vec<u8>,
    pub(super) published_hash: bool,
    pub(super) commands: Commands,
}

/// `bin/NAME` for a platform, in an archive of its own.
pub(super) fn file(name: &str, version: &str, platform: Platform) -> File {
    let program = elf(platform, version);
    File {
        name: format!("{name}-{version}-{platform}.tar"),
        bytes: tar(&[(&format!("bin/{name}"), &program), ("README", b"read me")]),
        published_hash: true,
        commands: Commands::Found,
    }
}

/// Version → platform → file.
type Releases = BTreeMap<String, BTreeMap<Platform, File>>;

#[derive(Default)]
pub(super) struct FakeSource {
    pub(super) packages: Mutex<BTreeMap<String, Releases>>,
    /// Every question.
    pub(super) asked: Mutex<Vec<String>>,
    /// Whether nobody says which C library its files are for.
    pub(super) guesses: bool,
    /// Mirrors that come before the true place.
    pub(super) mirrors: Mutex<Vec<String>>,
}

impl FakeSource {
    pub(super) fn publish(&self, package: &str, version: &str, platform: Platform, file: File) {
        let mut packages = self.packages.lock().expect("lock");
        let versions = packages.entry(package.to_owned()).or_default();
        versions.entry(version.to_owned()).or_default().insert(platform, file);
    }

    fn file(&self, query: &Query<'_>, version: &Version, platform: Platform) -> Option<File> {
        let packages = self.packages.lock().expect("lock");
        packages.get(query.package())?.get(version.as_str())?.get(&platform).cloned()
    }

    fn ask(&self, what: String) {
        self.asked.lock().expect("lock").push(what);
    }
}

fn location(base: &str, file: &str) -> Location {
    Location {
        url: format!("{base}/{file}").parse().expect("url"),
        authorization: None,
        accept: None,
    }
}

/// Where the fake source's files lie.
pub(super) const TRUE_BASE: &str = "http://files.mirror.invalid";

#[async_trait]
impl Source for FakeSource {
    fn kind(&self) -> SourceKind {
        SourceKind::Pypi
    }

    async fn versions(&self, query: &Query<'_>) -> SourceResult<Vec<Candidate>> {
        self.ask(format!("versions {}", query.package()));
        let packages = self.packages.lock().expect("lock");
        let versions = packages.get(query.package()).into_iter().flatten();
        Ok(versions.map(|(v, _)| Candidate::new(v.parse().expect("version"))).collect())
    }

    async fn offer(
        &self,
        query: &Query<'_>,
        version: &Version,
        platform: Platform,
    ) -> SourceResult<Offer> {
        self.ask(format!("offer {} {version} {platform}", query.package()));
        if query.requirement.from.kind() == SourceKind::Path {
            let commands = Commands::Found;
            return Ok(Offer::Directory { path: query.package().into(), commands });
        }
        let Some(file) = self.file(query, version, platform) else {
            return Ok(Offer::Unavailable { reason: "no such file".to_owned() });
        };
        Ok(Offer::Artifact(Box::new(ArtifactOffer {
            location: location(TRUE_BASE, &file.name),
            integrity: file.published_hash.then(|| Integrity::sha256_of(&file.bytes)),
            size: Some(file.bytes.len() as u64),
            format: Format::of_name(&file.name).expect("format"),
            strip: 0,
            commands: file.commands,
            proofs: if file.published_hash { vec![Proof::RegistryHash] } else { Vec::new() },
            file: file.name,
        })))
    }

    fn guesses_libc(&self, _query: &Query<'_>, _file: &str) -> bool {
        self.guesses
    }

    async fn locate(
        &self,
        query: &Query<'_>,
        _version: &Version,
        _platform: Platform,
        file: &str,
    ) -> SourceResult<Vec<Location>> {
        self.ask(format!("locate {} {file}", query.package()));
        let mirrors = self.mirrors.lock().expect("lock");
        let bases = mirrors.iter().map(String::as_str).chain([TRUE_BASE]);
        Ok(bases.map(|base| location(base, file)).collect())
    }
}

/// A server: what lies at an URL, and what was asked for.
#[derive(Default)]
pub(super) struct FakeServer {
    pub(super) files: Mutex<BTreeMap<String, Vec<u8>>>,
    pub(super) fetched: Mutex<Vec<String>>,
}

#[async_trait]
impl Fetch for FakeServer {
    async fn fetch(
        &self,
        location: &Location,
        file: &Path,
        algorithms: &[Algorithm],
        _size: Option<u64>,
        task: &dyn Task,
    ) -> Result<Downloaded, FetchError> {
        let url = location.url.to_string();
        self.fetched.lock().expect("lock").push(url.clone());
        let found = self.files.lock().expect("lock").get(&url).cloned();
        let Some(bytes) = found else {
            return Err(FetchError::Fake(format!("{url} answered 404")));
        };
        let have = fs::missing_is_none(fs::read(file)).expect("read").unwrap_or_default();
        let rest = bytes.get(have.len()..).unwrap_or_default();
        fs::open_append(file).expect("open").write_all(rest).expect("write");
        task.advance(rest.len() as u64);
        let all = fs::read(file).expect("read");
        let hashes = algorithms.iter().map(|algorithm| {
            let mut hasher = Hasher::new(*algorithm);
            hasher.update(&all);
            hasher.finish()
        });
        Ok(Downloaded { size: all.len() as u64, hashes: hashes.collect() })
    }
}

/// Starts nothing.
pub(super) struct NoTools;

impl crate::build::Runner for NoTools {
    fn run(
        &self,
        call: &crate::build::Call,
    ) -> Result<crate::build::Ended, crate::build::StartError> {
        let program = call.program.display().to_string();
        Err(crate::build::StartError { program, reason: "nothing is started here".to_owned() })
    }
}

/// Keeps warnings.
#[derive(Default)]
pub(super) struct Log {
    pub(super) warnings: Mutex<Vec<String>>,
}

impl Reporter for Log {
    fn begin(&self, _label: &str, _total: Option<u64>) -> Arc<dyn Task> {
        Arc::new(Quiet)
    }
    fn note(&self, _message: &str) {}
    fn warn(&self, message: &str) {
        self.warnings.lock().expect("lock").push(message.to_owned());
    }
}

/// Everything together. The host is `x86_64-linux`.
pub(super) struct World {
    directory: tempfile::TempDir,
    pub(super) store: Store,
    pub(super) source: FakeSource,
    pub(super) server: FakeServer,
    pub(super) log: Log,
    pub(super) offline: bool,
    pub(super) rules: Rules,
    pub(super) runner: Arc<dyn crate::build::Runner>,
}

impl World {
    pub(super) fn new() -> Self {
        let directory = tempfile::tempdir().expect("tempdir");
        let root = directory.path().join("store");
        let store = Store::new(root.clone(), root.join("artifacts"), Duration::from_secs(10));
        fs::create_dir_all(&directory.path().join("project")).expect("mkdir");
        Self {
            directory,
            store,
            source: FakeSource::default(),
            server: FakeServer::default(),
            log: Log::default(),
            offline: false,
            rules: Rules::default(),
            runner: Arc::new(NoTools),
        }
    }

    pub(super) fn project(&self) -> PathBuf {
        self.directory.path().join("project")
    }

    /// Publishes a file and serves it.
    pub(super) fn publish(&self, package: &str, version: &str, platform: Platform, file: File) {
        self.serve(&format!("{TRUE_BASE}/{}", file.name), &file.bytes);
        self.source.publish(package, version, platform, file);
    }

    pub(super) fn serve(&self, url: &str, bytes: &[u8]) {
        self.server.files.lock().expect("lock").insert(url.to_owned(), bytes.to_vec());
    }

    /// A directory that the fake source knows, at `path:NAME`; gives where it is.
    pub(super) fn directory(&self, name: &str) -> PathBuf {
        let mut packages = self.source.packages.lock().expect("lock");
        packages.insert(name.to_owned(), [("0".to_owned(), BTreeMap::new())].into());
        let path = self.project().join(name);
        fs::create_dir_all(&path).expect("mkdir");
        path
    }

    /// What was fetched and asked since the last call.
    pub(super) fn traffic(&self) -> (Vec<String>, Vec<String>) {
        (
            std::mem::take(&mut self.server.fetched.lock().expect("lock")),
            std::mem::take(&mut self.source.asked.lock().expect("lock")),
        )
    }

    pub(super) fn warnings(&self) -> Vec<String> {
        std::mem::take(&mut self.log.warnings.lock().expect("lock"))
    }

    /// Runs async work with a context.
    pub(super) fn run<T>(&self, work: impl AsyncFnOnce(&Context<'_>) -> T) -> T {
        let project = self.project();
        let sources = |_: SourceKind| -> &dyn source::Source { &self.source };
        let builds = tokio::sync::Semaphore::new(1);
        let caches = crate::cache::Substitutes::default();
        let context = Context {
            caches: &caches,
            store: &self.store,
            sources: &sources,
            fetch: &self.server,
            runner: &self.runner,
            builds: &builds,
            project: &project,
            host: Platform::X86_64Linux,
            jobs: 4,
            offline: self.offline,
            reporter: &self.log,
            rules: &self.rules,
        };
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().expect("runtime");
        runtime.block_on(work(&context))
    }

    pub(super) fn resolve(
        &self,
        requirements: &Requirements,
        old: Option<&Lock>,
        mode: &Mode,
    ) -> Result<Lock, Error> {
        self.run(async |context: &Context<'_>| resolve(context, requirements, old, mode).await)
    }
}

pub(super) fn dep(name: &str) -> DepName {
    DepName::new(name).expect("name")
}

/// Requirements on the two Linux platforms.
pub(super) fn wishes(deps: &[(&str, &str, &str)]) -> Requirements {
    Requirements {
        deps: deps.iter().map(|(n, from, range)| (dep(n), requirement(from, range))).collect(),
        platforms: BTreeSet::from([Platform::X86_64Linux, Platform::Aarch64Linux]),
    }
}
