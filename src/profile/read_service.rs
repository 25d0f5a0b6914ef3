//! `[service.NAME]` entries.
//!
//! Owns their grammar. Whether the names in them exist is `check`'s business, since a parent may
//! define them.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::duration;
use super::error::Result;
use super::layer::{
    AfterLayer, AliveLayer, ReadyLayer, ReloadLayer, ServiceLayer, StopLayer, Words,
};
use super::model::When;
use super::model::{Alive, OnDependencyRestart, OnExit, Probe, Reload, Restart, ServiceKind, Stop};
use super::node::Node;
use super::read::{entry, variable_name, variables};
use super::read_confine::ConfineLayer;
use super::spot::Spanned;
use super::template::Template;
use crate::base::ServiceName;

const KEYS: &[&str] = &[
    "command",
    "env",
    "cwd",
    "ready",
    "after",
    "restart",
    "stop",
    "listen",
    "secrets",
    "required",
    "alive",
    "kind",
    "on-dependency-restart",
    "on-exit",
    "pre-start",
    "reload",
    "replicas",
    "schedule",
    "success-exit-codes",
    "sandbox",
    "limits",
    "user",
    "user-group",
    "umask",
    "nice",
    "logs",
    "group",
    "forward-signals",
    "env-file",
];
const SIGNALS: [&str; 7] =
    ["SIGTERM", "SIGINT", "SIGQUIT", "SIGHUP", "SIGUSR1", "SIGUSR2", "SIGKILL"];
/// Signals that a supervisor passes on.
const PASSED_ON: [&str; 3] = ["SIGUSR1", "SIGUSR2", "SIGWINCH"];
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
    out.on_dependency_restart = fields
        .take("on-dependency-restart")
        .map(|n| entry(&n, on_dependency_restart))
        .transpose()?;
    out.kind = fields.take("kind").map(|n| entry(&n, kind)).transpose()?;
    out.schedule = fields.take("schedule").map(|n| entry(&n, schedule)).transpose()?;
    out.replicas = fields.take("replicas").map(|n| entry(&n, replicas)).transpose()?;
    out.pre_start =
        fields.take("pre-start").map(|n| entry(&n, |n| Ok(command(n)?.value))).transpose()?;
    out.alive = fields.take("alive").map(|n| entry(&n, alive)).transpose()?;
    out.success_exit_codes =
        fields.take("success-exit-codes").map(|n| entry(&n, exit_codes)).transpose()?;
    out.on_exit = fields.take("on-exit").map(|n| entry(&n, on_exit)).transpose()?;
    out.reload = fields.take("reload").map(|n| entry(&n, reload)).transpose()?;
    out.restart = fields.take("restart").map(|n| entry(&n, restart)).transpose()?;
    out.stop = fields.take("stop").map(|n| entry(&n, stop)).transpose()?;
    out.listen = fields.take("listen").map(|n| entry(&n, listen)).transpose()?;
    out.secrets = fields.take("secrets").map(|n| entry(&n, secrets)).transpose()?;
    out.group = fields.take("group").map(|n| entry(&n, group)).transpose()?;
    out.forward_signals =
        fields.take("forward-signals").map(|n| entry(&n, forward_signals)).transpose()?;
    let file = |n: &Node<'_>| super::read::rel_path(n, "a file of the project");
    out.env_file = fields.take("env-file").map(|n| entry(&n, file)).transpose()?;
    if let Some(n) = fields.take("required") {
        let value = n.as_boolean().ok_or_else(|| n.wrong_type("true or false", None))?;
        out.required = Some(value);
    }
    out.confine = ConfineLayer::read(&mut fields)?;
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

const PROBES: [&str; 6] = ["http", "tcp", "exec", "log", "notify", "watchdog"];

