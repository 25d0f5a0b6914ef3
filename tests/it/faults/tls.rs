//! Certificates, redirects and proxies.

use std::fmt::Write as _;

use super::table::snapshot;
use crate::upstream::{FakeUpstream, Fault, TlsAuthority, TlsFront};
use crate::world::World;

fn project() -> World {
    let mut world = World::empty();
    world.profiles("[dep]\nalpha = { from = \"pypi:alpha-bin\", version = \"^1\" }\n");
    world.env.set("INFRA_CONNECT_TIMEOUT", "5").set("INFRA_RETRIES", "0");
    // What this machine's pip and npm trust is no matter.
    world.env.set("PIP_CONFIG_FILE", "/dev/null").set("NPM_CONFIG_GLOBALCONFIG", "/dev/null");
    world
}

/// Locks from nothing.
fn lock(world: &World, vars: &[(&str, &str)]) -> crate::support::Outcome {
    let _ = std::fs::remove_file(world.env.project().join("dep.lock.json"));
    world.lose(&[]);
    let mut command = world.env.command(["dep", "lock"]);
    command.envs(vars.iter().copied());
    crate::support::finish(command.spawn().expect("start infra"))
}

#[test]
fn certificates() {
    let world = project();
    let (ours, other) = (TlsAuthority::new("ours"), TlsAuthority::new("other"));
    let pem = |name: &str, authority: &TlsAuthority| {
        let path = world.env.home().join(name);
        std::fs::create_dir_all(path.parent().expect("parent")).expect("create");
        std::fs::write(&path, authority.pem()).expect("write");
        path.to_string_lossy().into_owned()
    };
    let (trusted, foreign) = (pem("ours.pem", &ours), pem("other.pem", &other));
    let good = TlsFront::start(world.upstream.address(), &ours, 4000);
    let index = good.url("/simple/");
    for name in ["SSL_CERT_FILE", "PIP_CERT", "REQUESTS_CA_BUNDLE", "NODE_EXTRA_CA_CERTS"] {
        let outcome = lock(&world, &[("PIP_INDEX_URL", &index), (name, &trusted)]);
        assert_eq!(outcome.code, Some(0), "{name}: {}", outcome.stderr);
    }
    // OpenSSL's directory of roots: files are named by a hash of the subject.
    let hashed = pem("roots/0a1b2c3d.0", &ours);
    let roots = std::path::Path::new(&hashed).parent().expect("parent").to_string_lossy();
    let outcome = lock(&world, &[("PIP_INDEX_URL", &index), ("SSL_CERT_DIR", &roots)]);
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);

    let mut said = String::new();
    let expired = TlsFront::start(world.upstream.address(), &ours, 2016);
    let down = FakeUpstream::pypi_page("alpha-bin");
    for (name, front, root) in [
        ("an unknown authority", &good, &foreign),
        ("an expired certificate", &expired, &trusted),
        ("from https to http", &good, &trusted),
    ] {
        world.upstream.fault_always(
            &down,
            match name {
                "from https to http" => Fault::Redirect(world.upstream.url("/elsewhere")),
                _ => Fault::Status(404),
            },
        );
        let index = front.url("/simple/");
        let outcome = lock(&world, &[("PIP_INDEX_URL", &index), ("SSL_CERT_FILE", root)]);
        assert_eq!(outcome.code, Some(1), "{name}: {}", outcome.stderr);
        assert_eq!(world.upstream.count("/elsewhere"), 0, "{name}");
        assert!(!world.env.project().join("dep.lock.json").exists(), "{name}");
        writeln!(said, "== {name}\n{}", outcome.stderr.trim_end()).expect("write");
    }
    world.upstream.heal();
    snapshot("faults_tls", &world, &said);
}

/// A redirect to another host is followed, without the credentials.
#[test]
fn redirects_elsewhere_take_no_credentials_along() {
    let world = project();
    let other = FakeUpstream::start();
    crate::world::publish_pypi(&other, "alpha", "1.1.0");
    let page = FakeUpstream::pypi_page("alpha-bin");
    let address = world.upstream.address();
    let index = format!("http://me:s3cret@{address}/simple/");
    world.upstream.fault_always(&page, Fault::Redirect(other.url(&page)));
    let outcome = lock(&world, &[("PIP_INDEX_URL", &index)]);
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    assert!(world.upstream.requests().iter().all(|r| r.header("authorization").is_some()));
    assert!(!other.requests().is_empty());
    assert!(other.requests().iter().all(|r| r.header("authorization").is_none()));
}

