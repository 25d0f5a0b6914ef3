//! From a definition to what is fetched for a tag and platform.
//!
//! Owns the names of files, the paths of commands and the formats. Asks nobody: which file a
//! platform gets is the definition's word alone. Refuses emulation: where a definition would run
//! another processor's build through Rosetta 2 or Windows' emulation, there is none. Reference: the
//! Aqua registry's configuration. Invariant: every template was rendered completely.

use std::collections::BTreeMap;

use super::definition::{Definition, Runtime};
use super::template::{self, Words};
use super::yaml::{Flaw, Node};
use crate::archive::Format;
use crate::base::{Algorithm, CommandName, Platform, RelPath};
use crate::provenance::{Read, Sums};

/// What a platform gets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// A file.
    File(Box<File>),
    /// Nothing, and why.
    None(String),
    /// It is not published as a file; another source builds or finds it.
    Elsewhere {
        /// The definition's word for how it is made.
        kind: String,
        /// The reference to use instead, as far as it is known.
        instead: String,
    },
}

/// A file to fetch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct File {
    /// Where it is published.
    pub(super) place: Place,
    /// The file's own name.
    pub(super) asset: String,
    /// How it is unpacked.
    pub(super) format: Format,
    /// Its commands and their paths in the tree.
    pub(super) commands: BTreeMap<CommandName, RelPath>,
    /// The checksum file that lists it.
    pub(super) checksum: Option<Checksum>,
}

/// Where a file is published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// A release of a repository has it.
    Release {
        /// `OWNER/NAME`
        repo: String,
    },
    /// It is in a repository.
    Content {
        /// `OWNER/NAME`
        repo: String,
        /// Its path there.
        path: String,
    },
    /// It is a repository's source archive.
    Archive {
        /// `OWNER/NAME`
        repo: String,
    },
    /// It has an address of its own.
    Url(String),
}

/// A checksum file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Checksum {
    /// Where it is.
    pub(super) at: SideFile,
    /// How it is read.
    pub(super) sums: Sums,
}

/// A file that goes with another one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum SideFile {
    /// A release has it, of the same tag.
    Release {
        /// `OWNER/NAME`
        repo: String,
        /// Its name.
        asset: String,
    },
    /// It has an address of its own.
    Url(String),
}

/// Endings of archives and packages, longest first.
const ENDINGS: [&str; 26] = [
    "tar.br", "tar.bz2", "tar.gz", "tar.lz4", "tar.sz", "tar.xz", "tar.zst", "tbr", "tbz", "tbz2",
    "tgz", "tlz4", "tsz", "txz", "zip", "7z", "gz", "bz2", "lz4", "sz", "xz", "zst", "dmg", "pkg",
    "rar", "tar",
];

/// The ending of a file's name, and what stands before it.
fn ending(name: &str) -> Option<(&str, &'static str)> {
    ENDINGS.iter().find_map(|ending| Some((name.strip_suffix(ending)?.strip_suffix('.')?, *ending)))
}

/// A definition at work: for one tag, on one platform.
pub(super) struct Render<'a> {
    definition: &'a Definition,
    tag: &'a str,
    runtime: Runtime,
    /// The processor whose word is put into templates.
    arch: &'static str,
}

impl<'a> Render<'a> {
    /// `definition` is what holds for the tag and platform.
    pub(super) fn new(definition: &'a Definition, tag: &'a str, platform: Platform) -> Self {
        let runtime = Runtime::of(platform);
        Self { definition, tag, runtime, arch: runtime.arch }
    }

