//! `[service.NAME]` entries.
//!
//! Owns their grammar. Whether the names in them exist is `check`'s business, since a parent may
//! define them.

use std::collections::BTreeSet;
use std::time::Duration;

use super::duration;
use super::error::Result;
use super::layer::{ReadyLayer, ServiceLayer};
use super::model::{Probe, Restart, Stop};
use super::node::Node;
use super::read::{entry, variable_name, variables};
use super::spot::Spanned;
use super::template::Template;
use crate::base::ServiceName;

const KEYS: &[&str] = &[
    "command", "env", "cwd", "ready", "after", "restart", "stop", "listen", "secrets", "required",
    "logs",
];
const SIGNALS: [&str; 7] =
    ["SIGTERM", "SIGINT", "SIGQUIT", "SIGHUP", "SIGUSR1", "SIGUSR2", "SIGKILL"];
const READY_TIMEOUT: Duration = Duration::from_secs(30);

/// What a file says of a service.
pub(super) fn service(node: &Node<'_>) -> Result<ServiceLayer> {
    let mut fields = node.fields("a table with `command`", KEYS)?;
    let mut out = ServiceLayer::default();
    if let Some(n) = fields.take("command") {
        out.command = Some(command(&n)?);
    }
    if let Some(n) = fields.take("env") {
        out.env = variables(&n)?;
    }
    let text = |n: &Node<'_>| n.template("a directory");
    out.cwd = fields.take("cwd").map(|n| entry(&n, text)).transpose()?;
    out.ready = fields.take("ready").map(|n| entry(&n, ready)).transpose()?;
    out.after = fields.take("after").map(|n| entry(&n, after)).transpose()?;
    out.restart = fields.take("restart").map(|n| entry(&n, restart)).transpose()?;
    out.stop = fields.take("stop").map(|n| entry(&n, stop)).transpose()?;
    out.listen = fields.take("listen").map(|n| entry(&n, listen)).transpose()?;
    out.secrets = fields.take("secrets").map(|n| entry(&n, secrets)).transpose()?;
    if let Some(n) = fields.take("required") {
        let value = n.as_boolean().ok_or_else(|| n.wrong_type("true or false", None))?;
        out.required = Some(value);
    }
    if let Some(n) = fields.take("logs") {
        out.logs = super::read_logs::logs(&n)?;
    }
    Ok(out)
}

fn command(node: &Node<'_>) -> Result<Spanned<Vec<Spanned<Template>>>> {
    let elements = node.elements("an array: the program and its arguments")?;
    let words: Vec<_> = elements.iter().map(|n| n.template("a string")).collect::<Result<_>>()?;
    let hint =
        || Some("write the program first, e.g. [\"nats-server\", \"--jetstream\"]".to_owned());
    match words.first() {
        None => Err(node.bad("it is empty", hint(), "no program")),
        Some(first) if first.value.as_str().is_empty() => {
            Err(elements[0].bad("the program's name is empty", hint(), "no program"))
        }
        Some(_) => Ok(Spanned { value: words, spot: node.spot().clone() }),
    }
}

