//! `oci:` with a real registry server: the one that this machine's apt has, run for the test, and an
//! image that is pushed to it.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use infra::base::Integrity;
use serde_json::{Value, json};

use crate::world::Project;

/// A registry that ends with the test.
pub struct Registry {
    child: Child,
    pub address: String,
}

impl Drop for Registry {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

const PROFILE: &str =
    "platforms = [\"x86_64-linux\"]\n\n[dep]\nregistry = \"deb:docker-registry\"\n";

/// Whether the registry's package can be had and run here.
pub fn can_run() -> bool {
    Path::new("/etc/apt").exists() && cfg!(all(target_os = "linux", target_arch = "x86_64"))
}

/// The registry of this machine's distribution, fetched by a project that has nothing else.
pub fn run(project: &Project) -> Registry {
    project.env.write("profiles/dev.toml", PROFILE);
    project.ok("dep lock");
    project.ok("dep sync");
    let tree = project.ok("dep path registry").stdout;
    start(&Path::new(tree.trim()).join("usr/bin/docker-registry"), project.env.root())
}

/// Starts the program with a configuration in `dir`; it says its address in its log.
fn start(program: &Path, dir: &Path) -> Registry {
    let config = dir.join("registry.yml");
    let text = format!(
        "version: 0.1\nstorage:\n  filesystem:\n    rootdirectory: {}\nhttp:\n  addr: 127.0.0.1:0\n",
        dir.join("registry").display()
    );
    std::fs::write(&config, text).expect("write");
    let mut child = Command::new(program)
        .arg("serve")
        .arg(&config)
        .env_clear()
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("start");
    let mut log = BufReader::new(child.stderr.take().expect("log"));
    let mut address = None;
    let mut seen = String::new();
    while address.is_none() {
        let mut line = String::new();
        if log.read_line(&mut line).expect("log") == 0 {
            break;
        }
        address = line
            .split_once("listening on ")
            .map(|(_, rest)| rest.split(['"', ',', ' ']).next().unwrap_or_default().to_owned());
        seen.push_str(&line);
    }
    std::thread::spawn(move || std::io::copy(&mut log, &mut std::io::sink()));
    let mut registry = Registry { child, address: String::new() };
    registry.address = address.unwrap_or_else(|| panic!("{seen}")).trim().to_owned();
    registry
}

impl Registry {
    /// One request; gives the status and the headers by lower-case name.
    fn send(
        &self,
        method: &str,
        path: &str,
        kind: &str,
        body: &[u8],
    ) -> (u16, BTreeMap<String, String>) {
        let mut stream = TcpStream::connect(&self.address).expect("connect");
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: {}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n\
             Connection: close\r\n\r\n",
            self.address,
            body.len()
        );
        stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body)).expect("send");
        let mut text = Vec::new();
        stream.read_to_end(&mut text).expect("answer");
        let text = String::from_utf8_lossy(&text);
        let mut lines = text.lines();
        let status = lines.next().and_then(|l| l.split(' ').nth(1)).and_then(|s| s.parse().ok());
        let headers = lines.map_while(|line| line.split_once(": "));
        let headers = headers.map(|(name, value)| (name.to_lowercase(), value.to_owned()));
        (status.expect("status"), headers.collect())
    }

    fn blob(&self, repository: &str, kind: &str, bytes: &[u8]) -> Value {
        let digest = format!("sha256:{}", Integrity::sha256_of(bytes).hex());
        let (status, headers) =
            self.send("POST", &format!("/v2/{repository}/blobs/uploads/"), "text/plain", b"");
        assert_eq!(status, 202);
        let place = headers["location"].replace(&format!("http://{}", self.address), "");
        let path = format!("{place}&digest={digest}");
        assert_eq!(self.send("PUT", &path, "application/octet-stream", bytes).0, 201);
        json!({"mediaType": kind, "digest": digest, "size": bytes.len()})
    }

    /// Pushes an image with one layer for each processor under a tag, as an index.
    pub fn push(&self, repository: &str, tag: &str, images: &[(&str, Vec<u8>)]) {
        let mut manifests = Vec::new();
        for (architecture, layer) in images {
            let layer = self.blob(repository, LAYER, layer);
            let config = json!({"os": "linux", "architecture": architecture,
                "rootfs": {"type": "layers", "diff_ids": []}});
            let config = self.blob(repository, CONFIG, config.to_string().as_bytes());
            let text = json!({"schemaVersion": 2, "mediaType": MANIFEST, "config": config,
                "layers": [layer]})
            .to_string();
            let digest = format!("sha256:{}", Integrity::sha256_of(text.as_bytes()).hex());
            let path = format!("/v2/{repository}/manifests/{digest}");
            assert_eq!(self.send("PUT", &path, MANIFEST, text.as_bytes()).0, 201, "{architecture}");
            manifests.push(json!({"mediaType": MANIFEST, "digest": digest, "size": text.len(),
                "platform": {"os": "linux", "architecture": architecture}}));
        }
        let index = json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": manifests});
        let path = format!("/v2/{repository}/manifests/{tag}");
        let (status, _) = self.send("PUT", &path, INDEX, index.to_string().as_bytes());
        assert_eq!(status, 201, "{tag}");
    }
}

