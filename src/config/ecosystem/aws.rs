//! How S3-compatible storage is reached from this machine: AWS's variables, then its two files.
//!
//! `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`, `AWS_SESSION_TOKEN`, `AWS_REGION` or
//! `AWS_DEFAULT_REGION`, `AWS_ENDPOINT_URL_S3` or `AWS_ENDPOINT_URL`; then the profile
//! (`AWS_PROFILE`, else `default`) in `~/.aws/credentials` and `~/.aws/config`
//! (`AWS_SHARED_CREDENTIALS_FILE`, `AWS_CONFIG_FILE`). Refuses a profile that was named and is in
//! neither. Invariant: a key id is never paired with the secret of another place.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::read;
use crate::base::Secret;
use crate::config::{Environ, Error, Origin};

/// What opens a bucket.
#[derive(Clone, Debug, Default)]
pub struct Storage {
    /// Key id and secret.
    pub keys: Option<(String, Secret)>,
    /// Of temporary keys.
    pub token: Option<Secret>,
    /// Region.
    pub region: Option<String>,
    /// Server.
    pub endpoint: Option<String>,
}

/// Reads variables and files; `profile` comes before `AWS_PROFILE`.
pub fn storage(environ: &Environ, profile: Option<&str>) -> Result<Storage, Error> {
    let set = |name: &str| environ.get(name).filter(|value| !value.is_empty()).map(str::to_owned);
    let (named, origin) = match (profile, set("AWS_PROFILE")) {
        (Some(name), _) => (Some(name.to_owned()), "?profile="),
        (None, named) => (named, "AWS_PROFILE"),
    };
    let name = named.clone().unwrap_or_else(|| "default".to_owned());
    let file = |variable: &str, last: &str| {
        let own = environ.absolute(variable).map(PathBuf::from);
        own.or_else(|| Some(environ.home()?.join(".aws").join(last)))
    };
    let section = |path: Option<PathBuf>, titles: &[String]| -> Result<Option<Section>, Error> {
        let Some(path) = path else { return Ok(None) };
        Ok(read(&path)?.and_then(|text| find(&text, titles)))
    };
    let credentials =
        section(file("AWS_SHARED_CREDENTIALS_FILE", "credentials"), std::slice::from_ref(&name))?;
    let config =
        section(file("AWS_CONFIG_FILE", "config"), &[name.clone(), format!("profile {name}")])?;
    if named.is_some() && credentials.is_none() && config.is_none() {
        return Err(Error::Value {
            origin: Origin::Variable(origin.to_owned()),
            value: name,
            accepted: "a profile of ~/.aws/credentials or ~/.aws/config",
        });
    }
    let (credentials, config) = (credentials.unwrap_or_default(), config.unwrap_or_default());
    let pair = |section: &Section| {
        let id = section.get("aws_access_key_id")?.clone();
        let secret = Secret::new(section.get("aws_secret_access_key")?);
        Some(((id, secret), section.get("aws_session_token").map(Secret::new)))
    };
    let own = set("AWS_ACCESS_KEY_ID").zip(set("AWS_SECRET_ACCESS_KEY"));
    let found = match own {
        // A profile of the location's own words is meant, whatever the variables say.
        Some((id, secret)) if profile.is_none() => {
            Some(((id, Secret::new(secret)), set("AWS_SESSION_TOKEN").map(Secret::new)))
        }
        _ => pair(&credentials).or_else(|| pair(&config)),
    };
    let (keys, token) = match found {
        Some((keys, token)) => (Some(keys), token),
        None => (None, None),
    };
    Ok(Storage {
        keys,
        token,
        region: set("AWS_REGION")
            .or_else(|| set("AWS_DEFAULT_REGION"))
            .or_else(|| config.get("region").cloned()),
        endpoint: set("AWS_ENDPOINT_URL_S3")
            .or_else(|| set("AWS_ENDPOINT_URL"))
            .or_else(|| config.get("endpoint_url").cloned()),
    })
}

type Section = BTreeMap<String, String>;

/// The keys of the first section with one of these titles.
fn find(text: &str, titles: &[String]) -> Option<Section> {
    let mut found: Option<Section> = None;
    let mut inside = false;
    for line in text.lines() {
        let plain = line.trim();
        if plain.starts_with(['#', ';']) || plain.is_empty() {
            continue;
        }
        if let Some(title) = plain.strip_prefix('[').and_then(|rest| rest.split(']').next()) {
            let title = title.split_whitespace().collect::<Vec<_>>().join(" ");
            inside = titles.contains(&title);
            if inside {
                found.get_or_insert_default();
            }
        } else if let (true, Some((key, value)), Some(section)) =
            // What is indented belongs to a key of its own.
            (
                inside && !line.starts_with([' ', '\t']),
                plain.split_once('='),
                &mut found,
            )
        {
            section.entry(key.trim().to_lowercase()).or_insert_with(|| value.trim().to_owned());
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_then_files_and_never_halves() {
        let home = tempfile::tempdir().expect("tempdir");
        let aws = home.path().join(".aws");
        crate::fs::create_dir(&aws).expect("create");
        let write = |name: &str, text: &str| {
            crate::fs::write_atomic(&aws.join(name), text.as_bytes()).expect("write");
        };
        write(
            "credentials",
            "[default]\naws_access_key_id = A\naws_secret_access_key=B\n[w]\naws_access_key_id=W\n\
             aws_secret_access_key=X\naws_session_token=T\n",
        );
        write(
            "config",
            "# mine\n[default]\nregion = here\n[profile w]\nregion=there\ns3 =\n  region = no\n\
             endpoint_url = http://127.0.0.1:1\n",
        );
        let path = home.path().to_str().expect("UTF-8").to_owned();
        let with = |more: &[(&str, &str)], profile: Option<&str>| {
            let home = [("HOME", path.as_str())];
            let vars = home.iter().chain(more).copied();
            storage(&Environ::from_vars(vars), profile)
        };
        let id = |s: &Storage| s.keys.as_ref().map(|(id, s)| format!("{id}/{}", s.expose()));
        let default = with(&[], None).expect("ok");
        assert_eq!(
            (id(&default).as_deref(), default.region.as_deref()),
            (Some("A/B"), Some("here"))
        );
        let w = with(&[("AWS_PROFILE", "w")], None).expect("ok");
        assert_eq!((id(&w).as_deref(), w.region.as_deref()), (Some("W/X"), Some("there")));
        assert_eq!(w.endpoint.as_deref(), Some("http://127.0.0.1:1"));
        assert!(w.token.is_some());
        let half = with(&[("AWS_ACCESS_KEY_ID", "V")], None).expect("ok");
        assert_eq!(id(&half).as_deref(), Some("A/B"));
        let own = [("AWS_ACCESS_KEY_ID", "V"), ("AWS_SECRET_ACCESS_KEY", "S")];
        assert_eq!(id(&with(&own, None).expect("ok")).as_deref(), Some("V/S"));
        assert_eq!(id(&with(&own, Some("w")).expect("ok")).as_deref(), Some("W/X"));
        assert!(with(&[("AWS_PROFILE", "nobody")], None).is_err());
    }
}
