//! The log path as a whole: pipes in, files and readers out.

use std::io::Write as _;

use super::*;

fn log(dir: &Path, limits: Limits) -> Arc<ServiceLog> {
    let name = ServiceName::new("s").unwrap();
    let news = Arc::new(Notify::new());
    Arc::new(ServiceLog::open(dir, &name, limits, Compressor::default(), news).unwrap())
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

#[test]
fn a_flood_loses_no_line_and_a_reader_that_sleeps_holds_nobody_up() {
    const LINES: usize = 200_000;
    let dir = tempfile::tempdir().unwrap();
    let limits = Limits {
        file_bytes: 4 << 20,
        keep: 100,
        compress: false,
        ring_bytes: 256 << 10,
        ..Limits::default()
    };
    let log = log(dir.path(), limits);
    let mut follower = Follower::new([log.clone()], log.news.clone());
    let (pump, outputs) = Pump::start(log.clone(), None).unwrap();
    let writer = std::thread::spawn(move || {
        let mut out = std::io::BufWriter::with_capacity(3000, outputs.out);
        let filler = "x".repeat(80);
        for n in 0..LINES {
            writeln!(out, "{n} {filler}").unwrap();
        }
        write!(out, "the end").unwrap();
    });
    writer.join().unwrap();
    runtime().block_on(pump.finish());

    let mut files = fs::read_dir_names(&dir.path().join("logs")).unwrap();
    assert!(files.len() > 2, "it rotated: {files:?}");
    files.sort_by_key(|f| {
        f.to_str().unwrap().strip_prefix("s.log.").map_or(u64::MAX, |n| n.parse().unwrap())
    });
    let mut pieces = 0;
    let mut text = String::new();
    for file in files {
        for line in fs::read_to_string(&dir.path().join("logs").join(file)).unwrap().lines() {
            let line = line::Line::parse(line.as_bytes()).unwrap();
            // On a busy machine the writer may pause within a line.
            if !line.continues && pieces > 0 {
                text.push('\n');
            }
            text.push_str(std::str::from_utf8(line.text).unwrap());
            pieces += 1;
        }
    }
    let mut lines = text.lines();
    for n in 0..LINES {
        assert_eq!(lines.next().unwrap().split(' ').next(), Some(n.to_string().as_str()));
    }
    assert_eq!((lines.next(), lines.next()), (Some("the end"), None));
    assert_eq!(log.counters().lines, pieces);

    // The reader never read: what the ring lost is counted, the rest is there.
    let mut seen = 0;
    loop {
        let events = follower.take();
        if events.is_empty() {
            break;
        }
        for event in events {
            match event {
                Event::Missed { count, .. } => seen += count,
                Event::Log { text, .. } => seen += text.lines().count() as u64,
                other => panic!("{other:?}"),
            }
        }
    }
    assert_eq!(seen, pieces);
}

#[test]
fn a_line_is_in_the_file_soon_and_watched_for() {
    let dir = tempfile::tempdir().unwrap();
    let log = log(dir.path(), Limits::default());
    let mut follower = Follower::new([log.clone()], log.news.clone());
    runtime().block_on(async {
        let (seen, watched) = tokio::sync::oneshot::channel();
        let watch = LineWatch { text: "listening on".into(), seen };
        let (pump, mut outputs) = Pump::start(log.clone(), Some(watch)).unwrap();
        outputs.err.write_all(b"out of date\nlisten").unwrap();
        let events = follower.next().await;
        assert!(
            matches!(&events[..], [Event::Log { text, .. }] if text.ends_with(" err out of date\n"))
        );
        outputs.err.write_all(b"ing on 1\n").unwrap();
        watched.await.unwrap();
        let text = fs::read_to_string(&path(dir.path(), &log.service)).unwrap();
        assert!(text.ends_with(" err listening on 1\n"), "{text}");
        drop(outputs);
        pump.finish().await;
    });
}

#[test]
fn a_pipe_that_stays_open_in_other_hands_does_not_hold_the_end_up() {
    let dir = tempfile::tempdir().unwrap();
    let log = log(dir.path(), Limits::default());
    let (pump, mut outputs) = Pump::start(log.clone(), None).unwrap();
    outputs.out.write_all(b"half a li").unwrap();
    let start = std::time::Instant::now();
    runtime().block_on(pump.finish());
    assert!(start.elapsed() >= pump::DRAIN && start.elapsed() < pump::DRAIN * 8);
    assert_eq!(log.last_words(9), ["half a li"]);
    drop(outputs);
}
