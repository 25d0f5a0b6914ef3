//! Push and pull against an S3 server that is not ours: `s3rver` from npm.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;

use crate::support::finish;
use crate::world::Project;

const SERVER: &str = "s3rver@3.7.1";

/// A server with the bucket `builds`, ended with its owner.
struct S3 {
    child: Child,
    endpoint: String,
    _data: tempfile::TempDir,
}

impl S3 {
    /// `None` where Node.js or npm is missing: there the caller's test is skipped, but not in CI.
    fn start() -> Option<Self> {
        let program = program()?;
        let data = tempfile::tempdir().expect("directory");
        let mut child = Command::new("node")
            .arg(program)
            .args(["-a", "127.0.0.1", "-p", "0", "--configure-bucket", "builds", "-d"])
            .arg(data.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("node");
        let mut lines = BufReader::new(child.stdout.take().expect("stdout")).lines();
        let address = lines
            .find_map(|line| Some(line.ok()?.split_once("listening on ")?.1.trim().to_owned()));
        // It goes on to write a line for each request.
        std::thread::spawn(move || lines.for_each(drop));
        let endpoint = format!("http://{}", address.expect("an address"));
        Some(Self { child, endpoint, _data: data })
    }
}

impl Drop for S3 {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The server's program, installed among the build's files.
fn program() -> Option<&'static Path> {
    static PROGRAM: OnceLock<Option<std::path::PathBuf>> = OnceLock::new();
    let found = PROGRAM.get_or_init(|| {
        let works = |name: &str| {
            Command::new(name).arg("--version").output().is_ok_and(|o| o.status.success())
        };
        if !works("node") || !works("npm") {
            let install = "Node.js and npm are not installed, which bring an S3 server";
            assert!(std::env::var_os("CI").is_none(), "{install}");
            let line = format!("SKIPPED a test of S3: {install}\n");
            let _ = std::io::Write::write_all(&mut std::io::stderr(), line.as_bytes());
            return None;
        }
        let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("s3rver");
        let program = dir.join("node_modules/s3rver/bin/s3rver.js");
        if !program.is_file() {
            let mut npm = Command::new("npm");
            npm.args(["install", "--no-audit", "--no-fund", "--prefix"]).arg(&dir).arg(SERVER);
            let output = npm.output().expect("npm");
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        }
        Some(program)
    });
    found.as_deref()
}

#[test]
fn killed_resumed_and_pulled() {
    let Some(s3) = S3::start() else { return };
    let mut project = Project::new();
    project
        .env
        .set("AWS_ENDPOINT_URL", &s3.endpoint)
        .set("AWS_ACCESS_KEY_ID", "S3RVER")
        .set("AWS_SECRET_ACCESS_KEY", "S3RVER");
    let cache = "s3://builds/some/place";
    assert_eq!(project.infra(&format!("cache info {cache}")).code, Some(1));
    project.ok(&format!("cache init {cache}"));
    project.ok("env build dev");
    for point in ["push.nar:1", "push.nar:2", "push.narinfo:1"] {
        let mut command = project.env.command(["cache", "push", "--to", cache, "dev"]);
        command.env("INFRA_INTERRUPT_AT", point);
        let killed = finish(command.spawn().expect("start"));
        assert_eq!(killed.signal, Some(libc::SIGABRT), "{point}: {}", killed.stderr);
        let half = project.json(&format!("cache verify --at {cache} --json"));
        assert!(half["objects"].as_u64().is_some_and(|n| n < 4), "{point}: {half}");
    }
    let pushed = project.json(&format!("cache push --to {cache} --json dev"));
    assert!(pushed["present"].as_u64().is_some_and(|n| n > 0), "it goes on: {pushed}");
    let verified = project.json(&format!("cache verify --at {cache} --json"));
    assert_eq!((&verified["objects"], &verified["unnamed"]), (&4.into(), &0.into()), "{verified}");
    let info = project.json(&format!("cache info {cache} --json"));
    assert_eq!(info["objects"], 4, "{info}");

    let store = project.env.root().join("store-s3");
    let at = format!("--store {}", store.display());
    let mut command = project.env.command(at.split(' ').chain(["cache", "pull", "--from", cache]));
    command.env("INFRA_INTERRUPT_AT", "object.renamed:2");
    let killed = finish(command.spawn().expect("start"));
    assert_eq!(killed.signal, Some(libc::SIGABRT), "{}", killed.stderr);
    project.ok(&format!("{at} store verify"));
    project.ok(&format!("{at} --cache {cache} dep sync"));
    project.ok(&format!("{at} store verify"));
    let gone = project.json(&format!(
        "cache gc --at {cache} --keep dep.lock.json --older-than 0s --dry-run --json"
    ));
    assert!(gone["kept"].as_u64().is_some_and(|n| n >= 3), "{gone}");
    let _ = Command::new("chmod").arg("-R").arg("u+w").arg(&store).status();
}
