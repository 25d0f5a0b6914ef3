//! CycloneDX 1.6, as JSON.
//!
//! A component per dep; below it one per platform's file, with its exact hash, or below that one for
//! each of several files, in their order. Left out is what
//! nobody knows: suppliers, conclusions about licences. Invariant: the same bill is the same text.

use serde_json::{Map, Value, json};

use super::bom::{Bom, Component, File};
use crate::base::{Algorithm, Integrity};

/// The document.
pub fn render(bom: &Bom) -> Value {
    let root = "project";
    let refs: Vec<String> = bom.components.iter().map(reference).collect();
    let mut metadata = Map::new();
    if let Some(time) = bom.created_text() {
        metadata.insert("timestamp".to_owned(), json!(time));
    }
    let tool =
        json!({"type": "application", "name": "infra", "version": env!("CARGO_PKG_VERSION")});
    metadata.insert("tools".to_owned(), json!({"components": [tool]}));
    metadata.insert(
        "component".to_owned(),
        json!({"type": "application", "bom-ref": root, "name": bom.project}),
    );
    let mut dependencies = vec![json!({"ref": root, "dependsOn": refs})];
    dependencies.extend(refs.iter().map(|r| json!({"ref": r})));
    json!({
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": format!("urn:uuid:{}", bom.uuid()),
        "version": 1,
        "metadata": metadata,
        "components": bom.components.iter().map(component).collect::<Vec<_>>(),
        "dependencies": dependencies,
    })
}

fn reference(component: &Component) -> String {
    format!("{}@{}", component.name, component.version)
}

fn component(it: &Component) -> Value {
    let mut out = json!({
        "type": "application",
        "bom-ref": reference(it),
        "name": it.name,
        "version": it.version,
        "purl": it.purl(),
        "properties": [property("infra:source", &it.source.to_string())],
        "components": it.files.iter().map(|f| file(it, f)).collect::<Vec<_>>(),
    });
    if let Some((text, spdx)) =
        it.licence.as_ref().and_then(|l| l.licence.as_ref().map(|text| (text, l.spdx)))
    {
        out["licenses"] =
            if spdx { json!([{"expression": text}]) } else { json!([{"license": {"name": text}}]) };
    }
    out
}

fn file(of: &Component, it: &File) -> Value {
    let mut properties = vec![
        property("infra:platform", it.platform.name()),
        property("infra:tree", &it.tree.to_string()),
    ];
    let mut out = json!({
        "type": "file",
        "bom-ref": format!("{}/{}", reference(of), it.platform),
        "name": of.source.to_string(),
    });
    match it.artifacts.as_slice() {
        [] => {}
        [(name, size, integrity)] => {
            out["name"] = json!(name);
            out["hashes"] = hashes(integrity);
            properties.push(property("infra:size", &size.to_string()));
        }
        several => {
            let part = |(n, (name, size, integrity)): (usize, &(String, u64, Integrity))| {
                json!({
                    "type": "file",
                    "bom-ref": format!("{}/{}/{n}", reference(of), it.platform),
                    "name": name,
                    "hashes": hashes(integrity),
                    "properties": [property("infra:size", &size.to_string())],
                })
            };
            out["components"] = several.iter().enumerate().map(part).collect();
        }
    }
    out["properties"] = json!(properties);
    out
}

fn property(name: &str, value: &str) -> Value {
    json!({"name": name, "value": value})
}

fn hashes(integrity: &Integrity) -> Value {
    json!([{"alg": algorithm(integrity), "content": integrity.hex()}])
}

fn algorithm(integrity: &Integrity) -> &'static str {
    match integrity.algorithm() {
        Algorithm::Sha256 => "SHA-256",
        Algorithm::Sha512 => "SHA-512",
    }
}

#[cfg(test)]
mod tests {
    use super::super::bom::tests::example;
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn has_what_the_format_requires() {
        let mut bom = example();
        let out = render(&bom);
        assert_eq!((&out["bomFormat"], &out["specVersion"]), (&json!("CycloneDX"), &json!("1.6")));
        let components = out["components"].as_array().expect("components");
        let mut refs = BTreeSet::new();
        for component in components {
            let inner = component["components"].as_array().expect("files");
            let deeper = inner.iter().filter_map(|part| part["components"].as_array()).flatten();
            for part in inner.iter().chain(deeper).chain([component]) {
                assert!(["application", "file"].contains(&part["type"].as_str().expect("type")));
                assert!(!part["name"].as_str().expect("name").is_empty());
                assert!(refs.insert(part["bom-ref"].as_str().expect("ref").to_owned()), "unique");
                for hash in part["hashes"].as_array().into_iter().flatten() {
                    let length = hash["content"].as_str().expect("content").len();
                    assert_eq!(length, if hash["alg"] == "SHA-256" { 64 } else { 128 });
                }
            }
        }
        for dependency in out["dependencies"].as_array().expect("dependencies") {
            let name = dependency["ref"].as_str().expect("ref");
            assert!(name == "project" || refs.contains(name));
        }
        assert_eq!(components[0]["licenses"], json!([{"expression": "MIT OR Apache-2.0"}]));
        assert_eq!(components[0]["purl"], json!("pkg:npm/%40biomejs/biome@1.2.0"));
        assert_eq!(components[1]["licenses"][0]["license"]["name"], json!("Ours, \"and\" theirs"));
        let stack = &components[1]["components"][0];
        assert!(stack.get("hashes").is_none() && stack["components"][1]["name"] == "m.whl");
        assert_eq!(stack["components"][0]["bom-ref"], "nats-server@1.2.0/x86_64-linux/0");
        assert!(components[2].get("licenses").is_none());
        bom.created = None;
        assert!(render(&bom)["metadata"].get("timestamp").is_none());
    }
}
