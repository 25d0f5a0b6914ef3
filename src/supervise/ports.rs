//! Whether a stack's ports are free, and who holds one that is not.
//!
//! Asks by binding, which is the only reliable check; names the holder from `/proc`. Refuses to
//! touch a holder. Invariant: a listener that this looks for a moment at is closed again before
//! anything of the stack starts.

use std::collections::{BTreeMap, BTreeSet};
use std::io::ErrorKind;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::Error;
use super::contain::RunMark;
use super::procfs;
use super::spec::ServiceSpec;
use crate::fs;

/// How often, and how far apart, a port is looked at before it counts as taken: another start that
/// looks at the same port has it for a moment, too.
const LOOKS: u32 = 10;
const BETWEEN: Duration = Duration::from_millis(10);

/// The process that listens on a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    /// Its pid.
    pub pid: u32,
    /// Its command line, shortened.
    pub command: String,
}

/// Who holds a port, in words; `None` when it is free.
pub fn taken_by(port: u16) -> Option<String> {
    is_taken(port).then(|| match holder(port) {
        Some(Holder { pid, command }) => format!("pid {pid} (`{command}`)"),
        None => "a process that cannot be seen from here".to_owned(),
    })
}

/// Checks every port of every service; the first that is taken is the error.
pub(super) fn check<'a>(services: impl IntoIterator<Item = &'a ServiceSpec>) -> Result<(), Error> {
    for service in services {
        for (name, &port) in &service.ports {
            if port != 0 && stays_taken(port) {
                return Err(Error::PortTaken {
                    service: service.name.clone(),
                    name: name.clone(),
                    port,
                    holder: holder(port),
                });
            }
        }
    }
    Ok(())
}

/// Who else has a port that a service of this run needs, in words; `None` when all are free or a
/// service of the same run has them. Blocking.
pub(super) fn foreign(ports: &BTreeMap<String, u16>, mark: &RunMark) -> Option<String> {
    ports.iter().find_map(|(name, &port)| {
        if port == 0 || !stays_taken(port) {
            return None;
        }
        let who = match holder(port) {
            Some(holder) if mark.is_on_pid(holder.pid) => return None,
            Some(Holder { pid, command }) => format!("pid {pid} (`{command}`)"),
            None => "a process that cannot be seen from here".to_owned(),
        };
        Some(format!("port {port} (`{name}`) is taken by {who}"))
    })
}

/// Whether one of the ports is taken; cheaper than naming who has it.
pub(super) fn any_taken(ports: &BTreeMap<String, u16>) -> bool {
    ports.values().any(|port| *port != 0 && is_taken(*port))
}

/// Whether someone listens on the port, on loopback or on every address. `TcpListener` sets
/// `SO_REUSEADDR`, so connections that linger from an earlier run do not count.
fn is_taken(port: u16) -> bool {
    let addresses = [
        SocketAddr::from((Ipv4Addr::LOCALHOST, port)),
        SocketAddr::from((Ipv4Addr::UNSPECIFIED, port)),
        SocketAddr::from((Ipv6Addr::UNSPECIFIED, port)),
    ];
    // Other failures (no IPv6, a privileged port) are for the service to meet and to explain.
    addresses.iter().any(|a| TcpListener::bind(a).is_err_and(|e| e.kind() == ErrorKind::AddrInUse))
}

/// Whether a port is taken, and not only by somebody who looked at it.
fn stays_taken(port: u16) -> bool {
    (0..LOOKS).all(|look| {
        if look > 0 {
            std::thread::sleep(BETWEEN);
        }
        is_taken(port)
    })
}

/// Socket inodes that listen on a port (`proc_pid_net(5)`).
fn listeners(port: u16) -> BTreeSet<u64> {
    let mut inodes = BTreeSet::new();
    for table in ["/proc/net/tcp", "/proc/net/tcp6"] {
        let text = fs::read_to_string(Path::new(table)).unwrap_or_default();
        inodes.extend(text.lines().skip(1).filter_map(|line| listening_inode(line, port)));
    }
    inodes
}

