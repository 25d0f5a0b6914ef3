//! Where npm packages come from, as npm is told.
//!
//! 1. `[source.npm] url`
//! 2. a scope's registry, then the registry, each in: `npm_config_*` variables, the project's
//!    `.npmrc`, the user's, the global one
//! 3. what the installed npm reports
//!
//! Credentials belong to a host and path (`//host/path/:_authToken`), never to every registry.

use std::path::PathBuf;

use super::super::{Error, Origin, Setting, find_on_path};
use super::npmrc::Config;
use super::{Endpoint, Machine, ask, base, ca_variables};

pub(super) fn endpoint(
    machine: &Machine<'_>,
    profile: Option<Setting<String>>,
    scope: Option<&str>,
) -> Result<Endpoint, Error> {
    let config = Config::load(machine)?;
    let scoped = || {
        let scope = scope?.trim_start_matches('@');
        config.value(&format!("@{scope}:registry"))
    };
    let found = profile
        .or_else(scoped)
        .or_else(|| config.value("registry"))
        .or_else(|| installed(machine))
        .ok_or_else(|| unknown(machine))?;
    let (base, in_url) = base(found)?;
    let authorization = config.authorization(&base.value).or(in_url);
    let identity = config.identity(machine.environ, &base.value)?;
    Ok(Endpoint { base, authorization, ca: ca_of(machine, &config)?, identity })
}

/// The root certificates that npm is told to trust.
pub(super) fn ca(machine: &Machine<'_>) -> Result<Option<PathBuf>, Error> {
    ca_of(machine, &Config::load(machine)?)
}

fn ca_of(machine: &Machine<'_>, config: &Config) -> Result<Option<PathBuf>, Error> {
    let cafile = config
        .value("cafile")
        .map(|Setting { value, origin }| Setting { value: PathBuf::from(value), origin });
    let cafile =
        cafile.or_else(|| ca_variables(machine.environ, &["NODE_EXTRA_CA_CERTS", "SSL_CERT_FILE"]));
    super::ca(machine.environ, cafile)
}

fn installed(machine: &Machine<'_>) -> Option<Setting<String>> {
    let npm = find_on_path(machine.environ, "npm")?;
    let value = ask::ask(machine, "npm-registry", &npm, &["config", "get", "registry"])?;
    let known = value != "undefined" && value != "null";
    known.then(|| Setting { value, origin: Origin::Client(npm.display().to_string()) })
}

fn unknown(machine: &Machine<'_>) -> Error {
    let client = match find_on_path(machine.environ, "npm") {
        Some(npm) => format!("{}: it has none, or did not answer", npm.display()),
        None => "npm: it is not on PATH".to_owned(),
    };
    Error::NoEndpoint {
        ecosystem: "npm",
        variable: "NPM_CONFIG_REGISTRY",
        tried: vec!["NPM_CONFIG_REGISTRY".to_owned(), ".npmrc files".to_owned(), client],
    }
}

#[cfg(test)]
mod tests {
    use super::super::basic;
    use super::super::testing::Fake;
    use super::*;
    use crate::base::{Diagnose as _, SourceKind};

    fn found(fake: &Fake, scope: Option<&str>) -> Endpoint {
        fake.endpoint(SourceKind::Npm, None, scope).unwrap()
    }

    fn host(fake: &Fake) -> String {
        found(fake, None).base.value.host_str().unwrap().to_owned()
    }

    #[test]
    fn one_after_the_other() {
        let fake = Fake::new(&[("npm_config_prefix", "$T/prefix")]);
        fake.script("npm", "test \"$*\" = 'config get registry' && echo http://client.invalid");
        assert_eq!(found(&fake, None).base.value.as_str(), "http://client.invalid/");
        for (n, file) in
            ["prefix/etc/npmrc", "home/.npmrc", "project/.npmrc"].into_iter().enumerate()
        {
            let path = fake.write(file, &format!("registry=http://file{n}.invalid/\n"));
            assert_eq!(host(&fake), format!("file{n}.invalid"));
            assert_eq!(found(&fake, None).base.origin, Origin::File(path));
        }
        let url = Some("http://profile.invalid/x");
        let endpoint = fake.endpoint(SourceKind::Npm, url, Some("@s")).unwrap();
        assert_eq!(endpoint.base.value.as_str(), "http://profile.invalid/x/");
    }