#[test]
fn nobody_there() {
    let world = project();
    let (_socket, dead) = super::mirrors::refusing();
    let mut said = String::new();
    for (name, index) in [
        ("connection refused", format!("{dead}/simple/")),
        ("no such host", "http://registry.invalid/simple/".to_owned()),
    ] {
        let outcome = lock(&world, &[("PIP_INDEX_URL", &index)]);
        assert_eq!(outcome.code, Some(1), "{name}: {}", outcome.stderr);
        // How a resolver says it differs between systems.
        let text: Vec<_> = outcome
            .stderr
            .lines()
            .map(|l| match l.split_once("registry.invalid/simple/alpha-bin/`:") {
                Some((before, _)) => {
                    format!("{before}registry.invalid/simple/alpha-bin/`: [REASON]")
                }
                None => l.to_owned(),
            })
            .collect();
        writeln!(said, "== {name}\n{}", text.join("\n")).expect("write");
    }
    snapshot("faults_nobody", &world, &said);
}

/// The usual variables, in both cases; the upstream stands for the proxy.
#[test]
fn proxies() {
    let world = project();
    let address = world.upstream.address();
    let index = ("PIP_INDEX_URL", "http://registry.invalid/simple/");
    let proxy = format!("http://us%40er:p%3Aw@{address}");
    for name in ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"] {
        world.upstream.forget();
        let outcome = lock(&world, &[index, (name, &proxy)]);
        assert_eq!(outcome.code, Some(0), "{name}: {}", outcome.stderr);
        let want = format!("Basic {}", data_encoding::BASE64.encode(b"us@er:p:w"));
        for request in world.upstream.requests() {
            assert_eq!(request.header("proxy-authorization"), Some(want.as_str()), "{name}");
            assert_eq!(request.header("authorization"), None, "{name}");
        }
    }
    for name in ["NO_PROXY", "no_proxy"] {
        let outcome = lock(&world, &[index, ("HTTP_PROXY", &proxy), (name, "registry.invalid")]);
        assert_eq!(outcome.code, Some(1), "{name}: {}", outcome.stderr);
        assert!(outcome.stderr.contains("registry.invalid"), "{}", outcome.stderr);
    }
}

/// A SOCKS proxy, which also looks the name up.
#[test]
fn socks() {
    use std::io::{Read as _, Write as _};
    use std::net::{Shutdown, TcpListener, TcpStream};
    let world = project();
    let target = world.upstream.address();
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("address");
    let serve = move |mut client: TcpStream| -> std::io::Result<()> {
        let mut greeting = [0; 2];
        client.read_exact(&mut greeting)?;
        client.read_exact(&mut vec![0; usize::from(greeting[1])])?;
        client.write_all(&[5, 0])?;
        let mut head = [0; 5];
        client.read_exact(&mut head)?;
        assert_eq!(head[..4], [5, 1, 0, 3], "connect to a name");
        client.read_exact(&mut vec![0; usize::from(head[4]) + 2])?;
        client.write_all(&[5, 0, 0, 1, 0, 0, 0, 0, 0, 0])?;
        let mut server = TcpStream::connect(target)?;
        let (mut from, mut to) = (server.try_clone()?, client.try_clone()?);
        let back = std::thread::spawn(move || {
            let _ = std::io::copy(&mut from, &mut to);
            let _ = to.shutdown(Shutdown::Both);
        });
        let _ = std::io::copy(&mut client, &mut server);
        let _ = server.shutdown(Shutdown::Both);
        let _ = back.join();
        Ok(())
    };
    // Ends when the test does: its connections end with the command.
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            std::thread::spawn(move || serve(stream));
        }
    });
    let proxy = format!("socks5h://{address}");
    let outcome = lock(
        &world,
        &[("PIP_INDEX_URL", "http://registry.invalid/simple/"), ("ALL_PROXY", &proxy)],
    );
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
}

