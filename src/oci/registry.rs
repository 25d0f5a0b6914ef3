//! A registry: tags, manifests, configurations, and where blobs lie.
//!
//! 1. `/v2/` is asked once; its challenge says how to be told who asks.
//! 2. A token for one repository is fetched when it is first needed and again before it runs out.
//! 3. A request that is refused with a challenge of its own is answered once.
//!
//! Tokens are kept in memory alone. Invariant: a document is handed out only when its bytes are
//! those of the digest it was asked by, where it was asked by digest.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use serde::Deserialize;
use url::Url;

use super::challenge::{self, Challenge};
use super::error::{Error, Result};
use super::image::{self, Descriptor, Document, Flaw};
use super::name::{digest, parse_digest};
use crate::base::{Hasher, Integrity, Secret};
use crate::http;

/// Most pages of tags that are read.
const PAGES: usize = 200;
/// Tags asked for at once; a registry may send fewer.
const PAGE: &str = "1000";
/// Who this program says it is to token services.
const CLIENT: &str = "infra";
/// How long a token serves that does not say it, in seconds (token specification).
const LIFETIME: i64 = 60;
/// A token is renewed so many seconds before its end: a request must arrive with it.
const MARGIN: i64 = 15;

/// Who asks a registry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Login {
    /// An `Authorization` header: user and password, or a token that was configured.
    Header(Secret),
    /// A refresh token, which the token service takes for one that can be sent.
    Refresh(Secret),
}

/// A registry at one base URL.
pub struct Registry {
    client: http::Client,
    /// Ends in `/v2/`.
    root: Url,
    /// What comes before every repository's name.
    prefix: String,
    login: Option<Login>,
    how: Mutex<Option<Option<Challenge>>>,
    tokens: Mutex<BTreeMap<String, (Secret, i64)>>,
}

/// A document as it was served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Served {
    /// What it says.
    pub document: Document,
    /// Its digest.
    pub digest: Integrity,
    /// Where it came from, to be shown.
    pub url: String,
}

/// Where a blob lies.
#[derive(Clone, Debug)]
pub struct Blob {
    /// Its URL.
    pub url: Url,
    /// Who asks.
    pub authorization: Option<Secret>,
}

impl Registry {
    /// A registry; asks nothing yet. A path in the base comes before every repository's name,
    /// unless it ends in `/v2/`: then it is the API's own place, as some proxies have it.
    pub fn new(client: http::Client, base: &Url, login: Option<Login>) -> Self {
        let mut root = base.clone();
        root.set_query(None);
        root.set_fragment(None);
        let path = base.path().trim_matches('/').to_owned();
        let own = path.rsplit('/').next() == Some("v2");
        root.set_path(&if own { format!("/{path}/") } else { "/v2/".to_owned() });
        let prefix = if own || path.is_empty() { String::new() } else { format!("{path}/") };
        let (how, tokens) = (Mutex::default(), Mutex::default());
        Self { client, root, prefix, login, how, tokens }
    }

    /// Its base, to be shown.
    pub fn shown(&self) -> String {
        http::shown(&self.root)
    }

    /// Every tag of a repository.
    pub async fn tags(&self, repository: &str) -> Result<Vec<String>> {
        #[derive(Deserialize)]
        struct Tags {
            #[serde(default)]
            tags: Option<Vec<String>>,
        }
        let mut url = self.at(repository, "tags/list");
        url.query_pairs_mut().append_pair("n", PAGE);
        let mut all = Vec::new();
        for _ in 0..PAGES {
            let page = self.page(repository, &url, None).await?;
            let tags: Tags = serde_json::from_slice(&page.body)
                .map_err(|e| Error::Malformed { url: http::shown(&url), why: e.to_string() })?;
            all.extend(tags.tags.unwrap_or_default());
            match page.next {
                // What another host says is no list of this registry.
                Some(next) if next.origin() == url.origin() && next != url => url = next,
                _ => break,
            }
        }
        Ok(all)
    }

