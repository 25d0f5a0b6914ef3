//! A profile after `extends`: what an environment is asked to be.
//!
//! Plain data. Invariant: every name in it was checked against what the profile defines, so a
//! later room can look any of them up without a new error case.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use super::confine::{Allow, Confine, Level, Limits};
pub use super::policy::{Policy, SourcePattern, Whom};
use super::template::Template;
use crate::base::{
    CommandName, DepName, EnvName, Integrity, Platform, Proof, RelPath, ServiceName, SourceKind,
};
use crate::base::{SourceRef, Version, VersionReq};

/// One environment's wishes, with everything inherited already merged in.
#[derive(Clone, Debug, PartialEq)]
pub struct Profile {
    /// The file's stem: `dev` for `profiles/dev.toml`.
    pub name: EnvName,
    /// The files it was read from, itself first, then what it extends.
    pub files: Vec<PathBuf>,
    /// Platforms to lock for, sorted.
    pub platforms: BTreeSet<Platform>,
    /// `[dep]`
    pub deps: BTreeMap<DepName, Requirement>,
    /// `[port]`
    pub ports: BTreeMap<String, Port>,
    /// `[env]`, as declared.
    pub env: BTreeMap<String, Template>,
    /// `[file]`: name in the environment's `etc/` → path in the project.
    pub etc: BTreeMap<RelPath, RelPath>,
    /// `[service.*]`
    pub services: BTreeMap<ServiceName, Service>,
    /// `[source.*]`
    pub sources: BTreeMap<SourceKind, SourceOverride>,
    /// `[policy]`: what may be locked.
    pub policy: Policy,
    /// `[cache]`: where objects may be had ready-made.
    pub cache: Caches,
    /// `[command]`: which dep provides a command that several offer.
    pub prefer: BTreeMap<CommandName, DepName>,
    /// `[run]`
    pub run: Run,
    /// `data = ".data"`: where services keep their state, relative to the project unless absolute.
    pub data: PathBuf,
}

impl Profile {
    /// Every file whose bytes shape the environment: the profile's own, then those of `[file]`.
    /// A digest over them (and the lock) changes whenever the environment could.
    pub fn inputs(&self, project: &Path) -> Vec<PathBuf> {
        let etc = self.etc.values().map(|path| path.under(project));
        self.files.iter().cloned().chain(etc).collect()
    }
}

/// Hashes by version, then by platform or file name.
pub type Hashes = BTreeMap<String, BTreeMap<String, Integrity>>;

/// What `[dep]` asks for under one name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Requirement {
    /// `from`
    pub from: SourceRef,
    /// `version`; any release when not given.
    pub version: VersionReq,
    /// `bin`: commands to take and where they lie in the tree; found by looking when empty.
    pub bin: BTreeMap<CommandName, RelPath>,
    /// `strip`: leading path components to drop when unpacking; the source's habit when not given.
    pub strip: Option<u8>,
    /// `asset`: for `github:`, a pattern (`*`, `?`, `${…}`) of the asset's name.
    pub asset: Option<String>,
    /// `tag`: for `github:`, the release's tag with `${version}` in it; for `oci:` the image's tag, with
    /// `${version}` or as it is.
    pub tag: Option<String>,
    /// `closure`: for `deb:`, whether what the package depends on comes with it.
    pub closure: bool,
    /// `checksum`: for `url:`, template of the checksum file's URL.
    pub checksum: Option<String>,
    /// `hashes`: what a file's bytes must hash to.
    pub hashes: Hashes,
    /// `minisign`: for `url:` and `github:`, the key that signs the artifact, base64.
    pub minisign: Option<String>,
    /// `signature`: where its signature lies; for `url:` a template of a URL, for `github:` of a
    /// file's name in the release.
    pub signature: Option<String>,
    /// `cosign`: for `url:` and `github:`, who signs the artifact with cosign.
    pub cosign: Option<Cosign>,
    /// `proof`: what must vouch for it, beside what `[policy]` asks for. No part of
    /// [`Requirement::canonical`]: it changes what is accepted, not what is locked.
    pub proof: BTreeSet<Proof>,
    /// `os`/`arch`: for `url:` and `github:`, the publisher's words for `${os}` and `${arch}` by our word.
    pub words: BTreeMap<String, String>,
    /// `platforms`: only these are wanted; the profile's when `None`.
    pub platforms: Option<BTreeSet<Platform>>,
    /// `toolchain`: for `go:`, the dep that builds it; the only one with a `go` command when not
    /// given.
    pub toolchain: Option<DepName>,
    /// `tags`: for `go:`, build tags.
    pub tags: BTreeSet<String>,
    /// `ldflags`: for `go:`, flags for the linker; `${version}` in it is the version.
    pub ldflags: Option<String>,
}

