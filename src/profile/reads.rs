//! Right profiles and what they become.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::model::{Level, Port, Probe, Profile, Restart};
use super::template::Template;
use super::{DEFAULT_PLATFORMS, Profiles, locate, source_files};
use crate::base::{CommandName, EnvName, Platform, SourceKind};
use crate::fs;

fn project(files: &[(&str, &str)]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("directory");
    for (file, text) in files {
        let path = dir.path().join(file);
        fs::create_dir_all(path.parent().expect("parent")).expect("create");
        fs::write_atomic(&path, text.as_bytes()).expect("write");
    }
    dir
}

fn name(text: &str) -> EnvName {
    EnvName::new(text).expect("name")
}

fn one(text: &str) -> Profile {
    let dir = project(&[("profiles/dev.toml", text)]);
    Profiles::load_one(dir.path(), &name("dev")).unwrap_or_else(|e| panic!("{e}\n{text}"))
}

fn words(list: &BTreeSet<String>) -> Vec<&str> {
    list.iter().map(String::as_str).collect()
}

#[test]
fn an_empty_file_is_a_profile() {
    let profile = one("");
    assert_eq!(profile.platforms, DEFAULT_PLATFORMS.into());
    assert_eq!(profile.data, Path::new(".data"));
    assert!(profile.deps.is_empty() && profile.services.is_empty());
}

