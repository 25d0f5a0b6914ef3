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
