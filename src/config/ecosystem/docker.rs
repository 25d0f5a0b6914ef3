//! Who asks a registry of images: credentials files of containers' tools, and the helpers that
//! those name.
//!
//! For each file: the helper of the registry (`credHelpers`), the helper of all (`credsStore`), then
//! what stands in the file (`auths`). References: `containers-auth.json(5)`; Docker's "docker
//! login", "Credential helper protocol". Invariant: an entry serves the host that it names alone;
//! what a helper answers is kept nowhere; a helper that is missing or fails is told of, and asked
//! for nothing more.

use std::path::PathBuf;

use data_encoding::BASE64;
use serde_json::Value;
use url::Url;

use super::super::{Environ, Error, find_on_path};
use super::{Machine, ask, basic, netrc, read};
use crate::base::Secret;

/// Who asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Login {
    /// An `Authorization` header.
    Header(Secret),
    /// A token that the registry's token service takes for one that can be sent (OAuth2 refresh
    /// token; `identitytoken`).
    Refresh(Secret),
}

/// The user name that a helper gives with an identity token.
const BY_TOKEN: &str = "<token>";

/// What is said of a login, and what a person should know of how it was looked for.
pub(super) type Found = (Option<Login>, Vec<String>);

/// Looks for who asks at `base` for a repository.
pub(super) fn login(machine: &Machine<'_>, base: &Url, repository: &str) -> Result<Found, Error> {
    let mut notes = Vec::new();
    for file in files(machine.environ) {
        let Some(text) = read(&file)? else { continue };
        let format = |reason: String| Error::Format { path: file.clone(), reason };
        // What the parser says of a broken file could quote it.
        let value: Value = serde_json::from_str(&text)
            .map_err(|e| format(format!("line {}, column {}", e.line(), e.column())))?;
        let found = match helper(&value, base) {
            Some(name) => match from_helper(machine, &name, &host(base)) {
                Ok(found) => found,
                Err(why) => {
                    let command = format!("docker-credential-{name}");
                    notes.push(format!(
                        "`{}` keeps the credentials for `{}` in `{command}`, {why}",
                        file.display(),
                        host(base)
                    ));
                    None
                }
            },
            None => None,
        };
        let found = match found {
            None => of_file(&value, base, repository).map_err(format)?,
            some => some,
        };
        if found.is_some() {
            return Ok((found, notes));
        }
    }
    Ok((netrc::authorization(machine.environ, base)?.map(Login::Header), notes))
}

fn files(environ: &Environ) -> Vec<PathBuf> {
    let containers = |dir: PathBuf| dir.join("containers/auth.json");
    let docker = match environ.get_os("DOCKER_CONFIG") {
        Some(dir) => Some(PathBuf::from(dir)),
        None => environ.home().map(|home| home.join(".docker")),
    };
    let files = [
        environ.get_os("REGISTRY_AUTH_FILE").map(PathBuf::from),
        environ.get_os("XDG_RUNTIME_DIR").map(PathBuf::from).map(containers),
        super::oci::config_home(environ).map(containers),
        docker.map(|dir| dir.join("config.json")),
    ];
    files.into_iter().flatten().collect()
}

/// Host and port, as entries are called.
fn host(base: &Url) -> String {
    let host = base.host_str().unwrap_or_default();
    base.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

/// The helper that keeps the credentials of a registry.
fn helper(file: &Value, base: &Url) -> Option<String> {
    let own = file["credHelpers"][host(base)].as_str();
    let name = own.or_else(|| file["credsStore"].as_str()).filter(|name| !name.is_empty())?;
    // It becomes part of a command's name.
    let is_name = name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b));
    is_name.then(|| name.to_owned())
}

