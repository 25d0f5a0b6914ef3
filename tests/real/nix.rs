//! Real Nix, with a store of its own.
//!
//! A chroot store keeps `/nix/store` as the directory that names are made for, so the names are
//! those of any Nix store while nothing outside a temporary directory is written.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

/// Nix, with a private store.
pub struct Nix {
    dir: tempfile::TempDir,
}

impl Nix {
    /// `None` where Nix is not installed: there the caller's test is skipped, but not in CI.
    pub fn find() -> Option<Self> {
        let found = Command::new("nix-store").arg("--version").stdout(Stdio::null()).status();
        if !found.is_ok_and(|s| s.success()) {
            let install = "Nix is not installed, which judges our hashes and names; install it \
                           with `apt-get install nix-bin`";
            assert!(std::env::var_os("CI").is_none(), "{install}");
            // Past the test harness, which keeps what a passing test prints to itself.
            let line = format!("SKIPPED a test of conformance: {install}\n");
            let _ = std::io::Write::write_all(&mut std::io::stderr(), line.as_bytes());
            return None;
        }
        Some(Self { dir: tempfile::tempdir().expect("directory") })
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        let at = |name: &str| self.dir.path().join(name);
        // Nothing of this user's or machine's configuration.
        command
            .env("HOME", at("home"))
            .env("XDG_CACHE_HOME", at("cache"))
            .env("NIX_CONF_DIR", at("conf"))
            .env("NIX_USER_CONF_FILES", "")
            .env("NIX_CONFIG", "build-users-group =\nexperimental-features = nix-command\n")
            .env_remove("NIX_REMOTE");
        command
    }

    fn run(&self, program: &str, args: &[&str], input: Option<&Path>) -> Vec<u8> {
        let mut command = self.command(program);
        command.args(args);
        match input {
            Some(path) => command.stdin(std::fs::File::open(path).expect("open")),
            None => command.stdin(Stdio::null()),
        };
        let output = command.output().expect(program);
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{program} {args:?}: {error}");
        output.stdout
    }

    fn in_store(&self, program: &str, args: &[&str], input: Option<&Path>) -> String {
        let root = self.dir.path().join("root");
        let mut all: Vec<&str> = args.to_vec();
        all.extend(["--store", root.to_str().expect("UTF-8")]);
        String::from_utf8(self.run(program, &all, input)).expect("UTF-8").trim().to_owned()
    }

    /// The hash of a tree, in Nix's base-32.
    pub fn hash(&self, path: &Path) -> String {
        let args = ["--type", "sha256", "--base32", path.to_str().expect("UTF-8")];
        String::from_utf8(self.run("nix-hash", &args, None)).expect("UTF-8").trim().to_owned()
    }

    /// Adds a tree under the name that its directory has; gives the object's name.
    pub fn add(&self, path: &Path) -> String {
        object(&self.in_store("nix-store", &["--add", path.to_str().expect("UTF-8")], None))
    }

    /// The archive of a tree.
    pub fn dump(&self, path: &Path) -> Vec<u8> {
        self.run("nix-store", &["--dump", path.to_str().expect("UTF-8")], None)
    }

    /// Imports a tree under an object's name, with the references that it has (`nix-store
    /// --import`: the archive, a magic number, name, references, no deriver, no signature).
    pub fn import(&self, path: &Path, name: &str, references: &[String]) {
        fn number(out: &mut Vec<u8>, n: u64) {
            out.extend(n.to_le_bytes());
        }
        fn text(out: &mut Vec<u8>, text: &str) {
            number(out, text.len() as u64);
            out.extend(text.bytes());
            out.resize(out.len().next_multiple_of(8), 0);
        }
        let full = |name: &str| format!("/nix/store/{name}");
        let mut out = Vec::new();
        number(&mut out, 1);
        out.extend(self.dump(path));
        number(&mut out, 0x4558_494e);
        text(&mut out, &full(name));
        number(&mut out, references.len() as u64);
        for reference in references {
            text(&mut out, &full(reference));
        }
        text(&mut out, "");
        number(&mut out, 0);
        number(&mut out, 0);
        let file = self.dir.path().join("export");
        std::fs::write(&file, out).expect("write");
        assert_eq!(object(&self.in_store("nix-store", &["--import"], Some(&file))), name);
    }

