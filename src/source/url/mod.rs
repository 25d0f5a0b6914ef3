//! A file at an address that a template gives.
//!
//! Owns the template's words. There is no index, so the profile says the exact
//! version. Refuses schemes other than http(s) and credentials in a template, which would end up
//! in git. Invariant: the lock's file name is the last part of the address, never the address.

mod template;

pub(super) use self::template::shown;

use std::sync::Arc;

use ::url::Url;
use async_trait::async_trait;

use self::template::Words;
use super::access::{self, Access};
use super::memo::Memo;
use super::mirrors::Round;
use super::{
    ArtifactOffer, Asked, Candidate, Commands, Error, Location, Offer, Query, Result, Source,
    signed,
};
use crate::archive::Format;
use crate::base::{Integrity, Platform, SourceKind, Version, VersionReq};
use crate::config::ecosystem::Endpoint;
use crate::lock::model::Proof;
use crate::provenance::Evidence;
use crate::provenance::checksum;

/// The source.
pub(super) struct UrlSource {
    access: Arc<Access>,
    /// By URL; `None` when there is no such document. One checksum file often serves all platforms.
    checksums: Memo<String, Option<String>>,
}

/// The version that a requirement pins: `=1.2.3`, or a bare version of three parts.
pub(super) fn exact(wanted: &VersionReq) -> Option<Version> {
    let text = wanted.as_str().trim();
    let (text, pinned) = match text.strip_prefix('=') {
        Some(rest) => (rest.trim(), true),
        None => (text, false),
    };
    let release = text.split(['-', '+']).next()?;
    if !pinned && release.split('.').count() != 3 {
        return None;
    }
    // A bare `1.2.3` means `^1.2.3` to other sources; here it can only mean itself.
    let version: Version = text.parse().ok()?;
    wanted.matches(&version).then_some(version)
}

/// Everything that a platform's templates expand to.
struct Target {
    file: String,
    /// One, or where it lies below each base.
    locations: Vec<Location>,
    checksum: Option<Vec<Location>>,
}

impl UrlSource {
    pub(super) fn new(access: Arc<Access>) -> Self {
        Self { access, checksums: Memo::new() }
    }

    async fn target(
        &self,
        query: &Query<'_>,
        version: &Version,
        platform: Platform,
    ) -> Result<Target> {
        let mut words = Words::new(version, platform, &query.requirement.words);
        let locations = self.expand(query, query.package(), &words).await?;
        let first = locations.first().ok_or_else(|| Error::NoBase { subject: query.subject() })?;
        let file =
            template::file_name(&first.url).map_err(|why| refused(query, query.package(), why))?;
        words.set("file", &file);
        words.set("url", first.url.as_str());
        let checksum = match &query.requirement.checksum {
            Some(template) => Some(self.expand(query, template, &words).await?),
            None => None,
        };
        Ok(Target { file, locations, checksum })
    }

    async fn expand(
        &self,
        query: &Query<'_>,
        template: &str,
        words: &Words,
    ) -> Result<Vec<Location>> {
        let text = words.expand(template).map_err(|why| refused(query, template, why))?;
        let check = |url: Url| template::check(url).map_err(|why| refused(query, template, why));
        if !text.starts_with('/') {
            let url: Url = text
                .parse()
                .map_err(|e: ::url::ParseError| refused(query, template, e.to_string()))?;
            return Ok(vec![self.access.direct(query, check(url)?)?]);
        }
        let indexes = self.access.indexes(query, None).await?;
        let below = |endpoint: &Endpoint| {
            let base = &endpoint.base.value;
            // Through a relative reference, so that a query in the template stays one.
            let mut folder = base.clone();
            folder.set_query(None);
            folder.set_path(&format!("{}/", base.path().trim_end_matches('/')));
            let url = folder
                .join(&format!("./{}", text.trim_start_matches('/')))
                .map_err(|e| refused(query, template, e.to_string()))?;
            Ok(access::located(endpoint, check(url)?))
        };
        indexes.iter().flatten().map(below).collect()
    }

    /// A document that lies at one of some places.
    async fn get(&self, query: &Query<'_>, places: &[Location]) -> Result<Option<Vec<u8>>> {
        let [one] = places else {
            // Below each base, in their order.
            let indexes = self.access.indexes(query, None).await?;
            let mut round = Round::new(&self.access, &indexes);
            let mut places = places.iter();
            while let (Some(place), Some(at)) = (round.next(), places.next()) {
                let said = self.access.page_of(place.last, query, at, None).await;
                if let Some(page) = round.heard(place, said)? {
                    return Ok(Some(page.body));
                }
            }
            return round.end().map(|()| None);
        };
        self.access.get(query, one, None).await
    }