/// What a helper says; why it could not be asked otherwise.
fn from_helper(machine: &Machine<'_>, name: &str, host: &str) -> Result<Option<Login>, String> {
    let command = format!("docker-credential-{name}");
    let Some(program) = find_on_path(machine.environ, &command) else {
        return Err("which is not on PATH".to_owned());
    };
    let answer = match ask::answer(machine, &program, &["get"], host) {
        Ok(answer) => answer,
        // The protocol's own words for a registry that nobody logged in to.
        Err(ask::Silence::Failed(said)) if said.contains("credentials not found") => {
            return Ok(None);
        }
        // What it says besides could hold what it was about to give.
        Err(ask::Silence::Failed(_)) => return Err("which failed".to_owned()),
        Err(ask::Silence::Slow) => return Err("which did not answer in time".to_owned()),
    };
    let value: Value = serde_json::from_str(&answer)
        .map_err(|_| "whose answer cannot be understood".to_owned())?;
    let get = |key: &str| value[key].as_str().filter(|text| !text.is_empty());
    Ok(match (get("Username"), get("Secret")) {
        (Some(BY_TOKEN), Some(token)) => Some(Login::Refresh(Secret::new(token))),
        (Some(user), Some(password)) => Some(Login::Header(basic(user, password))),
        _ => None,
    })
}

/// The entry of a credentials file for a registry: the longest name that is the host, or the host
/// and the beginning of the repository's path.
fn of_file(file: &Value, base: &Url, repository: &str) -> Result<Option<Login>, String> {
    let Some(auths) = file["auths"].as_object() else { return Ok(None) };
    let full = format!("{}/{}{repository}", host(base), base.path().trim_start_matches('/'));
    let mut best: Option<(usize, &Value)> = None;
    for (key, entry) in auths {
        let name = key.trim_start_matches("https://").trim_start_matches("http://");
        // Older entries are URLs of the API.
        let name = name.trim_end_matches('/').trim_end_matches("/v1").trim_end_matches("/v2");
        let fits = full.strip_prefix(name).is_some_and(|rest| rest.starts_with('/'));
        if fits && best.is_none_or(|(longest, _)| name.len() > longest) {
            best = Some((name.len(), entry));
        }
    }
    let Some((_, entry)) = best else { return Ok(None) };
    let get = |key: &str| entry[key].as_str().filter(|text| !text.is_empty());
    if let Some(token) = get("registrytoken") {
        return Ok(Some(Login::Header(Secret::new(format!("Bearer {token}")))));
    }
    if let Some(token) = get("identitytoken") {
        return Ok(Some(Login::Refresh(Secret::new(token))));
    }
    if let (Some(user), Some(password)) = (get("username"), get("password")) {
        return Ok(Some(Login::Header(basic(user, password))));
    }
    let Some(auth) = get("auth") else { return Ok(None) };
    let plain = BASE64
        .decode(auth.as_bytes())
        .ok()
        .and_then(|bytes| String::from_utf8(bytes).ok())
        .ok_or("an `auth` in it is no base64")?;
    let plain = plain.trim_end_matches('\0');
    Ok(plain.split_once(':').map(|(user, password)| Login::Header(basic(user, password))))
}

#[cfg(test)]
mod tests {
    use super::super::testing::Fake;
    use super::*;

    fn header(user: &str, password: &str) -> Option<Login> {
        Some(Login::Header(basic(user, password)))
    }

    fn refresh(token: &str) -> Option<Login> {
        Some(Login::Refresh(Secret::new(token)))
    }

    #[test]
    fn credentials_of_the_longest_name() {
        let auth = |text: &str| BASE64.encode(text.as_bytes());
        let file = serde_json::json!({"auths": {
            "hub.invalid": {"auth": auth("a:b")},
            "https://hub.invalid/library/": {"username": "c", "password": "d:e"},
            "hub.invalid/lib": {"auth": auth("no:no")},
            "old.invalid/v1/": {"auth": auth("f:g\0")},
            "token.invalid": {"registrytoken": "t"},
            "identity.invalid": {"auth": auth("00000000:"), "identitytoken": "i"},
            "port.invalid:5000": {"auth": auth("h:i")},
            "kept.invalid": {},
        }});
        let found = |base: &str, repository: &str| {
            of_file(&file, &base.parse().expect("url"), repository).expect("read")
        };
        assert_eq!(found("https://hub.invalid/", "other/x"), header("a", "b"));
        assert_eq!(found("https://hub.invalid/", "library/x"), header("c", "d:e"));
        assert_eq!(found("https://hub.invalid/library/", "x"), header("c", "d:e"));
        assert_eq!(found("https://old.invalid/", "x"), header("f", "g"));
        let token = Some(Login::Header(Secret::new("Bearer t")));
        assert_eq!(found("https://token.invalid/", "x"), token);
        assert_eq!(found("https://identity.invalid/", "x"), refresh("i"));
        assert_eq!(found("http://port.invalid:5000/", "x"), header("h", "i"));
        assert_eq!(found("http://port.invalid/", "x"), None);
        assert_eq!(found("https://hub.invalid.example/", "x"), None);
        assert_eq!(found("https://kept.invalid/", "x"), None);
    }

