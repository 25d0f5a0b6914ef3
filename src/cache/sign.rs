//! Signing what a cache has.
//!
//! Refuses to vouch for an object whose name does not follow from its content: its bytes were not
//! looked at. Invariant: a signature of this key is there once.

use serde::Serialize;

use super::cached::Cache;
use super::signing::SecretKey;
use super::{Error, Result};
use crate::base::{Digest, ObjectName};

/// What signing did.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Signed {
    /// Objects that were signed, sorted.
    pub signed: Vec<ObjectName>,
    /// How many had the key's signature.
    pub present: usize,
}

/// Signs everything, or some objects.
pub async fn sign(cache: &Cache, only: Option<&[ObjectName]>, key: &SecretKey) -> Result<Signed> {
    cache.info().await?;
    let digests: Vec<Digest> = match only {
        Some(objects) => objects.iter().map(ObjectName::digest).collect(),
        None => cache.digests().await?,
    };
    let name = key.public();
    let mut report = Signed::default();
    for (index, digest) in digests.iter().enumerate() {
        let Some(mut info) = cache.narinfo(*digest).await? else {
            match only.and_then(|objects| objects.get(index)) {
                Some(object) => {
                    let (cache, object) = (cache.shown().to_owned(), object.clone());
                    return Err(Error::NotThere { cache, object });
                }
                // Collected since it was listed.
                None => continue,
            }
        };
        if !info.is_content_addressed() {
            let (cache, object) = (cache.shown().to_owned(), info.object);
            return Err(Error::NotContentAddressed { cache, object });
        }
        let signature = key.sign(&info.fingerprint());
        if info.signatures.contains(&signature) {
            report.present += 1;
            continue;
        }
        // One of the same name that differs is of another key, or false.
        info.signatures.retain(|s| s.key_name() != name.name());
        info.signatures.push(signature);
        cache.put_narinfo(&info).await?;
        report.signed.push(info.object);
    }
    report.signed.sort();
    Ok(report)
}