const LAYER: &str = "application/vnd.oci.image.layer.v1.tar";
const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const INDEX: &str = "application/vnd.oci.image.index.v1+json";

pub fn layer(path: &str, mode: u32, body: &[u8]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_ustar();
    header.set_mode(mode);
    header.set_size(body.len() as u64);
    builder.append_data(&mut header, path, body).expect("memory");
    builder.into_inner().expect("memory")
}

#[test]
fn an_image_of_a_real_registry() {
    if !can_run() {
        eprintln!("passed over: apt is not configured on this machine");
        return;
    }
    let project = Project::bare();
    let profile = PROFILE;
    let registry = run(&project);

    // The program that is tested is what every machine that tests has.
    let program = std::fs::read("/bin/true").expect("read");
    let lower = layer("usr/bin/gone", 0o755, &program);
    let upper = layer("usr/bin/tool", 0o755, &program);
    let whiteout = layer("usr/bin/.wh.gone", 0o644, b"");
    let name = "some/tool";
    let layers: Vec<_> =
        [lower, upper, whiteout].iter().map(|bytes| registry.blob(name, LAYER, bytes)).collect();
    let config = json!({"os": "linux", "architecture": "amd64", "rootfs": {"type": "layers", "diff_ids": []}});
    let config = registry.blob(name, CONFIG, config.to_string().as_bytes());
    let manifest =
        json!({"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": layers});
    for tag in ["1.0.0", "1.2.0", "latest"] {
        let path = format!("/v2/{name}/manifests/{tag}");
        let (status, _) = registry.send("PUT", &path, MANIFEST, manifest.to_string().as_bytes());
        assert_eq!(status, 201, "{tag}");
    }

    project.env.write(
        "profiles/dev.toml",
        format!(
            "{profile}tool = \"oci:some/tool@^1\"\n[source.oci]\nurl = \"http://{}\"\n",
            registry.address
        ),
    );
    project.ok("dep lock");
    let text = project.env.read("dep.lock.json");
    let lock: Value = serde_json::from_str(&text).expect("json");
    let dep = &lock["deps"]["tool"];
    assert_eq!(dep["version"], "1.2.0");
    let row = &dep["platforms"]["x86_64-linux"];
    assert_eq!(row["bin"], json!({"tool": "usr/bin/tool"}), "{row}");
    assert!(!text.contains(&registry.address));
    project.ok("dep sync");
    project.ok("env exec dev --pure -- tool");
    project.ok("dep lock");
    assert_eq!(project.env.read("dep.lock.json"), text);
}
