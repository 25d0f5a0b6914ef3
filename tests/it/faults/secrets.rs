//! One secret in every place that credentials come from, and requests that fail in every way: it is
//! in nothing that the program says or writes.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use data_encoding::BASE64;

use crate::upstream::{FakeUpstream, Fault};
use crate::world::World;

const SECRET: &str = "pl4nted-s3cret";

#[test]
fn a_secret_is_written_nowhere() {
    let mut world = World::new();
    let address = world.upstream.address();
    let host = address.ip();
    let home = world.env.home();
    // Each file and variable holds it in its own way.
    std::fs::write(home.join(".netrc"), format!("machine {host} login me password {SECRET}\n"))
        .expect("write");
    let encoded = BASE64.encode(SECRET.as_bytes());
    let bin = home.join("bin");
    std::fs::create_dir_all(&bin).expect("create");
    let keyring = bin.join("keyring");
    std::fs::write(&keyring, format!("#!/bin/sh\necho {SECRET}\n")).expect("write");
    std::fs::set_permissions(&keyring, PermissionsExt::from_mode(0o755)).expect("mode");
    let npmrc = |n: usize| match n % 3 {
        0 => format!("//{address}/npm/:_authToken={SECRET}\n"),
        1 => {
            format!("//{address}/npm/:_auth={}\n", BASE64.encode(format!("me:{SECRET}").as_bytes()))
        }
        _ => format!("//{address}/npm/:username=me\n//{address}/npm/:_password={encoded}\n"),
    };
    world.env.set("PATH", format!("{}:/usr/bin:/bin", bin.display()));
    world.env.set("PIP_KEYRING_PROVIDER", "subprocess");
    world.env.set("GITHUB_API_URL", world.upstream.github_url()).set("GITHUB_TOKEN", SECRET);
    world.env.set("INFRA_RETRIES", "0").set("INFRA_STALL_TIMEOUT", "1");
    world.edit("profiles/base.toml", "tools = ", "hub = { from = \"github:a/b\" }\ntools = ");
    let with_password = format!("http://me:{SECRET}@{address}/simple/");
    let with_user = format!("http://me@{address}/simple/");
    let proxy = format!("http://me:{SECRET}@{address}");
    let paths = [
        FakeUpstream::pypi_page("alpha-bin"),
        FakeUpstream::npm_document("beta"),
        FakeUpstream::github_list("a/b"),
        "/url/SHA256SUMS".to_owned(),
    ];
    let commands = [
        &["dep", "lock"][..],
        &["dep", "outdated", "--json"],
        &["dep", "sync"],
        &["config", "print"],
        &["config", "print", "--json"],
        &["doctor", "--json"],
    ];
    let faults = [
        Fault::Status(401),
        Fault::Status(503),
        Fault::Later(429, "86400".to_owned()),
        Fault::Redirect("/loop".to_owned()),
        Fault::Truncate(5),
        Fault::Instead("application/json", b"{".to_vec()),
    ];
    let mut said = 0;
    for (n, fault) in faults.into_iter().enumerate() {
        std::fs::write(home.join(".npmrc"), npmrc(n)).expect("write");
        let index = [&with_password, &with_user][n % 2];
        world.upstream.heal().fault_always("/loop", Fault::Redirect("/loop".to_owned()));
        // One path alone fails each time, so that every source's message is seen.
        let path = &paths[n % paths.len()];
        for failing in paths.iter().filter(|p| *p == path || n >= paths.len()) {
            world.upstream.fault_always(failing, fault.clone());
        }
        for args in commands {
            let mut command = world.env.command(args);
            command.env("PIP_INDEX_URL", index);
            if n == 1 {
                command.env("HTTP_PROXY", &proxy);
            }
            let outcome = crate::support::finish(command.spawn().expect("start infra"));
            for text in [&outcome.stdout, &outcome.stderr] {
                clean(&format!("{args:?} with {fault:?}"), text.as_bytes());
                said += text.len();
            }
        }
    }
    assert!(said > 1000, "nothing was said");
    let sent: Vec<_> = world
        .upstream
        .requests()
        .iter()
        .filter_map(|r| r.header("authorization").map(str::to_owned))
        .collect();
    let plain = format!("Basic {}", BASE64.encode(format!("me:{SECRET}").as_bytes()));
    assert!(sent.contains(&plain), "basic credentials were sent: {sent:?}");
    assert!(sent.contains(&format!("Bearer {SECRET}")), "a token was sent: {sent:?}");
    // Good at last: the lock and the store hold none of it, either.
    world.upstream.heal();
    let mut command = world.env.command(["dep", "lock"]);
    world.edit("profiles/base.toml", "hub = { from = \"github:a/b\" }\n", "");
    command.env("PIP_INDEX_URL", &with_password);
    let outcome = crate::support::finish(command.spawn().expect("start infra"));
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    let mut files = 0;
    for dir in [world.env.project(), world.env.store(), home.join(".cache")] {
        search(&dir, &mut files);
    }
    assert!(files > 10, "{files} files");
}

fn clean(what: &str, bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    for form in [
        SECRET.to_owned(),
        BASE64.encode(SECRET.as_bytes()),
        BASE64.encode(format!("me:{SECRET}").as_bytes()),
    ] {
        assert!(!text.contains(&form), "{what}: `{form}` in\n{text}");
    }
}

fn search(dir: &Path, files: &mut usize) {
    let Ok(entries) = std::fs::read_dir(dir) else { return };
    for entry in entries.flatten() {
        let kind = entry.file_type().expect("type");
        if kind.is_dir() {
            search(&entry.path(), files);
        } else if kind.is_file() {
            *files += 1;
            clean(&entry.path().display().to_string(), &std::fs::read(entry.path()).expect("read"));
        }
    }
}
