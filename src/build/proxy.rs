//! Directories in the layout of a module proxy: what we keep, and what one build may see.
//!
//! Owns the cache of verified modules (`cache/download`'s layout without Go's own bookkeeping) and
//! the directory that a build reads as `file://` proxy. Refuses a kept file whose bytes are not the
//! sum's. Invariant: a build's proxy holds the modules of the sums and nothing else.
//! Reference: <https://go.dev/ref/mod#goproxy-protocol>.

use std::path::{Path, PathBuf};

use super::error::{Error, Result};
use super::names;
use super::sum::{self, Line};
use crate::fs;

/// The kept file of a sum, if it is there and its bytes are the sum's. One that is not is removed.
pub fn kept(cache: &Path, line: &Line) -> Result<Option<PathBuf>> {
    let path = cache.join(line.file());
    if fs::lstat_if_exists(&path)?.is_none_or(|meta| !meta.is_file()) {
        return Ok(None);
    }
    match sum::of_file(&path, line.is_mod) {
        Ok(sum) if sum == line.sum => Ok(Some(path)),
        Err(Error::File(e)) => Err(e.into()),
        _ => {
            fs::remove_file_if_exists(&path)?;
            Ok(None)
        }
    }
}

/// Takes a file into the cache, by rename, if its bytes are the sum's; gives what it has if not.
pub fn keep(
    cache: &Path,
    line: &Line,
    file: &Path,
) -> Result<std::result::Result<PathBuf, String>> {
    let sum = match sum::of_file(file, line.is_mod) {
        Ok(sum) => sum,
        Err(Error::File(e)) => return Err(e.into()),
        Err(e) => return Ok(Err(e.to_string())),
    };
    if sum != line.sum {
        return Ok(Err(sum));
    }
    let path = cache.join(line.file());
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent)?;
    }
    fs::chmod(file, 0o644)?;
    fs::rename(file, &path)?;
    Ok(Ok(path))
}

/// Every `go.mod` and zip that Go downloaded into a module cache, with the sum of its bytes,
/// sorted. What Go noted as a zip's sum must be the same.
pub fn downloaded(downloads: &Path) -> Result<Vec<Line>> {
    let mut out = Vec::new();
    walk(downloads, downloads, &mut out)?;
    out.sort();
    Ok(out)
}

fn walk(top: &Path, dir: &Path, out: &mut Vec<Line>) -> Result<()> {
    for name in fs::read_dir_names_if_exists(dir)? {
        let path = dir.join(&name);
        let Some(name) = name.to_str() else { continue };
        if fs::lstat(&path)?.is_dir() {
            // The checksum database's own documents.
            if dir != top || name != "sumdb" {
                walk(top, &path, out)?;
            }
            continue;
        }
        if let Some(line) = line_of(top, dir, name, &path)? {
            out.push(line);
        }
    }
    Ok(())
}

fn line_of(top: &Path, dir: &Path, name: &str, path: &Path) -> Result<Option<Line>> {
    let module = dir.strip_prefix(top).ok().and_then(Path::to_str);
    let module = module.and_then(|m| m.strip_suffix("/@v")).and_then(names::unescape);
    let (Some(module), Some((version, ending))) = (module, name.rsplit_once('.')) else {
        return Ok(None);
    };
    let (is_mod, version) = match (ending, names::unescape(version)) {
        ("mod", Some(version)) => (true, version),
        ("zip", Some(version)) => (false, version),
        _ => return Ok(None),
    };
    let sum = sum::of_file(path, is_mod)?;
    let line = Line { module, version, is_mod, sum };
    if !is_mod {
        let noted = fs::read_to_string_if_exists(&path.with_extension("ziphash"))?;
        if noted.is_some_and(|noted| noted.trim() != line.sum) {
            return Err(Error::Unstable { about: line.about() });
        }
    }
    Ok(Some(line))
}

/// Fills `into` with links to the kept files of `lines`, and what Go asks for beside them to find
/// `package` at `version`. Gives the module of the package.
pub fn fill(
    into: &Path,
    cache: &Path,
    lines: &[Line],
    package: &str,
    version: &str,
) -> Result<String> {
    let Some(module) = sum::module_of(lines, package, version) else {
        let (package, version) = (package.to_owned(), version.to_owned());
        return Err(Error::NoModule { package, version });
    };
    for line in lines {
        let file = line.file();
        let link = into.join(&file);
        if let Some(parent) = link.parent() {
            fs::create_dir_all(parent)?;
        }
        fs::symlink(&cache.join(&file), &link)?;
    }
    announce(into, module, version)?;
    Ok(module.to_owned())
}