impl Requirement {
    /// Nothing but where from and which versions.
    pub fn new(from: SourceRef, version: VersionReq) -> Self {
        Self {
            from,
            version,
            bin: BTreeMap::new(),
            strip: None,
            asset: None,
            tag: None,
            closure: false,
            checksum: None,
            hashes: Hashes::new(),
            minisign: None,
            signature: None,
            cosign: None,
            proof: BTreeSet::new(),
            words: BTreeMap::new(),
            platforms: None,
            toolchain: None,
            tags: BTreeSet::new(),
            ldflags: None,
        }
    }

    /// The hash that the profile gives for a version's file of a platform, by either name. `file`
    /// may have a path before its name, as some sources have it.
    pub fn hash_of(&self, version: &Version, platform: Platform, file: &str) -> Option<&Integrity> {
        let name = file.rsplit('/').next().unwrap_or(file);
        let is_this = |text: &str| {
            text == version.as_str()
                || text.parse::<Version>().is_ok_and(|v| v.cmp_meaning(version).is_eq())
        };
        let (_, files) = self.hashes.iter().find(|(text, _)| is_this(text))?;
        files.get(platform.name()).or_else(|| files.get(name))
    }

    /// One line that changes exactly when the requirement changes; kept in the lock so that a
    /// stale lock can say what changed.
    pub fn canonical(&self) -> String {
        // Destructured, so that a new field cannot be forgotten here.
        let Self {
            from,
            version,
            bin,
            strip,
            asset,
            tag,
            closure,
            checksum,
            hashes,
            minisign,
            signature,
            cosign,
            proof: _,
            words,
            platforms,
            toolchain,
            tags,
            ldflags,
        } = self;
        let mut out = format!("{from} {version}");
        for (command, path) in bin {
            out.push_str(&format!(" bin.{command}={path}"));
        }
        if let Some(strip) = strip {
            out.push_str(&format!(" strip={strip}"));
        }
        if let Some(asset) = asset {
            out.push_str(&format!(" asset={asset}"));
        }
        if let Some(tag) = tag {
            out.push_str(&format!(" tag={tag}"));
        }
        if *closure {
            out.push_str(" closure");
        }
        if let Some(checksum) = checksum {
            out.push_str(&format!(" checksum={checksum}"));
        }
        if !hashes.is_empty() {
            // One word for all of them: there may be one for each version and platform.
            let lines = hashes.iter().flat_map(|(version, files)| {
                files.iter().map(move |(file, hash)| format!("{version}\t{file}\t{hash}\n"))
            });
            let all = Integrity::sha256_of(lines.collect::<String>().as_bytes());
            out.push_str(&format!(" hashes={all}"));
        }
        if let Some(key) = minisign {
            out.push_str(&format!(" minisign={key}"));
        }
        if let Some(signature) = signature {
            out.push_str(&format!(" signature={signature}"));
        }
        if let Some(cosign) = cosign {
            out.push_str(&format!(" cosign={}", cosign.canonical()));
        }
        for (ours, theirs) in words {
            out.push_str(&format!(" {ours}={theirs}"));
        }
        if let Some(toolchain) = toolchain {
            out.push_str(&format!(" toolchain={toolchain}"));
        }
        if !tags.is_empty() {
            out.push_str(&format!(" tags={}", tags.iter().cloned().collect::<Vec<_>>().join(",")));
        }
        if let Some(ldflags) = ldflags {
            // One word, whatever is in it.
            let word = ldflags.replace('%', "%25").replace(' ', "%20");
            out.push_str(&format!(" ldflags={word}"));
        }
        for platform in platforms.iter().flatten() {
            out.push_str(&format!(" on={platform}"));
        }
        out
    }
}

/// `cosign`: who signs an artifact with cosign, and where what they signed lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cosign {
    /// Somebody who showed who they are.
    Identity {
        /// `identity`: the certificate's subject, with or without `@REF`.
        identity: String,
        /// `issuer`: who vouched for it.
        issuer: String,
        /// `bundle`: where the bundle lies; `FILE.sigstore.json` when not given.
        bundle: Option<String>,
    },
    /// Somebody with a key.
    Key {
        /// `key`: a file of the project with the public key, PEM.
        file: RelPath,
        /// `signature`: where the signature lies; `FILE.sig` when not given.
        signature: Option<String>,
    },
}

impl Cosign {
    /// One word that says all of it.
    fn canonical(&self) -> String {
        match self {
            Self::Identity { identity, issuer, bundle } => {
                let bundle = bundle.iter().map(|b| format!(",bundle:{b}")).collect::<String>();
                format!("identity:{identity},issuer:{issuer}{bundle}")
            }
            Self::Key { file, signature } => {
                let signature =
                    signature.iter().map(|s| format!(",signature:{s}")).collect::<String>();
                format!("key:{file}{signature}")
            }
        }
    }
}

