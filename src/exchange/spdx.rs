//! SPDX 2.3, as JSON.
//!
//! A package per dep, and one per platform's file, a `VARIANT_OF` its dep; one of several files
//! `CONTAINS` a package for each. Where the format wants
//! a value that nobody knows, it says `NOASSERTION`; where it wants a time and none was given, the
//! epoch, so that the same lock is the same document. Invariant: every identifier is unique.

use serde_json::{Value, json};

use super::bom::{Bom, Component, File};
use crate::base::{Algorithm, Integrity};

const NONE: &str = "NOASSERTION";

/// The document.
pub fn render(bom: &Bom) -> Value {
    let mut packages = vec![package("SPDXRef-Project", &bom.project, None, "APPLICATION")];
    let mut relations = vec![relation("SPDXRef-DOCUMENT", "DESCRIBES", "SPDXRef-Project")];
    let mut extracted = Vec::new();
    for (n, component) in bom.components.iter().enumerate() {
        let id = format!("SPDXRef-Dep-{n}-{}", plain(component.name.as_str()));
        packages.push(dep(&id, n, component, &mut extracted));
        relations.push(relation("SPDXRef-Project", "DEPENDS_ON", &id));
        for file in &component.files {
            let file_id = format!("{id}-{}", plain(file.platform.name()));
            packages.push(variant(&file_id, component, file));
            relations.push(relation(&file_id, "VARIANT_OF", &id));
            for (n, one) in file.artifacts.iter().enumerate().filter(|_| file.artifacts.len() > 1) {
                let part_id = format!("{file_id}-{n}");
                let name = format!("{} ({}), part {n}", component.name, file.platform);
                let version = Some(component.version.as_str());
                let part = with_artifact(package(&part_id, &name, version, "ARCHIVE"), one);
                packages.push(part);
                relations.push(relation(&file_id, "CONTAINS", &part_id));
            }
        }
    }
    let created = bom.created_text().unwrap_or_else(|| "1970-01-01T00:00:00Z".to_owned());
    let mut out = json!({
        "spdxVersion": "SPDX-2.3",
        "dataLicense": "CC0-1.0",
        "SPDXID": "SPDXRef-DOCUMENT",
        "name": bom.project,
        "documentNamespace": format!("urn:uuid:{}", bom.uuid()),
        "creationInfo": {
            "created": created,
            "creators": [format!("Tool: infra-{}", env!("CARGO_PKG_VERSION"))],
        },
        "packages": packages,
        "relationships": relations,
    });
    if !extracted.is_empty() {
        out["hasExtractedLicensingInfos"] = json!(extracted);
    }
    out
}

fn package(id: &str, name: &str, version: Option<&str>, purpose: &str) -> Value {
    let mut out = json!({
        "SPDXID": id,
        "name": name,
        "downloadLocation": NONE,
        "filesAnalyzed": false,
        "licenseConcluded": NONE,
        "licenseDeclared": NONE,
        "copyrightText": NONE,
        "primaryPackagePurpose": purpose,
    });
    if let Some(version) = version {
        out["versionInfo"] = json!(version);
    }
    out
}

fn dep(id: &str, n: usize, it: &Component, extracted: &mut Vec<Value>) -> Value {
    let mut out = package(id, it.name.as_str(), Some(it.version.as_str()), "APPLICATION");
    out["sourceInfo"] = json!(it.source.to_string());
    out["externalRefs"] = json!([{
        "referenceCategory": "PACKAGE-MANAGER",
        "referenceType": "purl",
        "referenceLocator": it.purl(),
    }]);
    if let Some((text, spdx)) =
        it.licence.as_ref().and_then(|l| l.licence.as_ref().map(|text| (text, l.spdx)))
    {
        if spdx {
            out["licenseDeclared"] = json!(text);
        } else {
            // Words that are no identifier are carried along, as the format has it.
            let reference = format!("LicenseRef-{n}-{}", plain(it.name.as_str()));
            extracted.push(json!({"licenseId": reference, "extractedText": text, "name": text}));
            out["licenseDeclared"] = json!(reference);
        }
    }
    out
}

fn variant(id: &str, of: &Component, it: &File) -> Value {
    let name = format!("{} ({})", of.name, it.platform);
    let purpose = if it.artifacts.is_empty() { "SOURCE" } else { "ARCHIVE" };
    let mut out = package(id, &name, Some(of.version.as_str()), purpose);
    out["comment"] = json!(format!("unpacked tree: {}", it.tree));
    match it.artifacts.as_slice() {
        [only] => with_artifact(out, only),
        _ => out,
    }
}

fn with_artifact(mut out: Value, (file, _, integrity): &(String, u64, Integrity)) -> Value {
    let algorithm = match integrity.algorithm() {
        Algorithm::Sha256 => "SHA256",
        Algorithm::Sha512 => "SHA512",
    };
    out["packageFileName"] = json!(file);
    out["checksums"] = json!([{"algorithm": algorithm, "checksumValue": integrity.hex()}]);
    out
}

fn relation(from: &str, kind: &str, to: &str) -> Value {
    json!({"spdxElementId": from, "relationshipType": kind, "relatedSpdxElement": to})
}

/// Identifiers have letters, digits, `.` and `-`.
fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_ascii_alphanumeric() || c == '.' { c } else { '-' }).collect()
}

#[cfg(test)]
mod tests {
    use super::super::bom::tests::example;
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn has_what_the_format_requires() {
        let out = render(&example());
        for key in ["spdxVersion", "dataLicense", "SPDXID", "name", "documentNamespace"] {
            assert!(!out[key].as_str().expect(key).is_empty());
        }
        assert_eq!(out["creationInfo"]["created"], json!("2023-11-14T22:13:20Z"));
        let mut ids = BTreeSet::from(["SPDXRef-DOCUMENT".to_owned()]);
        for package in out["packages"].as_array().expect("packages") {
            let id = package["SPDXID"].as_str().expect("id");
            assert!(id.bytes().all(|b| b.is_ascii_alphanumeric() || b".-".contains(&b)), "{id}");
            assert!(ids.insert(id.to_owned()), "{id} is unique");
            assert!(package["name"].is_string() && package["downloadLocation"].is_string());
            assert_eq!(package["filesAnalyzed"], json!(false));
        }
        let relations = out["relationships"].as_array().expect("relationships");
        for relation in relations {
            for end in ["spdxElementId", "relatedSpdxElement"] {
                assert!(ids.contains(relation[end].as_str().expect(end)));
            }
        }
        assert_eq!(relations.len(), 1 + 3 + 4 + 2);
        let declared: Vec<_> = out["packages"]
            .as_array()
            .expect("packages")
            .iter()
            .map(|p| p["licenseDeclared"].as_str().expect("declared"))
            .collect();
        assert!(declared.contains(&"MIT OR Apache-2.0"), "{declared:?}");
        let extracted = &out["hasExtractedLicensingInfos"][0];
        assert!(declared.contains(&extracted["licenseId"].as_str().expect("id")));
        let mut bom = example();
        bom.created = None;
        assert_eq!(render(&bom)["creationInfo"]["created"], json!("1970-01-01T00:00:00Z"));
    }
}