fn ready(node: &Node<'_>) -> Result<ReadyLayer> {
    const HINT: &str = "write one of { http = \"http://…\" }, { tcp = \"127.0.0.1:PORT\" }, \
                        { exec = [\"COMMAND\", …] }, { log = \"text of a line\" } and \
                        { notify = true }";
    let mut fields = node.fields(
        "a table with `http`, `tcp`, `exec`, `log` or `notify`",
        &["http", "tcp", "exec", "log", "notify", "timeout"],
    )?;
    let timeout = match fields.take("timeout") {
        Some(n) => time(&n)?,
        None => READY_TIMEOUT,
    };
    let found: Vec<_> = PROBES.into_iter().filter_map(|k| Some((k, fields.take(k)?))).collect();
    let (kind, probe) = one_probe(node, &found, "http`, `tcp`, `exec`, `log` or `notify", HINT)?;
    let (value, words) = self::probe(kind, probe, HINT)?;
    Ok(ReadyLayer { probe: value, spot: probe.spot().clone(), words, timeout })
}

fn alive(node: &Node<'_>) -> Result<AliveLayer> {
    const HINT: &str = "write one of { http = \"http://…\" }, { tcp = \"127.0.0.1:PORT\" }, \
                        { exec = [\"COMMAND\", …] } and { watchdog = \"10s\" }";
    let mut fields = node.fields(
        "a table with `http`, `tcp`, `exec` or `watchdog`",
        &["http", "tcp", "exec", "watchdog", "interval", "timeout", "failures"],
    )?;
    let found: Vec<_> = PROBES.into_iter().filter_map(|k| Some((k, fields.take(k)?))).collect();
    let (kind, probe) = one_probe(node, &found, "http`, `tcp`, `exec` or `watchdog", HINT)?;
    let (value, words) = self::probe(kind, probe, HINT)?;
    let mut out = Alive {
        probe: value,
        interval: Duration::from_secs(10),
        timeout: Duration::from_secs(2),
        failures: 3,
    };
    for (key, field) in [("interval", &mut out.interval), ("timeout", &mut out.timeout)] {
        if let Some(n) = fields.take(key) {
            if kind == "watchdog" {
                return Err(n.bad("a watchdog has its time alone", None, "remove it"));
            }
            *field = time(&n)?;
        }
    }
    if let Some(n) = fields.take("failures") {
        if kind == "watchdog" {
            return Err(n.bad("a watchdog fails once", None, "remove it"));
        }
        out.failures = number(&n, 1, 1000)?;
    }
    Ok(AliveLayer { value: out, spot: probe.spot().clone(), words })
}

fn one_probe<'p, 'n>(
    node: &Node<'_>,
    found: &'p [(&'static str, Node<'n>)],
    keys: &'static str,
    hint: &str,
) -> Result<(&'static str, &'p Node<'n>)> {
    match found {
        [(kind, probe)] => Ok((*kind, probe)),
        [] => Err(node.missing(keys, hint)),
        [_, (_, second), ..] => {
            let hint = Some(hint.to_owned());
            Err(second.bad("a check looks at one thing", hint, "one too many"))
        }
    }
}

fn probe(kind: &str, probe: &Node<'_>, hint: &str) -> Result<(Probe, Words)> {
    let hint = || Some(hint.to_owned());
    let value = match kind {
        "http" => {
            let url = probe.template("a URL")?.value;
            // Looked at over plain HTTP: the probe goes to this machine.
            if !url.as_str().starts_with("http://") && !url.as_str().starts_with("${") {
                let label = "must start with http://";
                return Err(probe.bad("it is no `http://` URL", hint(), label));
            }
            Probe::Http(url)
        }
        "tcp" => {
            let address = probe.template("HOST:PORT")?.value;
            if !address.as_str().contains(':') && !address.as_str().contains("${env.") {
                return Err(probe.bad("it has no port", hint(), "must be HOST:PORT"));
            }
            Probe::Tcp(address)
        }
        "exec" => {
            let words = command(probe)?.value;
            return Ok((Probe::Exec(plain(&words)), words));
        }
        "notify" => match probe.as_boolean() {
            Some(true) => Probe::Notify,
            _ => return Err(probe.wrong_type("true", hint())),
        },
        "watchdog" => Probe::Watchdog(time(probe)?),
        _ => {
            let text = probe.text("the text of a line")?;
            if text.is_empty() {
                return Err(probe.bad("every line contains it", hint(), "empty"));
            }
            Probe::Log(text.to_owned())
        }
    };
    Ok((value, Vec::new()))
}

