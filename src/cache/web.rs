//! A cache on a web server, or in a bucket: everything is a request to a URL.
//!
//! Where URLs come from is a [`Plan`]'s business: below a base, or signed for a bucket. Refuses
//! documents beyond a bound. Invariant: the token is sent only with what writes.

use std::path::Path;

use async_trait::async_trait;
use url::Url;

use super::backend::{Backend, Entry, Fetched};
use super::parts::{self, Parts};
use super::s3::{self, Bucket};
use super::{Error, Result};
use crate::base::{Algorithm, Secret, Task};
use crate::http::{Body, Client, Get};

/// How a key becomes a URL.
pub(super) enum Plan {
    /// Below this one.
    Below {
        /// Ends with a slash.
        base: Url,
        /// For reading, from the user's `.netrc`.
        reading: Option<Secret>,
        /// For writing.
        writing: Option<Secret>,
    },
    /// In a bucket.
    Bucket(Box<Bucket>),
}

/// A server.
pub(super) struct Web {
    client: Client,
    plan: Plan,
    shown: String,
}

impl Web {
    pub(super) fn new(client: Client, plan: Plan, shown: String) -> Self {
        Self { client, plan, shown }
    }

    /// How large files are written, where they are written in parts.
    fn parts(&self) -> Option<Parts<'_>> {
        match &self.plan {
            Plan::Below { .. } => None,
            Plan::Bucket(bucket) => {
                Some(Parts { client: &self.client, bucket, shown: &self.shown })
            }
        }
    }

    fn request(&self, method: &str, key: &str) -> Result<Get> {
        let (url, authorization) = match &self.plan {
            Plan::Below { base, reading, writing } => {
                let url = base.join(key).map_err(|e| Error::Location {
                    text: self.shown.clone(),
                    why: e.to_string(),
                })?;
                let is_read = matches!(method, "GET" | "HEAD");
                let secret = if is_read { reading } else { writing };
                (url, secret.clone())
            }
            Plan::Bucket(bucket) => (bucket.url(method, key, &[]), None),
        };
        Ok(Get { url, accept: None, authorization })
    }
}

fn found<T>(result: std::result::Result<T, crate::http::Error>) -> Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(e) if e.is_not_found() => Ok(None),
        Err(e) => Err(e.into()),
    }
}

#[async_trait]
impl Backend for Web {
    async fn get(&self, key: &str) -> Result<Option<Vec<u8>>> {
        found(self.client.get(&self.request("GET", key)?).await)
    }

    async fn size(&self, key: &str) -> Result<Option<u64>> {
        Ok(self.client.size(&self.request("HEAD", key)?).await?)
    }

    async fn fetch(
        &self,
        key: &str,
        into: &Path,
        size: Option<u64>,
        task: &dyn Task,
    ) -> Result<Option<Fetched>> {
        let request = self.request("GET", key)?;
        let done = self.client.download(&request, into, &[Algorithm::Sha256], size, task).await;
        Ok(found(done)?.map(|done| Fetched {
            path: into.to_owned(),
            hash: done.hashes.into_iter().next(),
            size: done.size,
        }))
    }

    async fn put(&self, key: &str, bytes: &[u8]) -> Result<()> {
        let request = self.request("PUT", key)?;
        let body = Body::Bytes(bytes);
        self.client.put(&request, content_type(key), &body, &crate::base::Quiet).await?;
        Ok(())
    }

    async fn put_file(&self, key: &str, file: &Path, task: &dyn Task) -> Result<()> {
        let kind = content_type(key);
        if let Some(in_parts) = self.parts() {
            let size = crate::fs::lstat(file)?.len();
            if parts::are_used(size) {
                return in_parts.put(key, file, size, kind, task).await;
            }
        }
        self.client.put(&self.request("PUT", key)?, kind, &Body::File(file), task).await?;
        Ok(())
    }

    async fn sweep(&self) -> Result<()> {
        if let Some(parts) = self.parts() {
            // Not every server can say what was begun.
            let _ = parts.sweep().await;
        }
        Ok(())
    }

    async fn delete(&self, key: &str) -> Result<()> {
        Ok(self.client.delete(&self.request("DELETE", key)?).await?)
    }

    async fn list(&self) -> Result<Option<Vec<Entry>>> {
        let Plan::Bucket(bucket) = &self.plan else { return Ok(None) };
        let mut all = Vec::new();
        let mut next: Option<String> = None;
        loop {
            let url = bucket.listing(next.as_deref());
            // A signed address is asked once: no cache could answer it again.
            let bytes = self.client.fresh(&Get { url, accept: None, authorization: None }).await?;
            let page = s3::parse_listing(&bytes, bucket.prefix())
                .map_err(|why| Error::Listing { cache: self.shown.clone(), why })?;
            all.extend(page.entries);
            if page.next.is_none() || page.next == next {
                all.sort_by(|a, b| a.key.cmp(&b.key));
                return Ok(Some(all));
            }
            next = page.next;
        }
    }
}

/// What Nix calls the files of a cache.
pub(super) fn content_type(key: &str) -> &'static str {
    match key {
        key if key.ends_with(".narinfo") => "text/x-nix-narinfo",
        super::info::FILE => "text/x-nix-cache-info",
        _ => "application/x-nix-nar",
    }
}