/// A port a profile names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Port {
    /// A number, 1 to 65535.
    Fixed(u16),
    /// `"auto"`: any free port, chosen when the environment first needs it.
    Auto,
}

/// `[cache]`: binary caches.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Caches {
    /// `url`: caches to ask before sources, in this order; paths are relative to the project.
    pub url: Vec<String>,
    /// `keys`: public keys whose signatures count, as `NAME:BASE64`.
    pub keys: Vec<String>,
    /// `push`: where `cache push` goes when it is not told.
    pub push: Option<String>,
}

/// `[source.NAME]`: overrides for one ecosystem.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SourceOverride {
    /// `url`: base URL to use instead of the ecosystem's own configuration.
    pub url: Option<String>,
    /// The other elements of `url`, where it is an array: mirrors, in the order they are asked.
    pub mirrors: Vec<String>,
    /// `suite`: for `deb`, the suite below `dists/`.
    pub suite: Option<String>,
    /// `components`: for `deb`, `["main"]` when not given.
    pub components: Vec<String>,
    /// `signed-by`: for `deb`, a file of the project with the repository's keys; what apt trusts
    /// when not given.
    pub signed_by: Option<RelPath>,
}

impl SourceOverride {
    /// Every base URL, best first; none when the ecosystem's own configuration is used.
    pub fn urls(&self) -> Vec<String> {
        self.url.iter().chain(&self.mirrors).cloned().collect()
    }

    /// One line that says all of it.
    pub fn canonical(&self) -> String {
        // Destructured, so that a new key cannot be forgotten here.
        let Self { url, mirrors, suite, components, signed_by } = self;
        let mut words: Vec<String> = url.iter().chain(mirrors).chain(suite).cloned().collect();
        words.extend(components.iter().cloned());
        words.extend(signed_by.iter().map(|path| format!("signed-by={path}")));
        words.join(" ")
    }
}

/// `[service.NAME]`: a program to keep running.
#[derive(Clone, Debug, PartialEq)]
pub struct Service {
    /// `command`: program and arguments; the program is a command of the environment.
    pub command: Vec<Template>,
    /// `env`: variables for this service alone.
    pub env: BTreeMap<String, Template>,
    /// `cwd`: working directory; the project's when not given.
    pub cwd: Option<Template>,
    /// `ready`: when the service counts as ready; as soon as it runs when not given.
    pub ready: Option<Ready>,
    /// `after`: services that must be ready first, or what `conditions` says of them.
    pub after: BTreeSet<ServiceName>,
    /// What must have happened to a service in `after`, where that is not readiness.
    pub conditions: BTreeMap<ServiceName, When>,
    /// `on-dependency-restart`
    pub on_dependency_restart: OnDependencyRestart,
    /// `kind`
    pub kind: ServiceKind,
    /// `schedule`: when a task runs, as in crontab(5).
    pub schedule: Option<String>,
    /// `replicas`: how many copies run; 1 unless set.
    pub replicas: u32,
    /// `pre-start`: a command that runs to its end before each start.
    pub pre_start: Option<Vec<Template>>,
    /// `alive`: how it is seen that it still works.
    pub alive: Option<Alive>,
    /// `success-exit-codes`: codes that are a success besides 0.
    pub success_exit_codes: BTreeSet<i32>,
    /// `on-exit`
    pub on_exit: OnExit,
    /// `reload`
    pub reload: Option<Reload>,
    /// `restart`
    pub restart: Restart,
    /// `stop`
    pub stop: Stop,
    /// `listen`: names of the ports it opens. Those named in `command` and `ready` when not given.
    pub listen: BTreeSet<String>,
    /// `secrets`: variables passed through from the caller or the project's `.env`, never stored.
    pub secrets: BTreeSet<String>,
    /// `required`: whether the stack is down without it. True unless set.
    pub required: bool,
    /// `group`: names under which it can be meant together with others.
    pub group: BTreeSet<String>,
    /// `forward-signals`: what the supervisor passes on to it, with `SIG`.
    pub forward_signals: BTreeSet<String>,
    /// `env-file`: a file of the project with variables, read at each start.
    pub env_file: Option<RelPath>,
    /// `sandbox`, `limits`, `user`, `user-group`, `umask`, `nice`
    pub confine: Confine,
    /// `logs`: how much of its output is kept; what `[logs]` says is in it.
    pub logs: Logs,
}

/// `[run]`: the stack as a whole.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Run {
    /// `stop-within`: how long its ordered end may take.
    pub stop_within: Option<Duration>,
}

impl Run {
    /// What holds when `child` is said beside `self` and counts before it.
    pub fn overridden_by(self, child: Self) -> Self {
        // Destructured, so that a new key cannot be forgotten here.
        let Self { stop_within } = child;
        Self { stop_within: stop_within.or(self.stop_within) }
    }
}

