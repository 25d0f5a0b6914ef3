//! Bills of materials before the formats' own validators.
//!
//! The schemas are not copied: `cyclonedx-python-lib` and `spdx-tools` bring theirs, from the
//! package index that this machine is configured for, in a virtual environment of the test's own.

use std::path::Path;
use std::process::Command;

use infra::base::{DepName, SourceRef, TreeHash, Version};
use infra::lock::object_name;
use serde_json::{Value, json};

use crate::python;
use crate::world::Project;

/// Reads a document as the validators do; exit code 1 with every complaint.
const VALIDATE: &str = r#"
import json, sys
form, path = sys.argv[1:]
text = open(path).read()
problems = []
if form == "cyclonedx":
    from cyclonedx.schema import SchemaVersion
    from cyclonedx.validation.json import JsonStrictValidator
    document = json.loads(text)
    version = SchemaVersion.from_version(document["specVersion"])
    problem = JsonStrictValidator(version).validate_str(text)
    problems = [problem] if problem else []
    refs = []
    def walk(component):
        refs.append(component["bom-ref"])
        for inner in component.get("components", []):
            walk(inner)
    for component in document["components"]:
        walk(component)
    if len(refs) != len(set(refs)):
        problems.append("a bom-ref is there twice")
else:
    from spdx_tools.spdx.parser.parse_anything import parse_file
    from spdx_tools.spdx.validation.document_validator import validate_full_spdx_document
    found = validate_full_spdx_document(parse_file(path), "SPDX-2.3")
    problems = [f"{m.validation_message} {m.context}" for m in found]
for problem in problems:
    print(problem, file=sys.stderr)
sys.exit(bool(problems))
"#;

/// Rows of every source, as a lock may have them; of the deps that lie in the project, their trees
/// say licences of every kind.
fn project() -> Project {
    let project = Project::bare();
    let env = &project.env;
    let licences = [
        ("one", Some("MIT")),
        ("several", Some("(MIT OR Apache-2.0) AND BSD-3-Clause")),
        ("exception", Some("Apache-2.0 WITH LLVM-exception")),
        ("words", Some("SEE LICENSE IN \"ours\" & <theirs>")),
        ("none", None),
    ];
    let mut profile = "platforms = [\"x86_64-linux\", \"aarch64-darwin\"]\n[dep]\n".to_owned();
    for (name, licence) in licences {
        let mut package = json!({"name": name, "version": "1.0.0"});
        if let Some(licence) = licence {
            package["license"] = licence.into();
        }
        env.write(&format!("{name}/package.json"), package.to_string());
        env.write(&format!("{name}/bin/{name}"), "#!/bin/sh\n");
        profile += &format!("{name} = {{ from = \"path:{name}\", bin = [\"bin/{name}\"] }}\n");
    }
    env.write("profiles/base.toml", profile);
    project.ok("dep lock");
    project.ok("dep sync");

    let mut lock: Value = serde_json::from_str(&env.read("dep.lock.json")).expect("a lock");
    let deps = lock["deps"].as_object_mut().expect("deps");
    let tree = deps["one"]["platforms"]["x86_64-linux"]["tree"].clone();
    let tree_hash: TreeHash = tree.as_str().expect("text").parse().expect("a hash");
    let sha512 = format!("sha512-{}==", "A".repeat(86));
    for (n, (source, version)) in [
        ("pypi:Nats_Server.bin", "2.15.1"),
        ("npm:@biomejs/biome", "2.0.6"),
        ("github:cli/cli", "2.67.0"),
        ("aqua:BurntSushi/ripgrep", "14.1.1"),
        ("go:github.com/burrowers/garble", "0.14.2"),
        ("crate:just", "1.36.0"),
        ("oci:library/alpine", "3.20"),
        ("deb:jq", "1:1.6-2.1+deb12u3~x"),
        ("url:http://mirror.invalid/${version}/tool_${os}.zip", "1.0.0+build.5"),
    ]
    .iter()
    .enumerate()
    {
        let name = format!("dep-{n}.x_y");
        let integrity = if n % 2 == 0 {
            json!("sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=")
        } else {
            json!(sha512)
        };
        let from: SourceRef = source.parse().expect("a source");
        let dep = DepName::new(name.as_str()).expect("a name");
        let at = Version::of(from.kind(), version).expect("a version");
        let object = object_name(&tree_hash, &dep, &at).expect("an object").to_string();
        let file = match *source {
            "aqua:BurntSushi/ripgrep" => "BurntSushi/ripgrep/releases/14.1.1/ripgrep.tar.gz",
            _ => "a/b c \"d\".tar.gz",
        };
        // Layers and closures are several files.
        let with = if source.starts_with("oci:") || source.starts_with("deb:") { 2 } else { 0 };
        let with: Vec<Value> = (0..with)
            .map(|n| {
                let file = format!("part {n}.tar.gz");
                json!({"artifact": file, "size": 2, "integrity": integrity, "format": "tar-gz"})
            })
            .collect();
        let mut row = json!({
            "artifact": file, "size": 1, "integrity": integrity, "format": "tar-gz",
        });
        if !with.is_empty() {
            row["with"] = json!(with);
        }
        let rest =
            json!({"tree": tree, "object": object, "bin": {}, "verified": ["registry-hash"]});
        row.as_object_mut().expect("object").extend(rest.as_object().expect("object").clone());
        deps.insert(
            name.clone(),
            json!({
                "source": source, "requirement": format!("{source} *"), "version": version,
                "platforms": {
                    "aarch64-darwin": {"unavailable": "nobody made one"},
                    "x86_64-linux": row,
                },
            }),
        );
    }
    env.write("dep.lock.json", serde_json::to_string_pretty(&lock).expect("text"));
    project
}

