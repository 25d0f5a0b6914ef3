//! What this host lacks of what pinned programs need, and what to do about it.
//!
//! Before anything is started: a missing loader is "no such file" to whoever starts a program, and
//! a missing library is the loader's own message, after which nobody can say more. Invariant:
//! whatever is said here names the dep, what is missing, and a next step.

use std::path::Path;

use super::environment::Environment;
use super::host_memory::Memory;
use super::{Context, Error, Result};
use crate::base::{CommandName, DepName, Libc, Platform, SourceKind, Version};
use crate::binary::{Host, Lack};
use crate::env::program;
use crate::lock::{Lock, LockedDep, Row};
use crate::supervise::spec::Stack;

/// What a dep lacks here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Lacking {
    /// The dep.
    pub(super) dep: DepName,
    /// Its version.
    pub(super) version: Version,
    /// What is missing.
    pub(super) lacks: Vec<Lack>,
    /// The next step.
    pub(super) next: String,
}

impl Lacking {
    /// A line for each thing that is missing.
    pub(super) fn lines(&self) -> Vec<String> {
        let Self { dep, version, lacks, .. } = self;
        lacks.iter().map(|lack| format!("`{dep}` {version} needs {lack}")).collect()
    }
}

/// Every dep of the lock whose row for this platform needs something that the host lacks.
pub(super) fn of_lock(context: &Context, lock: &Lock) -> Vec<Lacking> {
    let host = Host::here();
    let platform = Platform::host();
    let mut out = Vec::new();
    for (name, dep) in &lock.deps {
        let Some(pin) = dep.platforms.get(&platform).and_then(Row::pin) else { continue };
        let Some(needs) = &pin.needs else { continue };
        let mut lacks = host.lacks(needs, platform.arch(), &[]);
        // A file may name directories of the host of its own; only its bytes tell.
        if lacks.iter().any(|lack| matches!(lack, Lack::Library { .. }))
            && let Ok(Some(object)) = context.store().get(&pin.object)
        {
            let files: Vec<_> = pin.bin.values().map(|path| path.under(object.path())).collect();
            let found: Vec<Lack> =
                files.iter().flat_map(|file| host.lacks_of(file).unwrap_or_default()).collect();
            lacks.retain(|lack| !matches!(lack, Lack::Library { .. }) || found.contains(lack));
        }
        if !lacks.is_empty() {
            let next = next_step(name, dep, &lacks);
            out.push(Lacking { dep: name.clone(), version: dep.version.clone(), lacks, next });
        }
    }
    out
}

/// What the host lacks for each command of an environment, one entry for a dep.
pub(super) fn of_environment(context: &Context, environment: &Environment) -> Vec<Lacking> {
    // One for all: it reads what it knows of libraries once.
    let host = Host::here();
    let mut out: Vec<Lacking> = Vec::new();
    for (command, dep) in &environment.manifest.commands {
        let Some(found) = of_command(&host, context, environment, command, dep) else { continue };
        match out.iter_mut().find(|one| one.dep == found.dep) {
            Some(one) => {
                for lack in found.lacks {
                    if !one.lacks.contains(&lack) {
                        one.lacks.push(lack);
                    }
                }
            }
            None => out.push(found),
        }
    }
    out
}

fn of_command(
    host: &Host,
    context: &Context,
    environment: &Environment,
    command: &CommandName,
    dep: &DepName,
) -> Option<Lacking> {
    let file =
        program::find(environment.object.path(), &environment.manifest, command.as_str()).ok()?;
    of_file(host, context, environment, dep, &file)
}

fn of_file(
    host: &Host,
    context: &Context,
    environment: &Environment,
    dep: &DepName,
    file: &Path,
) -> Option<Lacking> {
    // A file that cannot be read is told of by whoever starts it.
    let lacks = host.lacks_of(file).unwrap_or_default();
    if lacks.is_empty() {
        return None;
    }
    let version = environment.manifest.deps.get(dep)?.version.clone();
    let lock = context.lock().ok();
    let next = match lock.as_ref().and_then(|lock| lock.deps.get(dep)) {
        Some(locked) => next_step(dep, locked, &lacks),
        None => STATIC.to_owned(),
    };
    Some(Lacking { dep: dep.clone(), version, lacks, next })
}

/// Refuses to start a command of an environment that cannot start here.
pub(super) fn check(
    context: &Context,
    environment: &Environment,
    dep: &DepName,
    file: &Path,
) -> Result<()> {
    let Some(locked) = environment.manifest.deps.get(dep) else { return Ok(()) };
    let cache = context.client_answers();
    let memory = Memory::new(&cache, &locked.object, file);
    if memory.holds() {
        return Ok(());
    }
    let host = Host::here();
    refuse(&host, context, environment, dep, file)?;
    memory.keep(&host);
    Ok(())
}

fn refuse(
    host: &Host,
    context: &Context,
    environment: &Environment,
    dep: &DepName,
    file: &Path,
) -> Result<()> {
    match of_file(host, context, environment, dep, file) {
        Some(lacking) => {
            let program = file.to_owned();
            Err(Error::CannotStart { program, lines: lacking.lines(), next: lacking.next }.into())
        }
        None => Ok(()),
    }
}

