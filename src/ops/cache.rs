//! Binary caches: what each subcommand does, and which cache and keys it means.
//!
//! A cache is the one that was named, else of `--cache` or `INFRA_CACHE`, else of the profiles.
//! Refuses to guess: without any of them there is an error. Invariant: the token for writing goes
//! only to the cache that is written to.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use super::context::runtime;
use super::{Context, Error, Result};
use crate::base::vars;
use crate::base::{EnvName, ObjectName, Platform, Secret};
use crate::cache::pull::{Trust, Wanted};
use crate::cache::serve::{self, Content};
use crate::cache::{
    self, Access, Cache, CacheInfo, GcPlan, Keyring, Location, PublicKey, Pulled, Pushed,
    SecretKey, Signed, Substitutes, Verified,
};
use crate::config::ecosystem::{self, aws};
use crate::fs;
use crate::http;
use crate::lock;
use crate::profile;
use crate::profile::model::Caches;

/// Longest wait for a connection to a cache that a sync asks: it has a source to fall back on.
const SHORT: Duration = Duration::from_secs(2);

/// What a cache is used for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Use {
    /// A sync may ask it.
    Ask,
    /// It is read on demand.
    Read,
    /// It is written.
    Write,
}

impl Context {
    /// The caches that a sync asks.
    pub(super) fn substitutes(&self, caches: &Caches) -> Result<Substitutes> {
        let (texts, base) = match &self.settings().cache.value {
            Some(texts) => (texts, self.cwd()),
            None => (&caches.url, self.project()),
        };
        let mut open = Vec::new();
        for text in texts {
            let location = Location::parse(text, base)?;
            if location.is_local() || !self.settings().offline.value {
                open.push(self.open_cache(&location, Use::Ask)?);
            }
        }
        Ok(Substitutes::new(open))
    }

    fn open_cache(&self, location: &Location, how: Use) -> Result<Cache> {
        Ok(Cache::open(location, &self.cache_access(location, how)?)?)
    }

    fn cache_access(&self, location: &Location, how: Use) -> Result<Access> {
        let settings = self.settings();
        let patience = settings.connect_timeout.value;
        let stall = settings.stall_timeout.value;
        let client = http::Client::new(http::Options {
            offline: settings.offline.value,
            connect_timeout: if how == Use::Ask { patience.min(SHORT) } else { patience },
            stall_timeout: if how == Use::Ask { stall.min(SHORT * 3) } else { stall },
            retries: if how == Use::Ask { 0 } else { settings.retries.value },
            extra_roots: match location {
                Location::Directory(_) => Vec::new(),
                _ => ecosystem::roots(self.environ(), self.project())?,
            },
            cache: None,
        })?;
        let mut access =
            Access { client, reading: None, writing: None, storage: aws::Storage::default() };
        match location {
            Location::Directory(_) => {}
            Location::Web(url) => {
                access.reading = ecosystem::netrc_authorization(self.environ(), url)?;
                let token = (how == Use::Write).then(|| self.cache_token()).flatten();
                let bearer = |t: Secret| Secret::new(format!("Bearer {}", t.expose()));
                access.writing = token.map(bearer).or_else(|| access.reading.clone());
            }
            Location::Bucket { profile, .. } => {
                access.storage = aws::storage(self.environ(), profile.as_deref())?;
            }
        }
        Ok(access)
    }

    fn cache_token(&self) -> Option<Secret> {
        let token = self.environ().get(vars::CACHE_TOKEN.name).map(str::trim);
        token.filter(|token| !token.is_empty()).map(Secret::new)
    }

    /// What the profiles say of caches; nothing where there is no project.
    fn profile_caches(&self) -> Result<Caches> {
        match profile::Profiles::load(self.project()) {
            Ok(profiles) => Ok(profiles.union()?.cache),
            Err(profile::Error::NoProfiles { .. }) => Ok(Caches::default()),
            Err(e) => Err(e.into()),
        }
    }

