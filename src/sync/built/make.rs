//! The object of a row that is built: its modules, its toolchain, the build, the comparison.
//!
//! 1. Every module of the lock's sums is at hand, or fetched and compared.
//! 2. The toolchain's own object is there, or made as any other.
//! 3. The build sees these modules alone; one build runs at a time, since each uses all processors.
//! 4. The tree must have the lock's hash.

use std::path::PathBuf;
use std::sync::Arc;

use super::super::artifact::blocking;
use super::super::context::Context;
use super::super::error::{BuiltOther, Error, Result};
use super::super::execute::{self, Job};
use super::modules::{self, Whose};
use super::{flags, lines, toolchain};
use crate::base::{RelPath, Task};
use crate::build::go::{self, Wish};
use crate::build::{Flags, Line, Runner, Site, Target, proxy};
use crate::fs;
use crate::lock::Requirements;
use crate::lock::model::{Build, Lock};
use crate::lock::object_suffix;
use crate::source::Query;
use crate::store::{self, ObjectPath, Store};

/// Directories below the store's cache of artifacts.
#[derive(Clone, Debug)]
pub(in crate::sync) struct Places {
    /// Verified modules.
    pub(in crate::sync) modules: PathBuf,
    /// What builds made.
    pub(in crate::sync) records: PathBuf,
    /// What Go compiled.
    pub(in crate::sync) compiled: PathBuf,
}

impl Places {
    /// Those of a store.
    pub(in crate::sync) fn of(store: &Store) -> Result<Self> {
        let top = store.artifacts().go()?;
        let at = |name: &str| top.join(name);
        Ok(Self { modules: at("modules"), records: at("built"), compiled: at("compiled") })
    }
}

/// Everything that a build on its own thread needs.
pub(in crate::sync) struct Work {
    pub(in crate::sync) store: Store,
    pub(in crate::sync) runner: Arc<dyn Runner>,
    pub(in crate::sync) places: Places,
    /// The `go` command.
    pub(in crate::sync) go: PathBuf,
    pub(in crate::sync) package: String,
    /// With its `v`.
    pub(in crate::sync) version: String,
    pub(in crate::sync) flags: Flags,
    pub(in crate::sync) task: Arc<dyn Task>,
}

impl Work {
    pub(in crate::sync) fn wish(&self) -> Wish<'_> {
        Wish { package: &self.package, version: &self.version, flags: &self.flags }
    }

    /// A directory for a build; what is left in it is swept with the store's other leftovers.
    pub(in crate::sync) fn stage(&self) -> Result<fs::StagingDir> {
        Ok(fs::StagingDir::new_in(&self.store.temp_dir()?, "build")?)
    }

    pub(in crate::sync) fn site<'a>(&'a self, dir: &'a std::path::Path) -> Site<'a> {
        let cache = &self.places.compiled;
        Site { runner: self.runner.as_ref(), go: &self.go, dir, cache }
    }

    /// Builds for a target below `dir`, which other targets may have used; gives the tree and the
    /// command's path in it.
    pub(in crate::sync) fn build(
        &self,
        dir: &std::path::Path,
        lines: &[Line],
        target: Target,
    ) -> Result<(PathBuf, RelPath)> {
        self.task.stage(&format!("building for {}", target.shown()));
        let (proxy, tree) = (dir.join("proxy"), dir.join("tree"));
        fs::remove_tree(&proxy)?;
        fs::remove_tree(&tree)?;
        fs::create_dir_all(&tree)?;
        let wish = self.wish();
        let module = proxy::fill(&proxy, &self.places.modules, lines, wish.package, wish.version)?;
        let name = go::make(&self.site(dir), &wish, target, &proxy, &module, &tree)?;
        let command = RelPath::new(format!("bin/{name}"))
            .map_err(|_| crate::build::Error::NoCommand { package: self.package.clone() })?;
        Ok((tree, command))
    }
}

/// Makes the object of a row.
pub(in crate::sync) async fn object(
    context: &Context<'_>,
    lock: &Lock,
    requirements: &Requirements,
    job: &Job<'_>,
    build: &Build,
    task: &Arc<dyn Task>,
) -> Result<ObjectPath> {
    let lines = lines(build, &job.shown)?;
    let places = Places::of(context.store)?;
    let requirement = job.requirement(requirements);
    let query = Query::new(job.dep, &requirement);
    let version = &job.locked.version;
    let whose = Whose { query, version, platform: job.platform, shown: &job.shown };
    modules::fetch(context, &whose, &lines, &places.modules, task).await?;
    task.stage(&format!("waiting for {}", build.toolchain));
    let go = go_command(context, lock, requirements, job.dep, build).await?;
    // The semaphore is never closed.
    let _turn = context.builds.acquire().await.ok();
    if let Some(object) = context.store.get(&job.pin.object)? {
        return Ok(object);
    }
    let work = Work {
        store: context.store.clone(),
        runner: Arc::clone(context.runner),
        places,
        go,
        package: job.locked.source.package().to_owned(),
        version: format!("v{version}"),
        flags: flags(&requirement, version.as_str()),
        task: Arc::clone(task),
    };
    let name = object_suffix(job.dep, version);
    let (tree, shown, target) = (job.pin.tree, job.shown.clone(), Target::of(job.platform));
    let executables = job.pin.bin.values().cloned().collect();
    let made = blocking(&job.shown, move || {
        // Neither the toolchain nor the modules may go meanwhile.
        let _pause = work.store.pause_gc(work.task.as_ref())?;
        let dir = work.stage()?;
        let (from, _) = work.build(dir.path(), &lines, target)?;
        Ok(work.store.add_directory(&from, &name, &executables, Some(&tree), &shown)?)
    })
    .await;
    made.map_err(|error| match error {
        Error::Store(inner) => match *inner {
            store::Error::TreeMismatch { shown, expected, actual, .. } => {
                let with = format!("{} {}", build.toolchain, build.version);
                let dep = job.dep.clone();
                Error::BuiltOther(Box::new(BuiltOther { shown, dep, with, expected, actual }))
            }
            other => Error::Store(Box::new(other)),
        },
        other => other,
    })
}

/// The `go` command of a toolchain's object, which is made where it is missing.
pub(in crate::sync) async fn go_command(
    context: &Context<'_>,
    lock: &Lock,
    requirements: &Requirements,
    dep: &crate::base::DepName,
    build: &Build,
) -> Result<PathBuf> {
    let (name, locked) = toolchain::find(dep, Some(&build.toolchain), lock)?;
    if locked.version.as_str() != build.version {
        return Err(Error::OtherToolchain {
            dep: dep.clone(),
            toolchain: name.clone(),
            locked: build.version.clone(),
            found: locked.version.to_string(),
        });
    }
    let pin = locked.platforms.get(&context.host).and_then(|row| row.pin());
    let Some((pin, command)) = pin.and_then(|pin| Some((pin, toolchain::command(pin)?))) else {
        let (dep, toolchain, host) = (dep.clone(), name.clone(), context.host);
        return Err(Error::ToolchainElsewhere { dep, toolchain, host });
    };
    debug_assert!(pin.bin.values().any(|path| path == command));
    let object = Box::pin(execute::object(context, lock, requirements, context.host, name)).await?;
    Ok(command.under(object.path()))
}