fn listening_inode(line: &str, port: u16) -> Option<u64> {
    const LISTEN: &str = "0A";
    let fields: Vec<&str> = line.split_ascii_whitespace().collect();
    let local = fields.get(1)?.rsplit_once(':')?.1;
    let matches = u16::from_str_radix(local, 16) == Ok(port) && *fields.get(3)? == LISTEN;
    matches.then(|| fields.get(9)?.parse().ok()).flatten()
}

/// Whether a process holds one of the sockets; `None` when its descriptors may not be read.
fn holds(pid: u32, inodes: &BTreeSet<u64>) -> Option<bool> {
    let dir = PathBuf::from(format!("/proc/{pid}/fd"));
    let names = fs::read_dir_names(&dir).ok()?;
    Some(names.iter().any(|name| {
        let Ok(link) = fs::read_link(&dir.join(name)) else { return false };
        let inode = link.to_str().and_then(|l| l.strip_prefix("socket:[")?.strip_suffix(']'));
        inode.and_then(|i| i.parse().ok()).is_some_and(|i: u64| inodes.contains(&i))
    }))
}

/// Who listens on a port; `None` when that cannot be seen (another user's process).
pub(super) fn holder(port: u16) -> Option<Holder> {
    let inodes = listeners(port);
    if inodes.is_empty() {
        return None;
    }
    let holder = procfs::all().into_iter().find(|p| holds(p.pid, &inodes) == Some(true))?;
    Some(Holder { pid: holder.pid, command: procfs::command_line(holder.pid).unwrap_or_default() })
}

/// Who else listens on a port that a service of this session answered on. `None` when it is the
/// service itself, or when it cannot be seen.
pub(super) fn stranger(port: u16, session: u32) -> Option<Holder> {
    let inodes = listeners(port);
    if inodes.is_empty() || holds(session, &inodes) != Some(false) {
        return None;
    }
    let all = procfs::all();
    let members = procfs::members(&all, Some(session), &[session]);
    if members.iter().any(|p| holds(p.pid, &inodes) != Some(false)) {
        return None;
    }
    let holder = all.iter().find(|p| holds(p.pid, &inodes) == Some(true))?;
    Some(Holder { pid: holder.pid, command: procfs::command_line(holder.pid).unwrap_or_default() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sees_listeners_on_any_of_the_addresses() {
        for address in ["127.0.0.1:0", "0.0.0.0:0", "[::1]:0", "[::]:0"] {
            let Ok(listener) = TcpListener::bind(address) else { continue };
            let port = listener.local_addr().unwrap().port();
            assert!(is_taken(port), "{address}");
            if cfg!(target_os = "linux") {
                assert_eq!(holder(port).unwrap().pid, std::process::id());
                let us = procfs::process(std::process::id()).unwrap();
                assert_eq!(stranger(port, us.session), None);
            }
            drop(listener);
            // A child that another test forks holds a copy until it executes its program.
            let gone = (0..500).any(|_| {
                std::thread::sleep(std::time::Duration::from_millis(2));
                holder(port).is_none()
            });
            assert!(gone, "{address}: {:?}", holder(port));
        }
    }

    #[test]
    fn a_look_of_somebody_else_does_not_count() {
        let look = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = look.local_addr().unwrap().port();
        std::thread::scope(|scope| {
            let asked = scope.spawn(|| stays_taken(port));
            // It has been seen at least once when this is gone, or never.
            std::thread::sleep(BETWEEN);
            drop(look);
            assert!(!asked.join().unwrap());
        });
        let _stays = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).unwrap();
        assert!(stays_taken(port));
    }

    #[test]
    fn reads_the_kernels_table() {
        let line = "   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000  \
                    1000        0 4242 1 0000000000000000 100 0 0 10 0";
        assert_eq!(listening_inode(line, 8080), Some(4242));
        assert_eq!(listening_inode(line, 8081), None);
        assert_eq!(listening_inode(&line.replace(" 0A ", " 01 "), 8080), None);
        assert_eq!(listening_inode("", 8080), None);
    }
}
