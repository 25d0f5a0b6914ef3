//! What is different between two environments, in words and as data.
//!
//! Pure. Invariant: the list is empty exactly when the manifests are equal apart from their name.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{self, Display};

use serde::Serialize;

use super::manifest::{Dep, Manifest, Service};

/// One difference.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Change {
    /// Which part of the environment.
    pub part: Part,
    /// The name in that part; empty for `platform`, `data` and `run`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// What it is in the first environment; `None` when it is not in it.
    pub from: Option<String>,
    /// What it is in the second; `None` when it is not in it.
    pub to: Option<String>,
}

/// A part of an environment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Part {
    /// The platform.
    Platform,
    /// A dep: its version and object.
    Dep,
    /// A command: the dep that provides it.
    Command,
    /// A variable.
    Env,
    /// A port.
    Port,
    /// A file's presence in `etc/`; its bytes show in the environments' digests.
    File,
    /// The data directory.
    Data,
    /// What holds for the stack as a whole.
    Run,
    /// A service; what changed in it is in `from` and `to`, key by key.
    Service,
}

impl Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Platform => "platform",
            Self::Dep => "dep",
            Self::Command => "command",
            Self::Env => "env",
            Self::Port => "port",
            Self::File => "file",
            Self::Data => "data",
            Self::Run => "run",
            Self::Service => "service",
        })
    }
}

impl Display for Change {
    /// `+ dep bento 1.10 (…)`, `- port web`, `~ env URL: a → b`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { part, name, from, to } = self;
        let space = if name.is_empty() { "" } else { " " };
        match (from, to) {
            (None, Some(to)) => write!(f, "+ {part}{space}{name} {to}"),
            (Some(from), None) => write!(f, "- {part}{space}{name} {from}"),
            (Some(from), Some(to)) => write!(f, "~ {part}{space}{name}: {from} → {to}"),
            (None, None) => write!(f, "  {part}{space}{name}"),
        }
    }
}

/// Every difference from `a` to `b`, in the order of [`Part`], then by name.
pub fn diff(a: &Manifest, b: &Manifest) -> Vec<Change> {
    // Destructured, so that a new field cannot be forgotten here.
    let Manifest {
        version: _,
        name: _,
        platform,
        deps,
        commands,
        env,
        ports,
        files,
        data,
        stop_within_ms,
        services,
    } = a;
    let mut changes = Vec::new();
    let mut single = |part, from: String, to: String| {
        if from != to {
            changes.push(Change { part, name: String::new(), from: Some(from), to: Some(to) });
        }
    };
    single(Part::Platform, platform.to_string(), b.platform.to_string());
    single(Part::Data, data.clone(), b.data.clone());
    let within = |ms: Option<u64>| match ms {
        Some(ms) => format!("stop-within {ms} ms"),
        None => "stop-within unset".to_owned(),
    };
    single(Part::Run, within(*stop_within_ms), within(b.stop_within_ms));
    compare(&mut changes, Part::Dep, deps, &b.deps, shown_dep);
    compare(&mut changes, Part::Command, commands, &b.commands, ToString::to_string);
    compare(&mut changes, Part::Env, env, &b.env, |value| value.as_str().to_owned());
    compare(&mut changes, Part::Port, ports, &b.ports, |port| match port {
        Some(number) => number.to_string(),
        None => "auto".to_owned(),
    });
    let present = |files: &BTreeSet<_>| -> BTreeMap<_, _> {
        files.iter().map(|file: &crate::base::RelPath| (file.clone(), ())).collect()
    };
    compare(&mut changes, Part::File, &present(files), &present(&b.files), |()| "in etc/".into());
    let names: BTreeSet<_> = services.keys().chain(b.services.keys()).collect();
    for name in names {
        let (from, to) = match (services.get(name), b.services.get(name)) {
            (Some(from), Some(to)) if from == to => continue,
            (Some(from), Some(to)) => {
                let (from, to) = only_different(keys(from), keys(to));
                (Some(from), Some(to))
            }
            (from, to) => (from.map(command), to.map(command)),
        };
        changes.push(Change { part: Part::Service, name: name.to_string(), from, to });
    }
    changes.sort_by(|x, y| x.part.cmp(&y.part).then_with(|| x.name.cmp(&y.name)));
    changes
}

