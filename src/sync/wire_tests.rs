//! The real sources and the real client against a server on this machine: lock, then sync from
//! an empty cache, then again offline.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::fakes::{World, dep, elf, tar, wishes};
use super::*;
use crate::base::{Platform, SourceKind};
use crate::config::Environ;
use crate::lock::{Lock, Requirements};
use crate::source::{Setup, Sources};
use crate::{fs, http, source};

type Requests = Arc<Mutex<Vec<String>>>;

/// Answers `GET`s from a map until the process ends; gives its base URL and what was asked.
fn serve(files: BTreeMap<String, Vec<u8>>) -> (String, Requests) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("bind");
    let base = format!("http://{}", listener.local_addr().expect("address"));
    let requests = Requests::default();
    let seen = Arc::clone(&requests);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            let mut reader = BufReader::new(stream.try_clone().expect("clone"));
            let mut first = String::new();
            reader.read_line(&mut first).expect("request");
            let mut line = String::new();
            while reader.read_line(&mut line).expect("header") > 2 {
                line.clear();
            }
            let path = first.split(' ').nth(1).unwrap_or_default().to_owned();
            let (status, body) = match files.get(&path) {
                Some(body) => ("200 OK", body.clone()),
                None => ("404 Not Found", Vec::new()),
            };
            seen.lock().expect("lock").push(path);
            let head = format!(
                "HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
                body.len()
            );
            let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&body));
        }
    });
    (base, requests)
}

/// A world with the real sources and client.
fn with_real<T>(world: &World, offline: bool, work: impl AsyncFnOnce(&Context<'_>) -> T) -> T {
    let client = http::Client::new(http::Options {
        offline,
        connect_timeout: Duration::from_secs(10),
        stall_timeout: Duration::from_secs(30),
        retries: 0,
        extra_roots: Vec::new(),
        cache: None,
    })
    .expect("client");
    let all = Sources::new(Setup {
        client: client.clone(),
        environ: Environ::default(),
        project: world.project(),
        overrides: BTreeMap::new(),
        cache: None,
    });
    let sources = |kind: SourceKind| -> &dyn source::Source { all.get(kind) };
    let project = world.project();
    let rules = super::context::Rules::default();
    let builds = tokio::sync::Semaphore::new(1);
    let caches = crate::cache::Substitutes::default();
    let context = Context {
        rules: &rules,
        caches: &caches,
        store: &world.store,
        sources: &sources,
        fetch: &client,
        runner: &world.runner,
        builds: &builds,
        project: &project,
        host: Platform::X86_64Linux,
        jobs: 2,
        offline,
        reporter: &world.log,
    };
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("runtime");
    runtime.block_on(work(&context))
}

fn sync(world: &World, lock: &Lock, wishes: &Requirements, offline: bool) -> Result<()> {
    let wanted = lock.deps.keys().cloned().collect();
    let steps = plan(lock, &wanted, Platform::X86_64Linux, &world.store)?;
    with_real(world, offline, async |context: &Context<'_>| {
        execute(context, lock, wishes, &steps).await.map(drop)
    })
}

#[test]
fn locks_and_syncs_over_http() {
    let platforms = [Platform::X86_64Linux, Platform::Aarch64Linux];
    let archive = |p| tar(&[("tool-1.0.0/bin/tool", &elf(p, "over the wire")[..])]);
    let files = platforms.map(|p| (format!("/tool-1.0.0-{p}.tar"), archive(p)));
    let (base, requests) = serve(files.into_iter().collect());
    let taken = || std::mem::take(&mut *requests.lock().expect("lock"));
    let template = format!("url:{base}/tool-${{version}}-${{arch}}-${{os}}.tar");
    let mut wishes = wishes(&[("tool", &template, "=1.0.0")]);
    let wish = wishes.deps.get_mut(&dep("tool")).expect("dep");
    // The profile's words for ours, so that the names are the platforms'.
    wish.words = [("arm64", "aarch64"), ("aarch64", "aarch64"), ("x86_64", "x86_64")]
        .map(|(ours, theirs)| (ours.to_owned(), theirs.to_owned()))
        .into();

    let here = World::new();
    let lock = with_real(&here, false, async |context: &Context<'_>| {
        resolve(context, &wishes, None, &Mode::Keep).await
    })
    .expect("resolve");
    let rows = &lock.deps[&dep("tool")].platforms;
    assert_eq!(rows.len(), 2);
    assert!(rows.values().all(|row| row.pin().is_some()), "{rows:?}");
    assert_eq!(taken().iter().filter(|p| p.ends_with(".tar")).count(), 2);
    sync(&here, &lock, &wishes, true).expect("the host's artifact was kept");

    let there = World::new();
    let error = sync(&there, &lock, &wishes, true).expect_err("refused");
    assert!(matches!(error, Error::Offline { .. }), "{error}");
    sync(&there, &lock, &wishes, false).expect("sync");
    assert_eq!(taken(), ["/tool-1.0.0-x86_64-linux.tar"]);
    sync(&there, &lock, &wishes, true).expect("nothing to do");
    let pin = rows[&Platform::X86_64Linux].pin().expect("pin");
    let object = there.store.get(&pin.object).expect("get").expect("present");
    let program = pin.bin.values().next().expect("command").under(object.path());
    assert_eq!(fs::read(&program).expect("read"), elf(Platform::X86_64Linux, "over the wire"));
    assert!(taken().is_empty());
}

/// A face may run these on any thread.
#[test]
fn the_futures_may_move_between_threads() {
    fn is_send<T: Send>(_: T) {}
    let world = World::new();
    let wishes = wishes(&[]);
    world.run(async |context: &Context<'_>| {
        is_send(resolve(context, &wishes, None, &Mode::Keep));
        let lock = Lock::default();
        let plan = Plan { platform: Platform::X86_64Linux, steps: Vec::new(), tools: Vec::new() };
        is_send(execute(context, &lock, &wishes, &plan));
    });
}
