//! An upstream that is away, lies or is not to be asked.

use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};

use infra::base::Platform;
use rustix::net::{AddressFamily, SocketType};

use crate::support::TestEnv;
use crate::upstream::{FakeUpstream, Fault, wheel};
use crate::world::World;

/// A project that asks for `alpha` alone, with less patience than usual.
fn impatient() -> World {
    let mut world = World::empty();
    world.profiles("[dep]\nalpha = { from = \"pypi:alpha-bin\", version = \"^1\" }\n");
    world.env.set("INFRA_RETRIES", "0").set("INFRA_STALL_TIMEOUT", "3");
    world
}

/// The wheel of `alpha` that this host gets, as a path of the upstream.
fn wheel_here(world: &World) -> String {
    let list = world.json(["dep", "list", "--json"]);
    let here = &list[0]["platforms"][Platform::host().name()]["artifact"];
    FakeUpstream::pypi_file(here.as_str().expect("a file"))
}

/// Like [`impatient`], with a lock but nothing in the store and nothing in the cache.
fn locked() -> World {
    let world = impatient();
    world.env.ok(["dep", "lock", "-q"]);
    world.lose(&[]);
    world
}

#[test]
fn offline_with_an_empty_cache() {
    let world = locked();
    world.refused("network_offline_sync", 1, ["dep", "sync", "--offline"]);
    world.refused("network_offline_exec", 1, ["--offline", "env", "exec", "dev", "--", "alpha"]);
    assert_eq!(impatient().env.infra(["dep", "lock", "--offline"]).code, Some(1));
    let world = impatient();
    world.refused("network_offline_lock", 1, ["dep", "lock", "--offline"]);
    world.refused("network_offline_add", 1, ["dep", "add", "npm:beta", "--offline"]);
    assert_eq!(world.upstream.requests(), []);
}

#[test]
fn index_down() {
    // Bound without listening: whoever connects is refused, and nobody else can take the port.
    let (_socket, address) = bound();
    let mut world = locked();
    world.env.set("PIP_INDEX_URL", format!("http://{address}/simple/"));
    let outcome = world.env.infra(["dep", "sync"]);
    assert_eq!(outcome.code, Some(1), "{}", outcome.stderr);
    let text = world.env.snapshot(&outcome).replace(&address.to_string(), "[DOWN]");
    crate::world::compare("network_index_down", &text);
}

fn bound() -> (rustix::fd::OwnedFd, SocketAddr) {
    let socket =
        rustix::net::socket(AddressFamily::INET, SocketType::STREAM, None).expect("socket");
    rustix::net::bind(&socket, &SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0)).expect("bind");
    let address = rustix::net::getsockname(&socket).expect("address");
    (socket, SocketAddr::try_from(address).expect("an IP address"))
}

#[test]
fn package_not_found() {
    let world = impatient();
    world.edit("profiles/base.toml", "pypi:alpha-bin", "pypi:alhpa-bin");
    world.refused("network_not_found", 1, ["dep", "lock"]);
    world.refused("network_not_found_add", 1, ["dep", "add", "npm:no-such-package"]);
}

#[test]
fn unavailable_for_ever() {
    let world = impatient();
    let page = FakeUpstream::pypi_page("alpha-bin");
    world.upstream.fault_always(&page, Fault::Status(503));
    world.refused("network_unavailable", 1, ["dep", "lock"]);
}

#[test]
fn truncated() {
    let world = locked();
    let file = wheel_here(&world);
    world.upstream.fault_always(&file, Fault::Truncate(100));
    world.refused("network_truncated", 1, ["dep", "sync"]);
    // Once the upstream is well again, the same command succeeds.
    world.upstream.heal();
    world.env.ok(["dep", "sync"]);
}

#[test]
fn stalled() {
    let world = locked();
    world.upstream.fault_always(&wheel_here(&world), Fault::Stall(100));
    world.refused("network_stalled", 1, ["dep", "sync"]);
}

#[test]
fn tampered() {
    let world = locked();
    world.upstream.fault_always(&wheel_here(&world), Fault::Tamper(100));
    world.refused("network_tampered", 3, ["dep", "sync"]);
}

#[test]
fn the_index_lies() {
    let world = impatient();
    let (file, _) = wheel("alpha-bin", "1.1.0", "py3-none-manylinux_2_17_x86_64", &[]);
    world.upstream.fault_always(&FakeUpstream::pypi_file(&file), Fault::Tamper(100));
    world.refused("network_index_lies", 3, ["dep", "lock"]);
}

#[test]
fn no_version_matches() {
    let world = impatient();
    world.edit("profiles/base.toml", "version = \"^1\"", "version = \"^9\"");
    world.refused("network_no_version", 1, ["dep", "lock"]);
}