    /// What a tag or digest leads to.
    pub async fn manifest(&self, repository: &str, reference: &str) -> Result<Served> {
        let url = self.at(repository, &format!("manifests/{reference}"));
        let body = self.page(repository, &url, Some(image::ACCEPT)).await?.body;
        let expected = parse_digest(reference);
        let digest = self.verify(&url, &body, expected.as_ref(), Some(image::ACCEPT))?;
        let url = http::shown(&url);
        let document = image::read(&body).map_err(|flaw| explain(flaw, &url))?;
        Ok(Served { document, digest, url })
    }

    /// Whom an image's configuration says that it is for.
    pub async fn platform(&self, repository: &str, config: &Descriptor) -> Result<image::Platform> {
        let url = self.at(repository, &format!("blobs/{}", digest(&config.digest)));
        let body = self.page(repository, &url, None).await?.body;
        self.verify(&url, &body, Some(&config.digest), None)?;
        image::platform_of(&body).map_err(|flaw| explain(flaw, &http::shown(&url)))
    }

    /// Where a blob lies now, with who asks for it.
    pub async fn blob(&self, repository: &str, integrity: &Integrity) -> Result<Blob> {
        let url = self.at(repository, &format!("blobs/{}", digest(integrity)));
        Ok(Blob { url, authorization: self.authorization(repository).await? })
    }

    fn at(&self, repository: &str, path: &str) -> Url {
        let mut url = self.root.clone();
        url.set_path(&format!("{}{}{repository}/{path}", self.root.path(), self.prefix));
        url
    }

    /// Compares a document with its digest; one that is another is not kept.
    fn verify(
        &self,
        url: &Url,
        body: &[u8],
        expected: Option<&Integrity>,
        accept: Option<&'static str>,
    ) -> Result<Integrity> {
        let Some(expected) = expected else { return Ok(Integrity::sha256_of(body)) };
        let mut hasher = Hasher::new(expected.algorithm());
        hasher.update(body);
        let received = hasher.finish();
        if received == *expected {
            return Ok(received);
        }
        self.client.forget(&http::Get { url: url.clone(), accept, authorization: None });
        let (expected, received) = (Box::new(expected.clone()), Box::new(received));
        Err(Error::Digest { url: http::shown(url), expected, received })
    }

    async fn page(
        &self,
        repository: &str,
        url: &Url,
        accept: Option<&'static str>,
    ) -> Result<http::Page> {
        let mut answered = false;
        loop {
            let authorization = self.authorization(repository).await?;
            let request = http::Get { url: url.clone(), accept, authorization };
            match self.client.page(&request).await {
                Err(http::Error::Unauthorized { url, challenges }) if !answered => {
                    answered = true;
                    let Some(found) = challenge::choose(&challenges) else {
                        return Err(http::Error::Unauthorized { url, challenges }.into());
                    };
                    *lock(&self.how) = Some(Some(found));
                    lock(&self.tokens).remove(repository);
                }
                other => return Ok(other?),
            }
        }
    }

    /// How the registry wants to be told who asks; asked once.
    async fn how(&self) -> Result<Option<Challenge>> {
        if let Some(known) = &*lock(&self.how) {
            return Ok(known.clone());
        }
        let authorization = None;
        let request = http::Get { url: self.root.clone(), accept: None, authorization };
        let found = match self.client.fresh(&request).await {
            Err(http::Error::Unauthorized { url, challenges }) => {
                let why = || format!("`{}`", challenges.join("`, `"));
                let chosen = challenge::choose(&challenges);
                Some(chosen.ok_or_else(|| Error::Challenge { url, why: why() })?)
            }
            // What is cached needs nobody's leave.
            Err(e) if e.is_offline() => return Ok(None),
            // Some proxies serve repositories without the API's own place.
            Err(e) if e.is_not_found() => None,
            Ok(_) => None,
            Err(e) => return Err(e.into()),
        };
        *lock(&self.how) = Some(found.clone());
        Ok(found)
    }

