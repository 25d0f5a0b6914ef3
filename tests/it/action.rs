//! The composite action of `.github/actions/infra`, run: its own shell blocks, in a job of ours.
//!
//! Owns a small runner: expressions as far as the action has them, `GITHUB_ENV` and `GITHUB_OUTPUT`,
//! and a stand-in for the two steps of `actions/cache`, which are somebody else's (tar by key, as
//! they do). Refuses a step, an expression or an action that it does not know, so that a change of the
//! file is a change here.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use saphyr::{LoadableYamlNode as _, Yaml};

use crate::support::{Outcome, finish};
use crate::world::World;

const ACTION: &str = include_str!("../../.github/actions/infra/action.yml");

/// A job on a machine with `infra` on its path.
struct Job<'w> {
    world: &'w World,
    /// What later steps and jobs see of it.
    caches: PathBuf,
    inputs: BTreeMap<String, String>,
    /// By `steps.ID.outputs.NAME`.
    outputs: BTreeMap<String, String>,
    env: BTreeMap<String, String>,
    /// Names of what ran, in order.
    ran: Vec<String>,
}

impl<'w> Job<'w> {
    /// Runs the action to its end.
    fn run(world: &'w World, inputs: &[(&str, &str)]) -> Result<Self, Outcome> {
        let documents = Yaml::load_from_str(ACTION).expect("YAML");
        let action = &documents[0];
        let get = |node: &'_ Yaml<'_>, key: &str| -> Option<String> {
            node.as_mapping_get(key).and_then(Yaml::as_str).map(str::to_owned)
        };
        let mut job = Job {
            world,
            caches: world.env.root().join("action-caches"),
            inputs: BTreeMap::new(),
            outputs: BTreeMap::new(),
            env: BTreeMap::new(),
            ran: Vec::new(),
        };
        let declared = action.as_mapping_get("inputs").and_then(Yaml::as_mapping).expect("inputs");
        for (name, input) in declared {
            let name = name.as_str().expect("a name").to_owned();
            job.inputs.insert(name, get(input, "default").unwrap_or_default());
        }
        for (name, value) in inputs {
            let known = job.inputs.insert((*name).to_owned(), (*value).to_owned());
            assert!(known.is_some(), "the action has no input `{name}`");
        }
        let runs = action.as_mapping_get("runs").expect("runs");
        assert_eq!(get(runs, "using").as_deref(), Some("composite"));
        for step in runs.as_mapping_get("steps").and_then(Yaml::as_sequence).expect("steps") {
            for (key, _) in step.as_mapping().expect("a step") {
                let key = key.as_str().expect("a key");
                let known =
                    ["id", "if", "shell", "working-directory", "env", "run", "uses", "with"];
                assert!(known.contains(&key), "a step has `{key}`, which is not known here");
            }
            if get(step, "if").is_some_and(|condition| !job.holds(&condition)) {
                continue;
            }
            let id = get(step, "id");
            match (get(step, "run"), get(step, "uses")) {
                (Some(script), None) => {
                    assert_eq!(
                        get(step, "shell").as_deref(),
                        Some("bash"),
                        "composite steps say it"
                    );
                    let place = get(step, "working-directory").unwrap_or_else(|| ".".to_owned());
                    let mut own = BTreeMap::new();
                    let env = step.as_mapping_get("env").and_then(Yaml::as_mapping);
                    for (name, value) in env.into_iter().flatten() {
                        let name = name.as_str().expect("a name").to_owned();
                        own.insert(name, job.expand(value.as_str().expect("text")));
                    }
                    assert!(!script.contains("${{"), "an expression in a script is an injection");
                    job.shell(id.as_deref(), &script, &job.expand(&place), &own)?;
                }
                (None, Some(action)) => {
                    let with = step.as_mapping_get("with").expect("with");
                    let word = |key| job.expand(&get(with, key).expect("given"));
                    let (paths, key) = (word("path"), word("key"));
                    job.cache(&action, id.as_deref(), &paths, &key);
                }
                _ => panic!("a step runs something or uses something"),
            }
        }
        let declared =
            action.as_mapping_get("outputs").and_then(Yaml::as_mapping).expect("outputs");
        for (name, output) in declared {
            let value = job.expand(&get(output, "value").expect("a value"));
            job.outputs.insert(name.as_str().expect("a name").to_owned(), value);
        }
        Ok(job)
    }

