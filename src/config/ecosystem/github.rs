//! Where GitHub's REST API is, as its own tools are told.
//!
//! 1. `[source.github] url`
//! 2. `GITHUB_API_URL`, which its runners set
//!
//! The installed `gh` is not asked: it prints its host, but only a request shows which API it uses
//! for that host. Credentials: `GH_TOKEN`, `GITHUB_TOKEN` (in `gh`'s order), what stands in the
//! URL, `.netrc`. Invariant: when `GITHUB_API_URL` says whose token it is, a profile that names
//! another host does not get it.

use url::Url;

use super::super::{Environ, Error, Origin, Setting};
use super::{Endpoint, Machine, base, netrc};
use crate::base::Secret;

const API: &str = "GITHUB_API_URL";
const WEB: &str = "GITHUB_SERVER_URL";
const TOKENS: [&str; 2] = ["GH_TOKEN", "GITHUB_TOKEN"];

fn variable(environ: &Environ, name: &str) -> Option<Setting<String>> {
    Some(Setting::variable(name, environ.get(name)?.to_owned()))
}

pub(super) fn endpoint(
    machine: &Machine<'_>,
    profile: Option<Setting<String>>,
) -> Result<Endpoint, Error> {
    let environ = machine.environ;
    let found = profile.or_else(|| variable(environ, API)).ok_or_else(|| Error::NoEndpoint {
        ecosystem: "github",
        variable: API,
        tried: vec![API.to_owned()],
    })?;
    let (base, in_url) = base(found)?;
    let token = TOKENS.iter().find_map(|name| environ.get(name)).map(str::trim);
    let token = token.filter(|token| !token.is_empty() && is_ours(environ, &base.value));
    let authorization = match (token, in_url) {
        (Some(token), _) => Some(Secret::new(format!("Bearer {token}"))),
        (None, Some(in_url)) => Some(in_url),
        (None, None) => netrc::authorization(environ, &base.value)?,
    };
    Ok(Endpoint { base, authorization, ca: machine.common_ca()?, identity: None })
}

/// Whether the tokens of the environment are for this base.
fn is_ours(environ: &Environ, base: &Url) -> bool {
    match environ.get(API).and_then(|text| Url::parse(text.trim()).ok()) {
        Some(theirs) => theirs.origin() == base.origin(),
        None => true,
    }
}

pub(super) fn web(environ: &Environ, endpoint: &Endpoint) -> Result<Option<Url>, Error> {
    if endpoint.base.origin != Origin::Variable(API.to_owned()) {
        return Ok(None);
    }
    let Some(setting) = variable(environ, WEB) else { return Ok(None) };
    base(setting).map(|(web, _)| Some(web.value))
}

#[cfg(test)]
mod tests {
    use super::super::testing::Fake;
    use super::super::{basic, github_web};
    use super::*;
    use crate::base::{Diagnose as _, SourceKind};

    fn authorized(vars: &[(&str, &str)], url: Option<&str>) -> Option<String> {
        let endpoint = Fake::new(vars).endpoint(SourceKind::Github, url, None).unwrap();
        endpoint.authorization.map(|secret| secret.expose().to_owned())
    }

    const API_VAR: (&str, &str) = ("GITHUB_API_URL", "https://api.invalid");

    #[test]
    fn the_profile_then_the_variable() {
        let fake = Fake::new(&[API_VAR]);
        let endpoint = fake.endpoint(SourceKind::Github, None, None).unwrap();
        assert_eq!(endpoint.base.value.as_str(), "https://api.invalid/");
        assert_eq!(endpoint.base.origin, Origin::Variable("GITHUB_API_URL".to_owned()));
        let url = Some("https://forge.invalid/api/v3");
        let endpoint = fake.endpoint(SourceKind::Github, url, None).unwrap();
        assert_eq!(endpoint.base.value.as_str(), "https://forge.invalid/api/v3/");
    }

    #[test]
    fn nothing_is_an_error_that_names_the_variable() {
        let error = Fake::new(&[]).endpoint(SourceKind::Github, None, None).unwrap_err();
        let hint = &error.hints()[0].0;
        assert!(hint.contains("GITHUB_API_URL") && hint.contains("[source.github]"), "{hint}");
        assert_eq!(error.details(), ["looked at GITHUB_API_URL"]);
    }

    #[test]
    fn tokens() {
        let (gh, github) = (("GH_TOKEN", "one"), ("GITHUB_TOKEN", "two\n"));
        for (vars, want) in [
            (&[API_VAR, gh, github][..], Some("Bearer one")),
            (&[API_VAR, github], Some("Bearer two")),
            (&[API_VAR, ("GH_TOKEN", " ")], None),
            (&[API_VAR], None),
        ] {
            assert_eq!(authorized(vars, None).as_deref(), want, "{vars:?}");
        }
        let in_url = [("GITHUB_API_URL", "https://me:pw@api.invalid")];
        assert_eq!(authorized(&in_url, None).as_deref(), Some(basic("me", "pw").expose()));
        let fake = Fake::new(&[API_VAR]);
        fake.write("home/.netrc", "machine api.invalid login a password b");
        let endpoint = fake.endpoint(SourceKind::Github, None, None).unwrap();
        assert_eq!(endpoint.authorization, Some(basic("a", "b")));
    }

    #[test]
    fn a_profile_cannot_send_a_token_elsewhere() {
        let vars = [API_VAR, ("GITHUB_TOKEN", "t")];
        for other in ["https://thief.invalid/", "http://api.invalid/", "https://api.invalid:81/"] {
            assert_eq!(authorized(&vars, Some(other)), None, "{other}");
        }
        let same = authorized(&vars, Some("https://api.invalid/v3"));
        assert_eq!(same.as_deref(), Some("Bearer t"));
        let alone = [("GITHUB_TOKEN", "t")];
        assert_eq!(authorized(&alone, Some("https://forge.invalid")).as_deref(), Some("Bearer t"));
    }

    #[test]
    fn the_web_address_belongs_to_the_variable() {
        let vars = [API_VAR, ("GITHUB_SERVER_URL", "https://web.invalid")];
        let fake = Fake::new(&vars);
        let web = |fake: &Fake, url| {
            let endpoint = fake.endpoint(SourceKind::Github, url, None).unwrap();
            github_web(fake.machine().environ, &endpoint).unwrap().map(|url| url.to_string())
        };
        assert_eq!(web(&fake, None).as_deref(), Some("https://web.invalid/"));
        assert_eq!(web(&fake, Some("https://forge.invalid")), None);
        assert_eq!(web(&Fake::new(&[API_VAR]), None), None);
    }
}
