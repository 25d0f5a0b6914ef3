//! From a service's words to what it may do on this host.
//!
//! Owns the default: a service whose profile names no level gets `exec`, unless its program is a script
//! for an interpreter of this host, which no rule could tell from any other program of the host; then
//! it gets none, and that is said. Refuses a level that was asked for and cannot be made.
//! Invariant: what may be executed is the environment's objects, the loaders that their programs need,
//! and what the profile lists.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::environment::Environment;
use super::host::Host;
use super::{Context, Error, Result};
use crate::base::ServiceName;
use crate::env::manifest::Service;
use crate::env::{Values, program, replicas};
use crate::profile::confine::Level;
use crate::profile::template::Template;
use crate::sandbox::plan::{Plan, Spec, Start, loaders_in};
use crate::sandbox::script::Shebang;

/// A service, or a copy of one.
pub(super) struct Of<'a> {
    /// Its own name.
    pub(super) name: &'a ServiceName,
    /// As declared.
    pub(super) service: &'a Service,
    /// The file that is started.
    pub(super) program: &'a Path,
}

/// How a service is confined, and what else must be checked before it starts.
pub(super) fn spec(
    context: &Context,
    environment: &Environment,
    host: &Host,
    values: &Values,
    of: &Of<'_>,
    ports: &BTreeMap<String, u16>,
) -> Result<Spec> {
    let Of { name, service, program: found } = *of;
    let confine = &service.confine;
    let data = host.values.data();
    let mut spec = Spec::off(Vec::new());
    spec.limits = confine.limits;
    spec.umask = confine.umask;
    spec.nice = confine.nice;
    #[cfg(target_os = "linux")]
    {
        let (user, group) = (confine.user.as_deref(), confine.group.as_deref());
        spec.person = crate::sandbox::person::find(user, group)?;
    }
    let level = confine.level.unwrap_or(Level::Exec);
    if level == Level::Strict || spec.person.is_some() {
        spec.own = vec![data.join(name.as_str()), data.join("tmp").join(name.as_str())];
    }
    let mut make = Make { environment, host, values, name, plan: objects(context, environment) };
    let shebang = shebang(found);
    if level == Level::Off {
        spec.start = if shebang.is_some() { Start::ByPath } else { Start::Itself };
        return Ok(spec);
    }
    for allowed in &confine.allow.exec {
        let path = PathBuf::from(values.expand(allowed)?);
        spec.why.push(format!("the profile allows {}", path.display()));
        make.loader_of(&path);
        make.plan.execute.insert(path);
    }
    match shebang {
        None => make.loader_of(found),
        Some(line) => match make.interpreter(&line)? {
            Some((start, interpreter)) => {
                make.loader_of(&interpreter);
                spec.start = start;
            }
            None if confine.level.is_none() => {
                let path = line.interpreter.display();
                spec.why = vec![format!("it is a script for {path}, a file of this host")];
                spec.start = Start::ByPath;
                return Ok(spec);
            }
            None => {
                return Err(Error::ServiceValue {
                    service: name.to_string(),
                    what: "the interpreter of its script",
                    value: line.interpreter.display().to_string(),
                    why: format!(
                        "is not of the environment, and `sandbox = \"{level}\"` lets nothing else be \
                         executed; list it in `sandbox.allow.exec`"
                    ),
                }
                .into());
            }
        },
    }
    make.reach(&mut spec, level, service, ports)?;
    spec.plan = make.plan;
    spec.plan.level = level;
    Ok(spec)
}

/// A plan under way.
struct Make<'a> {
    environment: &'a Environment,
    host: &'a Host,
    values: &'a Values,
    name: &'a ServiceName,
    plan: Plan,
}

/// What every service of the environment may execute: its objects.
fn objects(context: &Context, environment: &Environment) -> Plan {
    let store = environment.object.path().parent().unwrap_or(Path::new("/")).to_owned();
    let mut plan = Plan::off();
    plan.execute = environment.objects().iter().map(|o| store.join(o.to_string())).collect();
    plan.loaders = plan.execute.iter().flat_map(|object| loaders_in(object)).collect();
    plan.store.clone_from(&context.settings().store.value);
    plan
}

