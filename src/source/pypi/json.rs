//! The JSON form of a project's page (PEP 691, 700, 592).
//!
//! Refuses a major version of the API that it does not know; unknown keys are ignored, as the PEP
//! asks.

use std::collections::BTreeMap;

use ::url::Url;
use serde::Deserialize;

use super::index::{self, File, Index};

#[derive(Deserialize)]
struct Page {
    #[serde(default)]
    meta: Meta,
    files: Vec<Entry>,
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    versions: Vec<String>,
}

#[derive(Default, Deserialize)]
struct Meta {
    #[serde(rename = "api-version")]
    api_version: Option<String>,
}

#[derive(Deserialize)]
struct Entry {
    filename: String,
    url: String,
    #[serde(default)]
    hashes: BTreeMap<String, String>,
    size: Option<u64>,
    #[serde(default)]
    yanked: Yanked,
    #[serde(default)]
    provenance: Option<String>,
    #[serde(default, rename = "upload-time")]
    upload_time: Option<String>,
}

/// `false`, `true`, or the reason as text, which may be empty.
#[derive(Deserialize)]
#[serde(untagged)]
enum Yanked {
    Flag(bool),
    Reason(#[allow(dead_code, reason = "read to tell the shape")] String),
}

impl Default for Yanked {
    fn default() -> Self {
        Self::Flag(false)
    }
}

pub(super) fn parse(body: &[u8], at: &Url) -> Result<Index, String> {
    let page: Page = serde_json::from_slice(body).map_err(|e| e.to_string())?;
    let Page { meta, files, name, versions } = page;
    if let Some(version) = meta.api_version
        && version.split('.').next() != Some("1")
    {
        return Err(format!("it has API version {version}; only 1 is known"));
    }
    let files = files.into_iter().map(|entry| file(entry, at)).collect::<Result<_, _>>()?;
    Ok(Index { files, versions, name })
}

fn file(entry: Entry, at: &Url) -> Result<File, String> {
    let Entry { filename, url, hashes, size, yanked, provenance, upload_time } = entry;
    let about = |why: String| format!("{filename}: {why}");
    let hashes = hashes.iter().map(|(name, hex)| (name.as_str(), hex.as_str()));
    Ok(File {
        url: index::resolve(at, &url).map_err(about)?,
        integrity: index::integrity(hashes).map_err(about)?,
        size,
        yanked: match yanked {
            Yanked::Flag(flag) => flag,
            Yanked::Reason(_) => true,
        },
        provenance: provenance.map(|link| index::resolve(at, &link)).transpose().map_err(about)?,
        // A time that cannot be read is one that is not said.
        uploaded: upload_time.and_then(|text| text.parse().ok()),
        name: filename,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at() -> Url {
        "http://mirror.invalid/simple/tool/".parse().expect("url")
    }

    #[test]
    fn reads_files() {
        let hex = "ab".repeat(32);
        let text = format!(
            r#"{{"meta":{{"api-version":"1.3"}},"name":"tool","versions":["1"],"files":[
            {{"filename":"a.whl","url":"../../files/a.whl","hashes":{{"sha256":"{hex}","md5":"x"}},"size":7,"core-metadata":true,"provenance":"../../p/a.whl","upload-time":"2024-01-02T03:04:05.678901Z"}},
            {{"filename":"b.whl","url":"https://files.mirror.invalid/b.whl","hashes":{{}},"yanked":""}}]}}"#
        );
        let index = parse(text.as_bytes(), &at()).expect("index");
        assert_eq!(index.versions, ["1"]);
        assert_eq!(index.files[0].url.as_str(), "http://mirror.invalid/files/a.whl");
        assert_eq!(index.files[0].integrity.as_ref().map(|i| i.hex()), Some(hex));
        assert_eq!((index.files[0].size, index.files[0].yanked), (Some(7), false));
        let provenance = index.files[0].provenance.as_ref().map(Url::as_str);
        assert_eq!(provenance, Some("http://mirror.invalid/p/a.whl"));
        assert_eq!(index.files[0].uploaded.map(jiff::Timestamp::as_second), Some(1_704_164_645));
        assert_eq!((index.files[1].integrity.clone(), index.files[1].yanked), (None, true));
    }

    #[test]
    fn refuses() {
        for (text, why) in [
            (r#"{"meta":{"api-version":"2.0"},"files":[]}"#, "API version 2.0"),
            (r#"{"error":"no"}"#, "files"),
            (r#"{"files":[{"filename":"a.whl","url":"ftp://x/a"}]}"#, "scheme `ftp`"),
            (
                r#"{"files":[{"filename":"a.whl","url":"a","hashes":{"sha256":"zz"}}]}"#,
                "a.whl: `zz`",
            ),
            ("{", "EOF"),
        ] {
            let error = parse(text.as_bytes(), &at()).expect_err(text);
            assert!(error.contains(why), "{error}");
        }
    }

    proptest! {
        #[test]
        fn never_panics(s in "\\{\"files\":\\[\\PC{0,60}") {
            let _ = parse(s.as_bytes(), &at());
        }
        #[test]
        fn any_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
            let _ = Index::parse(&bytes, &at());
        }
    }
}