fn ready(node: &Node<'_>) -> Result<ReadyLayer> {
    const HINT: &str = "write one of { http = \"http://…\" }, { tcp = \"127.0.0.1:PORT\" } and \
                        { log = \"text of a line\" }";
    let mut fields =
        node.fields("a table with `http`, `tcp` or `log`", &["http", "tcp", "log", "timeout"])?;
    let timeout = match fields.take("timeout") {
        Some(n) => time(&n)?,
        None => READY_TIMEOUT,
    };
    let found: Vec<_> =
        ["http", "tcp", "log"].into_iter().filter_map(|k| Some((k, fields.take(k)?))).collect();
    let (kind, probe) = match found.as_slice() {
        [(kind, probe)] => (*kind, probe),
        [] => return Err(node.missing("http`, `tcp` or `log", HINT)),
        [_, (_, second), ..] => {
            return Err(second.bad(
                "a service has one readiness check",
                Some(HINT.into()),
                "one too many",
            ));
        }
    };
    let value = if kind == "http" {
        let url = probe.template("a URL")?.value;
        // Looked at over plain HTTP: the probe goes to this machine.
        if !url.as_str().starts_with("http://") && !url.as_str().starts_with("${") {
            return Err(probe.bad(
                "it is no `http://` URL",
                Some(HINT.into()),
                "must start with http://",
            ));
        }
        Probe::Http(url)
    } else if kind == "tcp" {
        let address = probe.template("HOST:PORT")?.value;
        if !address.as_str().contains(':') && !address.as_str().contains("${env.") {
            return Err(probe.bad("it has no port", Some(HINT.into()), "must be HOST:PORT"));
        }
        Probe::Tcp(address)
    } else {
        let text = probe.text("the text of a line")?;
        if text.is_empty() {
            return Err(probe.bad("every line contains it", Some(HINT.into()), "empty"));
        }
        Probe::Log(text.to_owned())
    };
    Ok(ReadyLayer { probe: value, spot: probe.spot().clone(), timeout })
}

fn time(node: &Node<'_>) -> Result<Duration> {
    const EXPECTED: &str = "a duration such as \"10s\"";
    if let Some(number) = node.as_integer() {
        let hint = format!("write it in quotes and with a unit: \"{number}s\"");
        return Err(node.wrong_type(EXPECTED, Some(hint)));
    }
    duration::parse(node.text(EXPECTED)?).map_err(|e| node.bad(e, None, "not a duration"))
}

fn after(node: &Node<'_>) -> Result<Vec<Spanned<ServiceName>>> {
    let name = |n: Node<'_>| {
        let name = ServiceName::new(n.text("the name of a service")?)
            .map_err(|e| n.bad(e, None, "not a service's name"))?;
        Ok(Spanned { value: name, spot: n.spot().clone() })
    };
    node.elements("an array of services")?.into_iter().map(name).collect()
}

fn listen(node: &Node<'_>) -> Result<Vec<Spanned<String>>> {
    let name = |n: Node<'_>| {
        if let Some(number) = n.as_integer() {
            let hint = format!("name it: put `NAME = {number}` under [port], and NAME here");
            return Err(n.wrong_type("the name of a port", Some(hint)));
        }
        let name = n.text("the name of a port")?;
        Ok(Spanned { value: name.to_owned(), spot: n.spot().clone() })
    };
    node.elements("an array of ports' names")?.into_iter().map(name).collect()
}

fn secrets(node: &Node<'_>) -> Result<BTreeSet<String>> {
    let name = |n: Node<'_>| {
        variable_name(n.text("the name of a variable")?)
            .map_err(|e| n.bad(e, None, "not a variable"))
    };
    node.elements("an array of variables' names")?.into_iter().map(name).collect()
}

fn restart(node: &Node<'_>) -> Result<Restart> {
    match node.text("\"always\", \"on-failure\" or \"never\"")? {
        "always" => Ok(Restart::Always),
        "on-failure" => Ok(Restart::OnFailure),
        "never" => Ok(Restart::Never),
        other => Err(node.unknown_word("restart rule", other, ["always", "on-failure", "never"])),
    }
}

fn stop(node: &Node<'_>) -> Result<Stop> {
    let mut fields = node.fields("a table with `signal` and `grace`", &["signal", "grace"])?;
    let mut stop = Stop::default();
    if let Some(n) = fields.take("signal") {
        let text = n.text("a signal such as \"SIGINT\"")?;
        let full = if text.starts_with("SIG") { text.to_owned() } else { format!("SIG{text}") };
        if !SIGNALS.contains(&full.as_str()) {
            return Err(n.unknown_word("signal", &full, SIGNALS));
        }
        stop.signal = full;
    }
    if let Some(n) = fields.take("grace") {
        stop.grace = time(&n)?;
    }
    Ok(stop)
}