    /// The name that Nix itself gives to the content of an object, references included.
    pub fn content_address(&self, name: &str) -> String {
        let path = format!("/nix/store/{name}");
        let args = ["store", "make-content-addressed", "--json", &path];
        let made: Value = serde_json::from_str(&self.in_store("nix", &args, None)).expect("JSON");
        let rewrites = &made["rewrites"];
        object(rewrites[&path].as_str().unwrap_or_else(|| panic!("{name}: {made}")))
    }

    /// Copies an object with what it refers to from a binary cache, trusting no key.
    pub fn copy_from(&self, cache: &str, name: &str) {
        let path = format!("/nix/store/{name}");
        self.in_store("nix", &["copy", "--from", cache, &path], None);
    }

    /// Copies an object with what it refers to into a binary cache.
    pub fn copy_to(&self, cache: &str, name: &str) {
        let path = format!("/nix/store/{name}");
        self.in_store("nix", &["copy", "--to", cache, &path], None);
    }

    /// Hashes everything in its store.
    pub fn verify(&self) {
        self.in_store("nix-store", &["--verify", "--check-contents"], None);
    }

    /// Imports an exported file; gives the objects' names.
    pub fn import_file(&self, file: &Path) -> Vec<String> {
        self.in_store("nix-store", &["--import"], Some(file)).lines().map(object).collect()
    }

    /// Exports objects, which come references first.
    pub fn export_file(&self, names: &[String], to: &Path) {
        let paths: Vec<String> = names.iter().map(|name| format!("/nix/store/{name}")).collect();
        let root = self.dir.path().join("root");
        let mut args: Vec<&str> = vec!["--export"];
        args.extend(paths.iter().map(String::as_str));
        args.extend(["--store", root.to_str().expect("UTF-8")]);
        std::fs::write(to, self.run("nix-store", &args, None)).expect("write");
    }

    /// A new pair of keys: secret and public.
    pub fn key(&self, name: &str) -> (String, String) {
        let text = |bytes| String::from_utf8(bytes).expect("UTF-8").trim().to_owned();
        let secret = text(self.run("nix", &["key", "generate-secret", "--key-name", name], None));
        let file = self.dir.path().join(name);
        std::fs::write(&file, &secret).expect("write");
        (secret, self.public(name))
    }

    /// The public half of a key that [`Self::key`] made, or of a new one.
    pub fn public(&self, name: &str) -> String {
        let file = self.dir.path().join(name);
        let public = self.run("nix", &["key", "convert-secret-to-public"], Some(&file));
        String::from_utf8(public).expect("UTF-8").trim().to_owned()
    }

    /// Signs an object in a cache with a new key.
    pub fn sign(&self, cache: &str, name: &str, key: &str) {
        self.key(key);
        let file = self.dir.path().join(key);
        let (file, path) = (file.to_str().expect("UTF-8"), format!("/nix/store/{name}"));
        let args = ["store", "sign", "--store", cache, "--key-file", file, "--recursive", &path];
        self.run("nix", &args, None);
    }

    /// Whether a cache's signature by this key is there and true, in Nix's opinion.
    pub fn is_signed(&self, cache: &str, name: &str, key: &str) -> bool {
        let path = format!("/nix/store/{name}");
        let args = [
            "store",
            "verify",
            "--store",
            cache,
            "--sigs-needed",
            "1",
            "--no-contents",
            "--recursive",
            "--trusted-public-keys",
            key,
            &path,
        ];
        self.command("nix").args(args).stdin(Stdio::null()).output().expect("nix").status.success()
    }

    /// Where an object lies.
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join("root/nix/store").join(name)
    }
}

impl Drop for Nix {
    fn drop(&mut self) {
        // Its store is read-only, also for its owner.
        let _ = Command::new("chmod").arg("-R").arg("u+w").arg(self.dir.path()).status();
    }
}

fn object(path: &str) -> String {
    let name = path.strip_prefix("/nix/store/");
    name.unwrap_or_else(|| panic!("a store path, not {path}")).to_owned()
}