/// The words of a command without their places.
fn plain(words: &Words) -> Vec<Template> {
    words.iter().map(|w| w.value.clone()).collect()
}

fn number(node: &Node<'_>, least: u32, most: u32) -> Result<u32> {
    let found = node.as_integer().ok_or_else(|| node.wrong_type("a whole number", None))?;
    match u32::try_from(found) {
        Ok(n) if (least..=most).contains(&n) => Ok(n),
        _ => Err(node.bad(format!("it must be {least} to {most}"), None, "out of range")),
    }
}

pub(super) fn time(node: &Node<'_>) -> Result<Duration> {
    const EXPECTED: &str = "a duration such as \"10s\"";
    if let Some(number) = node.as_integer() {
        let hint = format!("write it in quotes and with a unit: \"{number}s\"");
        return Err(node.wrong_type(EXPECTED, Some(hint)));
    }
    duration::parse(node.text(EXPECTED)?).map_err(|e| node.bad(e, None, "not a duration"))
}

fn after(node: &Node<'_>) -> Result<AfterLayer> {
    let mut out = AfterLayer { names: Vec::new(), conditions: BTreeMap::new() };
    if node.is_table() {
        for (key, n) in node.entries("a table of services")? {
            let value = ServiceName::new(key).map_err(|e| n.bad_key(e))?;
            let when = match n.text("\"started\", \"ready\" or \"completed\"")? {
                "started" => When::Started,
                "ready" => When::Ready,
                "completed" => When::Completed,
                other => {
                    let known = ["started", "ready", "completed"];
                    return Err(n.unknown_word("condition", other, known));
                }
            };
            if when != When::Ready {
                out.conditions.insert(value.clone(), when);
            }
            out.names.push(Spanned { value, spot: n.key_spot().clone() });
        }
        return Ok(out);
    }
    for n in node.elements("an array of services, or a table of conditions")? {
        let value = ServiceName::new(n.text("the name of a service")?)
            .map_err(|e| n.bad(e, None, "not a service's name"))?;
        out.names.push(Spanned { value, spot: n.spot().clone() });
    }
    Ok(out)
}

fn on_dependency_restart(node: &Node<'_>) -> Result<OnDependencyRestart> {
    match node.text("\"keep\", \"reload\" or \"restart\"")? {
        "keep" => Ok(OnDependencyRestart::Keep),
        "reload" => Ok(OnDependencyRestart::Reload),
        "restart" => Ok(OnDependencyRestart::Restart),
        other => Err(node.unknown_word("rule", other, ["keep", "reload", "restart"])),
    }
}

fn kind(node: &Node<'_>) -> Result<ServiceKind> {
    match node.text("\"service\" or \"task\"")? {
        "service" => Ok(ServiceKind::Service),
        "task" => Ok(ServiceKind::Task),
        other => Err(node.unknown_word("kind", other, ["service", "task"])),
    }
}

fn on_exit(node: &Node<'_>) -> Result<OnExit> {
    match node.text("\"continue\" or \"end-stack\"")? {
        "continue" => Ok(OnExit::Continue),
        "end-stack" => Ok(OnExit::EndStack),
        other => Err(node.unknown_word("rule", other, ["continue", "end-stack"])),
    }
}

fn schedule(node: &Node<'_>) -> Result<String> {
    let text = node.text("a time as in crontab, e.g. \"*/5 * * * *\"")?;
    super::schedule::check(text).map_err(|why| {
        let hint = "write minute, hour, day of month, month and day of week, e.g. \"30 3 * * *\"";
        node.bad(why, Some(hint.to_owned()), "not a schedule")
    })?;
    Ok(text.to_owned())
}

