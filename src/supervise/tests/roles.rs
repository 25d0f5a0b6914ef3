//! This test program in other roles: it executes itself, and a word among the arguments tells which
//! role it plays. Without the word a role passes at once.

use std::io::{Read as _, Write as _};
use std::path::PathBuf;

use super::*;
use crate::supervise::{detach::Notifier, guardian};

/// Our own program, playing a role.
pub(super) fn command(role: &str, words: &[&str]) -> Vec<OsString> {
    let program = std::env::current_exe().unwrap();
    let test = format!("supervise::tests::roles::{role}");
    let mut command = vec![program.into_os_string()];
    command.extend(os(&[
        "--exact",
        "--nocapture",
        "--test-threads=1",
        &test,
        &format!("role={role}"),
    ]));
    command.extend(os(words));
    command
}

/// The words after the role's own, if it is played.
fn played(role: &str) -> Option<Vec<String>> {
    let mark = format!("role={role}");
    let mut args = std::env::args().skip_while(|a| *a != mark);
    args.next()?;
    Some(args.collect())
}

pub(super) fn guardian_command() -> Vec<OsString> {
    command("guardian", &[])
}

#[test]
fn guardian() {
    if played("guardian").is_some() {
        assert_eq!(guardian::main(std::io::stdin()), 0);
    }
}

/// `listener PORT`: answers every connection like a healthy HTTP server.
#[test]
fn listener() {
    let Some(words) = played("listener") else { return };
    let port: u16 = words[0].parse().unwrap();
    let listener = std::net::TcpListener::bind(("127.0.0.1", port)).unwrap();
    println!("listening");
    for stream in listener.incoming() {
        let mut stream = stream.unwrap();
        let _ = stream.read(&mut [0; 1024]);
        let _ = stream.write_all(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n");
    }
}

/// `ending DATA`: a supervisor that ends when the second connection comes, without an answer.
#[test]
fn ending() {
    let Some(words) = played("ending") else { return };
    let path = PathBuf::from(&words[0]).join("run/control.sock");
    let listener = std::os::unix::net::UnixListener::bind(path).unwrap();
    let _ = (listener.accept().unwrap(), listener.accept().unwrap());
}

/// `supervisor DATA KIND`: supervises one of the stacks below, with signals, as `infra run` would.
#[test]
fn supervisor() {
    let Some(words) = played("supervisor") else { return };
    let data = PathBuf::from(&words[0]);
    let mut notifier = (words.get(2).is_some()).then(|| Notifier::from_stdin().unwrap());
    let (face, mut events) = mpsc::channel(1000);
    let options = Options {
        signals: true,
        face: Some(face),
        guardian: guardian_command(),
        ..Options::default()
    };
    let stack = stack(&data, vec![kind(&data, &words[1])]);
    let seer = std::thread::spawn(move || {
        while let Some(event) = events.blocking_recv() {
            if let Some(notifier) = &mut notifier {
                notifier.see(&event);
            }
        }
    });
    run_blocking(stack, options).unwrap();
    seer.join().unwrap();
}

pub(super) fn kind(data: &Path, kind: &str) -> ServiceSpec {
    let here = data.display();
    match kind {
        // A service with a child in its group, one in a session of its own, and an orphan.
        "family" => script(
            "family",
            &format!(
                "echo $$ > {here}/leader; \
                 sleep 1000 & echo $! > {here}/child; \
                 setsid sleep 1000 & echo $! > {here}/other; \
                 (setsid sh -c 'echo $$ > {here}/orphan; exec sleep 1000' &); \
                 wait"
            ),
        ),
        "stubborn" => {
            let mut spec = script(
                "stubborn",
                &format!("trap '' TERM; echo $$ > {here}/leader; while :; do sleep 1; done"),
            );
            spec.stop_grace = Duration::from_secs(1000);
            spec
        }
        "failing" => {
            let mut spec = script("failing", "echo the reason; exit 3")
                .ready(ProbeSpec::Log("no such line".into()));
            spec.restart = RestartRule::Never;
            spec
        }
        other => panic!("no stack {other}"),
    }
}

/// `notifier MESSAGE…`: sends each to its notify socket, then stays.
#[test]
fn notifier() {
    use std::os::linux::net::SocketAddrExt as _;
    use std::os::unix::net::{SocketAddr, UnixDatagram};
    let Some(words) = played("notifier") else { return };
    #[allow(clippy::disallowed_methods, reason = "a played service reads its own environment")]
    let address = std::env::var("NOTIFY_SOCKET").unwrap();
    let socket = UnixDatagram::unbound().unwrap();
    for word in words {
        match address.strip_prefix('@') {
            Some(name) => {
                let to = SocketAddr::from_abstract_name(name).unwrap();
                socket.send_to_addr(word.as_bytes(), &to).unwrap()
            }
            None => socket.send_to(word.as_bytes(), &address).unwrap(),
        };
    }
    loop {
        std::thread::park();
    }
}