    fn value(&self, name: &str) -> String {
        let found = match name.strip_prefix("inputs.") {
            Some(input) => self.inputs.get(input).unwrap_or_else(|| panic!("no input `{input}`")),
            // What a step never said is empty.
            None if name.starts_with("steps.") => match self.outputs.get(name) {
                Some(found) => found,
                None => return String::new(),
            },
            None => panic!("`{name}` is not known here"),
        };
        found.clone()
    }

    fn expand(&self, text: &str) -> String {
        let mut parts = text.split("${{");
        let mut out = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            let (name, rest) = part.split_once("}}").expect("an expression ends");
            out += &self.value(name.trim());
            out += rest;
        }
        out
    }

    fn holds(&self, condition: &str) -> bool {
        condition.split("&&").all(|term| {
            let (name, operator, wanted) = match (term.split_once("=="), term.split_once("!=")) {
                (Some((name, wanted)), None) => (name, true, wanted),
                (None, Some((name, wanted))) => (name, false, wanted),
                _ => panic!("`{term}` is not understood here"),
            };
            (self.value(name.trim()) == wanted.trim().trim_matches('\'')) == operator
        })
    }

    /// As the runner starts `shell: bash`.
    fn shell(
        &mut self,
        id: Option<&str>,
        script: &str,
        place: &str,
        own: &BTreeMap<String, String>,
    ) -> Result<(), Outcome> {
        let files = tempfile::tempdir().expect("directory");
        let [text, env, output] = ["script.sh", "env", "output"].map(|f| files.path().join(f));
        std::fs::write(&text, script).expect("write");
        std::fs::write(&env, "").and_then(|()| std::fs::write(&output, "")).expect("write");
        let program = Path::new(env!("CARGO_BIN_EXE_infra")).parent().expect("directory");
        // What the tests' commands get, for a shell.
        let like = self.world.env.command(["version"]);
        let mut bash = Command::new("bash");
        bash.args(["--noprofile", "--norc", "-e", "-o", "pipefail"]).arg(&text).env_clear();
        for (name, value) in like.get_envs() {
            if let Some(value) = value.filter(|_| name != "INFRA_STORE") {
                bash.env(name, value);
            }
        }
        bash.env("PATH", format!("{}:/usr/bin:/bin", program.display()))
            .env("GITHUB_ENV", &env)
            .env("GITHUB_OUTPUT", &output)
            .envs(&self.env)
            .envs(own)
            .current_dir(self.world.env.project().join(place))
            .stdin(std::process::Stdio::null())
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped());
        let outcome = finish(bash.spawn().expect("bash"));
        self.ran.push(script.lines().last().unwrap_or_default().trim().to_owned());
        if outcome.code != Some(0) {
            return Err(outcome);
        }
        self.env.extend(pairs(&env));
        let id = id.unwrap_or_default();
        let said = pairs(&output).into_iter();
        self.outputs
            .extend(said.map(|(name, value)| (format!("steps.{id}.outputs.{name}"), value)));
        Ok(())
    }

    /// What `actions/cache` does, with a directory as the service.
    fn cache(&mut self, action: &str, id: Option<&str>, paths: &str, key: &str) {
        assert!(!key.contains(['/', ' ', ',']), "`{key}` is a key");
        let archive = self.caches.join(key);
        let paths: Vec<_> = paths.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
        assert!(paths.iter().all(|path| path.starts_with('/')), "{paths:?}");
        let mut tar = Command::new("tar");
        match action {
            "actions/cache/restore@v4" => {
                let hit = archive.exists();
                if hit {
                    tar.args(["-P", "-x", "-f"]).arg(&archive);
                    assert!(tar.status().expect("tar").success());
                }
                let name = format!("steps.{}.outputs.cache-hit", id.expect("it is asked for"));
                self.outputs.insert(name, if hit { "true" } else { "" }.to_owned());
                self.ran.push(if hit { "restored" } else { "missed" }.to_owned());
            }
            "actions/cache/save@v4" => {
                std::fs::create_dir_all(&self.caches).expect("create");
                tar.args(["-P", "-c", "-f"]).arg(&archive).args(&paths);
                assert!(tar.status().expect("tar").success(), "every path is there");
                self.ran.push("saved".to_owned());
            }
            other => panic!("`{other}` is not known here"),
        }
    }

    fn said(&self, name: &str) -> &str {
        &self.outputs[name]
    }
}