    #[test]
    fn files_in_their_order() {
        let base: Url = "https://hub.invalid/".parse().expect("url");
        let fake = Fake::new(&[("REGISTRY_AUTH_FILE", "$T/first.json")]);
        let found = || login(&fake.machine(), &base, "x").expect("read").0;
        fake.write("home/.netrc", "machine hub.invalid login n password n");
        assert_eq!(found(), header("n", "n"));
        let of = |user: &str| {
            format!(
                "{{\"auths\": {{\"hub.invalid\": {{\"username\": \"{user}\", \"password\": \"p\"}}}}}}"
            )
        };
        fake.write("home/.docker/config.json", &of("docker"));
        assert_eq!(found(), header("docker", "p"));
        fake.write("home/.config/containers/auth.json", &of("containers"));
        assert_eq!(found(), header("containers", "p"));
        fake.write("first.json", &of("first"));
        assert_eq!(found(), header("first", "p"));
        fake.write("first.json", "{\"auths\": secret");
        let error = login(&fake.machine(), &base, "x").expect_err("broken").to_string();
        assert!(error.contains("first.json") && !error.contains("secret"), "{error}");
    }

    #[test]
    fn helpers() {
        let base: Url = "https://hub.invalid:5000/".parse().expect("url");
        let fake = Fake::new(&[]);
        let found = || login(&fake.machine(), &base, "x").expect("read");
        let config = |text: &str| fake.write("home/.docker/config.json", text);
        config(
            "{\"credsStore\": \"all\", \"credHelpers\": {\"hub.invalid:5000\": \"own\"},
              \"auths\": {\"hub.invalid:5000\": {\"identitytoken\": \"kept\"}}}",
        );
        let (login, notes) = found();
        assert_eq!(login, refresh("kept"));
        assert!(notes[0].contains("`docker-credential-own`, which is not on PATH"), "{notes:?}");
        let say = |answer: &str| {
            format!("[ \"$1\" = get ] || exit 9; read -r h; echo \"$h\" >\"$HOME/asked\"; {answer}")
        };
        let (user, token) = (
            "echo '{\"ServerURL\":\"x\",\"Username\":\"u\",\"Secret\":\"s\"}'",
            "echo '{\"Username\":\"<token>\",\"Secret\":\"t\"}'",
        );
        fake.script("docker-credential-own", &say(user));
        assert_eq!(found(), (header("u", "s"), vec![]));
        assert_eq!(fake.read("home/asked").trim(), "hub.invalid:5000");
        fake.script("docker-credential-own", &say(token));
        assert_eq!(found(), (refresh("t"), vec![]));
        let none = "echo 'credentials not found in native keychain'; exit 1";
        fake.script("docker-credential-own", &say(none));
        assert_eq!(found(), (refresh("kept"), vec![]));
        for (body, why) in [("echo s3cret; exit 1", "failed"), ("echo s3cret", "understood")] {
            fake.script("docker-credential-own", &say(body));
            let (login, notes) = found();
            assert_eq!(login, refresh("kept"), "{body}");
            assert!(notes[0].contains(why) && !notes[0].contains("s3cret"), "{notes:?}");
        }
        config("{\"credsStore\": \"all\"}");
        fake.script("docker-credential-all", &say(user));
        assert_eq!(found(), (header("u", "s"), vec![]));
        // A name is no path.
        config("{\"credsStore\": \"../../x\"}");
        assert_eq!(found(), (None, vec![]));
    }
}