/// `[logs]`, and `logs` of a service. What is `None` is the supervisor's default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Logs {
    /// `size`: bytes in one file before a new one is begun.
    pub size: Option<u64>,
    /// `age`: of a file's first line before a new one is begun.
    pub age: Option<Duration>,
    /// `keep`: files kept beside the current one.
    pub keep: Option<u32>,
    /// `compress`: whether those are compressed.
    pub compress: Option<bool>,
}

impl Logs {
    /// What holds when `child` is said beside `self` and counts before it.
    pub fn overridden_by(self, child: Self) -> Self {
        // Destructured, so that a new key cannot be forgotten here.
        let Self { size, age, keep, compress } = child;
        Self {
            size: size.or(self.size),
            age: age.or(self.age),
            keep: keep.or(self.keep),
            compress: compress.or(self.compress),
        }
    }
}

impl Service {
    /// The command of the environment that it starts, unless `${…}` decides that.
    pub fn program(&self) -> Option<&str> {
        self.command.first().and_then(Template::literal)
    }

    /// Every command of it by its key: what it starts, and what runs beside that.
    pub fn commands(&self) -> Vec<(&'static str, &[Template])> {
        let mut out = vec![("command", self.command.as_slice())];
        out.extend(self.pre_start.as_deref().map(|words| ("pre-start", words)));
        out.extend(self.stop.command.as_deref().map(|words| ("stop", words)));
        let ready = self.ready.as_ref().map(|r| ("ready", &r.probe));
        let alive = self.alive.as_ref().map(|a| ("alive", &a.probe));
        for (key, probe) in ready.into_iter().chain(alive) {
            if let Probe::Exec(words) = probe {
                out.push((key, words));
            }
        }
        if let Some(Reload::Command(words)) = &self.reload {
            out.push(("reload", words));
        }
        out
    }
}

/// Whether a program keeps running.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ServiceKind {
    /// It keeps running.
    #[default]
    Service,
    /// It runs to its end.
    Task,
}

/// What must have happened to a service before another may start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum When {
    /// It runs.
    Started,
    /// It is ready.
    #[default]
    Ready,
    /// It ended with success.
    Completed,
}

/// What a service does when something in its `after` runs anew or reloads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OnDependencyRestart {
    /// Nothing.
    #[default]
    Keep,
    /// It reloads.
    Reload,
    /// It restarts.
    Restart,
}

/// What the end of a service means for the stack.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OnExit {
    /// The stack goes on.
    #[default]
    Continue,
    /// The stack ends.
    EndStack,
}

/// How a service takes up changes without a restart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reload {
    /// `signal`: sent to its main process.
    Signal(String),
    /// `command`: a command of the environment.
    Command(Vec<Template>),
}

/// How it is seen that a ready service still works.
#[derive(Clone, Debug, PartialEq)]
pub struct Alive {
    /// What is looked at.
    pub probe: Probe,
    /// Time between two looks; 10 s unless set.
    pub interval: Duration,
    /// How long a look may take; 2 s unless set.
    pub timeout: Duration,
    /// Failed looks in a row that restart it; 3 unless set.
    pub failures: u32,
}

/// How readiness is seen.
#[derive(Clone, Debug, PartialEq)]
pub struct Ready {
    /// What is looked at.
    pub probe: Probe,
    /// How long it may take from the start; 30 s unless set.
    pub timeout: Duration,
}

/// What a readiness check looks at.
#[derive(Clone, Debug, PartialEq)]
pub enum Probe {
    /// `http = URL`: a GET answers 2xx or 3xx.
    Http(Template),
    /// `tcp = HOST:PORT`: a connection is accepted.
    Tcp(Template),
    /// `log = TEXT`: a line of its output contains the text.
    Log(String),
    /// `exec = COMMAND`: a command of the environment ends with 0.
    Exec(Vec<Template>),
    /// `notify = true`: it says so itself, as in `sd_notify(3)`.
    Notify,
    /// `watchdog = TIME`: it gives a sign of life at least this often; for `alive` alone.
    Watchdog(Duration),
}

/// When a service that ended is started again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Restart {
    /// Whenever it ends without being told to.
    #[default]
    Always,
    /// When it ends by a signal or with a non-zero code.
    OnFailure,
    /// Not.
    Never,
}

/// How a service is asked to end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stop {
    /// `signal`: `SIGTERM` unless set; one of TERM, INT, QUIT, HUP, USR1, USR2, KILL.
    pub signal: String,
    /// `grace`: how long it may take before SIGKILL; 10 s unless set.
    pub grace: Duration,
    /// `command`: asks it to end, instead of the signal.
    pub command: Option<Vec<Template>>,
}

impl Default for Stop {
    fn default() -> Self {
        Self { signal: "SIGTERM".to_owned(), grace: Duration::from_secs(10), command: None }
    }
}