    /// What the platform gets.
    pub(super) fn outcome(&self) -> Result<Outcome, Flaw> {
        let definition = self.definition;
        if let Some(message) = definition.text("error_message")? {
            return Ok(Outcome::None(message.trim().to_owned()));
        }
        if definition.flag("no_asset")?.unwrap_or(false) {
            return Ok(Outcome::None(format!("the registry says that {} has no file", self.tag)));
        }
        if let Some((kind, instead)) = self.elsewhere()? {
            return Ok(Outcome::Elsewhere { kind, instead });
        }
        let emulated = self.emulation()?;
        if let Some(envs) = definition.get("supported_envs")
            && !self.runtime.is_in(envs.list("supported_envs")?)?
        {
            let Runtime { os, arch, .. } = self.runtime;
            let through = emulated.map(|how| format!(", only one that {how} would run"));
            let through = through.unwrap_or_default();
            return Ok(Outcome::None(format!(
                "the registry knows no build for {os}/{arch}{through}"
            )));
        }
        let file = match self.file()? {
            Ok(file) => file,
            Err(why) => return Ok(Outcome::None(why)),
        };
        if let Some(how) = emulated {
            let other = Self { arch: "amd64", ..*self };
            // A file that serves both processors is named without a word for one.
            if other.file()?.as_ref() != Ok(&file) {
                return Ok(Outcome::None(format!(
                    "the registry knows no build for arm64, only one that {how} would run"
                )));
            }
        }
        Ok(Outcome::File(Box::new(file)))
    }