    async fn authorization(&self, repository: &str) -> Result<Option<Secret>> {
        if let Some(Login::Header(token)) = &self.login
            && token.expose().starts_with("Bearer ")
        {
            return Ok(Some(token.clone()));
        }
        let Challenge::Bearer { realm, service } = (match self.how().await? {
            None => return Ok(None),
            Some(Challenge::Basic) => return Ok(self.header()),
            Some(bearer) => bearer,
        }) else {
            return Ok(None);
        };
        let now = jiff::Timestamp::now().as_second();
        if let Some((token, until)) = lock(&self.tokens).get(repository)
            && *until > now
        {
            return Ok(Some(token.clone()));
        }
        let (token, lifetime) = self.token(repository, &realm, service.as_deref()).await?;
        let until = now.saturating_add(lifetime.saturating_sub(MARGIN).max(1));
        lock(&self.tokens).insert(repository.to_owned(), (token.clone(), until));
        Ok(Some(token))
    }

    fn header(&self) -> Option<Secret> {
        match &self.login {
            Some(Login::Header(secret)) => Some(secret.clone()),
            _ => None,
        }
    }

    async fn token(
        &self,
        repository: &str,
        realm: &str,
        service: Option<&str>,
    ) -> Result<(Secret, i64)> {
        #[derive(Deserialize)]
        struct Token {
            token: Option<String>,
            access_token: Option<String>,
            expires_in: Option<i64>,
        }
        let refuse = |why: &str| Error::Challenge { url: self.shown(), why: why.to_owned() };
        let mut url = Url::parse(realm).map_err(|_| refuse("its token service has no URL"))?;
        let good = match url.scheme() {
            "https" => true,
            // No less guarded than the registry itself.
            "http" => self.root.scheme() == "http",
            _ => false,
        };
        if !good {
            return Err(refuse("its token service is not reached by https"));
        }
        let scope = format!("repository:{}{repository}:pull", self.prefix);
        let said = service.map(|service| ("service", service)).into_iter();
        let said = said.chain([("scope", scope.as_str())]);
        let body = match &self.login {
            // The token specification's "OAuth2": a refresh token is sent in a form.
            Some(Login::Refresh(token)) => {
                let more = [
                    ("grant_type", "refresh_token"),
                    ("client_id", CLIENT),
                    ("refresh_token", token.expose()),
                ];
                let form = url::form_urlencoded::Serializer::new(String::new())
                    .extend_pairs(said.chain(more))
                    .finish();
                let request = http::Get { url: url.clone(), accept: None, authorization: None };
                let kind = "application/x-www-form-urlencoded";
                self.client.post(&request, kind, form.as_bytes()).await?
            }
            _ => {
                url.query_pairs_mut().extend_pairs(said);
                let authorization = self.header();
                let request = http::Get { url: url.clone(), accept: None, authorization };
                self.client.fresh(&request).await?
            }
        };
        let malformed = |why: String| Error::Malformed { url: http::shown(&url), why };
        let token: Token = serde_json::from_slice(&body).map_err(|e| malformed(e.to_string()))?;
        let lifetime = token.expires_in.unwrap_or(LIFETIME);
        let text = token.token.or(token.access_token).filter(|t| !t.is_empty());
        let text = text.ok_or_else(|| malformed("there is no token in it".to_owned()))?;
        Ok((Secret::new(format!("Bearer {text}")), lifetime))
    }
}

fn explain(flaw: Flaw, url: &str) -> Error {
    let url = url.to_owned();
    match flaw {
        Flaw::Malformed(why) => Error::Malformed { url, why },
        Flaw::Unsupported(what) => Error::Unsupported { url, what },
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(base: &str) -> String {
        let options = http::Options {
            offline: true,
            connect_timeout: std::time::Duration::from_secs(1),
            stall_timeout: std::time::Duration::from_secs(1),
            retries: 0,
            extra_roots: Vec::new(),
            cache: None,
        };
        let client = http::Client::new(options).expect("client");
        let registry = Registry::new(client, &base.parse().expect("url"), None);
        registry.at("library/tool", "tags/list").to_string()
    }

    #[test]
    fn places() {
        for (base, want) in [
            ("https://mirror.invalid", "https://mirror.invalid/v2/library/tool/tags/list"),
            ("https://mirror.invalid/hub/", "https://mirror.invalid/v2/hub/library/tool/tags/list"),
            ("http://mirror.invalid/a/v2/", "http://mirror.invalid/a/v2/library/tool/tags/list"),
        ] {
            assert_eq!(at(base), want);
        }
    }
}
