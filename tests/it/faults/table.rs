//! The matrix. Everything that is said stands in one snapshot for each source.

use std::fmt::Write as _;
use std::time::Duration;

use super::stage::{Kind, Stage};
use crate::upstream::Fault;

/// How a command ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Good,
    /// Exit code 1.
    User,
    /// Exit code 3.
    Integrity,
    /// 1 or 3, by what the source knows of the file; the snapshot says which.
    Bad,
}

/// A fault and what is expected of it.
struct Case {
    name: &'static str,
    fault: Fault,
    /// For how many requests; for all when `None`.
    times: Option<usize>,
    end: End,
    retries: u32,
}

fn always(name: &'static str, fault: Fault, end: End) -> Case {
    Case { name, fault, times: None, end, retries: 0 }
}

const LOGIN: &[u8] = b"<!DOCTYPE html><html><title>Sign in</title><form>Password</form></html>";

/// On documents.
fn of_documents(kind: Kind) -> Vec<Case> {
    let other = match kind {
        Kind::Npm => r#"{"name":"other","versions":{}}"#,
        Kind::Github => {
            r#"{"tag_name":"v9.9.9",
                "assets":[{"name":"o.zip","browser_download_url":"http://mirror.invalid/o"}]}"#
        }
        _ => r#"{"meta":{"api-version":"1.1"},"name":"other","files":[]}"#,
    };
    let loops = |at: &str| Fault::Redirect(at.to_owned());
    vec![
        always("truncated", Fault::Truncate(20), End::User),
        always("ended in the middle of chunks", Fault::Chunked(20), End::User),
        always("stalled", Fault::Stall(10), End::User),
        always("503 for ever", Fault::Status(503), End::User),
        always("503 with a long Retry-After", Fault::Later(503, "86400".to_owned()), End::User),
        always("429 with a long Retry-After", Fault::Later(429, "86400".to_owned()), End::User),
        always("forbidden", Fault::Status(403), End::User),
        always("dropped", Fault::Drop, End::User),
        always("redirect loop", loops("/loop"), End::User),
        always("malformed", Fault::Instead("application/json", b"{\"files\": [".into()), End::Bad),
        always("of another project", Fault::Instead("application/json", other.into()), End::Bad),
        always("a login page", Fault::Instead("text/html", LOGIN.into()), End::Bad),
        always("plain and called gzip", Fault::Labelled("gzip"), End::User),
        always("in an unknown encoding", Fault::Labelled("br"), End::User),
        always("in gzip", Fault::Gzip, End::Good),
        Case { times: Some(2), retries: 2, ..always("503 twice", Fault::Status(503), End::Good) },
    ]
}

/// On files.
fn of_files() -> Vec<Case> {
    let pause = Duration::from_millis(250);
    vec![
        always("truncated", Fault::Truncate(100), End::User),
        always("ended in the middle of chunks", Fault::Chunked(100), End::User),
        always("stalled", Fault::Stall(100), End::User),
        // Longer than may be waited for a byte, but there always comes one.
        always("slow but moving", Fault::Trickle(5, pause), End::Good),
        always("wrong bytes", Fault::Tamper(100), End::Integrity),
        always("another size", Fault::Instead("application/zip", vec![7; 5000]), End::Integrity),
        always("a login page", Fault::Instead("text/html", LOGIN.into()), End::Integrity),
        always("length too long", Fault::Announce(10), End::Bad),
        always("length too short", Fault::Announce(-10), End::Integrity),
        always("503 for ever", Fault::Status(503), End::User),
        always("429 with a long Retry-After", Fault::Later(429, "86400".to_owned()), End::User),
        always("dropped", Fault::Drop, End::User),
        always("gone", Fault::Status(404), End::User),
        always("redirect loop", Fault::Redirect("/loop".to_owned()), End::User),
        always("as it is and called gzip", Fault::Labelled("gzip"), End::Good),
        always("in gzip", Fault::Gzip, End::Integrity),
        Case { times: Some(2), retries: 2, ..always("503 twice", Fault::Status(503), End::Good) },
        Case {
            times: Some(1),
            retries: 1,
            ..always("429 and then good", Fault::Later(429, "1".to_owned()), End::Good)
        },
    ]
}

fn matrix(kind: Kind) {
    let stage = Stage::new(kind);
    let mut said = String::new();
    for command in ["lock", "sync"] {
        for (what, path, cases) in
            [("index", &stage.index, of_documents(kind)), ("file", &stage.file, of_files())]
        {
            let concerns = command == "lock" || what == "file" || stage.sync_asks;
            for case in cases {
                let name = format!("{command}, {what} {}", case.name);
                stage.reset(command);
                stage.world.upstream.fault_always("/loop", Fault::Redirect("/loop".to_owned()));
                match case.times {
                    None => stage.world.upstream.fault_always(path, case.fault.clone()),
                    Some(n) => stage.world.upstream.fault(path, case.fault.clone(), n),
                };
                let before = stage.world.listing();
                let outcome = stage.run(command, case.retries);
                let code = outcome.code.expect("an exit code");
                let end = if concerns { case.end } else { End::Good };
                let right = match end {
                    End::Good => code == 0,
                    End::User => code == 1,
                    End::Integrity => code == 3,
                    End::Bad => code == 1 || code == 3,
                };
                assert!(right, "{kind:?}: {name}: {code}, not {end:?}: {}", outcome.stderr);
                if end == End::Good {
                    continue;
                }
                assert_eq!(before, stage.world.listing(), "{kind:?}: {name} changed something");
                assert!(outcome.stderr.contains("\nhint: "), "{name}: {}", outcome.stderr);
                writeln!(said, "== {name}: {code}\n{}", outcome.stderr.trim_end()).expect("write");
                stage.world.upstream.heal();
                let again = stage.run(command, 0);
                assert_eq!(again.code, Some(0), "{kind:?}: {name}, repeated: {}", again.stderr);
            }
        }
    }
    snapshot(&format!("faults_{kind:?}").to_lowercase(), &stage.world, &said);
}

/// Compares what was said, accidents of this run replaced.
pub(super) fn snapshot(name: &str, world: &crate::world::World, said: &str) {
    let mut settings = insta::Settings::clone_current();
    settings.add_filter(r"until  \d{4}-[0-9: -]+ UTC", "until  [TIME]");
    settings.add_filter(r"sha(256|512)-[A-Za-z0-9+/]{40,}=*", "sha$1-[HASH]");
    settings.add_filter(r"127\.0\.0\.1:\d+", "[HOST]");
    settings.add_filter(r"\b(x86_64|aarch64|amd64|arm64)\b", "[ARCH]");
    settings.add_filter(r"2_17_(x86_64|aarch64)", "2_17_[ARCH]");
    settings.add_filter(r"_(amd64|arm64)\.", "_[ARCH].");
    settings
        .add_filter(r"has (at least )?\d+ bytes, expected \d+", "has $1[N] bytes, expected [N]");
    settings.add_filter(r"after \d+ of \d+ bytes", "after [N] of [N] bytes");
    settings.bind(|| world.compare(name, said));
}

#[test]
fn pypi() {
    matrix(Kind::Pypi);
}

#[test]
fn npm() {
    matrix(Kind::Npm);
}

#[test]
fn github() {
    matrix(Kind::Github);
}

#[test]
fn url() {
    matrix(Kind::Url);
}

#[cfg(feature = "deb")]
#[test]
fn deb() {
    matrix(Kind::Deb);
}
