//! The set of profiles that `infra init` writes.
//!
//! Owns the files in `starter/`: a message broker, a database with an API, and a web server in
//! front, ready to run. Invariant: the set reads without an error and its services start.

use crate::base::RelPath;

const FILES: [(&str, &str); 6] = [
    ("profiles/base.toml", include_str!("starter/base.toml")),
    ("profiles/dev.toml", include_str!("starter/dev.toml")),
    ("profiles/files/Caddyfile", include_str!("starter/files/Caddyfile")),
    ("profiles/files/nats.conf", include_str!("starter/files/nats.conf")),
    ("profiles/prod.toml", include_str!("starter/prod.toml")),
    ("profiles/test.toml", include_str!("starter/test.toml")),
];

/// Paths in the project and texts, sorted by path. The project's name is only mentioned in
/// comments; a control character in it becomes a space.
pub fn init_files(project_name: &str) -> Vec<(RelPath, String)> {
    let name: String = project_name.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    FILES
        .iter()
        .filter_map(|(path, text)| {
            // Every path above is a valid one; a test counts them.
            Some((RelPath::new(*path).ok()?, text.replace("@PROJECT@", &name)))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::{EnvName, Platform};
    use crate::fs;
    use crate::profile::Profiles;
    use crate::profile::model::Port;
    use std::path::{Path, PathBuf};

    fn written() -> (tempfile::TempDir, Profiles) {
        let dir = tempfile::tempdir().expect("directory");
        for (path, text) in init_files("demo\n[x]") {
            let path = path.under(dir.path());
            fs::create_dir_all(path.parent().expect("parent")).expect("create");
            fs::write_atomic(&path, text.as_bytes()).expect("write");
        }
        let profiles = Profiles::load(dir.path()).unwrap_or_else(|e| panic!("{e}"));
        (dir, profiles)
    }

    #[test]
    fn reads_without_an_error() {
        assert_eq!(init_files("x").len(), FILES.len());
        let (_dir, profiles) = written();
        let names: Vec<_> = profiles.names().map(EnvName::as_str).collect();
        assert_eq!(names, ["base", "dev", "prod", "test"]);
        let union = profiles.union().expect("union");
        assert_eq!(union.requirements.len(), 3);
        assert!(union.platforms.contains(&Platform::X86_64Windows));
        for profile in profiles.iter() {
            let caddy = &profile.services["caddy"];
            assert_eq!(caddy.program(), Some("caddy"));
            assert_eq!(caddy.after.len(), 2);
            assert_eq!(caddy.listen.iter().collect::<Vec<_>>(), ["caddy_admin", "http"]);
            let nats = &profile.services["nats"];
            assert_eq!(nats.listen.iter().collect::<Vec<_>>(), ["nats", "nats_monitor"]);
        }
    }

    #[test]
    fn tests_collide_with_nothing() {
        let (_dir, profiles) = written();
        let test = profiles.get(&EnvName::new("test").expect("name")).expect("test");
        assert!(test.ports.values().all(|p| *p == Port::Auto));
        assert_eq!(test.data, Path::new(".data-test"));
        let dev = profiles.get(&EnvName::new("dev").expect("name")).expect("dev");
        assert_eq!((dev.ports["http"], &dev.data), (Port::Fixed(8080), &PathBuf::from(".data")));
    }
}
