//! What the trials share: a bare HTTP client, and sources that ask a fake upstream.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use infra::base::{DepName, Platform, SourceKind, Version};
use infra::config::Environ;
use infra::http;
use infra::profile::model::{Requirement, SourceOverride};
use infra::source::{
    ArtifactOffer, Location, Offer, Query, Result, Setup, Source, Sources, choose_version,
};

use crate::upstream::FakeUpstream;

/// An answer as it came over the wire.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) head: String,
    pub(super) body: Vec<u8>,
}

/// Asks on a connection of its own and reads until the server closes it.
pub(super) fn ask(upstream: &FakeUpstream, path: &str, headers: &[&str]) -> Option<Answer> {
    let mut stream = connect(upstream);
    send(&mut stream, path, headers);
    stream.shutdown(std::net::Shutdown::Write).expect("shutdown");
    let mut all = Vec::new();
    stream.read_to_end(&mut all).expect("an answer");
    parse(&all)
}

pub(super) fn connect(upstream: &FakeUpstream) -> TcpStream {
    let url: ::url::Url = upstream.url("/").parse().expect("url");
    let address = (url.host_str().expect("host"), url.port().expect("port"));
    TcpStream::connect(address).expect("a connection")
}

pub(super) fn send(stream: &mut TcpStream, path: &str, headers: &[&str]) {
    let mut text = format!("GET {path} HTTP/1.1\r\nHost: x\r\n");
    for header in headers {
        text.push_str(&format!("{header}\r\n"));
    }
    stream.write_all(format!("{text}\r\n").as_bytes()).expect("sent");
}

fn parse(all: &[u8]) -> Option<Answer> {
    let end = all.windows(4).position(|w| w == b"\r\n\r\n")?;
    let head = String::from_utf8_lossy(&all[..end]).into_owned();
    let status = head.split(' ').nth(1)?.parse().ok()?;
    Some(Answer { status, head, body: all[end + 4..].to_vec() })
}

/// A dep to be looked up at a fake upstream.
pub(super) struct Asked {
    sources: Sources,
    dep: DepName,
    requirement: Requirement,
}

impl Asked {
    /// A dep `tool` from `from`, with `[source.KIND] url = base`.
    pub(super) fn new(from: &str, version: &str, base: &str) -> Self {
        let kind = from.split(':').next().expect("a kind").parse().expect("kind");
        let base = SourceOverride { url: Some(base.to_owned()), ..SourceOverride::default() };
        Self::made(from, version, BTreeMap::from([(kind, base)]))
    }

    fn made(from: &str, version: &str, overrides: BTreeMap<SourceKind, SourceOverride>) -> Self {
        Self::made_in(from, version, overrides, Environ::default())
    }

    fn made_in(
        from: &str,
        version: &str,
        overrides: BTreeMap<SourceKind, SourceOverride>,
        environ: Environ,
    ) -> Self {
        let requirement =
            Requirement::new(from.parse().expect("source"), version.parse().expect("version"));
        let client = http::Client::new(http::Options {
            offline: false,
            connect_timeout: Duration::from_secs(10),
            stall_timeout: Duration::from_secs(30),
            retries: 0,
            extra_roots: Vec::new(),
            cache: None,
        });
        let sources = Sources::new(Setup {
            client: client.expect("client"),
            environ,
            project: std::env::temp_dir(),
            overrides,
            cache: None,
        });
        Self { sources, dep: DepName::new("tool").expect("name"), requirement }
    }

    /// A dep whose source is found by these variables.
    pub(super) fn with_vars(from: &str, version: &str, vars: &[(&str, String)]) -> Self {
        let environ = Environ::from_vars(vars.iter().map(|(name, value)| (*name, value.as_str())));
        Self::made_in(from, version, BTreeMap::new(), environ)
    }

    /// With another requirement.
    pub(super) fn change(mut self, change: impl FnOnce(&mut Requirement)) -> Self {
        change(&mut self.requirement);
        self
    }

    /// A dep of a `url:` source without a base.
    pub(super) fn without_base(from: &str, version: &str) -> Self {
        Self::made(from, version, BTreeMap::new())
    }

    /// With a `checksum` template.
    pub(super) fn checksum(mut self, template: &str) -> Self {
        self.requirement.checksum = Some(template.to_owned());
        self
    }

    fn source(&self) -> &dyn Source {
        self.sources.get(self.requirement.from.kind())
    }

    fn query(&self) -> Query<'_> {
        Query::new(&self.dep, &self.requirement)
    }

    /// The version that the requirement gets.
    pub(super) fn version(&self) -> Result<Version> {
        let found = run(self.source().versions(&self.query()))?;
        choose_version(&self.query(), &found)
    }

    /// What the chosen version has for a platform.
    pub(super) fn offer(&self, platform: Platform) -> Result<Offer> {
        let version = self.version()?;
        run(self.source().offer(&self.query(), &version, platform))
    }

    /// Like [`Self::offer`], for a platform that must have an artifact.
    pub(super) fn artifact(&self, platform: Platform) -> ArtifactOffer {
        match self.offer(platform) {
            Ok(Offer::Artifact(artifact)) => *artifact,
            other => panic!("no artifact for {platform}: {other:?}"),
        }
    }

    /// Like [`Self::offer`], for a platform that must have nothing.
    pub(super) fn reason(&self, platform: Platform) -> String {
        match self.offer(platform) {
            Ok(Offer::Unavailable { reason }) => reason,
            other => panic!("something for {platform}: {other:?}"),
        }
    }

    /// Where a file of the chosen version lies.
    pub(super) fn locate(&self, platform: Platform, file: &str) -> Result<Vec<Location>> {
        let version = self.version()?;
        run(self.source().locate(&self.query(), &version, platform, file))
    }
}

fn run<T>(future: impl Future<Output = T>) -> T {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    runtime.enable_all().build().expect("runtime").block_on(future)
}
