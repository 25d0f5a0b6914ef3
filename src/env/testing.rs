//! A small profile and lock that the room's tests share.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::activate::{Activation, Purity};
use super::resolve::{Resolved, resolve};
use super::values::{Place, Values};
use crate::archive::Format;
use crate::base::{
    CommandName, Integrity, ObjectName, Platform, RelPath, SourceRef, TreeHash, VersionReq,
};
use crate::config::Environ;
use crate::lock::model::{Artifact, Lock, LockedDep, Pin, Proof, Row};
use crate::profile::model::{Port, Probe, Profile, Ready, Requirement, Restart, Service, Stop};

/// A value with everything that quoting can get wrong, as text.
pub(super) const TRICKY: &str = "it's \"$HOME\" `id` \\n !x\n\tä";

pub(super) const PLATFORM: Platform = Platform::X86_64Linux;

pub(super) fn requirement(from: &str) -> Requirement {
    Requirement::new(from.parse::<SourceRef>().expect("source"), VersionReq::any())
}

pub(super) fn pin(name: &str, fill: u8, commands: &[&str]) -> Pin {
    let tree = TreeHash::new([fill; 32]);
    let bin = commands.iter().map(|command| {
        let path = RelPath::new(format!("bin/{command}")).expect("path");
        (CommandName::new(*command).expect("name"), path)
    });
    Pin {
        artifact: Some(Artifact {
            file: format!("{name}.tar.gz"),
            size: 1,
            integrity: Integrity::sha256_of(name.as_bytes()),
            format: Format::TarGz,
            strip: 0,
        }),
        with: Vec::new(),
        linking: None,
        tree,
        object: ObjectName::for_tree(&tree, &BTreeSet::new(), &format!("{name}-1.0"))
            .expect("object"),
        bin: bin.collect(),
        needs: None,
        verified: vec![Proof::RegistryHash],
        first: Vec::new(),
        attestations: Vec::new(),
    }
}

/// A lock of these deps for [`PLATFORM`].
pub(super) fn lock(pins: &[(&str, Pin)]) -> Lock {
    let dep = |(name, pin): &(&str, Pin)| {
        let from = format!("pypi:{name}");
        let locked = LockedDep {
            source: from.parse().expect("source"),
            requirement: requirement(&from).canonical(),
            version: "1.0".parse().expect("version"),
            build: None,
            definition: None,
            platforms: BTreeMap::from([(PLATFORM, Row::Pinned(Box::new(pin.clone())))]),
        };
        (name.parse().expect("name"), locked)
    };
    Lock { deps: pins.iter().map(dep).collect() }
}

pub(super) fn service(command: &[&str]) -> Service {
    Service {
        command: command.iter().map(|word| word.parse().expect("template")).collect(),
        env: BTreeMap::new(),
        cwd: None,
        ready: Some(Ready {
            probe: Probe::Tcp("127.0.0.1:${port.nats}".parse().expect("template")),
            timeout: Duration::from_secs(30),
        }),
        after: BTreeSet::new(),
        conditions: BTreeMap::new(),
        on_dependency_restart: Default::default(),
        kind: Default::default(),
        schedule: None,
        replicas: 1,
        pre_start: None,
        alive: None,
        success_exit_codes: BTreeSet::new(),
        on_exit: Default::default(),
        reload: None,
        restart: Restart::OnFailure,
        stop: Stop::default(),
        listen: BTreeSet::new(),
        secrets: BTreeSet::from(["TOKEN".to_owned()]),
        required: true,
        group: BTreeSet::new(),
        confine: Default::default(),
        logs: Default::default(),
        forward_signals: Default::default(),
        env_file: None,
    }
}

/// `dev`: deps `nats` and `tool`, one service, one file.
pub(super) fn profile() -> Profile {
    let env = [
        ("NATS_URL", "nats://127.0.0.1:${port.nats}"),
        ("A_URL", "${env.NATS_URL}/x"),
        ("CONF", "${file.nats.conf}"),
        ("NATS_DIR", "${dep.nats}"),
        ("WHERE", "${project}:${data}"),
    ];
    let conf = RelPath::new("nats.conf").expect("path");
    Profile {
        policy: Default::default(),
        run: Default::default(),
        cache: crate::profile::model::Caches::default(),
        name: "dev".parse().expect("name"),
        files: vec![PathBuf::from("profiles/dev.toml")],
        platforms: BTreeSet::from([PLATFORM]),
        deps: ["nats", "tool"]
            .into_iter()
            .map(|dep| (dep.parse().expect("name"), requirement(&format!("pypi:{dep}"))))
            .collect(),
        ports: BTreeMap::from([("nats".to_owned(), Port::Fixed(4222))]),
        env: env
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value.parse().expect("template")))
            .collect(),
        etc: BTreeMap::from([(conf.clone(), conf)]),
        services: BTreeMap::from([(
            "nats".parse().expect("name"),
            service(&["nats-server", "--config", "${file.nats.conf}"]),
        )]),
        sources: BTreeMap::new(),
        prefer: BTreeMap::new(),
        data: PathBuf::from(".data"),
    }
}

pub(super) fn pins() -> [(&'static str, Pin); 2] {
    [("nats", pin("nats", 1, &["nats-server", "nats"])), ("tool", pin("tool", 2, &["tool"]))]
}

pub(super) fn resolved() -> Resolved {
    resolve(&profile(), &lock(&pins()), PLATFORM, &|_| None).expect("resolve")
}

/// A project and a store that exist on paper.
pub(super) struct Site {
    digest: TreeHash,
    ports: BTreeMap<String, u16>,
}

impl Site {
    pub(super) fn new() -> Self {
        let ports = BTreeMap::from([("nats".to_owned(), 4222)]);
        Self { digest: TreeHash::new([9; 32]), ports }
    }

    pub(super) fn place(&self) -> Place<'_> {
        Place {
            project: Path::new("/project"),
            object: Path::new("/store/store/env"),
            digest: &self.digest,
            generation: 7,
            ports: &self.ports,
        }
    }

    pub(super) fn values(&self) -> Values {
        Values::new(&resolved().manifest, &self.place()).expect("values")
    }
}

/// `dev` over a `PATH` of `/usr/bin`, with [`TRICKY`] in it.
pub(super) fn activation() -> Activation {
    let environ = Environ::from_vars([("PATH", "/usr/bin")]);
    let mut activation = Activation::new(&Site::new().values(), &environ, Purity::Inherit);
    activation.variables.insert("TRICKY".to_owned(), TRICKY.to_owned());
    activation.variables.insert("EMPTY".to_owned(), "set".to_owned());
    activation
}

/// A declared service, as other rooms' tests need one.
pub(crate) fn declared() -> super::manifest::Service {
    super::declare::declare(&service(&["run"]))
}
