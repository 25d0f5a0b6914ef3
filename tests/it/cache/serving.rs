//! `infra cache serve`: reading, ranges, conditions, pushing with the token, counting.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::Child;

use rustix::process::Signal;

use super::{files, forget, narinfo, pushed, value};
use crate::support::{TestEnv, finish, signal};
use crate::world::World;

/// A server that ends with its owner.
struct Server {
    child: Option<Child>,
    url: String,
}

impl Server {
    fn start(env: &TestEnv, args: &[&str]) -> Self {
        let mut all = vec!["cache", "serve", "--listen", "127.0.0.1:0"];
        all.extend(args);
        let mut child = env.command(all).spawn().expect("start");
        let mut line = String::new();
        let mut out = BufReader::new(child.stdout.take().expect("stdout"));
        out.read_line(&mut line).expect("a line");
        if line.is_empty() {
            panic!("no server: {}", finish(child).stderr);
        }
        Self { child: Some(child), url: line.trim_end().to_owned() }
    }

    /// Status, headers in lower case, body.
    fn ask(
        &self,
        method: &str,
        path: &str,
        headers: &[&str],
        body: &[u8],
    ) -> (u16, String, Vec<u8>) {
        let address = self.url.trim_start_matches("http://");
        let mut stream = TcpStream::connect(address).expect("connect");
        let lines: String = headers.iter().map(|line| format!("{line}\r\n")).collect();
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {}\r\n{lines}\r\n",
            body.len()
        );
        stream.write_all(head.as_bytes()).expect("send");
        // A refusal may come before everything was sent.
        let _ = stream.write_all(body);
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        let end = answer.windows(4).position(|w| w == b"\r\n\r\n").expect("a head");
        let head = String::from_utf8_lossy(&answer[..end]).to_lowercase();
        let status = head.split(' ').nth(1).and_then(|s| s.parse().ok()).expect("status");
        (status, head, answer[end + 4..].to_vec())
    }

    fn get(&self, path: &str) -> (u16, Vec<u8>) {
        let (status, _, body) = self.ask("GET", path, &[], b"");
        (status, body)
    }

    /// Ends as it should.
    fn stop(mut self) {
        let child = self.child.take().expect("child");
        signal(child.id(), Signal::TERM);
        let outcome = finish(child);
        assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

#[test]
fn a_directory_is_served_with_ranges_and_conditions() {
    let (world, dir) = pushed();
    let server = Server::start(&world.env, &[dir.to_str().expect("UTF-8")]);
    for (key, bytes) in files(&dir) {
        assert_eq!(server.get(&format!("/{key}")), (200, bytes), "{key}");
    }
    let (_, text) = narinfo(&dir, "-alpha-");
    let path = format!("/{}", value(&text, "URL"));
    let whole = std::fs::read(dir.join(&path[1..])).expect("archive");
    let (status, head, body) = server.ask("GET", &path, &["Range: bytes=5-9"], b"");
    assert_eq!((status, body), (206, whole[5..10].to_vec()));
    assert!(head.contains(&format!("content-range: bytes 5-9/{}", whole.len())), "{head}");
    let etag = head.lines().find_map(|l| l.strip_prefix("etag: ")).expect("etag").to_owned();
    let (status, head, body) = server.ask("GET", &path, &[&format!("If-None-Match: {etag}")], b"");
    assert_eq!((status, body.len()), (304, 0), "{head}");
    let tail = ["Range: bytes=-3", &format!("If-Range: {etag}")];
    assert_eq!(server.ask("GET", &path, &tail, b"").2, whole[whole.len() - 3..]);
    let other = ["Range: bytes=-3", "If-Range: \"other\""];
    assert_eq!(server.ask("GET", &path, &other, b"").0, 200);
    let (status, head, _) = server.ask("GET", &path, &["Range: bytes=99999999-"], b"");
    assert_eq!(status, 416);
    assert!(head.contains(&format!("content-range: bytes */{}", whole.len())), "{head}");
    let (status, head, body) = server.ask("HEAD", &path, &[], b"");
    assert_eq!((status, body.len()), (200, 0));
    assert!(head.contains(&format!("content-length: {}", whole.len())), "{head}");

    for path in [
        "/",
        "/x",
        "/nar/",
        "/nar/none.nar",
        "/tmp",
        "/../cache/nix-cache-info",
        "/nar/..%2fnix-cache-info",
        "/00000000000000000000000000000000.narinfo",
    ] {
        assert_eq!(server.get(path).0, 404, "{path}");
    }
    for method in ["PUT", "POST", "DELETE", "OPTIONS"] {
        assert_eq!(server.ask(method, &path, &[], b"").0, 405, "{method}");
    }
    let (status, metrics) = server.get("/metrics");
    let metrics = String::from_utf8(metrics).expect("UTF-8");
    assert_eq!(status, 200);
    assert!(metrics.contains("kind=\"nar\",method=\"GET\",code=\"206\"} 2\n"), "{metrics}");
    assert!(metrics.contains("infra_cache_connections 1\n"), "{metrics}");
    server.stop();
}

#[test]
fn pushing_needs_the_token() {
    let mut world = World::synced();
    world.env.ok(["env", "build", "-q"]);
    let dir = world.env.root().join("served");
    let at = dir.to_str().expect("UTF-8").to_owned();
    world.refused("cache_serve_not_one", 1, ["cache", "serve", &at]);
    world.refused("cache_serve_no_token", 2, ["cache", "serve", &at, "--allow-push"]);
    world.env.set("INFRA_CACHE_TOKEN", "open-sesame");
    world.refused("cache_serve_store_push", 2, ["cache", "serve", "--allow-push"]);
    let server = Server::start(&world.env, &[&at, "--allow-push"]);
    world.env.set("INFRA_CACHE_TOKEN", "wrong");
    let refused = world.env.infra(["cache", "push", "--to", &server.url]);
    assert_eq!(refused.code, Some(1), "{}", refused.stderr);
    assert!(
        !refused.stderr.contains("wrong") && refused.stderr.contains("401"),
        "{}",
        refused.stderr
    );
    assert_eq!(files_or_none(&dir), 1, "only what it is");

    world.env.set("INFRA_CACHE_TOKEN", "open-sesame");
    let pushed = world.json(["cache", "push", "--to", &server.url, "--json"]);
    assert_eq!(pushed["pushed"].as_array().map(Vec::len), Some(5), "{pushed}");
    let again = world.json(["cache", "push", "--to", &server.url, "--json"]);
    assert_eq!(again["present"], 5, "{again}");
    world.env.ok(["cache", "verify", "--at", &at]);
    // A server cannot list, but can be asked for an environment.
    let refused = world.env.infra(["cache", "verify", "--at", &server.url]);
    assert_eq!(refused.code, Some(1), "{}", refused.stderr);
    assert!(refused.stderr.contains("cannot list what it holds"), "{}", refused.stderr);
    world.env.ok(["cache", "verify", "--at", &server.url, "dev"]);

    forget(&world);
    world.env.set("INFRA_CACHE", &server.url);
    world.env.ok(["dep", "sync", "-q"]);
    assert_eq!(world.upstream.requests(), []);
    server.stop();
}

fn files_or_none(dir: &std::path::Path) -> usize {
    std::fs::read_dir(dir).map_or(0, |entries| {
        entries.filter(|e| e.as_ref().is_ok_and(|e| e.path().is_file())).count()
    })
}

#[test]
fn what_is_not_whole_is_not_taken() {
    let (mut world, dir) = pushed();
    let served = world.env.root().join("served");
    world.env.set("INFRA_CACHE_TOKEN", "open-sesame");
    let server = Server::start(&world.env, &[served.to_str().expect("UTF-8"), "--allow-push"]);
    let token = ["Authorization: Bearer open-sesame"];
    let put = |path: &str, body: &[u8]| server.ask("PUT", path, &token, body).0;
    let (alpha, text) = narinfo(&dir, "-alpha-");
    let narinfo_path = format!("/{}", alpha.file_name().expect("name").to_string_lossy());
    let nar_path = format!("/{}", value(&text, "URL"));
    let nar = std::fs::read(dir.join(&nar_path[1..])).expect("archive");
    assert_eq!(server.ask("PUT", &nar_path, &[], &nar).0, 401);
    assert_eq!(server.ask("PUT", &nar_path, &["Authorization: Bearer open-sesam"], &nar).0, 401);
    assert_eq!(put(&narinfo_path, text.as_bytes()), 409, "its archive is not there");
    assert_eq!(put(&nar_path, &nar[1..]), 422, "its bytes are others");
    assert_eq!(put("/nar/hello.nar", &nar), 422, "a name that is no hash");
    assert_eq!(put("/nix-cache-info", b"StoreDir: /x\n"), 405);
    assert_eq!(server.get(&nar_path).0, 404);
    assert_eq!(put(&nar_path, &nar), 201);
    assert_eq!(server.get(&nar_path).1, nar);
    for (what, lie) in [
        ("rubbish", "hello".to_owned()),
        ("another size", text.replace("FileSize: ", "FileSize: 1")),
        ("another tree", text.replace("NarHash: sha256:", "NarHash: sha256:1")),
        ("a way out", text.replace("URL: nar/", "URL: ../")),
    ] {
        assert!([409, 422].contains(&put(&narinfo_path, lie.as_bytes())), "{what}");
        assert_eq!(server.get(&narinfo_path).0, 404, "{what}");
    }
    let (env, text) = narinfo(&dir, "-env-dev");
    let env_path = format!("/{}", env.file_name().expect("name").to_string_lossy());
    let env_nar = std::fs::read(dir.join(value(&text, "URL"))).expect("archive");
    assert_eq!(put(&format!("/{}", value(&text, "URL")), &env_nar), 201);
    assert_eq!(put(&env_path, text.as_bytes()), 409, "what it refers to is not there");
    assert_eq!(put(&narinfo_path, text.as_bytes()), 422, "of another object");
    // A push that breaks off leaves nothing.
    let address = server.url.trim_start_matches("http://").to_owned();
    let mut stream = TcpStream::connect(address).expect("connect");
    let head = format!(
        "PUT {nar_path} HTTP/1.1\r\nHost: x\r\n{}\r\nContent-Length: {}\r\n\r\n",
        token[0],
        nar.len()
    );
    stream.write_all(head.as_bytes()).expect("send");
    stream.write_all(&nar[..nar.len() / 2]).expect("send");
    drop(stream);
    crate::support::wait_for("the half to be removed", || {
        let left = std::fs::read_dir(served.join("tmp")).expect("tmp").count();
        (left == 0).then_some(())
    });
    assert_eq!(server.get(&nar_path).1, nar, "the whole one stays");
    server.stop();
}

#[test]
fn the_store_itself_is_served() {
    let mut world = World::synced();
    world.env.ok(["env", "build", "-q"]);
    let key = world.env.ok(["cache", "key", "generate", "host-1", "host.key"]).stdout;
    let server = Server::start(&world.env, &["--key", "host.key"]);
    let object = world.env.ok(["env", "build", "-q"]).stdout;
    let object = object.trim_end().rsplit('/').next().expect("name").to_owned();
    let (status, text) = server.get(&format!("/{}.narinfo", &object[..32]));
    let text = String::from_utf8(text).expect("UTF-8");
    assert_eq!((status, value(&text, "Compression")), (200, "none"));
    let path = format!("/{}", value(&text, "URL"));
    let (status, whole) = server.get(&path);
    assert_eq!((status, whole.len().to_string().as_str()), (200, value(&text, "NarSize")));
    for (range, want) in [("0-0", &whole[..1]), ("100-299", &whole[100..300]), ("8-", &whole[8..])]
    {
        let (status, _, body) = server.ask("GET", &path, &[&format!("Range: bytes={range}")], b"");
        assert_eq!((status, body.as_slice()), (206, want), "{range}");
    }
    assert_eq!(server.ask("HEAD", &path, &[], b"").2.len(), 0);
    assert_eq!(server.get("/nar/00000000000000000000000000000000-x.nar").0, 404);

    // Another machine: its store is elsewhere, its project the same.
    let other = world.env.root().join("other");
    let store = other.to_str().expect("UTF-8");
    world.upstream.forget();
    world.env.set("INFRA_CACHE", &server.url);
    world.env.ok(["--store", store, "dep", "sync", "-q"]);
    assert_eq!(world.upstream.requests(), []);
    let pull = ["--store", store, "cache", "pull", "--trusted-key", key.trim_end(), &object];
    world.env.ok(pull);
    world.env.ok(["--store", store, "store", "verify"]);
    server.stop();
}
