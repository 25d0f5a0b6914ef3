//! Several places for one source.

use std::time::{Duration, Instant};

use infra::base::{Integrity, Platform};
use rustix::net::{AddressFamily, SocketType};

use super::stage::{Kind, Stage};
use crate::support::Outcome;
use crate::upstream::{FakeUpstream, Fault};
use crate::world::{World, publish_npm, publish_pypi};

/// Two registries with the same packages; the profile names both, `first` before the other.
struct Two {
    world: World,
    other: FakeUpstream,
}

/// What the profile names as first.
enum First<'a> {
    /// The world's own upstream.
    Own,
    /// An address.
    At(&'a str),
}

impl Two {
    fn new(first: First<'_>) -> Self {
        let mut world = World::empty();
        let other = FakeUpstream::start();
        publish_pypi(&other, "alpha", "1.0.0");
        publish_pypi(&other, "alpha", "1.1.0");
        publish_npm(&other, "beta", "2.3.0");
        let body = archive();
        let sums = format!("{}  a.tar.gz\n", Integrity::sha256_of(&body).hex());
        for upstream in [&world.upstream, &other] {
            upstream.file("/url/a.tar.gz", body.clone()).file("/url/SUMS", sums.clone());
        }
        let own = world.upstream.url("");
        let first = match first {
            First::Own => own.as_str(),
            First::At(address) => address,
        };
        let urls = |path: &str| format!("[\"{first}{path}\", \"{}\"]", other.url(path));
        let profile = format!(
            "platforms = [\"{}\"]\n[source.pypi]\nurl = {}\n[source.npm]\nurl = {}\n\
             [source.url]\nurl = {}\n[dep]\n\
             alpha = {{ from = \"pypi:alpha-bin\", version = \"^1\" }}\n\
             beta = {{ from = \"npm:beta\", version = \"^2\" }}\n\
             gamma = {{ from = \"url:/a.tar.gz\", version = \"=1.0.0\", checksum = \"/SUMS\" }}\n",
            Platform::host(),
            urls("/simple/"),
            urls("/npm/"),
            urls("/url"),
        );
        world.profiles(&profile);
        world.env.set("INFRA_CONNECT_TIMEOUT", "1").set("INFRA_STALL_TIMEOUT", "2");
        Self { world, other }
    }

    fn sync(&self) -> Outcome {
        self.world.env.infra(["dep", "sync"])
    }
}

fn archive() -> Vec<u8> {
    let program = crate::world::program("a", "1.0.0", Platform::host());
    crate::upstream::tar_gz(&crate::upstream::Tree::new().executable("a", program))
}

fn warnings(outcome: &Outcome) -> Vec<&str> {
    outcome.stderr.lines().filter(|l| l.starts_with("warning:")).collect()
}

/// Bound without listening: whoever connects is refused, and nobody else can take the port.
pub(super) fn refusing() -> (rustix::fd::OwnedFd, String) {
    let socket =
        rustix::net::socket(AddressFamily::INET, SocketType::STREAM, None).expect("socket");
    let any = std::net::SocketAddrV4::new(std::net::Ipv4Addr::LOCALHOST, 0);
    rustix::net::bind(&socket, &any).expect("bind");
    let address = rustix::net::getsockname(&socket).expect("address");
    let address = std::net::SocketAddr::try_from(address).expect("an IP address");
    (socket, format!("http://{address}"))
}

