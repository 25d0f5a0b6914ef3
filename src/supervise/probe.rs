//! Seeing whether a service is ready.
//!
//! Looks often while the service is young and seldom later: each wait is an eighth of the time
//! spent so far, from 2 to 250 ms, so that a check costs at most that share of a start. Refuses
//! answers that are not the service's own: its process must be alive, and where the kernel shows
//! it, the listening socket must belong to its session. Never gives up: the time limit is the
//! machine's.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep, timeout};

use super::helper::{Helper, Surroundings};
use super::ports::{self, Holder};
use super::reap::Child;
use super::spec::{AliveSpec, ProbeSpec};

/// The shortest and longest wait between two looks.
const WAIT: (Duration, Duration) = (Duration::from_millis(2), Duration::from_millis(250));

/// The shortest wait between two looks that each take a process.
const WAIT_EXEC: Duration = Duration::from_millis(5);

/// How long one look may take before it counts as failed.
const LOOK: Duration = Duration::from_secs(2);

/// Ends when the service is ready. `failed` is told each new reason why it is not. `line` comes
/// from the log for [`ProbeSpec::Log`].
pub(super) async fn until_ready(
    probe: ProbeSpec,
    child: Arc<Child>,
    around: Arc<Surroundings>,
    line: Option<oneshot::Receiver<()>>,
    failed: impl Fn(String),
) {
    if matches!(probe, ProbeSpec::Notify) {
        failed("it did not say READY=1 on its notify socket".to_owned());
        // The machine hears it.
        std::future::pending::<()>().await;
    }
    if let ProbeSpec::Log(text) = &probe {
        failed(format!("no line of its output contained `{text}`"));
        if let Some(line) = line
            && line.await.is_ok()
        {
            return;
        }
        // The output is closed: the line will not come.
        std::future::pending::<()>().await;
    }
    let start = Instant::now();
    let mut last = String::new();
    let shortest = if matches!(probe, ProbeSpec::Exec(_)) { WAIT_EXEC } else { WAIT.0 };
    loop {
        sleep((start.elapsed() / 8).clamp(shortest, WAIT.1)).await;
        match look(&probe, &child, &around, LOOK).await {
            Ok(()) => return,
            Err(why) if why != last => {
                failed(why.clone());
                last = why;
            }
            Err(_) => {}
        }
    }
}

/// Looks again and again while the service runs; `tell` gets what each look found.
pub(super) async fn keep_looking(
    probe: ProbeSpec,
    alive: AliveSpec,
    child: Arc<Child>,
    around: Arc<Surroundings>,
    tell: impl Fn(Result<(), String>),
) {
    loop {
        sleep(alive.interval).await;
        let look = look(&probe, &child, &around, alive.timeout);
        // The HTTP client and helpers have the limit, too; this one is for all of a look.
        let seen = timeout(alive.timeout + Duration::from_millis(100), look).await;
        tell(seen.unwrap_or_else(|_| Err("no answer in time".to_owned())));
    }
}

/// The word in metrics.
fn kind(probe: &ProbeSpec) -> &'static str {
    match probe {
        ProbeSpec::Exec(_) => "exec",
        ProbeSpec::Tcp(_) => "tcp",
        ProbeSpec::Http(_) => "http",
        ProbeSpec::Log(_) => "log",
        ProbeSpec::Notify => "notify",
    }
}

/// One look, counted.
async fn look(
    probe: &ProbeSpec,
    child: &Arc<Child>,
    around: &Arc<Surroundings>,
    limit: Duration,
) -> Result<(), String> {
    let start = Instant::now();
    let seen = see(probe, child, around, limit).await;
    around.probes.add(kind(probe), start.elapsed(), seen.is_ok());
    seen
}

async fn see(
    probe: &ProbeSpec,
    child: &Arc<Child>,
    around: &Arc<Surroundings>,
    limit: Duration,
) -> Result<(), String> {
    let port = match probe {
        ProbeSpec::Exec(command) => {
            Helper::new(command.clone(), around.clone()).run(limit).await?;
            None
        }
        ProbeSpec::Tcp(address) => tcp(*address, limit).await?,
        ProbeSpec::Http(url) => {
            let status = crate::http::probe(url, limit)
                .await
                .map_err(|e| format!("GET {url}: {}", plain(&e)))?;
            if !(200..400).contains(&status) {
                return Err(format!("GET {url}: status {status}"));
            }
            local_port(url)
        }
        ProbeSpec::Log(_) | ProbeSpec::Notify => None,
    };
    if child.peek().is_some() {
        return Err("its process ended while another one answered".to_owned());
    }
    if let Some(port) = port {
        let session = child.pid();
        let stranger = tokio::task::spawn_blocking(move || ports::stranger(port, session));
        if let Ok(Some(Holder { pid, command })) = stranger.await {
            return Err(format!("port {port} is answered by pid {pid} (`{command}`) instead"));
        }
    }
    Ok(())
}

/// Gives the port when it is one of this machine.
async fn tcp(address: SocketAddr, limit: Duration) -> Result<Option<u16>, String> {
    match timeout(limit, TcpStream::connect(address)).await {
        Ok(Ok(stream)) => {
            // A connection to a port in the ephemeral range can meet itself.
            if stream.local_addr().ok() == stream.peer_addr().ok() {
                return Err(format!("connect to {address}: connection refused"));
            }
            Ok(address.ip().is_loopback().then_some(address.port()))
        }
        Ok(Err(e)) => Err(format!("connect to {address}: {}", plain(&e))),
        Err(_) => Err(format!("connect to {address}: no answer in {} ms", limit.as_millis())),
    }
}

fn local_port(url: &url::Url) -> Option<u16> {
    let local = match url.host()? {
        url::Host::Ipv4(ip) => ip.is_loopback(),
        url::Host::Ipv6(ip) => ip.is_loopback(),
        url::Host::Domain(name) => name == "localhost",
    };
    local.then(|| url.port_or_known_default()).flatten()
}

/// Without the `(os error N)` that people cannot use.
fn plain(error: &std::io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or_default().to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_own_machine_has_ports_to_check() {
        let port = |u: &str| local_port(&url::Url::parse(u).unwrap());
        assert_eq!(port("http://127.0.0.1:8222/healthz"), Some(8222));
        assert_eq!(port("http://localhost/"), Some(80));
        assert_eq!(port("http://[::1]:1/"), Some(1));
        assert_eq!(port("http://mirror.invalid:8222/"), None);
    }
}