fn replicas(node: &Node<'_>) -> Result<u32> {
    number(node, 1, 99)
}

fn exit_codes(node: &Node<'_>) -> Result<BTreeSet<i32>> {
    let code = |n: Node<'_>| Ok(i32::try_from(number(&n, 0, 255)?).unwrap_or(0));
    node.elements("an array of exit codes")?.into_iter().map(code).collect()
}

fn reload(node: &Node<'_>) -> Result<ReloadLayer> {
    const HINT: &str = "write one of { signal = \"SIGHUP\" } and { command = [\"COMMAND\", …] }";
    let mut fields = node.fields("a table with `signal` or `command`", &["signal", "command"])?;
    match (fields.take("signal"), fields.take("command")) {
        (Some(n), None) => {
            Ok(ReloadLayer { value: Reload::Signal(signal(&n)?), words: Vec::new() })
        }
        (None, Some(n)) => {
            let words = command(&n)?.value;
            Ok(ReloadLayer { value: Reload::Command(plain(&words)), words })
        }
        (None, None) => Err(node.missing("signal` or `command", HINT)),
        (Some(_), Some(n)) => {
            Err(n.bad("a service reloads in one way", Some(HINT.to_owned()), "one too many"))
        }
    }
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

/// One name, or several.
fn group(node: &Node<'_>) -> Result<BTreeSet<String>> {
    let name = |n: &Node<'_>| {
        let text = n.text("the name of a group")?;
        match ServiceName::new(text) {
            Ok(_) => Ok(text.to_owned()),
            Err(e) => Err(n.bad(e.why, None, "not a group's name")),
        }
    };
    match node.elements("the name of a group, or an array of them") {
        Ok(names) => names.iter().map(name).collect(),
        Err(_) => Ok(BTreeSet::from([name(node)?])),
    }
}

fn restart(node: &Node<'_>) -> Result<Restart> {
    match node.text("\"always\", \"on-failure\" or \"never\"")? {
        "always" => Ok(Restart::Always),
        "on-failure" => Ok(Restart::OnFailure),
        "never" => Ok(Restart::Never),
        other => Err(node.unknown_word("restart rule", other, ["always", "on-failure", "never"])),
    }
}

fn stop(node: &Node<'_>) -> Result<StopLayer> {
    let keys = &["signal", "grace", "command"];
    let mut fields = node.fields("a table with `signal`, `grace` and `command`", keys)?;
    let mut out = StopLayer { value: Stop::default(), words: Vec::new() };
    if let Some(n) = fields.take("signal") {
        out.value.signal = signal(&n)?;
    }
    if let Some(n) = fields.take("grace") {
        out.value.grace = time(&n)?;
    }
    if let Some(n) = fields.take("command") {
        out.words = command(&n)?.value;
        out.value.command = Some(plain(&out.words));
    }
    Ok(out)
}

fn signal(node: &Node<'_>) -> Result<String> {
    one_of(node, "a signal such as \"SIGINT\"", &SIGNALS)
}

fn forward_signals(node: &Node<'_>) -> Result<BTreeSet<String>> {
    let one = |n: Node<'_>| one_of(&n, "a signal such as \"SIGUSR1\"", &PASSED_ON);
    node.elements("an array of signals")?.into_iter().map(one).collect()
}

/// A signal's name with `SIG`, which may be left out.
fn one_of(node: &Node<'_>, expected: &'static str, known: &[&str]) -> Result<String> {
    let text = node.text(expected)?;
    let full = if text.starts_with("SIG") { text.to_owned() } else { format!("SIG{text}") };
    if known.contains(&full.as_str()) {
        return Ok(full);
    }
    Err(node.unknown_word("signal", &full, known.iter().copied()))
}
