//! What a crate's manifest says of its prebuilt commands.
//!
//! Owns the addresses where a target's package may lie, in the order in which they are tried.
//! Reference: cargo-binstall's SUPPORT.md; the Cargo book, "The Manifest Format". Invariant: nothing
//! of the crate but its manifest and the names of its files is looked at.

use std::collections::BTreeMap;
use std::io::Read;

use flate2::read::MultiGzDecoder;
use toml_edit::{DocumentMut, Item, TableLike};

use super::target::Target;
use super::template::{self, Words};
use crate::archive::Format;
use crate::base::{CommandName, RelPath};

/// Most bytes of a crate that are unpacked in search of its manifest.
const LIMIT: u64 = 512 << 20;
/// Most bytes of a manifest.
const MANIFEST: u64 = 4 << 20;

/// A crate's manifest, as far as it is about commands.
#[derive(Clone, Debug)]
pub(super) struct Manifest {
    name: String,
    version: String,
    /// Without a slash at its end, and without what names a directory in it.
    repository: Option<String>,
    /// The directory's last name, when the repository's address names one.
    subcrate: Option<String>,
    /// Its programs.
    bins: Vec<String>,
    binstall: Option<Item>,
}

/// An address where a package may lie.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// The package.
    pub(super) url: String,
    /// How it is unpacked.
    pub(super) format: Format,
    /// Where its commands are; `None` when they are found by looking.
    pub(super) commands: Option<BTreeMap<CommandName, RelPath>>,
}

/// What a target may get.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Places {
    /// Addresses that the metadata names, in its order.
    Named(Vec<Place>),
    /// Addresses that follow from the repository's, by habit.
    Usual(Vec<Place>),
    /// None, and why.
    None(&'static str),
}

/// Formats, with what their files' names end with; the word of the metadata first.
const FORMATS: [(&str, Format, &[&str]); 7] = [
    ("tgz", Format::TarGz, &[".tgz", ".tar.gz"]),
    ("txz", Format::TarXz, &[".txz", ".tar.xz"]),
    ("zip", Format::Zip, &[".zip"]),
    ("tzstd", Format::TarZst, &[".tzstd", ".tzst", ".tar.zst"]),
    ("tbz2", Format::TarBz2, &[".tbz2", ".tar.bz2", ".tbz", ".tar.bz"]),
    ("tar", Format::Tar, &[".tar"]),
    ("bin", Format::File, &[".bin", "", ".exe"]),
];

/// Names of packages by habit, and then those that say no version.
const NAMES: [&str; 10] = [
    "{ name }-{ target }-v{ version }{ archive-suffix }",
    "{ name }-{ target }-{ version }{ archive-suffix }",
    "{ name }-{ version }-{ target }{ archive-suffix }",
    "{ name }-v{ version }-{ target }{ archive-suffix }",
    "{ name }_{ target }_v{ version }{ archive-suffix }",
    "{ name }_{ target }_{ version }{ archive-suffix }",
    "{ name }_{ version }_{ target }{ archive-suffix }",
    "{ name }_v{ version }_{ target }{ archive-suffix }",
    "{ name }-{ target }{ archive-suffix }",
    "{ name }_{ target }{ archive-suffix }",
];

/// Where releases have their files by habit.
const PATHS: [&str; 2] =
    ["{ repo }/releases/download/v{ version }/", "{ repo }/releases/download/{ version }/"];

/// The same for a repository of several crates.
const SUBCRATE_PATHS: [&str; 2] = [
    "{ repo }/releases/download/{ subcrate }%2Fv{ version }/",
    "{ repo }/releases/download/{ subcrate }%2F{ version }/",
];

/// Variables that tell the format.
const FORMAT_WORDS: [&str; 3] = ["archive-suffix", "archive-format", "format"];

impl Manifest {
    /// Reads it out of a `.crate` file.
    ///
    /// # Errors
    /// Why there is none that can be understood.
    pub(super) fn of_crate(bytes: &[u8], name: &str, version: &str) -> Result<Self, String> {
        let root = format!("{name}-{version}/");
        let mut archive = tar::Archive::new(MultiGzDecoder::new(bytes).take(LIMIT));
        let (mut text, mut files) = (None, Vec::new());
        for entry in archive.entries().map_err(|e| e.to_string())? {
            let entry = entry.map_err(|e| e.to_string())?;
            let path = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
            let Some(path) = path.strip_prefix(&root) else { continue };
            if path == "Cargo.toml" {
                let mut found = String::new();
                let size = entry.take(MANIFEST).read_to_string(&mut found);
                size.map_err(|e| e.to_string())?;
                text = Some(found);
            } else {
                files.push(path.to_owned());
            }
        }
        Self::of_text(&text.ok_or("it has no Cargo.toml")?, &files, name, version)
    }