    /// The cache that a command means.
    fn cache_named(&self, given: Option<&str>, how: Use) -> Result<Location> {
        if let Some(text) = given {
            return Ok(Location::parse(text, self.cwd())?);
        }
        if let Some(text) = self.settings().cache.value.iter().flatten().next() {
            return Ok(Location::parse(text, self.cwd())?);
        }
        let caches = self.profile_caches()?;
        let push = caches.push.filter(|_| how == Use::Write);
        let text = push.or_else(|| caches.url.into_iter().next()).ok_or(Error::NoCache)?;
        Ok(Location::parse(&text, self.project())?)
    }

    fn keyring(&self, more: &[String]) -> Result<Keyring> {
        let mut keys = Vec::new();
        let given = more.iter().map(|text| ("--trusted-key", text.clone()));
        let of_profiles = self.profile_caches()?.keys;
        for (what, text) in given.chain(of_profiles.into_iter().map(|t| ("[cache] keys", t))) {
            let bad = |source| Error::Key { what: format!("{what} `{text}`"), source };
            keys.push(text.parse::<PublicKey>().map_err(bad)?);
        }
        Ok(Keyring::new(keys))
    }

    fn secret_key(&self, file: Option<&Path>) -> Result<Option<SecretKey>> {
        let Some(file) = file else { return Ok(None) };
        let path = self.cwd().join(file);
        let text = fs::read_to_string(&path)?;
        let bad = |source| Error::Key { what: format!("`{}`", file.display()), source };
        Ok(Some(text.parse::<SecretKey>().map_err(bad)?))
    }

    fn jobs(&self) -> usize {
        self.settings().jobs.value
    }
}

/// An object by its name, or the object of an environment, built where needed.
pub(super) fn object_named(context: &Context, name: &str) -> Result<ObjectName> {
    if let Ok(object) = name.parse() {
        return Ok(object);
    }
    let env = EnvName::new(name).map_err(|_| Error::NoObject(name.to_owned()))?;
    Ok(super::environment::ensure(context, &env)?.object.name().clone())
}

fn objects_named(context: &Context, names: &[String]) -> Result<Vec<ObjectName>> {
    if names.is_empty() {
        let env = context.settings().env.value.as_str();
        return Ok(vec![object_named(context, env)?]);
    }
    names.iter().map(|name| object_named(context, name)).collect()
}

/// Those that were named; `None` when none was.
fn only(context: &Context, names: &[String]) -> Result<Option<Vec<ObjectName>>> {
    match names {
        [] => Ok(None),
        names => objects_named(context, names).map(Some),
    }
}

/// Makes a cache; `false` when it is one already.
pub fn init(context: &Context, at: Option<&str>, priority: u32) -> Result<(String, bool)> {
    let location = context.cache_named(at, Use::Write)?;
    let cache = context.open_cache(&location, Use::Write)?;
    let info = CacheInfo { priority, ..CacheInfo::default() };
    let made = runtime()?.block_on(cache.init(&info))?;
    Ok((cache.shown().to_owned(), made))
}

/// Pushes environments and objects with all that they refer to.
pub fn push(
    context: &Context,
    to: Option<&str>,
    names: &[String],
    key: Option<&Path>,
) -> Result<Pushed> {
    let location = context.cache_named(to, Use::Write)?;
    let cache = context.open_cache(&location, Use::Write)?;
    let key = context.secret_key(key)?;
    let objects = objects_named(context, names)?;
    let store = context.store();
    let closure = store.closure(objects)?;
    let (jobs, reporter) = (context.jobs(), context.reporter());
    let pushing = cache::push(&store, &cache, &closure, key.as_ref(), jobs, reporter);
    Ok(runtime()?.block_on(pushing)?)
}