/// A certificate of whoever asks: shown where it is configured, and nowhere else.
#[test]
fn client_certificates() {
    let world = project();
    let (ours, clients) = (TlsAuthority::new("ours"), TlsAuthority::new("clients"));
    let (certificate, key) = clients.client("somebody");
    let file = |name: &str, text: &str| {
        let path = world.env.home().join(name);
        std::fs::create_dir_all(path.parent().expect("parent")).expect("create");
        std::fs::write(&path, text).expect("write");
        path.to_string_lossy().into_owned()
    };
    let root = file("ours.pem", ours.pem());
    let both = file("both.pem", &format!("{certificate}{key}"));
    let pip = file("pip.conf", &format!("[global]\nclient-cert = {both}\n"));
    let wanting = TlsFront::asking(world.upstream.address(), &ours, &clients, true);
    let index = wanting.url("/simple/");
    let (trust, index) = (("SSL_CERT_FILE", root.as_str()), ("PIP_INDEX_URL", index.as_str()));
    for own in [
        ("PIP_CLIENT_CERT", both.as_str()),
        ("SSL_CLIENT_CERT", both.as_str()),
        ("PIP_CONFIG_FILE", pip.as_str()),
    ] {
        let outcome = lock(&world, &[trust, index, own]);
        assert_eq!(outcome.code, Some(0), "{}: {}", own.0, outcome.stderr);
        let text = world.env.read("dep.lock.json") + &outcome.stderr;
        assert!(!text.contains("both.pem") && !text.contains("BEGIN"), "{text}");
    }
    let outcome = lock(&world, &[trust, index]);
    assert_eq!(outcome.code, Some(1), "{}", outcome.stderr);
    assert!(outcome.stderr.contains("certificate"), "{}", outcome.stderr);
    let stranger = TlsAuthority::new("strangers").client("somebody");
    let stranger = file("stranger.pem", &format!("{}{}", stranger.0, stranger.1));
    let outcome = lock(&world, &[trust, index, ("PIP_CLIENT_CERT", &stranger)]);
    assert_eq!(outcome.code, Some(1), "{}", outcome.stderr);

    // What cannot be used says so, without what is in it.
    let broken = file("broken.pem", &certificate);
    for (value, code, words) in [
        (broken.as_str(), 1, "client certificate"),
        ("/nowhere/both.pem", 2, "PIP_CLIENT_CERT names `/nowhere/both.pem`"),
    ] {
        let outcome = lock(&world, &[trust, index, ("PIP_CLIENT_CERT", value)]);
        assert_eq!(outcome.code, Some(code), "{}", outcome.stderr);
        assert!(outcome.stderr.contains(words), "{}", outcome.stderr);
        assert!(!outcome.stderr.contains("BEGIN"), "{}", outcome.stderr);
    }

    // Sent to another host, that would take one: neither certificate nor password goes along.
    let other = FakeUpstream::start();
    crate::world::publish_pypi(&other, "alpha", "1.1.0");
    let elsewhere = TlsFront::asking(other.address(), &ours, &clients, false);
    let page = FakeUpstream::pypi_page("alpha-bin");
    world.upstream.fault_always(&page, Fault::Redirect(elsewhere.url(&page)));
    let with_password = index.1.replace("https://", "https://me:s3cret@");
    let outcome =
        lock(&world, &[trust, ("PIP_INDEX_URL", &with_password), ("PIP_CLIENT_CERT", &both)]);
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    assert!(!elsewhere.shown().is_empty() && !elsewhere.shown().contains(&true));
    assert!(other.requests().iter().all(|r| r.header("authorization").is_none()));
    assert!(wanting.shown().iter().all(|shown| *shown));
    world.upstream.fault_always(&page, Fault::Redirect(other.url(&page)));
    let outcome = lock(&world, &[trust, index, ("PIP_CLIENT_CERT", &both)]);
    assert_eq!(outcome.code, Some(1), "{}", outcome.stderr);
    assert!(outcome.stderr.contains("from https to http"), "{}", outcome.stderr);

    // npm: by host and path in files, else by text for its own registry.
    let program = crate::upstream::executable(
        crate::upstream::Machine::of(infra::base::Platform::X86_64Linux),
        "solo 1.0.0",
    );
    let tree = crate::upstream::Tree::new().executable("bin/solo", program);
    let tarball = crate::upstream::tgz("solo", "1.0.0", &tree);
    let package = crate::upstream::NpmPackage::new("solo", "1.0.0", tarball)
        .set("bin", serde_json::json!({"solo": "bin/solo"}))
        .on("linux", "x64", "");
    world.upstream.npm(package);
    world.profiles(
        "[dep]\nsolo = { from = \"npm:solo\", version = \"=1.0.0\", platforms = [\"x86_64-linux\"] }\n",
    );
    let registry = wanting.url("/npm/");
    let place = registry.trim_start_matches("https:");
    let (cert_file, key_file) = (file("c.pem", &certificate), file("k.pem", &key));
    let one_line = |pem: &str| pem.trim().replace('\n', "\\n");
    let (cert_line, key_line) = (one_line(&certificate), one_line(&key));
    for (rc, code) in [
        (format!("{place}:certfile={cert_file}\n{place}:keyfile={key_file}\n"), 0),
        (format!("cert=\"{cert_line}\"\nkey=\"{key_line}\"\n"), 0),
        (
            format!("//other.invalid/:certfile={cert_file}\n//other.invalid/:keyfile={key_file}\n"),
            1,
        ),
    ] {
        file(".npmrc", &rc);
        let outcome = lock(&world, &[trust, ("NPM_CONFIG_REGISTRY", &registry)]);
        assert_eq!(outcome.code, Some(code), "{rc}: {}", outcome.stderr);
        assert!(!outcome.stderr.contains("BEGIN"), "{}", outcome.stderr);
    }
}