#[test]
fn an_executable_for_another_machine() {
    let world = impatient();
    let wrong = crate::world::program("alpha", "1.2.0", Platform::Aarch64Linux);
    for tags in ["py3-none-manylinux_2_17_x86_64", "py3-none-manylinux_2_17_aarch64"] {
        let (file, bytes) = wheel("alpha-bin", "1.2.0", tags, &[("alpha", &wrong)]);
        world.upstream.pypi("alpha-bin", &file, bytes);
    }
    world.refused("network_other_machine", 3, ["dep", "lock"]);
}

#[test]
fn an_executable_for_another_system() {
    let world = impatient();
    let wrong = crate::world::program("alpha", "1.2.0", Platform::X86_64Windows);
    let (file, bytes) =
        wheel("alpha-bin", "1.2.0", "py3-none-manylinux_2_17_x86_64", &[("alpha", &wrong)]);
    world.upstream.pypi("alpha-bin", &file, bytes);
    world.refused("network_other_system", 3, ["dep", "lock"]);
}

#[test]
fn nothing_says_where_packages_come_from() {
    let env = TestEnv::new().var("PATH", "/nonexistent");
    env.write("profiles/dev.toml", "[dep]\nbeta = \"npm:beta\"\n");
    let outcome = env.infra(["dep", "lock"]);
    assert_eq!(outcome.code, Some(1), "{}", outcome.stderr);
    crate::world::compare("network_no_endpoint", &env.snapshot(&outcome));
}

/// A wheel for glibc whose program wants musl's loader, and one for Linux that holds macOS'.
#[test]
fn an_executable_for_another_libc_or_system() {
    let arch = Platform::host().arch();
    let (word, loader) = match arch {
        infra::base::Arch::X86_64 => ("x86_64", "/lib/ld-musl-x86_64.so.1"),
        infra::base::Arch::Aarch64 => ("aarch64", "/lib/ld-musl-aarch64.so.1"),
    };
    let musl = crate::upstream::elf_with_interpreter(arch, loader);
    let mac = match arch {
        infra::base::Arch::X86_64 => Platform::X86_64Darwin,
        infra::base::Arch::Aarch64 => Platform::Aarch64Darwin,
    };
    for (what, program, says) in [
        ("musl in a glibc row", musl, "musl"),
        ("macOS in a Linux row", crate::world::program("alpha", "1.2.0", mac), "macOS"),
    ] {
        let world = impatient();
        let tags = format!("py3-none-manylinux_2_17_{word}");
        let (file, bytes) = wheel("alpha-bin", "1.2.0", &tags, &[("alpha", &program)]);
        world.upstream.pypi("alpha-bin", &file, bytes);
        let before = world.listing();
        let outcome = world.env.infra(["dep", "lock"]);
        assert_eq!(outcome.code, Some(3), "{what}: {}", outcome.stderr);
        for word in ["scripts/alpha", says, "`alpha` 1.2.0", "nothing was locked", "platforms"] {
            assert!(outcome.stderr.contains(word), "{what}: `{word}` not in {}", outcome.stderr);
        }
        assert_eq!(world.listing(), before, "{what}");
    }
}

#[test]
fn withdrawn_after_it_was_locked() {
    let world = locked();
    let file = wheel_here(&world);
    let name = file.rsplit('/').next().expect("a name").to_owned();
    // All of the version's files: else only a part of it is withdrawn.
    for request in world.json(["dep", "list", "--json"])[0]["platforms"].as_object().expect("rows")
    {
        if let Some(file) = request.1["artifact"].as_str() {
            world.upstream.pypi_yank("alpha-bin", file);
        }
    }
    assert!(name.contains("1.1.0"));
    let lock = world.env.read("dep.lock.json");
    world.env.ok(["dep", "sync"]);
    world.env.ok(["dep", "lock"]);
    assert_eq!(world.env.read("dep.lock.json"), lock, "it stays until somebody moves it");
    let outdated = world.env.ok(["dep", "outdated"]);
    let said = "`alpha` 1.1.0 was withdrawn by its publisher";
    assert!(outdated.stderr.contains(said), "{}", outdated.stderr);
    assert_eq!(world.json(["dep", "outdated", "--json"])[0]["yanked"], true);
}

/// The registry replaces a file under its name, and the index tells of the new one.
#[test]
fn changed_after_it_was_locked() {
    let world = locked();
    let path = wheel_here(&world);
    let file = path.rsplit('/').next().expect("a name").to_owned();
    let other = crate::world::program("alpha", "1.1.0 again", Platform::host());
    let tags = file.trim_end_matches(".whl").split("1.1.0-").nth(1).expect("tags");
    let (same, bytes) = wheel("alpha-bin", "1.1.0", tags, &[("alpha", &other)]);
    assert_eq!(same, file);
    world.upstream.pypi("alpha-bin", &file, bytes);
    let before = world.listing();
    let outcome = world.env.infra(["dep", "sync"]);
    assert_eq!(outcome.code, Some(3), "{}", outcome.stderr);
    assert_eq!(world.listing(), before);
    world.env.ok(["dep", "lock", "--check"]);
}
