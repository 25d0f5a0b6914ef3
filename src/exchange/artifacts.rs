//! From addresses and digests by platform to a `url:` dep. Shared by the formats that list those.

use std::collections::{BTreeMap, BTreeSet};

use super::draft::{Draft, Expected, Item, hash};
use super::template;
use crate::archive::Format;
use crate::base::Platform;

/// One platform's file, as a format lists it.
#[derive(Clone, Debug)]
pub(super) struct Listed {
    /// Its address.
    pub(super) url: String,
    /// Its digest, `sha256:HEX` or bare hex.
    pub(super) digest: Option<String>,
    /// The command's path in it.
    pub(super) path: Option<String>,
}

/// The items of one tool: the dep, and a line for every platform that it cannot cover.
pub(super) fn items(
    name: &str,
    version: Option<&str>,
    files: BTreeMap<Platform, Listed>,
) -> Vec<Item> {
    let urls: BTreeMap<_, _> = files.iter().map(|(p, f)| (*p, f.url.clone())).collect();
    let given = version.map(str::to_owned);
    let seen = || urls.values().find_map(|url| template::version_in(url)).map(|v| v.to_string());
    let mut notes = Vec::new();
    let version = given.or_else(seen).unwrap_or_else(|| {
        notes.push("no version is said; `0.0.0` stands for it".to_owned());
        "0.0.0".to_owned()
    });
    let said = format!("{name} {version}");
    let Some(found) = template::infer(&version, &urls) else {
        return vec![Item::new(said, Err("it lists no file for a known platform".to_owned()))];
    };
    let draft = draft(name, &version, &files, &found, notes);
    let mut out = vec![Item::new(said, draft)];
    for (platform, file) in files.iter().filter(|(p, _)| !found.platforms.contains(p)) {
        let why = format!("its address does not follow the pattern of the others: {}", file.url);
        out.push(Item::new(format!("{name} {version} ({platform})"), Err(why)));
    }
    out
}

fn draft(
    name: &str,
    version: &str,
    files: &BTreeMap<Platform, Listed>,
    found: &template::Inferred,
    notes: Vec<String>,
) -> Result<Draft, String> {
    let no_version = |_| format!("`{version}` is no version that can be asked for here");
    let requirement = format!("={version}").parse().map_err(no_version)?;
    let from = format!("url:{}", found.template);
    let from = from.parse().map_err(|e| format!("its address cannot be used: {e}"))?;
    let mut draft = Draft::new(name, from, requirement)?;
    draft.notes = notes;
    draft.words = found.words.clone();
    draft.platforms = Some(found.platforms.clone());
    let mut paths = BTreeSet::new();
    for platform in &found.platforms {
        let Some(file) = files.get(platform) else { continue };
        let file_name = file.url.rsplit('/').next().unwrap_or_default();
        if Format::of_name(file_name).is_none() {
            return Err(format!("`{file_name}` is an archive that is not unpacked here"));
        }
        match file.digest.as_deref().map(hash) {
            Some(Ok(integrity)) => draft.expected.push(Expected {
                platform: Some(*platform),
                file: Some(file_name.to_owned()),
                version: None,
                integrity,
            }),
            Some(Err(why)) => draft.notes.push(format!("{platform}: {why}")),
            None => draft.notes.push(format!("{platform}: no hash is given")),
        }
        if Format::of_name(file_name) != Some(Format::File) {
            paths.extend(file.path.clone());
        }
    }
    match paths.len() {
        0 => {}
        1 => draft.bin = paths.pop_first(),
        _ => draft
            .notes
            .push("its command lies elsewhere on each platform, so it is looked for".to_owned()),
    }
    Ok(draft)
}
