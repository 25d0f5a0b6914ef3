//! What vouches for an asset: the forge's own digest, and checksum files among the assets.
//!
//! Refuses an asset whose publisher's checksum is not the forge's digest: one of the two was
//! changed after the release. Invariant: a proof is only claimed for the hash that is offered.

use crate::base::{Algorithm, Integrity};
use crate::lock::model::Proof;
use crate::provenance::checksum;
use crate::source::forge::{self, Asset, Forge, Release};
use crate::source::{Query, Result};

/// The hash of an asset and its proofs; nothing when nobody vouches for it.
pub(in crate::source) async fn vouched(
    forge: &Forge,
    query: &Query<'_>,
    release: &Release,
    asset: &Asset,
) -> Result<(Option<Integrity>, Vec<Proof>)> {
    let mut listed = None;
    for file in files(release, &asset.name) {
        let Some(text) = forge.text(query, file).await?.as_ref().clone() else { continue };
        // Files that list only some of the assets, or in a format that is not ours, say nothing.
        if let Ok(hash) = checksum::find(&text, &asset.name) {
            listed = Some((&file.web, hash));
            break;
        }
    }
    forge::agreed(query, &asset.name, asset.digest.as_ref(), listed)
}

/// The checksum files that may list an asset, most likely first.
fn files<'a>(release: &'a Release, asset: &str) -> Vec<&'a Asset> {
    let rank = |name: &str| {
        let lower = name.to_ascii_lowercase();
        if let Some(ending) = name.strip_prefix(asset) {
            return [".sha256", ".sha256sum", ".sha512", ".sha512sum"]
                .iter()
                .position(|e| *e == ending);
        }
        // `tool_1.2.3_checksums.txt`, `SHA256SUMS`, `sha256sum.txt`, `tool-1.2.3.sha256sums`
        let stem = lower.strip_suffix(".txt").unwrap_or(&lower);
        let is_for_one = Algorithm::Sha256.name() == stem;
        [
            ("sha256sums", 10),
            ("sha256sum", 10),
            ("checksums_sha256", 10),
            ("checksums", 11),
            ("checksum", 11),
            ("shasums256", 10),
            ("shasums", 12),
            ("sha512sums", 13),
            ("sha512sum", 13),
        ]
        .iter()
        .find(|(ending, _)| stem.ends_with(ending))
        .map(|(_, rank)| *rank)
        .or(is_for_one.then_some(14))
    };
    // A checksum beside one other asset, such as `other.zip.sha256sum`, is not about this one.
    let beside_other = |name: &str| {
        release
            .assets
            .iter()
            .any(|a| a.name != asset && a.name != name && name.starts_with(&a.name))
    };
    let mut found: Vec<_> = release
        .assets
        .iter()
        .filter_map(|a| Some((rank(&a.name)?, a)))
        .filter(|(_, a)| a.name.starts_with(asset) || !beside_other(&a.name))
        .collect();
    found.sort_by(|(a, x), (b, y)| a.cmp(b).then_with(|| x.name.cmp(&y.name)));
    found.into_iter().map(|(_, a)| a).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn release(names: &[&str]) -> Release {
        let asset = |name: &&str| Asset {
            name: (*name).to_owned(),
            size: None,
            digest: None,
            api: None,
            web: format!("http://web.invalid/{name}").parse().expect("url"),
        };
        Release { assets: names.iter().map(asset).collect(), ..Release::default() }
    }

    #[test]
    fn finds_checksum_files() {
        for (names, want) in [
            (&["t.zip", "t.zip.sha256", "u.zip", "u.zip.sha256"][..], &["t.zip.sha256"][..]),
            (&["t.zip", "u.zip", "u.zip.sha256sum", "t.zip.sha512"], &["t.zip.sha512"]),
            (
                &["t.zip", "t_1.2.3_checksums.txt", "t_1.2.3_checksums.txt.sig"],
                &["t_1.2.3_checksums.txt"],
            ),
            (
                &["t.zip", "SHA512SUMS", "SHA256SUMS", "SHA256SUMS.asc"],
                &["SHA256SUMS", "SHA512SUMS"],
            ),
            (&["t.zip", "t.zip.sha256", "checksums.txt"], &["t.zip.sha256", "checksums.txt"]),
            (&["t.zip", "sha256sum.txt"], &["sha256sum.txt"]),
            (&["t.zip", "notes.txt", "t.zip.sig", "t.zip.sbom"], &[]),
        ] {
            let release = release(names);
            let found: Vec<_> = files(&release, "t.zip").into_iter().map(|a| &a.name[..]).collect();
            assert_eq!(found, want, "{names:?}");
        }
    }
}