    /// Reads the text of a `Cargo.toml`; `files` are the others beside it.
    pub(super) fn of_text(
        text: &str,
        files: &[String],
        name: &str,
        version: &str,
    ) -> Result<Self, String> {
        let document = text.parse().map_err(|e: toml_edit::TomlError| {
            format!("its Cargo.toml: {}", e.message().lines().collect::<Vec<_>>().join(", "))
        })?;
        Ok(Self::read(&document, files, name, version))
    }

    fn read(document: &DocumentMut, files: &[String], name: &str, version: &str) -> Self {
        let package = document.get("package");
        let repository = package.and_then(|p| p.get("repository")).and_then(Item::as_str);
        let (repository, subcrate) = repository.map_or((None, None), |text| {
            let (repository, subcrate) = split(text);
            (Some(repository), subcrate)
        });
        let binstall = package.and_then(|p| p.get("metadata")).and_then(|m| m.get("binstall"));
        Self {
            name: name.to_owned(),
            version: version.to_owned(),
            repository,
            subcrate,
            bins: bins(document, files, name),
            binstall: binstall.cloned(),
        }
    }

    /// Where a target's package may lie.
    ///
    /// # Errors
    /// What in the metadata is not understood.
    pub(super) fn places(&self, target: Target) -> Result<Places, String> {
        if self.bins.is_empty() {
            return Ok(Places::None("the crate has no program"));
        }
        if self.disabled(target)? {
            return Ok(Places::None("its metadata says that it publishes no packages"));
        }
        let wanted = self.text(target, "pkg-fmt")?;
        let wanted = wanted.map(|word| {
            FORMATS
                .iter()
                .find(|(known, ..)| *known == word)
                .ok_or_else(|| format!("`pkg-fmt` is `{word}`, which is not known"))
        });
        let wanted = wanted.transpose()?;
        let Some(template) = self.text(target, "pkg-url")? else {
            return self.usual(target, wanted);
        };
        let tells = template::has(&template, &FORMAT_WORDS);
        let formats: Vec<_> = match (wanted, tells) {
            (Some(format), _) => vec![format],
            (None, true) => FORMATS.iter().collect(),
            (None, false) => {
                let found = FORMATS.iter().find(|(_, format, ends)| {
                    *format != Format::File && ends.iter().any(|end| template.ends_with(end))
                });
                let bare = template.ends_with(".exe") || template.ends_with(".bin");
                let found = found.or_else(|| FORMATS.last().filter(|_| bare));
                vec![found.ok_or("neither `pkg-fmt` nor `pkg-url` says its format")?]
            }
        };
        let mut places = Vec::new();
        for format in formats {
            self.add(&mut places, target, &template, format, tells)?;
        }
        Ok(Places::Named(places))
    }

