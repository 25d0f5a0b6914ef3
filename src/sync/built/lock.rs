//! Rows of a dep that is built: for every platform, on this host.
//!
//! 1. Go finds the modules for all missing platforms, with the network and the configuration that
//!    Go itself would use here.
//! 2. Each is kept under the sum of its bytes; one that the old lock has with another sum is refused.
//! 3. Each platform is built from these alone, without the network, as syncing does it; what took
//!    part goes into the lock.
//! 4. The command is read, the tree hashed; only the host's is added to the store.
//!
//! Invariant: a row comes from a build that syncing can repeat.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use super::super::artifact::blocking;
use super::super::context::Context;
use super::super::error::{Error, ModuleSums, Result};
use super::super::pin::{About, Found};
use super::super::resolve::Resolve;
use super::super::{needs, rows};
use super::make::{self, Places, Work};
use super::{commands, flags, shown, toolchain};
use crate::base::{Platform, RelPath, TreeHash, Version};
use crate::binary::{self, Needs};
use crate::build::record::{self, Record};
use crate::build::{Line, Network, Target, go, names, proxy};
use crate::lock::model::{Build, Lock, Proof, Row};
use crate::lock::{Requirements, object_name, object_suffix};
use crate::source::Offer;
use crate::{fs, nar};

/// What was made.
pub(in crate::sync) struct Made {
    pub(in crate::sync) rows: BTreeMap<Platform, Row>,
    pub(in crate::sync) build: Build,
}

/// The dep that builds this one, as the lock would name it. Without sums yet.
pub(in crate::sync) fn by(one: &Resolve<'_, '_>, lock: &Lock) -> Result<Build> {
    let (name, locked) = toolchain::find(one.dep, one.requirement.toolchain.as_ref(), lock)?;
    let (toolchain, version) = (name.clone(), locked.version.to_string());
    Ok(Build { toolchain, version, sums: Vec::new() })
}

/// Builds for some platforms at a version. `kept` are the sums of rows that stay.
pub(in crate::sync) async fn rows(
    one: &Resolve<'_, '_>,
    lock: &Lock,
    requirements: &Requirements,
    version: &Version,
    platforms: &[Platform],
    build: Build,
    kept: &[String],
) -> Result<Made> {
    let context = one.context;
    let query = one.query();
    let offer = match one.source().offer(&query, version, context.host).await? {
        Offer::Build(offer) => *offer,
        // Only a source that builds is asked here.
        _ => return Err(Error::NoLocation { shown: shown(one.dep, version.as_str()) }),
    };
    if context.offline {
        let shown = shown(one.dep, version.as_str());
        return Err(Error::OfflineModules { shown, missing: Vec::new() });
    }
    let task = context.reporter.begin(&format!("{} {version}", one.dep), None);
    let go = make::go_command(context, lock, requirements, one.dep, &build).await?;
    let tree = lock
        .deps
        .get(&build.toolchain)
        .and_then(|locked| locked.platforms.get(&context.host)?.pin())
        .map(|pin| pin.tree);
    let work = Work {
        store: context.store.clone(),
        runner: Arc::clone(context.runner),
        places: Places::of(context.store)?,
        go,
        package: one.requirement.from.package().to_owned(),
        version: offer.version,
        flags: flags(one.requirement, version.as_str()),
        task,
    };
    let all = Building {
        work,
        about: About { dep: one.dep.clone(), version: version.clone(), platform: context.host },
        host: context.host,
        toolchain: tree.unwrap_or_else(|| TreeHash::new([0; 32])),
        platforms: platforms.to_vec(),
        network: offer.network,
        module: offer.module,
        known: one
            .old
            .and_then(|old| old.build.as_ref())
            .map(|b| b.sums.clone())
            .unwrap_or_default(),
    };
    let built = blocking(&shown(one.dep, version.as_str()), move || all.run()).await?;
    finish(one, context, version, built, build, kept, offer.unknown_to_database.as_deref())
}