#[test]
fn passes_the_formats_own_validators() {
    let project = project();
    let directory = project.env.root().join("validators");
    std::fs::create_dir(&directory).expect("create");
    let packages = ["cyclonedx-python-lib[json-validation]", "spdx-tools", "jsonschema"];
    let python = python::with(&directory, &packages);
    for (form, epoch) in [
        ("cyclonedx", None),
        ("cyclonedx", Some("0")),
        ("spdx", None),
        ("spdx", Some("1700000000")),
    ] {
        let mut command =
            project.env.command(["dep", "sbom", "--format", form, "--name", "a shop"]);
        if let Some(epoch) = epoch {
            command.env("SOURCE_DATE_EPOCH", epoch);
        }
        let made = crate::support::finish(command.spawn().expect("start infra"));
        assert_eq!(made.code, Some(0), "{}", made.stderr);
        let suffix = if form == "spdx" { "spdx.json" } else { "cdx.json" };
        let path = directory.join(format!("bom.{suffix}"));
        std::fs::write(&path, &made.stdout).expect("write");
        let judge = |path: &Path| {
            Command::new(&python).args(["-c", VALIDATE, form]).arg(path).output().expect("python")
        };
        let judged = judge(&path);
        let said = String::from_utf8_lossy(&judged.stderr).into_owned();
        assert!(judged.status.success(), "{form}: {said}\n{}", made.stdout);
        assert!(made.stdout.contains("pkg:github/burntsushi/ripgrep@14.1.1"), "{}", made.stdout);
        // Each file of a stack is there, with its hash.
        let parts = made.stdout.matches("\"part 1.tar.gz\"").count();
        assert_eq!(parts, 2, "{}", made.stdout);
        // The judge does refuse what is wrong.
        let wrong = made.stdout.replacen("\"name\"", "\"nom\"", 1);
        let wrong =
            wrong.replacen("\"SHA256\"", "\"SHA\"", 1).replacen("\"SHA-256\"", "\"SHA\"", 1);
        let path = directory.join(format!("wrong.{suffix}"));
        std::fs::write(&path, wrong).expect("write");
        assert!(!judge(&path).status.success(), "{form}: a wrong document passes");
    }
}