/// Pulls objects with all that they refer to, and what the lock pins for environments.
pub fn pull(
    context: &Context,
    from: Option<&str>,
    names: &[String],
    trusted: &[String],
    unsigned: bool,
) -> Result<Pulled> {
    let location = context.cache_named(from, Use::Read)?;
    let cache = context.open_cache(&location, Use::Read)?;
    let trust = Trust { keys: context.keyring(trusted)?, unsigned };
    let default = [context.settings().env.value.as_str().to_owned()];
    let names = if names.is_empty() { &default } else { names };
    let mut wanted: Vec<Wanted> = Vec::new();
    let pins = pinned(context)?;
    for name in names {
        match name.parse::<ObjectName>() {
            Ok(object) => {
                let tree = pins.iter().find(|(o, _)| *o == object).and_then(|(_, tree)| *tree);
                wanted.push((object, tree));
            }
            Err(_) => wanted.extend(deps_of(context, name)?),
        }
    }
    let store = context.store();
    let (jobs, reporter) = (context.jobs(), context.reporter());
    let pulling = cache::pull(&store, &cache, &wanted, &trust, jobs, reporter);
    Ok(runtime()?.block_on(pulling)?)
}

/// What this project's lock pins, of every platform; nothing where there is none.
fn pinned(context: &Context) -> Result<Vec<Wanted>> {
    match fs::exists(&context.lock_path())? {
        true => Ok(pins_of(&context.lock()?).collect()),
        false => Ok(Vec::new()),
    }
}

fn pins_of(lock: &lock::Lock) -> impl Iterator<Item = Wanted> {
    let rows = lock.deps.values().flat_map(|dep| dep.platforms.values());
    rows.filter_map(|row| row.pin()).map(|pin| (pin.object.clone(), Some(pin.tree)))
}

/// What the lock pins on this host for the deps of an environment.
fn deps_of(context: &Context, name: &str) -> Result<Vec<Wanted>> {
    let env = EnvName::new(name).map_err(|_| Error::NoObject(name.to_owned()))?;
    let profile = profile::Profiles::load_one(context.project(), &env)?;
    let (lock, _) = super::lock::fresh(context)?;
    let mut wanted = Vec::new();
    for dep in profile.deps.keys() {
        let row = lock.deps.get(dep).and_then(|dep| dep.platforms.get(&Platform::host()));
        wanted.extend(row.and_then(|r| r.pin()).map(|pin| (pin.object.clone(), Some(pin.tree))));
    }
    Ok(wanted)
}

/// Checks every archive; an error lists what is damaged.
pub fn verify(
    context: &Context,
    at: Option<&str>,
    names: &[String],
    trusted: &[String],
) -> Result<Verified> {
    let location = context.cache_named(at, Use::Read)?;
    let cache = context.open_cache(&location, Use::Read)?;
    let (keys, only) = (context.keyring(trusted)?, only(context, names)?);
    let (store, jobs, reporter) = (context.store(), context.jobs(), context.reporter());
    let verifying = cache::verify(&store, &cache, only.as_deref(), &keys, jobs, reporter);
    let report = runtime()?.block_on(verifying)?;
    match report.flaws.is_empty() {
        true => Ok(report),
        false => {
            Err(Error::CacheDamaged(report.flaws.iter().map(ToString::to_string).collect()).into())
        }
    }
}

/// Removes what nothing of `keep` (lock files, environments, objects) reaches.
pub fn gc(
    context: &Context,
    at: Option<&str>,
    keep: &[String],
    age: Duration,
    dry_run: bool,
) -> Result<GcPlan> {
    if keep.is_empty() {
        return Err(Error::NothingKept.into());
    }
    let location = context.cache_named(at, Use::Write)?;
    let cache = context.open_cache(&location, Use::Write)?;
    let mut roots = BTreeSet::new();
    for one in keep {
        let path = context.cwd().join(one);
        let is_file = fs::lstat_if_exists(&path)?.is_some_and(|meta| !meta.is_dir());
        if is_file || one.ends_with(".json") {
            roots.extend(pins_of(&lock::read(&path)?).map(|(object, _)| object));
        } else {
            roots.insert(object_named(context, one)?);
        }
    }
    let patience = context.settings().lock_timeout.value;
    let task = context.reporter().begin("collecting", None);
    Ok(runtime()?.block_on(cache::gc(&cache, &roots, age, dry_run, patience, task))?)
}