/// From what was built to rows.
fn finish(
    one: &Resolve<'_, '_>,
    context: &Context<'_>,
    version: &Version,
    built: Built,
    mut build: Build,
    kept: &[String],
    unknown: Option<&str>,
) -> Result<Made> {
    if built.overrides {
        context.reporter.warn(&format!(
            "the module of {} replaces or excludes others in its go.mod, which Go does not do for \
             a command that it installs: it is built from its own directory and calls its version \
             `(devel)`",
            shown(one.dep, version.as_str())
        ));
    }
    let vouched = unknown.is_some_and(|patterns| {
        built.sums.iter().all(|line| names::covered(patterns, &line.module).is_none())
    });
    let proof = if vouched { Proof::ChecksumDatabase } else { Proof::FirstUse };
    let mut rows = BTreeMap::new();
    for (platform, made) in built.rows {
        let about = About { dep: one.dep.clone(), version: version.clone(), platform };
        let row = match made {
            Err(reason) => Row::Unavailable { reason },
            Ok(One { tree, command, needs }) => {
                let bin = commands(one.requirement, &command).map_err(|refusal| {
                    Error::Commands { shown: about.shown(), source: Box::new(refusal) }
                })?;
                let found = Found { tree, bin, needs, notes: Vec::new() };
                rows::row(&about, (None, Vec::new()), None, found, vec![proof], Vec::new())?
            }
        };
        rows.insert(platform, row);
    }
    let sums: BTreeSet<String> =
        built.sums.iter().map(Line::to_string).chain(kept.iter().cloned()).collect();
    build.sums = sums.into_iter().collect();
    Ok(Made { rows, build })
}

/// What a target became.
#[derive(Clone)]
struct One {
    tree: TreeHash,
    command: RelPath,
    needs: Option<Needs>,
}

/// What a target became, or why it has nothing.
type Outcome = std::result::Result<One, String>;

struct Built {
    rows: BTreeMap<Platform, Outcome>,
    sums: BTreeSet<Line>,
    overrides: bool,
}

/// The blocking part.
struct Building {
    work: Work,
    about: About,
    host: Platform,
    toolchain: TreeHash,
    platforms: Vec<Platform>,
    network: Network,
    /// The module of the package.
    module: String,
    /// Sums of the old lock.
    known: Vec<String>,
}

impl Building {
    fn run(self) -> Result<Built> {
        // Neither the toolchain nor the modules may go meanwhile.
        let _pause = self.work.store.pause_gc(self.work.task.as_ref())?;
        let targets: BTreeSet<Target> = self.platforms.iter().map(|p| Target::of(*p)).collect();
        let targets: Vec<Target> = targets.into_iter().collect();
        self.work.task.stage("finding modules");
        let found = {
            let dir = self.work.stage()?;
            let site = self.work.site(dir.path());
            let found =
                go::discover(&site, &self.work.wish(), &self.module, &targets, &self.network)?;
            self.keep(&found.lines, &go::downloads(&site))?;
            found
        };
        let dir = self.work.stage()?;
        let mut out =
            Built { rows: BTreeMap::new(), sums: BTreeSet::new(), overrides: found.overrides };
        for target in targets {
            let outcome = if found.absent.contains(&target) {
                Err(format!("`{}` has no Go files for it", self.work.package))
            } else {
                let (made, sums) = self.target(dir.path(), &found.lines, target)?;
                out.sums.extend(sums);
                Ok(made)
            };
            for platform in self.platforms.iter().filter(|p| Target::of(**p) == target) {
                out.rows.insert(*platform, outcome.clone());
            }
        }
        Ok(out)
    }