    /// What would run another processor's build here.
    fn emulation(&self) -> Result<Option<&'static str>, Flaw> {
        let flag = |key| Ok::<_, Flaw>(self.definition.flag(key)?.unwrap_or(false));
        Ok(match (self.runtime.os, self.runtime.arch) {
            ("darwin", "arm64") if flag("rosetta2")? => Some("Rosetta 2"),
            ("windows", "arm64") if flag("windows_arm_emulation")? => Some("Windows' emulation"),
            _ => None,
        })
    }

    /// How it is made, and what to use instead, when it is no file.
    pub(super) fn elsewhere(&self) -> Result<Option<(String, String)>, Flaw> {
        let definition = self.definition;
        let kind = definition.text("type")?.unwrap_or("github_release");
        let instead = match kind {
            "cargo" => {
                let name = definition.text("crate")?.unwrap_or("NAME");
                format!("crate:{name}")
            }
            "go_install" | "go_build" | "go" => match definition.text("path")? {
                Some(path) if kind == "go_install" => format!("go:{path}"),
                _ => {
                    let repo = self.repo().unwrap_or_else(|_| "OWNER/REPOSITORY".to_owned());
                    format!("go:MODULE, with the module path of {repo}")
                }
            },
            _ => return Ok(None),
        };
        Ok(Some((kind.to_owned(), instead)))
    }

    /// `OWNER/NAME`
    fn repo(&self) -> Result<String, Flaw> {
        let definition = self.definition;
        match (definition.text("repo_owner")?, definition.text("repo_name")?) {
            (Some(owner), Some(name)) => Ok(format!("{owner}/{name}")),
            _ => Err(Flaw::new(definition.line(), "it names no repository")),
        }
    }

    fn kind(&self) -> Result<&str, Flaw> {
        Ok(self.definition.text("type")?.unwrap_or("github_release"))
    }

    fn format_word(&self) -> Result<&str, Flaw> {
        Ok(match self.kind()? {
            "github_archive" => "tar.gz",
            _ => self.definition.text("format")?.unwrap_or_default(),
        })
    }

    /// The file; why there is none otherwise.
    fn file(&self) -> Result<Result<File, String>, Flaw> {
        let definition = self.definition;
        let words = self.words(definition.get("replacements"))?;
        let (place, asset) = match self.kind()? {
            "github_release" => {
                let Some(template) = definition.get("asset") else { return Ok(self.nothing()) };
                let asset = self.completed(self.rendered(template, "asset", &words)?)?;
                (Place::Release { repo: self.repo()? }, asset)
            }
            "github_content" => {
                let Some(template) = definition.get("path") else { return Ok(self.nothing()) };
                let path = self.rendered(template, "path", &words)?;
                let name = path.rsplit('/').next().unwrap_or(&path).to_owned();
                (Place::Content { repo: self.repo()?, path }, name)
            }
            "github_archive" => {
                let repo = self.repo()?;
                (Place::Archive { repo }, format!("{}.tar.gz", self.tag))
            }
            "http" => {
                let Some(template) = definition.get("url") else { return Ok(self.nothing()) };
                let url = self.completed(self.rendered(template, "url", &words)?)?;
                let path = url.split(['?', '#']).next().unwrap_or(&url);
                let name = path.rsplit('/').next().unwrap_or_default().to_owned();
                (Place::Url(url), name)
            }
            other => {
                let line = definition.get("type").map_or(definition.line(), |node| node.line);
                return Err(Flaw::new(line, format!("the type `{other}` is not known")));
            }
        };
        if asset.is_empty() || asset.contains('/') && !matches!(place, Place::Archive { .. }) {
            let line = definition.line();
            return Err(Flaw::new(line, format!("`{asset}` is no file's name")));
        }
        let word = match self.format_word()? {
            "" => ending(&asset).map_or("raw", |(_, ending)| ending),
            word => word,
        };
        let Some(format) = format_of(word) else {
            return Ok(Err(format!("`{asset}` is in the format `{word}`, which is not read")));
        };
        let commands = self.commands(&asset, format, &words)?;
        let checksum = self.checksum(&place, &asset)?;
        Ok(Ok(File { place, asset, format, commands, checksum }))
    }

    fn nothing(&self) -> Result<File, String> {
        Err(format!("the registry defines no file for {}", self.tag))
    }

    /// The variables of templates.
    fn words(&self, replacements: Option<&Node>) -> Result<Words, Flaw> {
        let replaced = |word: &str| {
            let other = replacements.map(|node| node.text_at(word)).transpose()?.flatten();
            Ok::<_, Flaw>(other.filter(|other| !other.is_empty()).unwrap_or(word).to_owned())
        };
        let prefix = self.definition.text("version_prefix")?.unwrap_or_default();
        let semver = self.tag.strip_prefix(prefix).unwrap_or(self.tag);
        let mut words: Words = [
            ("Version", self.tag.to_owned()),
            ("SemVer", semver.to_owned()),
            ("GOOS", self.runtime.os.to_owned()),
            ("GOARCH", self.runtime.arch.to_owned()),
            ("OS", replaced(self.runtime.os)?),
            ("Arch", replaced(self.arch)?),
            ("Format", self.format_word()?.to_owned()),
        ]
        .map(|(key, value)| (key.to_owned(), value))
        .into();
        for var in self.definition.get("vars").map_or(Ok(&[][..]), |node| node.list("vars"))? {
            let name = var.text_at("name")?.unwrap_or_default();
            if let Some(default) = var.text_at("default")? {
                words.insert(format!("Vars.{name}"), default.to_owned());
            } else if var.flag_at("required")?.unwrap_or(false) {
                return Err(Flaw::new(var.line, format!("it needs a value for `{name}`")));
            }
        }
        Ok(words)
    }

    fn rendered(&self, template: &Node, key: &str, words: &Words) -> Result<String, Flaw> {
        template::render(template.text(key)?, words)
            .map(|text| text.trim().to_owned())
            .map_err(|why| Flaw::new(template.line, format!("`{key}`: {why}")))
    }

    /// A file's name or address with the ending that goes without saying.
    fn completed(&self, name: String) -> Result<String, Flaw> {
        let definition = self.definition;
        let word = definition.text("format")?.unwrap_or_default();
        let mut name = name;
        let appends = definition.flag("append_ext")?.unwrap_or(true);
        let has_ending = ending(&name).is_some() || name.ends_with(&format!(".{word}"));
        if appends && !has_ending && !matches!(word, "" | "raw") {
            name = format!("{name}.{word}");
        }
        if self.runtime.os != "windows" || name.ends_with(".exe") || name.ends_with(".jar") {
            return Ok(name);
        }
        let completes = match definition.flag("complete_windows_ext")? {
            Some(completes) => completes,
            None => !matches!(self.kind()?, "github_content" | "github_archive"),
        };
        let is_bare = word == "raw" || word.is_empty() && !self.has_extension(&name);
        Ok(if completes && is_bare { format!("{name}{}", self.windows_ext()?) } else { name })
    }

    fn windows_ext(&self) -> Result<&str, Flaw> {
        Ok(match (self.definition.text("windows_ext")?, self.kind()?) {
            (Some(ext), _) => ext,
            (None, "github_content" | "github_archive") => ".sh",
            _ => ".exe",
        })
    }

    /// Whether a path ends like a file of some kind; the dots of the version do not count.
    fn has_extension(&self, path: &str) -> bool {
        let version = self.tag.strip_prefix('v').unwrap_or(self.tag);
        let without = path.replace(version, "");
        without.rsplit('/').next().is_some_and(|name| name.contains('.'))
    }

    fn commands(
        &self,
        asset: &str,
        format: Format,
        words: &Words,
    ) -> Result<BTreeMap<CommandName, RelPath>, Flaw> {
        let definition = self.definition;
        let mut words = words.clone();
        let stem = ending(asset).map_or(asset, |(stem, _)| stem);
        words.insert("Asset".to_owned(), asset.to_owned());
        words.insert("AssetWithoutExt".to_owned(), stem.to_owned());
        let mut out = BTreeMap::new();
        let mut add = |line: usize, name: &str, path: String| {
            let path = path.strip_prefix("./").unwrap_or(&path).to_owned();
            let name = CommandName::new(name).map_err(|e| Flaw::new(line, e.to_string()))?;
            let path = RelPath::new(path).map_err(|e| Flaw::new(line, e.to_string()))?;
            out.insert(name, path);
            Ok::<_, Flaw>(())
        };
        let single = |name: &str| match asset.rsplit_once('.') {
            // One file keeps the kind that Windows knows it by.
            Some((_, ext)) if self.runtime.os == "windows" && format == Format::File => {
                let ext = format!(".{ext}");
                let keeps = matches!(ext.as_str(), ".exe" | ".bat" | ".cmd" | ".ps1");
                if keeps && !name.ends_with(&ext) {
                    format!("{name}{ext}")
                } else {
                    name.to_owned()
                }
            }
            _ => name.to_owned(),
        };
        let files = match definition.get("files") {
            Some(node) => node.list("files")?,
            None => &[],
        };
        if files.is_empty() {
            let name = definition.name()?;
            let name = name.rsplit('/').next().unwrap_or(&name);
            let path = if format.is_file() { single(name) } else { self.windows_path(name)? };
            add(definition.line(), name, path)?;
        }
        let first = files.first().map(|file| file.text_at("name")).transpose()?.flatten();
        for file in files {
            let Some(name) = file.text_at("name")? else {
                return Err(Flaw::new(file.line, "a file has no `name`"));
            };
            let path = if format.is_file() {
                // There is one file, whatever it is called as.
                single(first.unwrap_or(name))
            } else {
                words.insert("FileName".to_owned(), name.to_owned());
                let path = match file.get("src") {
                    Some(src) => self.rendered(src, "src", &words)?,
                    None => name.to_owned(),
                };
                self.windows_path(&path)?
            };
            add(file.line, name, path)?;
        }
        Ok(out)
    }

    /// A command's path; on Windows with the ending that goes without saying.
    fn windows_path(&self, path: &str) -> Result<String, Flaw> {
        if self.runtime.os == "windows" && !self.has_extension(path) {
            return Ok(format!("{path}{}", self.windows_ext()?));
        }
        Ok(path.to_owned())
    }

    /// The variables of templates about files that go with the asset.
    pub(super) fn side_words(
        &self,
        replacements: Option<&Node>,
        place: &Place,
        asset: &str,
    ) -> Result<Words, Flaw> {
        let own = self.definition.get("replacements");
        let mut words = match replacements {
            None => self.words(own)?,
            Some(node) => {
                let more = node.map("replacements")?;
                let mut all = match own {
                    // An empty table takes all replacements away.
                    Some(own) if !more.is_empty() => own.map("replacements")?.to_vec(),
                    _ => Vec::new(),
                };
                all.retain(|(key, _)| !more.iter().any(|(other, _)| other == key));
                all.extend_from_slice(more);
                let value = super::yaml::Value::Map(all);
                self.words(Some(&Node { line: node.line, value }))?
            }
        };
        words.insert("Asset".to_owned(), asset.to_owned());
        if let Place::Url(url) = place {
            words.insert("AssetURL".to_owned(), url.clone());
        }
        Ok(words)
    }

    /// Where a file lies that goes with the asset: `type`, and `asset` or `url`.
    pub(super) fn side_file(&self, node: &Node, words: &Words) -> Result<SideFile, Flaw> {
        match node.text_at("type")?.unwrap_or("github_release") {
            "github_release" => {
                let Some(template) = node.get("asset") else {
                    return Err(Flaw::new(node.line, "it has no `asset`"));
                };
                let repo = match (node.text_at("repo_owner")?, node.text_at("repo_name")?) {
                    (Some(owner), Some(name)) => format!("{owner}/{name}"),
                    _ => self.repo()?,
                };
                Ok(SideFile::Release { repo, asset: self.rendered(template, "asset", words)? })
            }
            "http" => {
                let Some(template) = node.get("url") else {
                    return Err(Flaw::new(node.line, "it has no `url`"));
                };
                Ok(SideFile::Url(self.rendered(template, "url", words)?))
            }
            other => Err(Flaw::new(node.line, format!("the type `{other}` is not known"))),
        }
    }

    fn checksum(&self, place: &Place, asset: &str) -> Result<Option<Checksum>, Flaw> {
        let Some(node) = self.definition.get("checksum") else { return Ok(None) };
        if node.flag_at("enabled")? == Some(false) || node.get("type").is_none() {
            return Ok(None);
        }
        let algorithm = match node.text_at("algorithm")?.unwrap_or("sha256") {
            "sha256" => Algorithm::Sha256,
            "sha512" => Algorithm::Sha512,
            // They no longer prove anything.
            "sha1" | "md5" => return Ok(None),
            other => {
                return Err(Flaw::new(node.line, format!("the hash `{other}` is not known")));
            }
        };
        let words = self.side_words(node.get("replacements"), place, asset)?;
        let at = self.side_file(node, &words)?;
        let read = match node.text_at("file_format")?.unwrap_or_default() {
            "" => Read::Lines,
            "raw" => Read::Raw,
            "regexp" => {
                let pattern = node.get("pattern");
                let checksum = pattern.map(|p| p.text_at("checksum")).transpose()?.flatten();
                let Some(checksum) = checksum else {
                    return Err(Flaw::new(node.line, "`regexp` has no `pattern`"));
                };
                let file = pattern.map(|p| p.text_at("file")).transpose()?.flatten();
                Read::Patterns {
                    checksum: checksum.to_owned(),
                    file: file.filter(|file| !file.is_empty()).map(str::to_owned),
                }
            }
            other => {
                let why = format!("the checksum format `{other}` is not known");
                return Err(Flaw::new(node.line, why));
            }
        };
        Ok(Some(Checksum { at, sums: Sums { algorithm, read } }))
    }
}

/// Our format for the registry's word.
fn format_of(word: &str) -> Option<Format> {
    match word {
        "raw" => Some(Format::File),
        // A word is what a name ends with.
        word => Format::of_name(&format!("x.{word}")).filter(|found| *found != Format::File),
    }
}

#[cfg(test)]
#[path = "render_tests.rs"]
mod tests;
