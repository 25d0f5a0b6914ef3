//! Archives in memory: wheels, npm tarballs, plain zips and tarballs.
//!
//! Invariant: the same tree gives the same bytes (fixed times and order).

use std::collections::BTreeMap;
use std::io::{Cursor, Write as _};

use ::zip::write::SimpleFileOptions;
use ::zip::{CompressionMethod, ZipWriter};
use flate2::Compression;
use flate2::write::GzEncoder;

/// Files by path, with their permission bits.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tree {
    files: BTreeMap<String, (u32, Vec<u8>)>,
}

impl Tree {
    /// An empty one.
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// With a plain file.
    pub(crate) fn file(mut self, path: &str, body: impl Into<Vec<u8>>) -> Self {
        self.files.insert(path.to_owned(), (0o644, body.into()));
        self
    }

    /// With an executable file.
    pub(crate) fn executable(mut self, path: &str, body: impl Into<Vec<u8>>) -> Self {
        self.files.insert(path.to_owned(), (0o755, body.into()));
        self
    }

    fn below(&self, folder: &str) -> Self {
        let files = self.files.iter();
        Self { files: files.map(|(p, file)| (format!("{folder}/{p}"), file.clone())).collect() }
    }
}

/// A zip archive.
pub(crate) fn zip(tree: &Tree) -> Vec<u8> {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    for (path, (mode, body)) in &tree.files {
        let options = SimpleFileOptions::default()
            .compression_method(CompressionMethod::Deflated)
            .unix_permissions(*mode);
        writer.start_file(path.as_str(), options).expect("a new entry");
        writer.write_all(body).expect("memory");
    }
    writer.finish().expect("memory").into_inner()
}

/// A gzipped tarball.
pub(crate) fn tar_gz(tree: &Tree) -> Vec<u8> {
    let mut builder = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
    for (path, (mode, body)) in &tree.files {
        let mut header = tar::Header::new_ustar();
        header.set_entry_type(tar::EntryType::Regular);
        header.set_mode(*mode);
        header.set_size(body.len() as u64);
        header.set_mtime(499_162_500);
        builder.append_data(&mut header, path, body.as_slice()).expect("memory");
    }
    builder.into_inner().expect("memory").finish().expect("memory")
}

/// An npm tarball: the tree below `package/`, with a `package.json` unless it has one.
pub(crate) fn tgz(name: &str, version: &str, tree: &Tree) -> Vec<u8> {
    let mut tree = tree.clone();
    let manifest = serde_json::json!({"name": name, "version": version}).to_string();
    tree.files.entry("package.json".to_owned()).or_insert((0o644, manifest.into_bytes()));
    tar_gz(&tree.below("package"))
}

/// A wheel whose commands are in `*.data/scripts/`, as builders of binary distributions make them.
/// Gives its file name and bytes. `tags` is `py3-none-PLATFORM`.
pub(crate) fn wheel(
    project: &str,
    version: &str,
    tags: &str,
    scripts: &[(&str, &[u8])],
) -> (String, Vec<u8>) {
    let escaped = project.replace('-', "_");
    let stem = format!("{escaped}-{version}");
    let mut tree = Tree::new();
    for (name, body) in scripts {
        tree = tree.executable(&format!("{stem}.data/scripts/{name}"), *body);
    }
    let info = format!("{stem}.dist-info");
    let metadata = format!("Metadata-Version: 2.1\nName: {project}\nVersion: {version}\n");
    let about = format!("Wheel-Version: 1.0\nRoot-Is-Purelib: false\nTag: {tags}\n");
    let record: String = tree.files.keys().map(|path| format!("{path},,\n")).collect();
    let tree = tree
        .file(&format!("{info}/METADATA"), metadata)
        .file(&format!("{info}/WHEEL"), about)
        .file(&format!("{info}/RECORD"), record);
    (format!("{stem}-{tags}.whl"), zip(&tree))
}