/// The `NAME=VALUE` lines of a file.
fn pairs(file: &Path) -> Vec<(String, String)> {
    let text = std::fs::read_to_string(file).expect("read");
    let pair = |line: &str| {
        let (name, value) = line.split_once('=').unwrap_or_else(|| panic!("`{line}` is no pair"));
        (name.to_owned(), value.to_owned())
    };
    text.lines().map(pair).collect()
}

fn action<'w>(world: &'w World, inputs: &[(&str, &str)]) -> Job<'w> {
    Job::run(world, inputs).unwrap_or_else(|failed| panic!("{}", failed.stderr))
}

/// As on a new machine: no store and no environments, but the same caches.
fn elsewhere(world: &World) -> PathBuf {
    let store = world.env.home().join(".local/share/infra");
    crate::cache::forget(world);
    let _ = Command::new("chmod").arg("-R").arg("u+w").arg(&store).status();
    let _ = std::fs::remove_dir_all(&store);
    store
}

#[test]
fn saves_what_it_synced_and_restores_it_elsewhere() {
    let world = World::new();
    world.env.ok(["dep", "lock", "-q"]);
    let store = elsewhere(&world);
    let first = action(&world, &[("environment", "test")]);
    assert_eq!(
        (first.ran[1].as_str(), first.ran.last().map(String::as_str)),
        ("missed", Some("saved"))
    );
    assert_eq!(
        (first.said("hit"), first.said("key")),
        ("", world.env.ok(["dep", "key"]).stdout.trim())
    );
    assert!(world.env.project().join(".infra/env/test").exists(), "it is built");
    assert_eq!(first.env["INFRA_STORE"], store.display().to_string(), "later steps use the store");

    elsewhere(&world);
    let second = action(&world, &[("environment", "test")]);
    assert_eq!(second.said("hit"), "true");
    let names: Vec<_> = second.ran.iter().map(String::as_str).collect();
    assert_eq!(names[1..3], ["restored", "infra store verify || infra store repair"], "{names:?}");
    assert_eq!(names.len(), 4, "nothing is saved again: {names:?}");
    assert!(world.env.project().join(".infra/env/test").exists(), "it is built");
    assert_eq!(world.upstream.requests(), [], "everything came from the cache");
}

#[test]
fn a_damaged_cache_is_repaired() {
    let world = World::new();
    world.env.ok(["dep", "lock", "-q"]);
    let store = elsewhere(&world);
    let first = action(&world, &[]);
    let objects = std::fs::read_dir(store.join("store")).expect("objects");
    let object = objects.map(|e| e.expect("entry").path());
    let object = object.into_iter().find(|p| p.to_string_lossy().contains("alpha")).expect("alpha");
    let _ = Command::new("chmod").arg("-R").arg("u+w").arg(&object).status();
    let script = "find \"$1\" -type f -exec sh -c 'echo changed >\"$1\"' - {} \\;";
    let changed = Command::new("sh").args(["-c", script, "-"]).arg(&object).status();
    assert!(changed.expect("sh").success());
    // Saved as it is now, under the same key.
    let key = format!("infra-{}", first.said("key"));
    std::fs::remove_file(first.caches.join(&key)).expect("remove");
    let paths = ["version", "store", "meta"].map(|part| store.join(part).display().to_string());
    let mut again = first;
    again.cache("actions/cache/save@v4", None, &paths.join("\n"), &key);

    elsewhere(&world);
    let unchecked = action(&world, &[("check", "false")]);
    assert!(!unchecked.ran.iter().any(|line| line.contains("verify")), "{:?}", unchecked.ran);
    elsewhere(&world);
    action(&world, &[]);
    let mut verify = world.env.command(["store", "verify"]);
    let verified = finish(verify.env("INFRA_STORE", &store).spawn().expect("start"));
    assert_eq!(verified.code, Some(0), "{}", verified.stderr);
}

#[test]
fn other_caches_and_a_directory() {
    let (world, cache) = crate::cache::pushed();
    let at = world.env.root().join("other");
    let copied = Command::new("cp").arg("-a").arg(world.env.project()).arg(&at).status();
    assert!(copied.expect("cp").success());
    elsewhere(&world);
    let cache = cache.display().to_string();
    let inputs = [("cache", cache.as_str()), ("directory", "../other"), ("environment", "dev")];
    let job = action(&world, &inputs);
    assert_eq!(job.env["INFRA_CACHE"], cache);
    assert!(at.join(".infra/env/dev").exists(), "built in the directory that was named");
    assert_eq!(world.upstream.requests(), [], "everything came from the binary cache");
}