    /// Takes what Go downloaded into the cache.
    fn keep(&self, lines: &[Line], downloads: &Path) -> Result<()> {
        let known: BTreeMap<String, Line> =
            self.known.iter().filter_map(|l| Line::read(l)).map(|l| (l.about(), l)).collect();
        let partial = self.work.places.modules.join("partial");
        fs::create_dir_all(&partial)?;
        for line in lines {
            if let Some(old) = known.get(&line.about())
                && old.sum != line.sum
            {
                return Err(Error::ModuleChanged(Box::new(ModuleSums {
                    shown: shown(&self.about.dep, self.about.version.as_str()),
                    about: line.about(),
                    expected: old.sum.clone(),
                    received: line.sum.clone(),
                    from: "the module proxy".to_owned(),
                })));
            }
            if proxy::kept(&self.work.places.modules, line)?.is_some() {
                continue;
            }
            let staging = fs::StagingDir::new_in(&partial, "module")?;
            let file = staging.path().join("file");
            fs::copy(&downloads.join(line.file()), &file)?;
            // It was hashed where it lay; a copy that differs is the disk's fault.
            if proxy::keep(&self.work.places.modules, line, &file)?.is_err() {
                return Err(crate::build::Error::Unstable { about: line.about() }.into());
            }
        }
        Ok(())
    }

    /// One target: from the records, else built.
    fn target(&self, dir: &Path, lines: &[Line], target: Target) -> Result<(One, Vec<Line>)> {
        let texts: Vec<String> = lines.iter().map(Line::to_string).collect();
        let key = record::key(&self.toolchain, &texts, &self.work.wish(), target);
        let is_host = Target::of(self.host) == target;
        if let Some(known) = record::get(&self.work.places.records, &key)
            && let Ok(command) = RelPath::new(known.command.clone())
            && (!is_host || self.is_there(&known.tree)?)
        {
            let sums = known.sums.iter().filter_map(|text| Line::read(text)).collect();
            let Record { tree, needs, .. } = known;
            return Ok((One { tree, command, needs }, sums));
        }
        let (from, command) = self.work.build(dir, lines, target)?;
        let needs = self.read(&from, &command, target)?;
        let (dep, version) = (&self.about.dep, &self.about.version);
        let tree = if is_host {
            let name = object_suffix(dep, version);
            let executables = [command.clone()].into();
            let shown = self.about.shown();
            *self.work.store.add_directory(&from, &name, &executables, None, &shown)?.tree()
        } else {
            nar::hash_path(&from).map_err(crate::store::Error::from)?.0
        };
        let downloads = go::downloads(&self.work.site(dir));
        let mut used = Vec::new();
        for line in lines {
            if fs::exists(&downloads.join(line.file()))? {
                used.push(line.clone());
            }
        }
        let sums = used.iter().map(Line::to_string).collect();
        let made = Record { tree, command: command.to_string(), needs: needs.clone(), sums };
        record::put(&self.work.places.records, &key, &made);
        Ok((One { tree, command, needs }, used))
    }

    /// Whether the store has the host's tree already.
    fn is_there(&self, tree: &TreeHash) -> Result<bool> {
        match object_name(tree, &self.about.dep, &self.about.version) {
            Ok(object) => Ok(self.work.store.get(&object)?.is_some()),
            Err(_) => Ok(false),
        }
    }

    /// What the command says of itself.
    fn read(&self, tree: &Path, command: &RelPath, target: Target) -> Result<Option<Needs>> {
        let bytes = fs::read(&command.under(tree))?;
        let mut all = Needs::default();
        for platform in self.platforms.iter().filter(|p| Target::of(**p) == target) {
            let Some(executable) = binary::inspect(&bytes) else { continue };
            if let Some(what) = binary::contradiction(&executable, *platform) {
                let about = About { platform: *platform, ..self.about.clone() };
                let (shown, file) = (about.shown(), command.to_string());
                return Err(Error::Contradiction { shown, file, what, libc_only: false });
            }
            needs::merge(&mut all, &executable.needs);
        }
        Ok((all != Needs::default()).then_some(all))
    }
}