fn compare<K: Ord + Display, V: PartialEq>(
    changes: &mut Vec<Change>,
    part: Part,
    a: &BTreeMap<K, V>,
    b: &BTreeMap<K, V>,
    show: impl Fn(&V) -> String,
) {
    let names: BTreeSet<_> = a.keys().chain(b.keys()).collect();
    for name in names {
        let (from, to) = (a.get(name), b.get(name));
        if from != to {
            let (from, to) = (from.map(&show), to.map(&show));
            changes.push(Change { part, name: name.to_string(), from, to });
        }
    }
}

fn shown_dep(dep: &Dep) -> String {
    format!("{} ({})", dep.version, dep.object.digest())
}

fn command(service: &Service) -> String {
    let words: Vec<_> = service.command.iter().map(|word| word.as_str()).collect();
    words.join(" ")
}

/// A service's keys as `env.json` has them.
fn keys(service: &Service) -> BTreeMap<String, String> {
    match serde_json::to_value(service) {
        Ok(serde_json::Value::Object(map)) => {
            map.into_iter().map(|(key, value)| (key, value.to_string())).collect()
        }
        _ => BTreeMap::new(),
    }
}

/// The keys that differ, on each side.
fn only_different(a: BTreeMap<String, String>, b: BTreeMap<String, String>) -> (String, String) {
    let show = |these: &BTreeMap<String, String>, those: &BTreeMap<String, String>| {
        let different = these.iter().filter(|(key, value)| those.get(*key) != Some(value));
        let shown: Vec<_> = different.map(|(key, value)| format!("{key} {value}")).collect();
        if shown.is_empty() { "unset".to_owned() } else { shown.join(", ") }
    };
    (show(&a, &b), show(&b, &a))
}

#[cfg(test)]
mod tests {
    use super::super::testing;
    use super::*;

    #[test]
    fn names_every_difference_once() {
        let a = testing::resolved().manifest;
        assert_eq!(diff(&a, &a), []);
        let mut b = a.clone();
        b.name = "prod".parse().expect("name");
        assert_eq!(diff(&a, &b), [], "the name is what is compared, not a difference");
        b.data = "/data".to_owned();
        b.ports.insert("web".to_owned(), None);
        b.env.remove("CONF");
        b.files.clear();
        b.commands.retain(|command, _| command.as_str() != "tool");
        b.deps.retain(|dep, _| dep.as_str() != "tool");
        let service = b.services.get_mut("nats").expect("service");
        service.required = false;
        let words: Vec<_> = diff(&a, &b).iter().map(ToString::to_string).collect();
        let tool = a.deps["tool"].object.digest();
        assert_eq!(
            words,
            [
                &format!("- dep tool 1.0 ({tool})"),
                "- command tool tool",
                "- env CONF ${file.nats.conf}",
                "+ port web auto",
                "- file nats.conf in etc/",
                "~ data: .data → /data",
                "~ service nats: required true → required false",
            ]
        );
        let json = serde_json::to_string(&diff(&a, &b)[3]).expect("json");
        assert_eq!(json, r#"{"part":"port","name":"web","from":null,"to":"auto"}"#);
    }

    #[test]
    fn backwards_is_the_mirror_image() {
        let a = testing::resolved().manifest;
        let mut b = a.clone();
        b.services.clear();
        b.env.insert("NEW".to_owned(), "1".parse().expect("template"));
        let turned: Vec<_> = diff(&b, &a)
            .into_iter()
            .map(|change| Change { from: change.to, to: change.from, ..change })
            .collect();
        assert_eq!(diff(&a, &b), turned);
    }
}
