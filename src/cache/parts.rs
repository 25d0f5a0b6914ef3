//! Large files into a bucket, in parts: a multipart upload that a killed one goes on from.
//!
//! 1. An upload of the same key that was begun and not ended is looked for, and what parts it has.
//! 2. The parts that are missing are sent, several at once.
//! 3. It is completed: the file appears whole.
//!
//! Archives are named by their hash and parts are cut by the file's size alone, so that a part of the
//! right number and length is the same bytes whoever sent it. Where a server cannot list uploads,
//! each begins anew. Refuses an answer that names no upload. Invariant: after a failure that this
//! process lives to see, nothing is left in the bucket; what a killed one leaves is gone on from, or
//! removed by a later push or collection after [`LEFT`]. Reference: the S3 API, "Uploading and
//! copying objects using multipart upload".

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Mutex;
use std::time::Duration;

use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};
use url::Url;

use super::s3::{Bucket, element};
use super::{Error, Result};
use crate::base::{Task, interrupt};
use crate::http::{Body, Client, Get};

/// Bytes of a part; a file of twice as many is sent in parts. Storage takes no smaller ones than
/// 5 MiB.
const PART: u64 = 16 << 20;
/// Storage takes 10,000 parts.
const MOST_PARTS: u64 = 9_000;
/// Parts under way at once.
const AT_ONCE: usize = 4;
/// How long an upload that nobody ends is left for its owner to go on.
const LEFT: Duration = Duration::from_secs(7 * 24 * 3600);

/// Whether a file of this size is sent in parts.
pub(super) fn are_used(size: u64) -> bool {
    size >= 2 * PART
}

/// Bytes of each part but the last; whole mebibytes, and a function of the file's size.
fn part_size(size: u64) -> u64 {
    PART.max(size.div_ceil(MOST_PARTS).next_multiple_of(1 << 20))
}

/// A bucket that takes parts.
pub(super) struct Parts<'a> {
    pub(super) client: &'a Client,
    pub(super) bucket: &'a Bucket,
    /// The cache, for messages.
    pub(super) shown: &'a str,
}

/// An upload that was begun.
#[derive(Debug, PartialEq, Eq)]
struct Begun {
    key: String,
    id: String,
    since: Option<jiff::Timestamp>,
}

/// Parts that a bucket has: number → tag and size.
type Sent = BTreeMap<u64, (String, u64)>;

