//! A Debian-style repository on the fake upstream, signed with a key that is made in the test.
//!
//! Everything lies below `/debian/`. Publishing again replaces the whole suite, as a repository's
//! own tools do.

use pgp::composed::{
    CleartextSignedMessage, DetachedSignature, KeyType, SecretKeyParamsBuilder, SignedSecretKey,
};
use pgp::crypto::hash::HashAlgorithm;
use pgp::types::Password;

use super::archives::{Tree, tar_gz};
use super::server::FakeUpstream;
use infra::base::Integrity;

/// A key that signs a repository.
pub(crate) struct AptKey {
    key: SignedSecretKey,
}

impl AptKey {
    /// A new one.
    pub(crate) fn new() -> Self {
        let mut params = SecretKeyParamsBuilder::default();
        params
            .key_type(KeyType::Ed25519Legacy)
            .can_certify(true)
            .can_sign(true)
            .primary_user_id("Archive <archive@mirror.invalid>".to_owned());
        let key = params.build().expect("parameters").generate(rand::thread_rng()).expect("key");
        Self { key }
    }

    /// Its public part, as keyrings hold it.
    pub(crate) fn armored(&self) -> String {
        self.key.to_public_key().to_armored_string(Default::default()).expect("armored")
    }
}

/// A suite to publish.
#[derive(Clone, Debug)]
pub(crate) struct AptSuite {
    name: String,
    packages: Vec<(String, String)>,
    valid_until: Option<String>,
    detached: bool,
    files: Vec<(String, Vec<u8>)>,
}

impl AptSuite {
    /// An empty one.
    pub(crate) fn new(name: &str) -> Self {
        let (packages, files) = (Vec::new(), Vec::new());
        Self { name: name.to_owned(), packages, valid_until: None, detached: false, files }
    }

    /// With a package.
    pub(crate) fn package(mut self, name: &str, version: &str, arch: &str, tree: &Tree) -> Self {
        let bytes = deb(tree);
        let (_, short) = version.rsplit_once(':').unwrap_or(("", version));
        let file = format!("pool/main/{}/{name}/{name}_{short}_{arch}.deb", &name[..1]);
        let stanza = format!(
            "Package: {name}\nVersion: {version}\nArchitecture: {arch}\nDescription: a test\n \
             of several lines\nFilename: {file}\nSize: {}\nSHA256: {}\n",
            bytes.len(),
            Integrity::sha256_of(&bytes).hex(),
        );
        self.packages.push((arch.to_owned(), stanza));
        self.files.push((file, bytes));
        self
    }

    /// With fields of the package that was added last.
    pub(crate) fn fields(mut self, fields: &str) -> Self {
        if let Some((_, stanza)) = self.packages.last_mut() {
            stanza.push_str(fields);
        }
        self
    }

    /// With a date from which on it must not be believed.
    pub(crate) fn valid_until(mut self, date: &str) -> Self {
        self.valid_until = Some(date.to_owned());
        self
    }

    /// With `Release` and `Release.gpg` instead of `InRelease`.
    pub(crate) fn detached(mut self) -> Self {
        self.detached = true;
        self
    }
}

impl FakeUpstream {
    /// Base URL of the repository.
    pub(crate) fn apt_url(&self) -> String {
        self.url("/debian")
    }

    /// Path of a file of a suite, for faults and counting.
    pub(crate) fn apt_file(suite: &str, file: &str) -> String {
        format!("/debian/dists/{suite}/{file}")
    }

    /// Publishes a suite with the component `main`, for `amd64` and `arm64`.
    pub(crate) fn apt(&self, suite: &AptSuite, key: &AptKey) -> &Self {
        let at = |file: &str| Self::apt_file(&suite.name, file);
        let mut hashes = String::new();
        for arch in ["amd64", "arm64"] {
            let stanzas: Vec<&str> = suite
                .packages
                .iter()
                .filter(|(of, _)| of == arch || of == "all")
                .map(|(_, stanza)| stanza.as_str())
                .collect();
            let plain = stanzas.join("\n");
            let packed = xz(plain.as_bytes());
            for (suffix, body) in [("", plain.as_bytes()), (".xz", packed.as_slice())] {
                let path = format!("main/binary-{arch}/Packages{suffix}");
                let hash = Integrity::sha256_of(body).hex();
                hashes.push_str(&format!(" {hash} {:>8} {path}\n", body.len()));
            }
            // As on real mirrors, only the compressed list is served.
            self.file(&at(&format!("main/binary-{arch}/Packages.xz")), packed);
        }
        let until = suite.valid_until.as_ref().map(|d| format!("Valid-Until: {d}\n"));
        let release = format!(
            "Origin: Test\nSuite: {}\nCodename: testing\nDate: Sat, 11 Jan 2025 10:00:00 UTC\n{}\
             Architectures: all amd64 arm64\nComponents: main\n\
             No-Support-for-Architecture-all: Packages\nSHA256:\n{hashes}",
            suite.name,
            until.unwrap_or_default(),
        );
        let password = Password::empty();
        let primary = &key.key.primary_key;
        for file in ["InRelease", "Release", "Release.gpg"] {
            self.remove(&at(file));
        }
        if suite.detached {
            let signature = DetachedSignature::sign_binary_data(
                rand::thread_rng(),
                primary,
                &password,
                HashAlgorithm::Sha256,
                release.as_bytes(),
            )
            .expect("signed");
            let armored = signature.to_armored_bytes(Default::default()).expect("armored");
            self.file(&at("Release"), release).file(&at("Release.gpg"), armored);
        } else {
            let rng = rand::thread_rng();
            let signed = CleartextSignedMessage::sign(rng, &release, primary, &password);
            let text = signed.expect("signed").to_armored_string(Default::default());
            self.file(&at("InRelease"), text.expect("armored"));
        }
        for (file, bytes) in &suite.files {
            self.file(&format!("/debian/{file}"), bytes.clone());
        }
        self
    }
}

/// deb(5).
fn deb(tree: &Tree) -> Vec<u8> {
    let control = tar_gz(&Tree::new().file("control", "Package: x\n"));
    let data = tar_gz(tree);
    let mut out = b"!<arch>\n".to_vec();
    for (name, body) in
        [("debian-binary", &b"2.0\n"[..]), ("control.tar.gz", &control), ("data.tar.gz", &data)]
    {
        let size = body.len();
        let header = format!("{name:<16}{:<12}{:<6}{:<6}{:<8}{size:<10}`\n", 0, 0, 0, 100_644);
        out.extend_from_slice(header.as_bytes());
        out.extend_from_slice(body);
        out.resize(out.len().next_multiple_of(2), b'\n');
    }
    out
}

fn xz(bytes: &[u8]) -> Vec<u8> {
    use std::io::Write as _;
    let options = lzma_rust2::XzOptions::with_preset(1);
    let mut out = lzma_rust2::XzWriter::new(Vec::new(), options).expect("xz");
    out.write_all(bytes).expect("memory");
    out.finish().expect("memory")
}