#[test]
fn requirements() {
    let profile = one(r#"
        [dep]
        short = "pypi:short-bin@^1.2"
        any = "npm:@scope/any"
        [dep.long]
        from = "url:http://mirror.invalid/${version}/${os}-${arch}.tar.gz"
        version = "=1.2.3"
        bin = ["x/tool.exe", "other"]
        strip = 1
        checksum = "http://mirror.invalid/${version}/sums"
        os = { darwin = "macos" }
        arch = { x86_64 = "amd64" }
        platforms = ["x86_64-linux"]
        [dep.bun]
        from = "github:some/bun"
        asset = "bun-${os}-${arch}.zip"
        tag = "bun-v${version}"
        arch = { x86_64 = "x64" }
    "#);
    let canonical = |dep: &str| profile.deps[dep].canonical();
    assert_eq!(canonical("short"), "pypi:short-bin ^1.2");
    assert_eq!(canonical("any"), "npm:@scope/any *");
    let bun = "github:some/bun * asset=bun-${os}-${arch}.zip tag=bun-v${version} x86_64=x64";
    assert_eq!(canonical("bun"), bun);
    let long = &profile.deps["long"];
    assert_eq!(long.bin[&CommandName::new("tool").expect("name")].as_str(), "x/tool.exe");
    assert_eq!((long.strip, long.from.kind()), (Some(1), SourceKind::Url));
    assert_eq!(long.words["darwin"], "macos");
    assert_eq!(long.words["x86_64"], "amd64");
    assert_eq!(long.platforms, Some([Platform::X86_64Linux].into()));
}

#[test]
fn services_in_full() {
    let profile = one(r#"
        [port]
        http = 80
        [env]
        N = 5
        [service.a]
        command = ["tool", "--port=${port.http}"]
        env = { B = "${env.N}" }
        cwd = "${project}/x"
        ready = { tcp = "127.0.0.1:${port.http}", timeout = "2m" }
        restart = "on-failure"
        stop = { signal = "INT", grace = "500ms" }
        secrets = ["KEY"]
        required = false
        [service.b]
        command = ["${dep.tool}/x"]
        ready = { log = "$ready" }
        after = ["a"]
        [dep]
        tool = "pypi:tool"
    "#);
    assert_eq!(profile.env["N"].as_str(), "5");
    let a = &profile.services["a"];
    assert_eq!(a.program(), Some("tool"));
    assert_eq!(words(&a.listen), ["http"]);
    let ready = a.ready.as_ref().expect("ready");
    assert!(matches!(ready.probe, Probe::Tcp(_)));
    assert_eq!(ready.timeout, Duration::from_secs(120));
    assert_eq!((a.restart, a.required), (Restart::OnFailure, false));
    assert_eq!((a.stop.signal.as_str(), a.stop.grace), ("SIGINT", Duration::from_millis(500)));
    assert_eq!(words(&a.secrets), ["KEY"]);
    let b = &profile.services["b"];
    assert_eq!(b.program(), None);
    assert_eq!(b.ready.as_ref().map(|r| &r.probe), Some(&Probe::Log("$ready".to_owned())));
    assert_eq!((b.restart, b.required), (Restart::Always, true));
    assert_eq!((b.stop.signal.as_str(), b.stop.grace), ("SIGTERM", Duration::from_secs(10)));
}

#[test]
fn confinement_of_services_and_its_default() {
    let profile = one(r#"
        sandbox = "strict"
        [port]
        db = 5432
        [service.a]
        command = ["a"]
        limits = { nofile = 64, memory = "512M", cpus = "1.5" }
        user = "web"
        user-group = 44
        umask = 0o027
        nice = -5
        sandbox = { allow = { read = ["${project}/x"], connect = [443, "${port.db}"] } }
        [service.b]
        command = ["b"]
        sandbox = "off"
    "#);
    let confine = &profile.services["a"].confine;
    assert_eq!(confine.level, Some(Level::Strict));
    let limits = confine.limits;
    assert_eq!((limits.nofile, limits.memory), (Some(64), Some(512 << 20)));
    assert_eq!((limits.milli_cpus, limits.pids), (Some(1500), None));
    let who = (confine.user.as_deref(), confine.group.as_deref(), confine.umask, confine.nice);
    assert_eq!(who, (Some("web"), Some("44"), Some(0o27), Some(-5)));
    let connect: Vec<_> = confine.allow.connect.iter().map(Template::as_str).collect();
    assert_eq!(connect, ["443", "${port.db}"]);
    assert_eq!(profile.services["b"].confine.level, Some(Level::Off));
}

const BASE: &str = r#"
platforms = ["x86_64-linux"]
[dep]
a = "pypi:a"
b = "pypi:b"
[port]
x = 1
y = 2
[env]
V = "base"
W = "base"
[service.s]
command = ["a", "--port", "${port.x}"]
env = { ONE = "1", TWO = "2" }
ready = { http = "http://127.0.0.1:${port.x}/" }
secrets = ["KEY"]
[service.t]
command = ["b"]
after = ["s"]
"#;

const TEST: &str = r#"extends = "base"
[dep]
b = false
c = "npm:c"
[port]
x = "auto"
[env]
V = "test"
W = false
[service]
t = false
[service.s]
command = ["c"]
env = { TWO = false, THREE = "3" }
ready = false
"#;

#[test]
fn a_child_overrides_by_key() {
    let dir = project(&[("profiles/base.toml", BASE), ("profiles/test.toml", TEST)]);
    let profiles = Profiles::load(dir.path()).unwrap_or_else(|e| panic!("{e}"));
    let test = profiles.get(&name("test")).expect("test");
    assert_eq!(test.deps.keys().map(AsRef::as_ref).collect::<Vec<&str>>(), ["a", "c"]);
    assert_eq!((test.ports["x"], test.ports["y"]), (Port::Auto, Port::Fixed(2)));
    assert_eq!(test.env.keys().collect::<Vec<_>>(), ["V"]);
    assert_eq!(test.env["V"].as_str(), "test");
    assert_eq!(test.services.len(), 1);
    let s = &test.services["s"];
    assert_eq!(s.program(), Some("c"));
    assert_eq!(s.env.keys().collect::<Vec<_>>(), ["ONE", "THREE"]);
    assert_eq!((s.ready.is_none(), words(&s.listen).len()), (true, 0));
    assert_eq!(words(&s.secrets), ["KEY"]);
    assert_eq!(test.data, Path::new(".data-test"));
    assert_eq!(test.platforms, [Platform::X86_64Linux].into());

    let union = profiles.union().unwrap_or_else(|e| panic!("{e}"));
    let names: Vec<&str> = union.requirements.keys().map(AsRef::as_ref).collect();
    assert_eq!(names, ["a", "b", "c"]);

    let alone = Profiles::load_one(dir.path(), &name("test")).expect("test");
    assert_eq!(&alone, test, "read alone, it is the same");
}

#[test]
fn who_listens_when_nobody_says() {
    let profile = one(r#"
        [port]
        db = 1
        web = 2
        [service.db]
        command = ["db", "--port", "${port.db}"]
        [service.worker]
        command = ["worker", "--db", "127.0.0.1:${port.db}"]
        after = ["db"]
        [service.proxy]
        command = ["proxy", "--to", "127.0.0.1:${port.web}"]
        [service.web]
        command = ["web"]
        ready = { http = "http://127.0.0.1:${port.web}/" }
    "#);
    let listen = |service: &str| words(&profile.services[service].listen);
    assert_eq!(listen("db"), ["db"]);
    assert!(listen("worker").is_empty(), "it waits for the one that opens the port");
    assert_eq!(listen("web"), ["web"]);
    assert!(listen("proxy").is_empty(), "`ready` is the better claim");
}

#[test]
fn places_are_found_in_the_file_with_the_last_word() {
    let dir = project(&[("profiles/base.toml", BASE), ("profiles/test.toml", TEST)]);
    let profiles = Profiles::load(dir.path()).expect("profiles");
    let at = |path: &[&str]| {
        let found = profiles.locate(&name("test"), path)?;
        assert_eq!(locate(dir.path(), &name("test"), path), Some(found.clone()));
        Some((found.file, found.text[found.span].to_owned()))
    };
    let in_file = |file: &str, text: &str| Some((PathBuf::from(file), text.to_owned()));
    let (base, test) = ("profiles/base.toml", "profiles/test.toml");
    assert_eq!(at(&["service", "s", "command"]), in_file(test, "[\"c\"]"));
    assert_eq!(at(&["service", "s", "command", "0"]), in_file(test, "\"c\""));
    assert_eq!(at(&["service", "s", "secrets", "0"]), in_file(base, "\"KEY\""));
    assert_eq!(at(&["service", "s"]), in_file(test, "s"));
    assert_eq!(at(&["service", "s", "env", "ONE"]), in_file(base, "\"1\""));
    assert_eq!(at(&["port", "y"]), in_file(base, "2"));
    assert_eq!(at(&["dep"]), in_file(test, "dep"));
    assert_eq!(at(&["service", "nope", "command"]), None);
    assert_eq!(at(&[]), None);
}

#[test]
fn inputs_are_every_file_that_matters() {
    let dir = project(&[
        ("profiles/base.toml", "[file]\n\"x/a.conf\" = \"conf/a\"\n"),
        ("profiles/dev.toml", "extends = \"base\"\n"),
        ("profiles/other.toml", "broken = ["),
        ("conf/a", ""),
    ]);
    let chain = ["profiles/dev.toml", "profiles/base.toml"].map(|f| dir.path().join(f));
    assert_eq!(source_files(dir.path(), &name("dev")).expect("files"), chain);
    let dev = Profiles::load_one(dir.path(), &name("dev")).expect("dev");
    assert_eq!(dev.files, chain);
    let mut inputs = chain.to_vec();
    inputs.push(dir.path().join("conf/a"));
    assert_eq!(dev.inputs(dir.path()), inputs);
}

#[test]
fn sources_and_preferences() {
    let profile = one(r#"
        data = "/srv/data"
        [dep]
        busybox = "pypi:busybox"
        [source.pypi]
        url = "http://mirror.invalid/simple/"
        [source.npm]
        url = ["http://one.invalid/", "http://two.invalid/npm"]
        [source.deb]
        url = "http://mirror.invalid/debian/"
        suite = "stable"
        signed-by = "profiles/files/archive.asc"
        [command]
        sh = "busybox"
    "#);
    let url = profile.sources[&SourceKind::Pypi].url.as_deref();
    assert_eq!(url, Some("http://mirror.invalid/simple/"));
    let npm = &profile.sources[&SourceKind::Npm];
    assert_eq!(npm.urls(), ["http://one.invalid/", "http://two.invalid/npm"]);
    assert_eq!(npm.canonical(), "http://one.invalid/ http://two.invalid/npm");
    let deb = profile.sources[&SourceKind::Deb].canonical();
    let want = "http://mirror.invalid/debian/ stable main signed-by=profiles/files/archive.asc";
    assert_eq!(deb, want);
    assert_eq!(profile.prefer["sh"].as_str(), "busybox");
    assert_eq!(profile.data, Path::new("/srv/data"));
}