impl Parts<'_> {
    /// Writes a file of `size` bytes.
    pub(super) async fn put(
        &self,
        key: &str,
        file: &Path,
        size: u64,
        content_type: &'static str,
        task: &dyn Task,
    ) -> Result<()> {
        if let Some((id, sent)) = self.to_go_on(key).await {
            match self.finish(key, &id, file, size, sent, content_type, task).await {
                // It was ended meanwhile, by whoever sent the same file.
                Err(e) if e.is_not_found() => {}
                done => return done,
            }
            if self.client.size(&get(self.bucket.url("HEAD", key, &[]))).await? == Some(size) {
                return Ok(());
            }
        }
        let id = self.begin(key, content_type).await?;
        self.finish(key, &id, file, size, Sent::new(), content_type, task).await
    }

    /// Removes uploads that nobody has gone on with for long.
    pub(super) async fn sweep(&self) -> Result<()> {
        let now = jiff::Timestamp::now();
        for Begun { key, id, since } in self.begun("").await? {
            let age = since.and_then(|since| Duration::try_from(now.duration_since(since)).ok());
            if age.is_some_and(|age| age > LEFT) {
                self.abort(&key, &id).await?;
            }
        }
        Ok(())
    }

    async fn begin(&self, key: &str, content_type: &'static str) -> Result<String> {
        let request = get(self.bucket.url("POST", key, &[("uploads", "")]));
        let answer = self.client.post(&request, content_type, b"").await?;
        let text = String::from_utf8_lossy(&answer);
        element(&text, "UploadId").ok_or_else(|| self.odd(key, "it begins no upload"))
    }

    /// The newest upload of a key, with its parts. Best effort.
    async fn to_go_on(&self, key: &str) -> Option<(String, Sent)> {
        let begun = self.begun(key).await.ok()?;
        let id = begun.into_iter().filter(|one| one.key == key).max_by_key(|one| one.since)?.id;
        let mut sent = Sent::new();
        let mut after = String::from("0");
        loop {
            let query = [("uploadId", id.as_str()), ("part-number-marker", &after)];
            let page = self.client.fresh(&get(self.bucket.url("GET", key, &query))).await.ok()?;
            let page = String::from_utf8_lossy(&page);
            sent.extend(parts(&page));
            match next(&page, "NextPartNumberMarker") {
                Some(next) if next != after => after = next,
                _ => return Some((id, sent)),
            }
        }
    }

    /// The uploads below a key that were begun and not ended; those of the first thousand.
    async fn begun(&self, below: &str) -> Result<Vec<Begun>> {
        let prefix = format!("{}{below}", self.bucket.prefix());
        let page = self.client.fresh(&get(self.bucket.uploads(&prefix))).await?;
        Ok(uploads(&String::from_utf8_lossy(&page), self.bucket.prefix()))
    }

    async fn abort(&self, key: &str, id: &str) -> Result<()> {
        let request = get(self.bucket.url("DELETE", key, &[("uploadId", id)]));
        Ok(self.client.delete(&request).await?)
    }

    #[allow(clippy::too_many_arguments, reason = "one upload, and what it is of")]
    async fn finish(
        &self,
        key: &str,
        id: &str,
        file: &Path,
        size: u64,
        sent: Sent,
        content_type: &'static str,
        task: &dyn Task,
    ) -> Result<()> {
        let done = async {
            let tags = self.send(key, id, file, size, sent, content_type, task).await?;
            self.complete(key, id, size, &tags).await
        };
        match done.await {
            Err(e) if !e.is_not_found() => {
                // Who cannot send may well be unable to clean up; a later sweep does it.
                let _ = self.abort(key, id).await;
                Err(e)
            }
            done => done,
        }
    }

    /// Sends what is missing; the tags of all parts.
    #[allow(clippy::too_many_arguments, reason = "one upload, and what it is of")]
    async fn send(
        &self,
        key: &str,
        id: &str,
        file: &Path,
        size: u64,
        sent: Sent,
        content_type: &'static str,
        task: &dyn Task,
    ) -> Result<BTreeMap<u64, String>> {
        let length = part_size(size);
        let tags = Mutex::new(BTreeMap::new());
        let keep = |number, tag| {
            tags.lock().unwrap_or_else(|e| e.into_inner()).insert(number, tag);
        };
        let mut work = Vec::new();
        for number in 1..=size.div_ceil(length) {
            let start = (number - 1) * length;
            let length = length.min(size - start);
            match sent.get(&number) {
                Some((tag, there)) if *there == length => {
                    task.advance(length);
                    keep(number, tag.clone());
                }
                _ => work.push((number, Body::Part { file, start, length })),
            }
        }
        // Collected, since a closure kept across an await would tie the future to one thread.
        let under_way: Vec<_> = work
            .iter()
            .map(|(number, body)| async {
                let number = *number;
                let text = number.to_string();
                let query = [("partNumber", text.as_str()), ("uploadId", id)];
                let request = get(self.bucket.url("PUT", key, &query));
                let tag = self.client.put(&request, content_type, body, task).await?;
                let tag = tag.ok_or_else(|| self.odd(key, "a part got no ETag"))?;
                keep(number, tag);
                interrupt::point("push.part");
                Ok::<_, Error>(())
            })
            .collect();
        stream::iter(under_way).buffer_unordered(AT_ONCE).try_collect::<()>().await?;
        Ok(tags.into_inner().unwrap_or_else(|e| e.into_inner()))
    }

    async fn complete(
        &self,
        key: &str,
        id: &str,
        size: u64,
        tags: &BTreeMap<u64, String>,
    ) -> Result<()> {
        let request = get(self.bucket.url("POST", key, &[("uploadId", id)]));
        let body = completion(tags);
        let answer = self.client.post(&request, "application/xml", body.as_bytes()).await;
        let why = match answer {
            // An answer of success may yet hold an error: its head is sent while work goes on.
            Ok(answer) if !String::from_utf8_lossy(&answer).contains("<Error>") => return Ok(()),
            Ok(answer) => {
                let text = String::from_utf8_lossy(&answer);
                self.odd(key, &element(&text, "Code").unwrap_or_default())
            }
            Err(e) => e.into(),
        };
        // A try whose answer was lost, or another process, may have completed it.
        match self.client.size(&get(self.bucket.url("HEAD", key, &[]))).await {
            Ok(Some(there)) if there == size => Ok(()),
            _ => Err(why),
        }
    }

    fn odd(&self, key: &str, why: &str) -> Error {
        Error::Upload { cache: self.shown.to_owned(), file: key.to_owned(), why: why.to_owned() }
    }
}