/// Signs what a cache has.
pub fn sign(context: &Context, at: Option<&str>, names: &[String], key: &Path) -> Result<Signed> {
    let location = context.cache_named(at, Use::Write)?;
    let cache = context.open_cache(&location, Use::Write)?;
    let Some(key) = context.secret_key(Some(key))? else { return Ok(Signed::default()) };
    let only = only(context, names)?;
    Ok(runtime()?.block_on(cache::sign(&cache, only.as_deref(), &key))?)
}

/// What a cache is.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Info {
    /// Where it is.
    pub cache: String,
    /// The directory in the paths of its objects.
    pub store_dir: String,
    /// Lower is asked first.
    pub priority: u32,
    /// Whether asking for many objects at once is welcome.
    pub want_mass_query: bool,
    /// How many objects it has, where it can say.
    pub objects: Option<usize>,
    /// Bytes of their archives, packed.
    pub bytes: Option<u64>,
}

/// What a cache says of itself, and how much it has.
pub fn info(context: &Context, at: Option<&str>) -> Result<Info> {
    let location = context.cache_named(at, Use::Read)?;
    let cache = context.open_cache(&location, Use::Read)?;
    let (info, size) = runtime()?.block_on(async {
        let info = cache.info().await?;
        match cache.size().await {
            Ok(size) => Ok((info, Some(size))),
            Err(cache::Error::CannotList { .. }) => Ok((info, None)),
            Err(e) => Err(e),
        }
    })?;
    let CacheInfo { store_dir, want_mass_query, priority } = info;
    let (objects, bytes) = (size.map(|(objects, _)| objects), size.map(|(_, bytes)| bytes));
    let cache = cache.shown().to_owned();
    Ok(Info { cache, store_dir, priority, want_mass_query, objects, bytes })
}

/// What `serve` serves.
#[derive(Clone, Copy, Debug)]
pub struct Serve<'a> {
    /// A cache directory; the store when not given.
    pub directory: Option<&'a Path>,
    /// Where to listen.
    pub listen: SocketAddr,
    /// Whether whoever has the token may push.
    pub allow_push: bool,
    /// What signs the objects of the store.
    pub key: Option<&'a Path>,
}

/// Serves until it is told to end. `ready` gets the address.
pub fn serve(context: &Context, how: &Serve<'_>, ready: impl FnOnce(SocketAddr)) -> Result<()> {
    let token = match how.allow_push {
        true => Some(context.cache_token().ok_or(Error::NoToken)?),
        false => None,
    };
    let content = match how.directory {
        Some(dir) => Content::Directory(context.cwd().join(dir)),
        None if how.allow_push => return Err(Error::PushIntoStore.into()),
        None => {
            let key = context.secret_key(how.key)?.map(Box::new);
            Content::Store { store: context.store(), key }
        }
    };
    let access =
        context.cache_access(&Location::Directory(context.cwd().to_owned()), Use::Write)?;
    let options = serve::Options { listen: how.listen, content, token };
    Ok(runtime()?.block_on(serve::serve(options, &access, ready, stop()))?)
}

/// Ends with the first SIGINT or SIGTERM.
async fn stop() {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut interrupt), Ok(mut terminate)) =
        (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
    else {
        // Without handlers the signals end the process themselves.
        return std::future::pending().await;
    };
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
}

/// Makes a pair of keys: the secret into a new file that only its owner may read.
pub fn generate_key(context: &Context, name: &str, file: &Path) -> Result<PublicKey> {
    let bad = |source| Error::Key { what: format!("`{name}`"), source };
    let key = SecretKey::generate(name).map_err(bad)?;
    let path = context.cwd().join(file);
    if fs::exists(&path)? {
        return Err(Error::InTheWay { path: file.to_owned() }.into());
    }
    fs::write_private(&path, format!("{}\n", key.expose()).as_bytes())?;
    Ok(key.public())
}

/// The public half of a secret key.
pub fn public_key(context: &Context, file: &Path) -> Result<PublicKey> {
    let key = context.secret_key(Some(file))?;
    key.map(|key| key.public()).ok_or_else(|| Error::NoCache.into())
}