fn shebang(program: &Path) -> Option<Shebang> {
    use std::io::Read as _;
    let mut head = Vec::with_capacity(256);
    crate::fs::open(program).ok()?.take(256).read_to_end(&mut head).ok()?;
    Shebang::read(&head)
}

impl Make<'_> {
    /// Lets the program loader that a file names be executed.
    fn loader_of(&mut self, path: &Path) {
        let Ok(file) = crate::fs::open(path) else { return };
        let named = crate::binary::inspect_file(file).and_then(|e| e.needs.interpreter);
        let real = named.and_then(|named| crate::fs::canonicalize(Path::new(&named)).ok());
        self.plan.loaders.extend(real);
    }

    /// How a script is started, and the interpreter's file; `None` when that is of the host.
    fn interpreter(&self, line: &Shebang) -> Result<Option<(Start, PathBuf)>> {
        let manifest = &self.environment.manifest;
        if let Some(command) = line.by_env().filter(|c| manifest.commands.contains_key(*c)) {
            let path = program::find(self.environment.object.path(), manifest, command)?;
            // A script in its turn: its own line is not followed.
            return Ok(shebang(&path)
                .is_none()
                .then(|| (Start::Interpreter(path.clone(), None), path)));
        }
        let Ok(real) = crate::fs::canonicalize(&line.interpreter) else { return Ok(None) };
        let store = crate::fs::canonicalize(&self.plan.store).unwrap_or_default();
        let inside = real.starts_with(store) && self.plan.may_execute(&real);
        let listed = self.plan.may_execute(&line.interpreter) || self.plan.may_execute(&real);
        Ok(match (inside, listed) {
            (true, _) => Some((Start::Interpreter(real.clone(), line.argument.clone()), real)),
            (false, true) => Some((Start::ByPath, real)),
            (false, false) => None,
        })
    }

    /// Files and ports.
    fn reach(
        &mut self,
        spec: &mut Spec,
        level: Level,
        service: &Service,
        ports: &BTreeMap<String, u16>,
    ) -> Result<()> {
        let allow = &service.confine.allow;
        let values = self.values;
        let paths = |list: &[Template]| -> Result<BTreeSet<PathBuf>> {
            list.iter().map(|t| Ok(PathBuf::from(values.expand(t)?))).collect()
        };
        self.plan.write = paths(&allow.write)?;
        for path in self.plan.write.iter().filter(|path| self.plan.store.starts_with(path)) {
            let path = path.display();
            spec.why.push(format!("the profile allows writing to {path}, which holds the store"));
        }
        if level != Level::Strict {
            return Ok(());
        }
        self.plan.read = paths(&allow.read)?;
        self.plan.write.extend(spec.own.iter().cloned());
        let own: BTreeSet<u16> = ports.values().copied().collect();
        let manifest = &self.environment.manifest;
        let all = self.host.values.ports();
        let before = service.after.iter().filter_map(|s| manifest.services.get_key_value(s));
        let copies = before.flat_map(|(name, s)| {
            replicas::names(name, s.replicas).into_iter().map(move |(number, _)| (number, s))
        });
        let needed: BTreeSet<u16> = copies
            .flat_map(|(number, s)| {
                let ports = replicas::ports_of(s, manifest, number, all);
                let listened = s.listen.iter().filter_map(|name| ports.get(name).copied());
                listened.collect::<Vec<u16>>()
            })
            .collect();
        self.plan.bind = own.union(&self.ports("allow.bind", &allow.bind)?).copied().collect();
        let listed = self.ports("allow.connect", &allow.connect)?;
        self.plan.connect = own.into_iter().chain(needed).chain(listed).collect();
        Ok(())
    }

    fn ports(&self, what: &'static str, list: &[Template]) -> Result<BTreeSet<u16>> {
        let number = |template: &Template| {
            let value = self.values.expand(template)?;
            value.parse::<u16>().map_err(|_| {
                let why = "is not a port".to_owned();
                Error::ServiceValue { service: self.name.to_string(), what, value, why }.into()
            })
        };
        list.iter().map(number).collect()
    }
}