fn get(url: Url) -> Get {
    Get { url, accept: None, authorization: None }
}

fn completion(tags: &BTreeMap<u64, String>) -> String {
    let mut body = String::from("<CompleteMultipartUpload>");
    for (number, tag) in tags {
        let tag = tag.replace('&', "&amp;").replace('<', "&lt;");
        body += &format!("<Part><PartNumber>{number}</PartNumber><ETag>{tag}</ETag></Part>");
    }
    body + "</CompleteMultipartUpload>"
}

/// Where a listing goes on.
fn next(page: &str, name: &str) -> Option<String> {
    (element(page, "IsTruncated")? == "true").then(|| element(page, name))?
}

/// Reads `ListMultipartUploadsResult`.
fn uploads(page: &str, prefix: &str) -> Vec<Begun> {
    let read = |part: &str| {
        let key = element(part, "Key")?.strip_prefix(prefix)?.to_owned();
        let since = element(part, "Initiated").and_then(|text| text.parse().ok());
        Some(Begun { key, id: element(part, "UploadId")?, since })
    };
    page.split("<Upload>").skip(1).filter_map(read).collect()
}

/// Reads `ListPartsResult`.
fn parts(page: &str) -> Sent {
    let read = |part: &str| {
        let number = element(part, "PartNumber")?.parse().ok()?;
        Some((number, (element(part, "ETag")?, element(part, "Size")?.parse().ok()?)))
    };
    page.split("<Part>").skip(1).filter_map(read).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_cover_every_size() {
        assert!(!are_used(2 * PART - 1));
        for size in [2 * PART, 2 * PART + 1, 100 << 30, 5 << 40] {
            let length = part_size(size);
            let count = size.div_ceil(length);
            assert!(are_used(size) && (2..=10_000).contains(&count), "{size}: {count} parts");
            assert!(length >= 5 << 20 && length.is_multiple_of(1 << 20), "{size}: {length}");
        }
    }

    #[test]
    fn listings_are_read() {
        let page = "<ListMultipartUploadsResult><Upload><Key>p/nar/a</Key><UploadId>one</UploadId>\
            <Initiated>2026-01-01T00:00:00.000Z</Initiated></Upload><Upload><Key>p/nar/a</Key>\
            <UploadId>t&amp;wo</UploadId></Upload><Upload><Key>other</Key><UploadId>x</UploadId>\
            </Upload></ListMultipartUploadsResult>";
        let found = uploads(page, "p/");
        let ids: Vec<_> = found.iter().map(|one| (one.key.as_str(), one.id.as_str())).collect();
        assert_eq!(ids, [("nar/a", "one"), ("nar/a", "t&wo")]);
        let newest = found.into_iter().max_by_key(|one| one.since).expect("some");
        assert_eq!(newest.id, "one", "one without a time is the oldest");

        let page = "<ListPartsResult><IsTruncated>true</IsTruncated>\
            <NextPartNumberMarker>2</NextPartNumberMarker><Part><PartNumber>2</PartNumber>\
            <ETag>&quot;b&quot;</ETag><Size>5</Size></Part><Part><PartNumber>x</PartNumber>\
            <ETag>c</ETag><Size>5</Size></Part></ListPartsResult>";
        assert_eq!(parts(page), Sent::from([(2, ("\"b\"".to_owned(), 5))]));
        assert_eq!(next(page, "NextPartNumberMarker").as_deref(), Some("2"));
        assert_eq!(next("<IsTruncated>false</IsTruncated>", "NextPartNumberMarker"), None);
        for odd in ["", "<html>", "<Upload><Key>p/", "<Part>"] {
            assert!(uploads(odd, "p/").is_empty() && parts(odd).is_empty(), "{odd}");
        }
    }

    #[test]
    fn a_completion_names_every_part() {
        let tags = BTreeMap::from([(2, "\"b\"".to_owned()), (1, "a&b".to_owned())]);
        let want = "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>a&amp;b</ETag>\
            </Part><Part><PartNumber>2</PartNumber><ETag>\"b\"</ETag></Part>\
            </CompleteMultipartUpload>";
        assert_eq!(completion(&tags), want);
    }
}