#[test]
fn a_dead_first_mirror_is_warned_of_once() {
    let (_socket, dead) = refusing();
    let two = Two::new(First::At(&dead));
    let lock = two.world.env.infra(["dep", "lock"]);
    assert_eq!(lock.code, Some(0), "{}", lock.stderr);
    let host = dead.trim_start_matches("http://");
    let told = |outcome: &Outcome| {
        let all = warnings(outcome).into_iter().filter(|l| l.contains(host)).count();
        assert_eq!(all, 1, "{}", outcome.stderr);
        assert!(outcome.stderr.contains("connection refused"), "{}", outcome.stderr);
    };
    told(&lock);
    two.world.lose(&[]);
    let sync = two.sync();
    assert_eq!(sync.code, Some(0), "{}", sync.stderr);
    told(&sync);
    assert!(!two.world.env.read("dep.lock.json").contains("127.0.0.1"), "a host is in the lock");
    // Both dead: an error, and where.
    two.world.lose(&[]);
    two.other.fault_always("/simple/alpha-bin/", Fault::Drop);
    let outcome = two.sync();
    assert_eq!(outcome.code, Some(1), "{}", outcome.stderr);
}

/// 404 of a place asks the next without a word; what it lacks is no failure.
#[test]
fn a_mirror_that_lags_behind() {
    let two = Two::new(First::Own);
    for path in ["/simple/alpha-bin/", "/npm/beta", "/url/SUMS", "/url/a.tar.gz"] {
        two.world.upstream.fault_always(path, Fault::Status(404));
    }
    let lock = two.world.env.infra(["dep", "lock"]);
    assert_eq!(lock.code, Some(0), "{}", lock.stderr);
    let before = two.world.env.read("dep.lock.json");
    two.world.upstream.heal();
    two.world.env.ok(["dep", "lock", "-q"]);
    assert_eq!(two.world.env.read("dep.lock.json"), before, "mirrors do not show in the lock");
}

/// A page that serves another project's file, or none: the other place is asked for the file.
#[test]
fn a_liar_is_reported_and_the_next_is_asked() {
    let two = Two::new(First::Own);
    two.world.env.ok(["dep", "lock", "-q"]);
    let arch = match Platform::host().arch() {
        infra::base::Arch::X86_64 => "x86_64",
        infra::base::Arch::Aarch64 => "aarch64",
    };
    let wheel = format!("/files/alpha_bin-1.1.0-py3-none-manylinux_2_17_{arch}.whl");
    let npm = match arch {
        "x86_64" => FakeUpstream::npm_tarball("@beta/linux-x64", "2.3.0"),
        _ => FakeUpstream::npm_tarball("@beta/linux-arm64", "2.3.0"),
    };
    for fault in [
        Fault::Tamper(50),
        Fault::Truncate(50),
        Fault::Status(404),
        Fault::Status(503),
        Fault::Instead("text/html", b"<html>".to_vec()),
    ] {
        two.world.lose(&[]);
        two.world.upstream.heal();
        for path in [wheel.as_str(), npm.as_str(), "/url/a.tar.gz"] {
            two.world.upstream.fault_always(path, fault.clone());
        }
        let sync = two.sync();
        assert_eq!(sync.code, Some(0), "{fault:?}: {}", sync.stderr);
        let own = two.world.upstream.address().to_string();
        for name in ["alpha", "beta-2.3.0", "a.tar.gz"] {
            let told = warnings(&sync).into_iter().any(|l| l.contains(&own) && l.contains(name));
            assert!(told || name == "beta-2.3.0", "{fault:?}: {name}: {}", sync.stderr);
        }
        two.world.env.ok(["dep", "verify", "-q"]);
    }
    // All lie: nothing is installed, and the code says so.
    two.world.lose(&[]);
    two.world.upstream.heal().fault_always(&wheel, Fault::Tamper(50));
    two.other.fault_always(&wheel, Fault::Tamper(60));
    let sync = two.sync();
    assert_eq!(sync.code, Some(3), "{}", sync.stderr);
}