/// Says in a proxy's directory that a module has one version. Go looks the version up, and whether
/// the module was given up since: with one version there is nothing newer that could say so.
pub fn announce(into: &Path, module: &str, version: &str) -> Result<()> {
    let info = into.join(sum::file(module, version, "info"));
    if let Some(parent) = info.parent() {
        fs::create_dir_all(parent)?;
    }
    fs::write_atomic(&info, format!("{{\"Version\":\"{version}\"}}\n").as_bytes())?;
    let list = into.join(names::escape(module)).join("@v/list");
    fs::write_atomic(&list, format!("{version}\n").as_bytes())?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(path: &Path, text: &[u8]) {
        fs::create_dir_all(path.parent().expect("parent")).expect("create");
        fs::write_atomic(path, text).expect("write");
    }

    fn line(module: &str, text: &[u8]) -> Line {
        let (module, version) = (module.to_owned(), "v1.0.0".to_owned());
        Line { module, version, is_mod: true, sum: sum::of_mod(text) }
    }

    #[test]
    fn keeps_only_what_the_sum_is_of() {
        let dir = tempfile::tempdir().expect("tempdir");
        let (cache, file) = (dir.path().join("cache"), dir.path().join("file"));
        let line = line("example.com/A", b"module example.com/A\n");
        assert_eq!(kept(&cache, &line).expect("look"), None);
        write(&file, b"module example.com/B\n");
        let other = keep(&cache, &line, &file).expect("look").expect_err("refused");
        assert_eq!(other, sum::of_mod(b"module example.com/B\n"));
        assert_eq!(kept(&cache, &line).expect("look"), None);
        write(&file, b"module example.com/A\n");
        let path = keep(&cache, &line, &file).expect("look").expect("kept");
        assert!(path.ends_with("example.com/!a/@v/v1.0.0.mod"));
        assert_eq!(kept(&cache, &line).expect("look"), Some(path.clone()));
        write(&path, b"changed");
        assert_eq!(kept(&cache, &line).expect("look"), None, "a changed file is fetched again");
        assert!(!fs::exists(&path).expect("look"));
    }

    #[test]
    fn reads_what_go_downloaded() {
        let dir = tempfile::tempdir().expect("tempdir");
        let top = dir.path();
        write(&top.join("example.com/!b/@v/v1.0.0.mod"), b"b");
        write(&top.join("example.com/!b/@v/v1.0.0.info"), b"{}");
        write(&top.join("example.com/!b/@v/v1.0.0.lock"), b"");
        write(&top.join("example.com/a/@v/list"), b"");
        write(&top.join("example.com/a/@v/v1.0.0.mod"), b"a");
        write(&top.join("sumdb/sum.invalid/tile/8/0/0.mod"), b"x");
        let lines = downloaded(top).expect("lines");
        assert_eq!(lines, [line("example.com/B", b"b"), line("example.com/a", b"a")]);
    }

    #[test]
    fn a_builds_proxy_holds_the_sums_alone() {
        let dir = tempfile::tempdir().expect("tempdir");
        let into = dir.path().join("proxy");
        let mut zip = line("example.com/a", b"a");
        zip.is_mod = false;
        let lines = [zip, line("example.com/a", b"a")];
        let module = fill(&into, Path::new("/cache"), &lines, "example.com/a/cmd/x", "v1.0.0");
        assert_eq!(module.expect("module"), "example.com/a");
        let names = fs::read_dir_names(&into.join("example.com/a/@v")).expect("names");
        assert_eq!(names, ["list", "v1.0.0.info", "v1.0.0.mod", "v1.0.0.zip"]);
        let target = fs::read_link(&into.join("example.com/a/@v/v1.0.0.zip")).expect("link");
        assert_eq!(target, Path::new("/cache/example.com/a/@v/v1.0.0.zip"));
        let other = dir.path().join("other");
        assert!(fill(&other, Path::new("/cache"), &lines, "example.com/b", "v1.0.0").is_err());
    }
}
