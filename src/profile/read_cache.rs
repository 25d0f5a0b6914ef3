//! The `[cache]` table.
//!
//! Refuses credentials (profiles are kept in git), schemes that no cache has, and keys that are
//! not in Nix's form. What a URL means in full is the cache room's to say.

use super::error::{Error, Result};
use super::flaw::Flaw;
use super::layer::CacheLayer;
use super::node::Node;

pub(super) fn caches(node: &Node<'_>) -> Result<CacheLayer> {
    let mut fields = node.fields("a table with `url`", &["url", "keys", "push"])?;
    let url = fields.take("url").map(|node| {
        if node.is_array() {
            node.elements("an array of URLs")?.iter().map(location).collect()
        } else {
            location(&node).map(|one| vec![one])
        }
    });
    let keys = fields.take("keys").map(|node| {
        node.elements("an array of public keys")?.iter().map(key).collect::<Result<Vec<_>>>()
    });
    let push = fields.take("push").map(|node| location(&node));
    Ok(CacheLayer { url: url.transpose()?, keys: keys.transpose()?, push: push.transpose()? })
}

fn location(node: &Node<'_>) -> Result<String> {
    let text = node.text("a URL or a path")?;
    if text.is_empty() {
        return Err(node.bad("it is empty", None, "empty"));
    }
    if !text.contains("://") {
        return Ok(text.to_owned());
    }
    let parsed = url::Url::parse(text).map_err(|e| node.bad(e, None, "not a URL"))?;
    if !matches!(parsed.scheme(), "http" | "https" | "file" | "s3") {
        let why = "a cache is a path, or file://, http://, https:// or s3://";
        return Err(node.bad(why, None, "another scheme"));
    }
    if !parsed.username().is_empty() || parsed.password().is_some() {
        let flaw = Flaw::BadValue {
            key: node.path().to_owned(),
            why: "it holds credentials, and profiles are kept in git".to_owned(),
            hint: Some("put them into ~/.netrc, or set INFRA_CACHE_TOKEN".to_owned()),
        };
        return Err(Error::at(&node.spot().masked(), flaw, "credentials"));
    }
    Ok(text.to_owned())
}

fn key(node: &Node<'_>) -> Result<String> {
    let text = node.text("a public key")?;
    let plain = |b: u8| b.is_ascii_graphic();
    let good = text.split_once(':').is_some_and(|(name, value)| {
        !name.is_empty() && name.bytes().all(plain) && value.len() == 44 && value.ends_with('=')
    });
    match good {
        true => Ok(text.to_owned()),
        false => {
            let hint = "`infra cache key public FILE` prints it".to_owned();
            Err(node.bad("it is no public key (`NAME:BASE64`)", Some(hint), "not a public key"))
        }
    }
}