    fn usual(
        &self,
        target: Target,
        wanted: Option<&(&'static str, Format, &'static [&'static str])>,
    ) -> Result<Places, String> {
        if self.repository.is_none() {
            return Ok(Places::None("the crate names neither packages nor a repository"));
        }
        let paths = PATHS.iter().chain(self.subcrate.iter().flat_map(|_| &SUBCRATE_PATHS));
        let mut places = Vec::new();
        for name in NAMES {
            for path in paths.clone() {
                let template = format!("{path}{name}");
                for format in FORMATS.iter().filter(|one| wanted.is_none_or(|w| w.0 == one.0)) {
                    self.add(&mut places, target, &template, format, true)?;
                }
            }
        }
        Ok(Places::Usual(places))
    }

    fn add(
        &self,
        places: &mut Vec<Place>,
        target: Target,
        template: &str,
        (_, format, endings): &(&'static str, Format, &'static [&'static str]),
        tells: bool,
    ) -> Result<(), String> {
        // Without a variable for it there is one address, whatever the ending.
        let endings = if tells { endings } else { &endings[..1] };
        for ending in endings.iter().filter(|e| **e != ".exe" || target.is_windows()) {
            let mut words = self.words(target);
            words.insert("archive-suffix", (*ending).to_owned());
            let bare = ending.trim_start_matches('.').to_owned();
            words.insert("archive-format", bare.clone());
            words.insert("format", bare);
            let url =
                template::render(template, &words).map_err(|why| format!("`pkg-url`: {why}"))?;
            let commands = self.commands(target, *format)?;
            if !places.iter().any(|place| place.url == url) {
                places.push(Place { url, format: *format, commands });
            }
        }
        Ok(())
    }

    /// The variables of a target; those of the format are not among them.
    fn words(&self, target: Target) -> Words {
        let family = if target.os == "macos" { "darwin" } else { target.os };
        let libc = if target.env.is_empty() { "unknown" } else { target.env };
        let mut words: Words = [
            ("name", self.name.clone()),
            ("version", self.version.clone()),
            ("target", target.name.to_owned()),
            ("target-family", family.to_owned()),
            ("os-name", target.os.to_owned()),
            ("target-arch", target.arch.to_owned()),
            ("target-libc", libc.to_owned()),
            ("target-vendor", target.vendor.to_owned()),
            ("binary-ext", if target.is_windows() { ".exe" } else { "" }.to_owned()),
        ]
        .into();
        words.extend(self.repository.clone().map(|text| ("repo", text)));
        words.extend(self.subcrate.clone().map(|text| ("subcrate", text)));
        words
    }

    fn commands(
        &self,
        target: Target,
        format: Format,
    ) -> Result<Option<BTreeMap<CommandName, RelPath>>, String> {
        let ext = if target.is_windows() { ".exe" } else { "" };
        let template = match self.text(target, "bin-dir")? {
            _ if format.is_file() => "{ bin }{ binary-ext }".to_owned(),
            Some(template) => template,
            None => return Ok(None),
        };
        let mut out = BTreeMap::new();
        for bin in &self.bins {
            let mut words = self.words(target);
            words.insert("bin", bin.clone());
            words.insert("format", ext.to_owned());
            let path =
                template::render(&template, &words).map_err(|w| format!("`bin-dir`: {w}"))?;
            let parts: Vec<_> = path.split('/').filter(|p| !matches!(*p, "" | ".")).collect();
            let name = CommandName::new(bin.clone()).map_err(|e| e.to_string())?;
            out.insert(name, RelPath::new(parts.join("/")).map_err(|e| e.to_string())?);
            if format.is_file() {
                // One file is one program.
                break;
            }
        }
        Ok(Some(out))
    }

    /// Overrides of a target, first by its name, then by expressions in their order.
    fn overrides(&self, target: Target) -> Result<Vec<&dyn TableLike>, String> {
        let all = self.binstall.as_ref().and_then(|item| item.get("overrides"));
        let Some(all) = all.and_then(Item::as_table_like) else { return Ok(Vec::new()) };
        let mut found: Vec<&dyn TableLike> = Vec::new();
        found.extend(all.get(target.name).and_then(Item::as_table_like));
        for (key, item) in all.iter().filter(|(key, _)| key.trim_start().starts_with("cfg(")) {
            if target.meets(key).map_err(|why| format!("`overrides`: `{key}`: {why}"))? {
                found.extend(item.as_table_like());
            }
        }
        Ok(found)
    }

    fn text(&self, target: Target, key: &str) -> Result<Option<String>, String> {
        let own = self.binstall.as_ref().and_then(Item::as_table_like);
        let found = self.overrides(target)?.into_iter().chain(own).find_map(|table| table.get(key));
        let Some(item) = found else { return Ok(None) };
        let text = item.as_str().ok_or_else(|| format!("`{key}` must be a text"))?;
        Ok(Some(text.to_owned()))
    }

    fn disabled(&self, target: Target) -> Result<bool, String> {
        let own = self.binstall.as_ref().and_then(Item::as_table_like);
        let mut tables = self.overrides(target)?.into_iter().chain(own);
        let list = tables.find_map(|table| table.get("disabled-strategies")?.as_array());
        let is = |value: &toml_edit::Value| value.as_str() == Some("crate-meta-data");
        Ok(list.is_some_and(|list| list.iter().any(is)))
    }
}

/// A repository's address without what names a directory in it, and that directory's last name.
fn split(text: &str) -> (String, Option<String>) {
    let text = text.trim().trim_end_matches('/');
    // `…/OWNER/NAME/tree/BRANCH/path/to/crate`
    match text.split_once("/tree/") {
        Some((repository, path)) => {
            let last = path.split_once('/').and_then(|(_, path)| path.rsplit('/').next());
            let repository = repository.trim_end_matches("/-");
            (without_git(repository), last.map(str::to_owned))
        }
        None => (without_git(text), None),
    }
}

fn without_git(text: &str) -> String {
    text.strip_suffix(".git").unwrap_or(text).to_owned()
}

/// The names of a crate's programs.
fn bins(document: &DocumentMut, files: &[String], name: &str) -> Vec<String> {
    let mut out = Vec::new();
    for bin in document.get("bin").and_then(Item::as_array_of_tables).into_iter().flatten() {
        out.extend(bin.get("name").and_then(Item::as_str).map(str::to_owned));
    }
    let package = document.get("package");
    let auto = package.and_then(|p| p.get("autobins")).and_then(Item::as_bool);
    if auto == Some(false) {
        return out;
    }
    for file in files {
        let found = match file.strip_prefix("src/bin/") {
            Some(rest) => rest.strip_suffix("/main.rs").or_else(|| rest.strip_suffix(".rs")),
            None => (file == "src/main.rs").then_some(name),
        };
        if let Some(found) = found.filter(|f| !f.contains('/')) {
            // A program that is listed already may be listed under another name.
            let listed = document.get("bin").and_then(Item::as_array_of_tables);
            let mut listed = listed.into_iter().flatten();
            let is_listed =
                listed.any(|bin| bin.get("path").and_then(Item::as_str) == Some(file.as_str()));
            if !is_listed && !out.iter().any(|bin| bin == found) {
                out.push(found.to_owned());
            }
        }
    }
    out
}

#[cfg(test)]
#[path = "manifest_tests.rs"]
mod tests;