    #[test]
    fn variables_in_any_case() {
        for name in ["npm_config_registry", "NPM_CONFIG_REGISTRY"] {
            let fake = Fake::new(&[(name, "http://var.invalid/")]);
            fake.write("project/.npmrc", "registry=http://project.invalid/\n");
            assert_eq!(host(&fake), "var.invalid");
            assert_eq!(found(&fake, None).base.origin, Origin::Variable(name.to_owned()));
        }
    }

    #[test]
    fn other_files_can_be_named() {
        let vars = [("NPM_CONFIG_USERCONFIG", "$T/user"), ("NPM_CONFIG_GLOBALCONFIG", "$T/global")];
        let fake = Fake::new(&vars);
        fake.write("home/.npmrc", "registry=http://home.invalid/\n");
        fake.write("global", "registry=http://global.invalid/\n");
        assert_eq!(host(&fake), "global.invalid");
        fake.write("user", "registry=http://user.invalid/\n");
        assert_eq!(host(&fake), "user.invalid");
    }

    #[test]
    fn the_global_file_lies_beside_node() {
        let fake = Fake::new(&[]);
        fake.script("node", "exit 1");
        fake.write("etc/npmrc", "registry=http://global.invalid/\n");
        assert_eq!(host(&fake), "global.invalid");
    }

    #[test]
    fn a_scope_may_have_its_own() {
        let fake = Fake::new(&[("npm_config_registry", "http://all.invalid/")]);
        fake.write("home/.npmrc", "@corp:registry=http://corp.invalid:8080/npm\n");
        for scope in ["@corp", "corp"] {
            let base = found(&fake, Some(scope)).base.value;
            assert_eq!(base.as_str(), "http://corp.invalid:8080/npm/");
        }
        assert_eq!(found(&fake, Some("@other")).base.value.as_str(), "http://all.invalid/");
    }

    fn authorized(npmrc: &str, registry: &str) -> Option<String> {
        let fake = Fake::new(&[("npm_config_registry", registry), ("TOKEN", "t0k")]);
        fake.write("home/.npmrc", npmrc);
        found(&fake, None).authorization.map(|secret| secret.expose().to_owned())
    }

    #[test]
    fn credentials_belong_to_a_place() {
        let check = |npmrc, want: Option<&str>| {
            let registry = "http://mirror.invalid:81/a/b/";
            assert_eq!(authorized(npmrc, registry).as_deref(), want, "{npmrc}");
        };
        check("//mirror.invalid:81/a/b/:_authToken=${TOKEN}", Some("Bearer t0k"));
        check("//mirror.invalid:81/a/b:_authToken=x", Some("Bearer x"));
        check("//mirror.invalid:81/:_authToken=x", Some("Bearer x"));
        check(
            "//mirror.invalid:81/:_authToken=far\n//mirror.invalid:81/a/:_auth=bmVhcg==",
            Some("Basic bmVhcg=="),
        );
        check(
            "//mirror.invalid:81/:username=me\n//mirror.invalid:81/:_password=cHc=",
            Some(basic("me", "pw").expose()),
        );
        check("//mirror.invalid:81/:_authToken=${UNSET}", None);
        check("//mirror.invalid/:_authToken=other-port", None);
        check("//mirror.invalid:81/a/bc/:_authToken=other-path", None);
        check("_authToken=for-all", None);
        assert_eq!(
            authorized("", "http://me:pw@mirror.invalid/").as_deref(),
            Some(basic("me", "pw").expose())
        );
    }

    #[test]
    fn certificates() {
        let vars = [("npm_config_registry", "http://a.invalid/"), ("CA", "$T/ca.pem")];
        let fake = Fake::new(&vars);
        let path = fake.write("ca.pem", "");
        fake.write("home/.npmrc", "cafile=${CA}\n");
        assert_eq!(found(&fake, None).ca, Some(path));
    }

    #[test]
    fn nothing_is_an_error_that_names_the_variable() {
        for script in ["echo undefined", "exit 1"] {
            let fake = Fake::new(&[]);
            fake.script("npm", script);
            let error = fake.endpoint(SourceKind::Npm, None, None).unwrap_err();
            assert!(error.hints()[0].0.contains("NPM_CONFIG_REGISTRY"));
        }
    }

    #[test]
    fn an_unknown_variable_in_a_url_is_told() {
        let fake = Fake::new(&[]);
        fake.write("home/.npmrc", "registry=${MIRROR}/npm\n");
        let text = fake.endpoint(SourceKind::Npm, None, None).unwrap_err().to_string();
        assert!(text.contains("${MIRROR}/npm") && text.contains(".npmrc"), "{text}");
    }
}
