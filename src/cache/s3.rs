//! S3-compatible storage: signed URLs, and listings.
//!
//! Owns Signature Version 4 in its query form: the whole permission is in the URL, which the HTTP
//! room never shows with its query, so that no credential reaches a message. Buckets are addressed
//! by path, which every server understands. Refuses nothing; a bucket without keys is asked
//! unsigned. Invariant: a secret key never leaves [`Bucket`]. Reference: AWS, "Authenticating
//! requests: using query parameters".

use std::fmt::Write as _;

use data_encoding::HEXLOWER;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use ring::hmac;
use sha2::{Digest as _, Sha256};
use url::Url;

use super::backend::Entry;
use crate::base::Secret;

/// All but RFC 3986's unreserved characters.
const UNRESERVED: AsciiSet = NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');
/// The same in a path.
const PATH: AsciiSet = UNRESERVED.remove(b'/');
/// How long a signed URL holds, in seconds: as long as the largest file takes.
const EXPIRES: &str = "43200";

/// A bucket, and what opens it.
#[derive(Clone, Debug)]
pub struct Bucket {
    /// The server.
    pub endpoint: Url,
    /// Its region, which is part of signatures.
    pub region: String,
    /// The bucket's name.
    pub name: String,
    /// What stands before every key: empty, or ends with a slash.
    pub prefix: String,
    /// Key id and secret; unsigned when not given.
    pub keys: Option<(String, Secret)>,
    /// Of temporary credentials.
    pub token: Option<Secret>,
}

impl Bucket {
    /// What stands before every key.
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// The URL for one request.
    pub(super) fn url(&self, method: &str, key: &str, query: &[(&str, &str)]) -> Url {
        let path = format!("{}/{}{key}", self.name, self.prefix);
        self.signed(method, &path, query, &jiff::Timestamp::now())
    }

    /// The URL of a page of the listing.
    pub(super) fn listing(&self, next: Option<&str>) -> Url {
        let mut query = vec![("list-type", "2"), ("prefix", self.prefix.as_str())];
        query.extend(next.map(|token| ("continuation-token", token)));
        self.signed("GET", &self.name, &query, &jiff::Timestamp::now())
    }

    /// The URL of the list of uploads that were begun below a prefix.
    pub(super) fn uploads(&self, prefix: &str) -> Url {
        let query = [("uploads", ""), ("prefix", prefix)];
        self.signed("GET", &self.name, &query, &jiff::Timestamp::now())
    }

    fn signed(
        &self,
        method: &str,
        path: &str,
        query: &[(&str, &str)],
        now: &jiff::Timestamp,
    ) -> Url {
        let base = self.endpoint.path().trim_end_matches('/');
        let path = format!("{base}/{}", encode(path, true));
        let mut words: Vec<(String, String)> =
            query.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        let mut signature = None;
        if let Some((id, secret)) = &self.keys {
            let time = now.strftime("%Y%m%dT%H%M%SZ").to_string();
            let day = &time[..8];
            let scope = format!("{day}/{}/s3/aws4_request", self.region);
            let mut add = |key: &str, value: String| words.push((key.to_owned(), value));
            add("X-Amz-Algorithm", "AWS4-HMAC-SHA256".to_owned());
            add("X-Amz-Credential", format!("{id}/{scope}"));
            add("X-Amz-Date", time.clone());
            add("X-Amz-Expires", EXPIRES.to_owned());
            add("X-Amz-SignedHeaders", "host".to_owned());
            if let Some(token) = &self.token {
                add("X-Amz-Security-Token", token.expose().to_owned());
            }
            let canonical = format!(
                "{method}\n{path}\n{}\nhost:{}\n\nhost\nUNSIGNED-PAYLOAD",
                canonical_query(&words),
                self.host()
            );
            let hash = HEXLOWER.encode(&Sha256::digest(canonical.as_bytes()));
            let text = format!("AWS4-HMAC-SHA256\n{time}\n{scope}\n{hash}");
            let mut key = mac(format!("AWS4{}", secret.expose()).as_bytes(), day);
            for part in [self.region.as_str(), "s3", "aws4_request"] {
                key = mac(&key, part);
            }
            signature = Some(HEXLOWER.encode(&mac(&key, &text)));
        }
        let mut query = canonical_query(&words);
        if let Some(signature) = signature {
            let _ = write!(query, "&X-Amz-Signature={signature}");
        }
        let mut url = self.endpoint.clone();
        url.set_path(&path);
        url.set_query((!query.is_empty()).then_some(&query));
        url
    }