/// Refuses to start a stack with a service that cannot start here.
pub(super) fn check_services(
    context: &Context,
    environment: &Environment,
    stack: &Stack,
) -> Result<()> {
    let host = Host::here();
    let manifest = &environment.manifest;
    for (name, spec) in &stack.services {
        let command = manifest.services.get(name).and_then(|service| service.command.first());
        if let Some(dep) = command.and_then(|word| manifest.commands.get(word.as_str())) {
            refuse(&host, context, environment, dep, &spec.program)?;
        }
    }
    Ok(())
}

const STATIC: &str = "use a version that is static or built for an older host";

/// What to do about it, by what is missing and where the dep comes from.
fn next_step(name: &DepName, dep: &LockedDep, lacks: &[Lack]) -> String {
    let kind = dep.source.kind();
    if lacks.iter().all(|lack| matches!(lack, Lack::Library { .. } | Lack::Program { .. })) {
        let names: Vec<_> = lacks
            .iter()
            .filter_map(|lack| match lack {
                Lack::Library { name } => Some(name.as_str()),
                Lack::Program { path } => Some(path.as_str()),
                _ => None,
            })
            .collect();
        let install = format!("install the package of this host that has {}", names.join(", "));
        return match kind {
            SourceKind::Deb => {
                format!("{install}, or let the dep bring its libraries with `closure = true`")
            }
            _ => format!("{install}, or use a static build of `{name}`"),
        };
    }
    // A static file serves both libcs: the lock may know of one.
    if let Some(file) = closed_for_musl(dep) {
        let place = match kind {
            SourceKind::Github => format!("name it with `asset = \"{}\"`", pattern(dep, &file)),
            SourceKind::Npm => "take its package as the dep".to_owned(),
            SourceKind::Url => "name it in the dep's URL".to_owned(),
            _ => "take it from a source where it can be chosen".to_owned(),
        };
        return format!("its file for musl, `{file}`, is static and runs here: {place}");
    }
    match kind {
        SourceKind::Github => format!(
            "if the release has a static file, name it: `asset = \"…musl…\"` for `{name}`; else \
             use a version built for an older host"
        ),
        SourceKind::Url => format!("name a static file in the URL of `{name}`, if there is one"),
        SourceKind::Npm => format!(
            "take the package of a static build (its name often ends in `-musl`) as `{name}`, or \
             a version built for an older host"
        ),
        SourceKind::Pypi => format!(
            "use a version of `{name}` whose wheel is for an older host (`manylinux2014` and the \
             like), or a static build from another source, such as `github:`"
        ),
        SourceKind::Path => format!("build `{name}` static, or for this host"),
        SourceKind::Deb => {
            format!("take `{name}` from a suite of this host's own release, or a static build")
        }
        _ => STATIC.to_owned(),
    }
}

/// The file of a static row for this machine's other C library.
fn closed_for_musl(dep: &LockedDep) -> Option<String> {
    let arch = Platform::host().arch();
    let musl = Platform::ALL.into_iter().find(|p| p.arch() == arch && p.libc() == Some(Libc::Musl));
    let pin = dep.platforms.get(&musl?).and_then(Row::pin).filter(|pin| pin.needs.is_none())?;
    let file = &pin.artifact.as_ref()?.file;
    Some(file.rsplit('/').next().unwrap_or(file).to_owned())
}

/// An asset's name as a pattern that serves later versions too.
fn pattern(dep: &LockedDep, file: &str) -> String {
    file.replace(dep.version.as_str(), "${version}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lock::fixture;

    fn dep(from: &str) -> (DepName, LockedDep) {
        let mut dep = fixture::lock().deps.into_values().next().expect("dep");
        dep.source = from.parse().expect("source");
        (DepName::new("tool").expect("name"), dep)
    }

    #[test]
    fn every_source_has_a_next_step() {
        let loader = Lack::Interpreter { path: "/lib/ld".to_owned(), instead: None };
        let library = Lack::Library { name: "libz.so.1".to_owned() };
        for (from, lack, want) in [
            ("github:a/b", &loader, "asset = "),
            ("url:http://mirror.invalid/x", &loader, "URL"),
            ("npm:x", &loader, "-musl"),
            ("pypi:x", &loader, "manylinux2014"),
            ("deb:x", &loader, "suite"),
            ("pypi:x", &library, "the package of this host that has libz.so.1"),
            ("deb:x", &library, "closure = true"),
        ] {
            let (name, dep) = dep(from);
            let step = next_step(&name, &dep, std::slice::from_ref(lack));
            assert!(step.contains(want), "{from}: {step}");
        }
    }

    #[test]
    fn a_static_file_that_the_lock_knows_is_named() {
        let (name, mut dep) = dep("github:a/tool");
        let row = dep.platforms[&Platform::X86_64Linux].pin().expect("pin").clone();
        let mut pin = row;
        pin.needs = None;
        pin.artifact.as_mut().expect("artifact").file =
            "v2.15.1/tool-2.15.1-musl.tar.gz".to_owned();
        let arch = Platform::host().arch();
        let musl = Platform::ALL
            .into_iter()
            .find(|p| p.arch() == arch && p.libc() == Some(Libc::Musl))
            .expect("musl");
        dep.platforms.insert(musl, Row::Pinned(Box::new(pin)));
        let lack = Lack::Glibc { wanted: "2.39".to_owned(), have: "2.36".to_owned() };
        let step = next_step(&name, &dep, &[lack]);
        assert!(step.contains("asset = \"tool-${version}-musl.tar.gz\""), "{step}");
    }
}
