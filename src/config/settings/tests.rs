//! Flags over variables over defaults, and what is refused. Tests only.

use super::*;
use crate::base::{Diagnose as _, Kind};

fn resolve(vars: &[(&str, &str)], flags: &Flags) -> Result<Settings, Error> {
    Settings::resolve(flags, &Environ::from_vars(vars.iter().copied()), Path::new("/none/a"))
}

#[test]
fn defaults() {
    let settings = resolve(&[("HOME", "/home/me")], &Flags::default()).unwrap();
    let data = if cfg!(target_os = "macos") {
        "/home/me/Library/Application Support/infra"
    } else {
        "/home/me/.local/share/infra"
    };
    assert_eq!(settings.store, Setting::default(PathBuf::from(data)));
    assert_eq!(settings.artifacts, Setting::default(Path::new(data).join("artifacts")));
    assert_eq!(settings.project, Setting::default(PathBuf::from("/none/a")));
    assert_eq!(settings.env, Setting::default(EnvName::new("dev").unwrap()));
    assert!((4..=16).contains(&settings.jobs.value));
    let rows = settings.rows();
    assert!(rows.iter().all(|(_, _, origin)| *origin == Origin::Default));
    let shown = |name| rows.iter().find(|r| r.0 == name).map(|r| r.1.as_str()).unwrap();
    assert_eq!(shown("lock-timeout"), "600 s");
    assert_eq!(shown("connect-timeout"), "5 s");
    assert_eq!(shown("stall-timeout"), "30 s");
    assert_eq!(shown("retries"), "3");
    assert_eq!(shown("offline"), "false");
}

#[test]
fn caches_are_words_and_show_no_login() {
    let caches = |vars: &[(&str, &str)], flags: &Flags| {
        let home = [("HOME", "/home/me")];
        let vars: Vec<_> = home.iter().chain(vars).copied().collect();
        resolve(&vars, flags).unwrap()
    };
    assert_eq!(caches(&[], &Flags::default()).cache, Setting::default(None));
    let two = caches(&[("INFRA_CACHE", " /a  http://me:secret@h.invalid/b ")], &Flags::default());
    assert_eq!(two.cache.value.as_deref().map(<[String]>::len), Some(2));
    let row = two.rows().into_iter().find(|r| r.0 == "cache").unwrap().1;
    assert_eq!(row, "/a http://h.invalid/b");
    let none = caches(&[("INFRA_CACHE", "none")], &Flags::default());
    assert_eq!(none.cache.value, Some(Vec::new()));
    let flags = Flags { cache: vec!["/c".to_owned()], ..Flags::default() };
    let flag = caches(&[("INFRA_CACHE", "/a")], &flags);
    assert_eq!(flag.cache.value, Some(vec!["/c".to_owned()]));
}

#[test]
fn flags_over_variables() {
    let vars = [
        ("XDG_DATA_HOME", "/data"),
        ("INFRA_STORE", "s/./t"),
        ("INFRA_ARTIFACTS", "/a"),
        ("INFRA_ENV", "test"),
        ("INFRA_JOBS", "7"),
        ("INFRA_OFFLINE", "Yes"),
        ("INFRA_LOCK_TIMEOUT", "0"),
        ("INFRA_RETRIES", "0"),
    ];
    let settings = resolve(&vars, &Flags::default()).unwrap();
    assert_eq!(settings.store, Setting::variable("INFRA_STORE", "/none/a/s/t".into()));
    assert_eq!(settings.artifacts.value, Path::new("/a"));
    assert_eq!(settings.env.value.as_str(), "test");
    assert_eq!(settings.jobs, Setting::variable("INFRA_JOBS", 7));
    assert!(settings.offline.value);
    assert_eq!(settings.lock_timeout.value, Duration::ZERO);
    assert_eq!(settings.retries.value, 0);

    let flags = Flags {
        store: Some("/flag".into()),
        env: Some(EnvName::new("prod").unwrap()),
        jobs: Some(1),
        offline: true,
        project: None,
        cache: vec!["/c".to_owned()],
    };
    let settings = resolve(&vars, &flags).unwrap();
    assert_eq!(settings.store, Setting::flag("--store", "/flag".into()));
    assert_eq!(settings.env, Setting::flag("--env", EnvName::new("prod").unwrap()));
    assert_eq!(settings.jobs, Setting::flag("--jobs", 1));
    assert_eq!(settings.offline, Setting::flag("--offline", true));
    let settings = resolve(&[("XDG_DATA_HOME", "/data")], &Flags::default()).unwrap();
    assert_eq!(settings.store.value, Path::new("/data/infra"));
}

#[test]
fn bad_values_are_usage_errors_that_name_all() {
    for (name, value) in [
        ("INFRA_JOBS", "0"),
        ("INFRA_JOBS", "many"),
        ("INFRA_JOBS", "257"),
        ("INFRA_OFFLINE", "maybe"),
        ("INFRA_LOCK_TIMEOUT", "-1"),
        ("INFRA_CONNECT_TIMEOUT", "0"),
        ("INFRA_STALL_TIMEOUT", "601"),
        ("INFRA_RETRIES", "1.5"),
        ("INFRA_ENV", "a/b"),
        ("INFRA_PROJECT", "/none/b"),
    ] {
        let error = resolve(&[("HOME", "/h"), (name, value)], &Flags::default()).unwrap_err();
        assert_eq!(error.kind(), Kind::Usage);
        let text = error.to_string();
        assert!(text.contains(name) && text.contains(value), "{text}");
    }
    let flags = Flags { jobs: Some(0), ..Flags::default() };
    let error = resolve(&[("HOME", "/h")], &flags).unwrap_err();
    assert_eq!(error.to_string(), "--jobs is `0`, which is not a whole number from 1 to 256");
}

#[test]
fn no_home_is_told() {
    for vars in [&[][..], &[("HOME", "relative")], &[("HOME", "")]] {
        let error = resolve(vars, &Flags::default()).unwrap_err();
        assert!(matches!(error, Error::NoHome));
        assert!(error.hints()[0].0.contains("INFRA_STORE"));
    }
    assert!(resolve(&[("INFRA_STORE", "/s")], &Flags::default()).is_ok());
}

#[test]
fn the_project_is_the_nearest_with_profiles() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path();
    let deep = root.join("p/sub/deep");
    fs::create_dir_all(&deep).unwrap();
    fs::create_dir_all(&root.join("p/profiles")).unwrap();
    let environ = |env| Environ::from_vars([("INFRA_STORE", "/s"), ("INFRA_ENV", env)]);
    let settings = Settings::resolve(&Flags::default(), &environ("production"), &deep).unwrap();
    assert_eq!(settings.project.value, root.join("p"));
    assert_eq!(settings.project.origin, Origin::File(root.join("p/profiles")));
    assert_eq!(settings.env.value.as_str(), "prod");

    fs::write_atomic(&root.join("p/profiles/production.toml"), b"").unwrap();
    let settings = Settings::resolve(&Flags::default(), &environ("production"), &deep).unwrap();
    assert_eq!(settings.env.value.as_str(), "production");
    let settings = Settings::resolve(&Flags::default(), &environ("development"), &deep).unwrap();
    assert_eq!(settings.env.value.as_str(), "dev");
    let flags = Flags { project: Some("..".into()), ..Flags::default() };
    let settings = Settings::resolve(&flags, &environ("x"), &deep).unwrap();
    assert_eq!(settings.project.value, fs::canonicalize(&root.join("p/sub")).unwrap());
}
