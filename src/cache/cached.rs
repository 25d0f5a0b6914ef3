//! One cache, and what it says.
//!
//! Refuses a cache of another store, and a narinfo that is of another object than the one that was
//! asked for. Invariant: a [`NarInfo`] from here has the digest it was asked by.

use std::fmt;
use std::sync::Arc;

use super::backend::Backend;
use super::info::{self, CacheInfo};
use super::location::{Access, Location};
use super::narinfo::{NarInfo, STORE_DIR};
use super::{Error, Result};
use crate::base::Digest;

/// One cache.
#[derive(Clone)]
pub struct Cache {
    backend: Arc<dyn Backend>,
    shown: String,
}

impl fmt::Debug for Cache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

impl Cache {
    /// Names a cache; asks nothing.
    pub fn open(location: &Location, access: &Access) -> Result<Self> {
        Ok(Self { backend: location.open(access)?, shown: location.to_string() })
    }

    /// As people may see it.
    pub fn shown(&self) -> &str {
        &self.shown
    }

    /// Whether it needs no network.
    pub fn is_local(&self) -> bool {
        self.backend.is_local()
    }

    pub(super) fn backend(&self) -> &dyn Backend {
        self.backend.as_ref()
    }

    fn damaged(&self, file: &str, why: impl ToString) -> Error {
        let (cache, file) = (self.shown.clone(), file.to_owned());
        Error::Document { cache, file, why: why.to_string() }
    }

    /// What it says of itself.
    ///
    /// # Errors
    /// [`Error::NoCache`], [`Error::OtherStore`].
    pub async fn info(&self) -> Result<CacheInfo> {
        let cache = || self.shown.clone();
        let Some(bytes) = self.backend.get(info::FILE).await? else {
            return Err(Error::NoCache { cache: cache() });
        };
        let info = CacheInfo::parse(&bytes).map_err(|why| self.damaged(info::FILE, why))?;
        match info.store_dir == STORE_DIR {
            true => Ok(info),
            false => Err(Error::OtherStore { cache: cache(), dir: info.store_dir }),
        }
    }

    /// Makes it a cache; `false` when it is one already, which stays as it is.
    pub async fn init(&self, info: &CacheInfo) -> Result<bool> {
        match self.info().await {
            Ok(_) => Ok(false),
            Err(Error::NoCache { .. }) => {
                self.backend.put(info::FILE, info.to_text().as_bytes()).await?;
                Ok(true)
            }
            Err(e) => Err(e),
        }
    }

    /// What it says of an object; `None` when it does not have it.
    pub async fn narinfo(&self, digest: Digest) -> Result<Option<NarInfo>> {
        let file = narinfo_key(digest);
        let Some(bytes) = self.backend.get(&file).await? else { return Ok(None) };
        let info = NarInfo::parse(&bytes).map_err(|why| self.damaged(&file, why))?;
        if info.object.digest() != digest {
            return Err(self.damaged(&file, format!("it is of {}", info.object)));
        }
        Ok(Some(info))
    }

    pub(super) async fn put_narinfo(&self, info: &NarInfo) -> Result<()> {
        let key = narinfo_key(info.object.digest());
        self.backend.put(&key, info.to_string().as_bytes()).await
    }

    /// The digests of all objects.
    ///
    /// # Errors
    /// [`Error::CannotList`].
    pub async fn digests(&self) -> Result<Vec<Digest>> {
        let entries = self.entries().await?;
        Ok(entries.iter().filter_map(|entry| digest_of(&entry.key)).collect())
    }

    /// How many objects it has, and bytes of archives.
    ///
    /// # Errors
    /// [`Error::CannotList`].
    pub async fn size(&self) -> Result<(usize, u64)> {
        let entries = self.entries().await?;
        let objects = entries.iter().filter(|entry| digest_of(&entry.key).is_some()).count();
        let archives = entries.iter().filter(|entry| entry.key.starts_with("nar/"));
        Ok((objects, archives.map(|entry| entry.size).fold(0, u64::saturating_add)))
    }

    pub(super) async fn entries(&self) -> Result<Vec<super::Entry>> {
        let cannot = || Error::CannotList { cache: self.shown.clone() };
        self.backend.list().await?.ok_or_else(cannot)
    }
}

pub(super) fn narinfo_key(digest: Digest) -> String {
    format!("{digest}.narinfo")
}

/// The digest in a narinfo's key.
pub(super) fn digest_of(key: &str) -> Option<Digest> {
    key.strip_suffix(".narinfo")?.parse().ok()
}