/// The second half from another place, over a restart too; a first half of wrong bytes is dropped.
#[test]
fn halves_of_two_mirrors() {
    for lies in [false, true] {
        let stage = Stage::new(Kind::Url);
        let other = FakeUpstream::start();
        let whole = {
            let sums = "/url/SUMS-1.1.0";
            assert_eq!(stage.index, sums);
            let program = crate::world::program("tool", "1.1.0", Platform::host());
            let tree = crate::upstream::Tree::new().executable("tool", program);
            crate::upstream::tar_gz(&tree)
        };
        other.file(&stage.file, whole.clone());
        stage.reset("sync");
        if lies {
            stage.world.upstream.file(&stage.file, vec![1; whole.len()]);
        }
        stage.world.upstream.fault_always(&stage.file, Fault::Truncate(100));
        let first = stage.run("sync", 0);
        assert_eq!(first.code, Some(1), "{}", first.stderr);
        let (from, to) = (stage.world.upstream.url("/url"), other.url("/url"));
        stage.world.edit("profiles/base.toml", &from, &to);
        let second = stage.run("sync", 0);
        assert_eq!(second.code, Some(0), "{}", second.stderr);
        let ranges: Vec<_> =
            other.requests().iter().map(|r| r.header("range").map(str::to_owned)).collect();
        let mut want = vec![Some("bytes=100-".to_owned())];
        want.extend(lies.then_some(None));
        assert_eq!(ranges, want, "lies: {lies}");
        stage.world.env.ok(["dep", "verify", "-q"]);
    }
}

/// Another index is no mirror: when the first fails, a package of that name elsewhere is not taken.
#[test]
fn an_extra_index_that_fails_is_not_passed_over() {
    let mut world = World::empty();
    let private = FakeUpstream::start();
    publish_pypi(&private, "alpha", "1.0.0");
    world.profiles("[dep]\nalpha = { from = \"pypi:alpha-bin\", version = \"^1\" }\n");
    world.env.set("PIP_EXTRA_INDEX_URL", private.pypi_url()).set("INFRA_RETRIES", "0");
    let page = FakeUpstream::pypi_page("alpha-bin");
    for fault in [Fault::Status(503), Fault::Status(403), Fault::Drop] {
        private.fault_always(&page, fault.clone());
        let outcome = world.env.infra(["dep", "lock"]);
        assert_eq!(outcome.code, Some(1), "{fault:?}: {}", outcome.stderr);
        assert_eq!(world.upstream.count(&page), 0, "{fault:?}: the other index was asked");
        private.heal();
    }
    world.env.ok(["dep", "lock", "-q"]);
    assert!(world.env.read("dep.lock.json").contains("\"1.0.0\""), "the first that has it wins");
    assert_eq!(world.upstream.count(&page), 0);
    std::fs::remove_file(world.env.project().join("dep.lock.json")).expect("remove");
    private.fault_always(&page, Fault::Status(404));
    world.env.ok(["dep", "lock", "-q"]);
    assert!(world.env.read("dep.lock.json").contains("\"1.1.0\""));
}

#[test]
fn credentials_stay_with_their_place() {
    let two = Two::new(First::Own);
    let npmrc = format!(
        "//{}/npm/:_authToken=first\n//{}/npm/:_authToken=second\n",
        two.world.upstream.address(),
        two.other.address()
    );
    std::fs::write(two.world.env.home().join(".npmrc"), npmrc).expect("write");
    two.world.upstream.fault_always("/npm/beta", Fault::Status(404));
    two.world.env.ok(["dep", "lock", "-q"]);
    for (upstream, token) in [(&two.world.upstream, "first"), (&two.other, "second")] {
        let (mut with, mut all) = (0, 0);
        for request in upstream.requests() {
            if let Some(sent) = request.header("authorization") {
                assert_eq!(sent, format!("Bearer {token}"));
                assert!(request.path.starts_with("/npm/"), "{}", request.path);
                with += 1;
            }
            all += usize::from(request.path.starts_with("/npm/"));
        }
        assert!(with > 0 && with == all, "{token}: {with} of {all}");
    }
}