    /// What the checksum file says of the artifact; the reason when the platform has none.
    async fn checksum(
        &self,
        query: &Query<'_>,
        places: &[Location],
        file: &str,
    ) -> Result<std::result::Result<Integrity, String>> {
        let fetch = async {
            let body = self.get(query, places).await?;
            Ok::<_, Error>(body.map(|body| String::from_utf8_lossy(&body).into_owned()))
        };
        let first = || places.first().map(Location::shown).unwrap_or_default();
        let key = places.first().map(|at| at.url.to_string()).unwrap_or_default();
        let text = self.checksums.get(key, fetch).await?;
        let Some(text) = text.as_ref() else {
            return Ok(Err(format!("the server has no `{}`", first())));
        };
        checksum::find(text, file).map(Ok).map_err(|why| Error::Checksum {
            subject: query.subject(),
            url: first(),
            file: file.to_owned(),
            why,
        })
    }
}

fn refused(query: &Query<'_>, template: &str, why: impl Into<String>) -> Error {
    let template = shown(template);
    Error::Template { subject: query.subject(), template, why: why.into() }
}

#[async_trait]
impl Source for UrlSource {
    fn kind(&self) -> SourceKind {
        SourceKind::Url
    }

    /// The same template serves both C libraries, unless its words tell them apart.
    fn guesses_libc(&self, query: &Query<'_>, file: &str) -> bool {
        !query.package().contains("${libc}") && !super::names_libc(file)
    }

    async fn versions(&self, query: &Query<'_>) -> Result<Vec<Candidate>> {
        let wanted = &query.requirement.version;
        let version = exact(wanted)
            .ok_or_else(|| Error::NotExact { subject: query.subject(), wanted: wanted.clone() })?;
        Ok(vec![Candidate::new(version)])
    }

    /// Without a checksum the server is not asked here: whether the file exists is seen when it is
    /// downloaded.
    async fn offer(
        &self,
        query: &Query<'_>,
        version: &Version,
        platform: Platform,
    ) -> Result<Offer> {
        let target = self.target(query, version, platform).await?;
        let Target { file, mut locations, checksum } = target;
        let Some(format) = Format::of_name(&file) else {
            return Err(Error::Format { subject: query.subject(), file });
        };
        let integrity = match &checksum {
            None => None,
            Some(places) => match self.checksum(query, places, &file).await? {
                Ok(integrity) => Some(integrity),
                Err(reason) => return Ok(Offer::Unavailable { reason }),
            },
        };
        Ok(Offer::Artifact(Box::new(ArtifactOffer {
            file,
            location: locations.swap_remove(0),
            proofs: integrity.iter().map(|_| Proof::ChecksumFile).collect(),
            integrity,
            size: None,
            format,
            strip: query.strip(0),
            commands: query.commands(Commands::Found),
        })))
    }

    async fn locate(
        &self,
        query: &Query<'_>,
        version: &Version,
        platform: Platform,
        file: &str,
    ) -> Result<Vec<Location>> {
        let target = self.target(query, version, platform).await?;
        if target.file != file {
            return Err(query.file_gone(version, file));
        }
        Ok(target.locations)
    }

    async fn evidence(&self, asked: &Asked<'_>) -> Result<Vec<Evidence>> {
        let Asked { query, version, platform, .. } = *asked;
        let target = self.target(query, version, platform).await?;
        let mut words = Words::new(version, platform, &query.requirement.words);
        words.set("file", &target.file);
        if let Some(first) = target.locations.first() {
            words.set("url", first.url.as_str());
        }
        let mut found = Vec::new();
        for wanted in signed::wanted(query, &self.access)? {
            let mut places = match &wanted.place {
                Some(template) => self.expand(query, template, &words).await?,
                None => target.locations.clone(),
            };
            if wanted.place.is_none() {
                for at in &mut places {
                    let path = format!("{}{}", at.url.path(), wanted.ending);
                    at.url.set_path(&path);
                }
            }
            let last = places.len().saturating_sub(1);
            for (n, at) in places.iter().enumerate() {
                match self.access.get(query, at, None).await {
                    Ok(Some(body)) => {
                        found.push(wanted.of(query, at, &body)?);
                        break;
                    }
                    Err(e) if n == last => return Err(e),
                    // Another base may have it.
                    Ok(None) | Err(_) => {}
                }
            }
        }
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pins() {
        for (wanted, want) in [
            ("=1.2.3", Some("1.2.3")),
            ("= 1.2.3-rc.1", Some("1.2.3-rc.1")),
            ("1.2.3", Some("1.2.3")),
            ("1.2.3+b5", Some("1.2.3+b5")),
            ("=1.2", Some("1.2")),
            ("=24", Some("24")),
            ("1.2", None),
            ("^1.2.3", None),
            ("~1.2.3", None),
            ("*", None),
            ("=1.*", None),
            (">=1.2.3, <2", None),
            ("=1.2.3, =1.2.3", None),
        ] {
            let wanted: VersionReq = wanted.parse().expect("requirement");
            let got = exact(&wanted);
            assert_eq!(got.as_ref().map(Version::as_str), want, "{wanted}");
        }
    }
}