    /// As the `Host` header will have it.
    fn host(&self) -> String {
        let host = self.endpoint.host_str().unwrap_or_default();
        match self.endpoint.port() {
            Some(port) => format!("{host}:{port}"),
            None => host.to_owned(),
        }
    }
}

fn mac(key: &[u8], text: &str) -> Vec<u8> {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), text.as_bytes()).as_ref().to_vec()
}

fn canonical_query(words: &[(String, String)]) -> String {
    let mut encoded: Vec<(String, String)> =
        words.iter().map(|(k, v)| (encode(k, false), encode(v, false))).collect();
    encoded.sort();
    let pairs: Vec<String> = encoded.iter().map(|(k, v)| format!("{k}={v}")).collect();
    pairs.join("&")
}

/// RFC 3986's unreserved characters stay, and slashes in a path.
fn encode(text: &str, is_path: bool) -> String {
    utf8_percent_encode(text, if is_path { &PATH } else { &UNRESERVED }).to_string()
}

/// A page of a listing.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Page {
    pub(super) entries: Vec<Entry>,
    pub(super) next: Option<String>,
}

/// Reads `ListBucketResult`. Not XML in general: the elements that the protocol fixes, which hold
/// no markup of their own.
pub(super) fn parse_listing(bytes: &[u8], prefix: &str) -> Result<Page, String> {
    let text = std::str::from_utf8(bytes).map_err(|_| "it is not UTF-8".to_owned())?;
    if !text.contains("<ListBucketResult") {
        return Err("it is no ListBucketResult".to_owned());
    }
    let mut page = Page::default();
    for part in text.split("<Contents>").skip(1) {
        let part = part.split("</Contents>").next().unwrap_or_default();
        let need = |name: &str| {
            element(part, name).ok_or_else(|| format!("a file is listed without {name}"))
        };
        let key = need("Key")?;
        let Some(key) = key.strip_prefix(prefix) else { continue };
        let size = need("Size")?;
        let modified = need("LastModified")?;
        page.entries.push(Entry {
            key: key.to_owned(),
            size: size.parse().map_err(|_| format!("`{size}` is no size"))?,
            modified: modified
                .parse::<jiff::Timestamp>()
                .map(|t| u64::try_from(t.as_second()).unwrap_or_default())
                .map_err(|_| format!("`{modified}` is no time"))?,
        });
    }
    if element(text, "IsTruncated").as_deref() == Some("true") {
        let token = element(text, "NextContinuationToken");
        page.next = Some(token.ok_or("it goes on without saying where")?);
    }
    Ok(page)
}

/// The text of the first element of a name. Not XML in general, as [`parse_listing`].
pub(super) fn element(text: &str, name: &str) -> Option<String> {
    let rest = text.split_once(&format!("<{name}>"))?.1;
    let value = rest.split_once(&format!("</{name}>"))?.0;
    Some(unescape(value))
}

/// The text without XML's references: the five names, and numbers of characters, which some servers
/// write even quotes with. What is none stays as it is.
fn unescape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('&') {
        out.push_str(before);
        match after.split_once(';').and_then(|(name, rest)| Some((reference(name)?, rest))) {
            Some((character, after)) => {
                out.push(character);
                rest = after;
            }
            None => {
                out.push('&');
                rest = after;
            }
        }
    }
    out + rest
}