/// A host that answers no connection at all costs one connect time-out in a whole command.
#[cfg(target_os = "linux")]
#[test]
fn a_silent_host_costs_one_time_out() {
    let (_listener, _filling, silent) = silent_host();
    let mut world = World::empty();
    let names = ["one", "two", "three", "four", "five"];
    let mut deps = String::new();
    for name in names {
        publish_pypi(&world.upstream, name, "1.0.0");
        deps.push_str(&format!("{name} = \"pypi:{name}-bin\"\n"));
    }
    let profile = |urls: &str| {
        format!(
            "platforms = [\"{}\"]\n[source.pypi]\nurl = [{urls}]\n[dep]\n{deps}",
            Platform::host()
        )
    };
    let good = format!("\"{}\"", world.upstream.pypi_url());
    world.env.set("INFRA_CONNECT_TIMEOUT", "1").set("INFRA_JOBS", "1");
    world.profiles(&profile(&good));
    world.env.ok(["dep", "lock", "-q"]);
    let time = |first: &str| {
        world.profiles(&profile(&format!("{first}{good}")));
        world.lose(&[]);
        let began = Instant::now();
        let outcome = world.env.ok(["dep", "sync"]);
        (began.elapsed(), outcome)
    };
    let (alone, _) = time("");
    let (_socket, dead) = refusing();
    let (refused, _) = time(&format!("\"{dead}/simple/\", "));
    let (silence, outcome) = time(&format!("\"{silent}/simple/\", "));
    crate::world::passed_over(&format!(
        "(figure) five wheels: alone {alone:?}, a refusing mirror first {refused:?}, a silent one \
         first {silence:?}"
    ));
    // One after the other, five lookups would wait five times.
    assert!(silence >= Duration::from_secs(1), "{silence:?}: it was not asked");
    assert!(silence < alone + Duration::from_secs(4), "{silence:?} against {alone:?}");
    assert_eq!(warnings(&outcome).len(), 1, "{}", outcome.stderr);
}

/// A listener whose queue is full: connecting to it gets no answer, as from a host that is down.
#[cfg(target_os = "linux")]
fn silent_host() -> (rustix::fd::OwnedFd, Vec<std::net::TcpStream>, String) {
    let (socket, url) = refusing();
    rustix::net::listen(&socket, 0).expect("listen");
    let address: std::net::SocketAddr =
        url.trim_start_matches("http://").parse().expect("an address");
    let mut filling = Vec::new();
    // Until the first that gets no answer.
    while let Ok(stream) =
        std::net::TcpStream::connect_timeout(&address, Duration::from_millis(300))
    {
        filling.push(stream);
        assert!(filling.len() < 64, "the queue does not fill");
    }
    (socket, filling, url)
}

#[test]
fn doctor_and_config_show_every_place() {
    let (_socket, dead) = refusing();
    let two = Two::new(First::At(&dead));
    two.world.env.ok(["dep", "lock", "-q"]);
    two.world.env.ok(["dep", "sync", "-q"]);
    let config = two.world.env.ok(["config", "print"]).stdout;
    let doctor = two.world.env.ok(["doctor"]).stdout;
    for place in [format!("{dead}/npm/"), two.other.url("/npm/")] {
        assert!(config.contains(&place), "{place}: {config}");
        assert!(doctor.contains(&place), "{place}: {doctor}");
    }
    assert!(doctor.contains("answers in"), "{doctor}");
    assert!(doctor.contains("stands in for it"), "{doctor}");
    let offline = two.world.env.ok(["doctor", "--offline"]).stdout;
    assert!(!offline.contains("answers in"), "{offline}");
    // The last place away, too.
    two.world.edit("profiles/base.toml", &two.other.url("/npm/"), &format!("{dead}/other/"));
    let doctor = two.world.env.infra(["doctor"]);
    assert_eq!(doctor.code, Some(1), "{}", doctor.stdout);
    assert!(doctor.stdout.contains("[source.npm]"), "{}", doctor.stdout);
}