fn reference(name: &str) -> Option<char> {
    match name {
        "lt" => Some('<'),
        "gt" => Some('>'),
        "quot" => Some('"'),
        "apos" => Some('\''),
        "amp" => Some('&'),
        _ => {
            let number = name.strip_prefix('#')?;
            let code = match number.strip_prefix('x') {
                Some(hex) => u32::from_str_radix(hex, 16).ok()?,
                None => number.parse().ok()?,
            };
            char::from_u32(code)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bucket(endpoint: &str) -> Bucket {
        Bucket {
            endpoint: endpoint.parse().expect("url"),
            region: "us-east-1".to_owned(),
            name: "examplebucket".to_owned(),
            prefix: String::new(),
            keys: Some((
                "AKIAIOSFODNN7EXAMPLE".to_owned(),
                Secret::new("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"),
            )),
            token: None,
        }
    }

    /// What botocore's `S3SigV4QueryAuth` makes of the same requests at the same time.
    #[test]
    fn signs_as_the_reference_client_does() {
        let now: jiff::Timestamp = "2013-05-24T00:00:00Z".parse().expect("time");
        let one = bucket("http://127.0.0.1:9000");
        let check = |url: &Url, want: &str| {
            assert!(url.as_str().ends_with(&format!("&X-Amz-Signature={want}")), "{url}");
            assert!(!url.as_str().contains("wJalr"), "no secret in {url}");
        };
        let get = one.signed("GET", "examplebucket/test.txt", &[], &now);
        check(&get, "3e68b001318013d328d3743b489bef91baad897f912eacf113fe47def28a42e7");
        let put = one.signed("PUT", "examplebucket/test.txt", &[], &now);
        check(&put, "f0de82751451ecfebc4a42ee606e2ec32b8959e2e3a01d02043c4454df3d64d6");
        let token = Some(Secret::new("token/+="));
        let temporary = Bucket { token, ..bucket("http://127.0.0.1:9000") };
        let query = [("list-type", "2"), ("prefix", "a/b")];
        let list = temporary.signed("GET", "examplebucket", &query, &now);
        check(&list, "7460cd3639689d4d4d14e663a22d15bd238def961cd85e2b39dbe642ccf68a16");
    }

    #[test]
    fn a_bucket_without_keys_is_asked_unsigned() {
        let open = Bucket { keys: None, ..bucket("https://storage.invalid/base/") };
        let url = open.url("GET", "a b", &[]);
        assert_eq!(url.as_str(), "https://storage.invalid/base/examplebucket/a%20b");
    }

    #[test]
    fn references_are_read() {
        for (text, want) in [
            ("&#34;a&#x22;", "\"a\""),
            ("&lt;&gt;&quot;&apos;&amp;", "<>\"'&"),
            ("&amp;lt;", "&lt;"),
            ("a & b &c; &#x110000; &#;", "a & b &c; &#x110000; &#;"),
        ] {
            assert_eq!(unescape(text), want, "{text}");
        }
    }

    #[test]
    fn listings_are_read() {
        let text = "<?xml version=\"1.0\"?><ListBucketResult xmlns=\"x\"><IsTruncated>true</IsTruncated>\
            <Contents><Key>p/a&amp;b.narinfo</Key><LastModified>2013-05-24T00:00:10.000Z</LastModified>\
            <Size>12</Size></Contents><Contents><Key>other</Key><LastModified>2013-05-24T00:00:00Z\
            </LastModified><Size>1</Size></Contents>\
            <NextContinuationToken>t==</NextContinuationToken></ListBucketResult>";
        let page = parse_listing(text.as_bytes(), "p/").expect("page");
        let key = "a&b.narinfo".to_owned();
        assert_eq!(page.entries, [Entry { key, size: 12, modified: 1_369_353_610 }]);
        assert_eq!(page.next.as_deref(), Some("t=="));
        for bad in ["", "<html></html>", "<ListBucketResult><Contents></Contents>"] {
            assert!(parse_listing(bad.as_bytes(), "").is_err(), "{bad}");
        }
    }
}
