//! Proof of where artifacts come from, with the built binary: locked for every platform, verified
//! again without the network, and refused in every way it can be wrong.

use infra::base::{Algorithm, Hasher, Integrity};
use serde_json::{Value, json};

mod aqua;

use crate::support::Outcome;
use crate::upstream::{
    Authority, FakeUpstream, Fault, GithubRelease, Identity, Machine, Minisigner, NpmPackage,
    SigningKey, Tree, attestation_object, executable, tar_gz, tgz,
};
use crate::world::World;

const PLATFORMS: &str = "platforms = [\"aarch64-darwin\", \"x86_64-linux\"]\n";
const SIGNER: &str =
    "https://forge.example/some/alpha/.github/workflows/release.yml (https://issuer.example)";

fn release(tag: &str) -> Identity {
    Identity::workflow("some/alpha", "release.yml", &format!("refs/tags/{tag}"))
}

/// A project with one dep and the authority's trust root.
struct Stage {
    world: World,
    authority: Authority,
}

impl Stage {
    /// `rest` follows the dep in `base.toml`.
    fn new(dep: &str, rest: &str) -> Self {
        let (world, authority) = (World::empty(), Authority::new());
        world.env.write("root.json", authority.root());
        let stage = Self { world, authority };
        stage.profile(dep, rest);
        stage
    }

    fn pypi() -> Self {
        Self::new("alpha = { from = \"pypi:alpha-bin\", version = \"<=1.0\" }", "")
    }

    fn profile(&self, dep: &str, rest: &str) {
        self.world.profiles(&format!(
            "{PLATFORMS}\n[dep]\n{dep}\n\n[policy]\ntrusted-root = \"root.json\"\n{rest}"
        ));
    }

    /// Serves attestations for every file of a version of `alpha`.
    fn attest(&self, version: &str, who: &Identity) {
        self.attest_as(version, &self.authority, who, |name, hex| {
            (name.to_owned(), hex.to_owned())
        });
    }

    fn attest_as(
        &self,
        version: &str,
        authority: &Authority,
        who: &Identity,
        subject: impl Fn(&str, &str) -> (String, String),
    ) {
        for (file, hex) in self.files(version) {
            let (name, hex) = subject(&file, &hex);
            let bundle = authority.attest(who, &[(&name, "sha256", &hex)]);
            self.provenance(&file, &attestation_object(&bundle));
        }
    }

    fn provenance(&self, file: &str, object: &Value) {
        let publisher = json!({"kind": "Other"});
        let object = json!({"version": 1, "attestation_bundles": [
            {"publisher": publisher, "attestations": [object]}]});
        self.world.upstream.pypi_provenance("alpha-bin", file, &object);
    }

    fn files(&self, version: &str) -> Vec<(String, String)> {
        let mut files = self.world.upstream.pypi_files("alpha-bin");
        files.retain(|(name, _)| name.contains(version));
        files
    }

    fn lock(&self) -> Value {
        serde_json::from_str(&self.world.env.read("dep.lock.json")).expect("a lock")
    }

    fn row(&self, dep: &str) -> Value {
        self.lock()["deps"][dep]["platforms"]["x86_64-linux"].clone()
    }

    /// A command that must fail with `code` and these words, and change nothing.
    fn refused(&self, code: i32, args: &[&str], words: &[&str]) -> Outcome {
        let before = self.world.listing();
        let outcome = self.world.env.infra(args);
        assert_eq!(outcome.code, Some(code), "{}", outcome.stderr);
        for word in words {
            assert!(outcome.stderr.contains(word), "`{word}` is told: {}", outcome.stderr);
        }
        assert!(outcome.stderr.contains("hint:"), "{}", outcome.stderr);
        assert_eq!(before, self.world.listing(), "changed: {}", outcome.stderr);
        outcome
    }

    fn statuses(&self, args: &[&str]) -> Vec<String> {
        let all = [&["dep", "verify", "--provenance", "--json"], args].concat();
        let found = self.world.json(all);
        let rows = found["rows"].as_array().expect("rows").clone();
        rows.iter().map(|row| row["status"].as_str().unwrap_or("none").to_owned()).collect()
    }
}

#[test]
fn every_platform_is_verified_and_again_without_the_network() {
    let stage = Stage::pypi();
    stage.attest("1.0.0", &release("v1"));
    stage.world.env.ok(["dep", "lock"]);
    let text = stage.world.env.read("dep.lock.json");
    for platform in ["aarch64-darwin", "x86_64-linux"] {
        let row = &stage.lock()["deps"]["alpha"]["platforms"][platform];
        assert_eq!(row["verified"], json!(["registry-hash", "pypi-attestation"]));
        let signer = row["attestations"][0]["signer"].as_str().expect("signer");
        assert!(signer.starts_with(SIGNER), "{signer}");
    }
    stage.world.env.ok(["dep", "lock"]);
    assert_eq!(stage.world.env.read("dep.lock.json"), text, "locking again changes no byte");

    // Whatever upstream has now, what was kept still holds.
    for (file, _) in stage.files("1.0.0") {
        stage.world.upstream.remove(&FakeUpstream::pypi_provenance_of(&file));
    }
    stage.world.upstream.forget();
    assert_eq!(stage.statuses(&["--offline"]), ["verified", "verified"]);
    assert_eq!(stage.statuses(&["alpha"]), ["verified", "verified"]);
    stage.world.env.ok(["dep", "sync"]);
    let asked = stage.world.upstream.requests();
    assert!(asked.iter().all(|r| !r.path.starts_with("/provenance")), "{asked:?}");

    let told = stage.world.env.ok(["dep", "verify", "--provenance"]).stdout;
    assert!(told.contains("verified   alpha 1.0.0 aarch64-darwin  pypi-attestation by"), "{told}");
}

#[test]
fn lost_evidence_is_fetched_again_or_said_to_be_gone() {
    let stage = Stage::pypi();
    stage.attest("1.0.0", &release("v1"));
    stage.world.env.ok(["dep", "lock"]);
    stage.world.lose(&["evidence"]);
    assert_eq!(stage.statuses(&["--offline"]), ["unchecked", "unchecked"]);
    assert_eq!(stage.statuses(&[]), ["fetched", "fetched"]);
    assert_eq!(stage.statuses(&["--offline"]), ["verified", "verified"]);
    stage.world.lose(&["evidence"]);
    for (file, _) in stage.files("1.0.0") {
        stage.world.upstream.remove(&FakeUpstream::pypi_provenance_of(&file));
    }
    assert_eq!(stage.statuses(&[]), ["unchecked", "unchecked"]);
    let told = stage.world.env.ok(["dep", "verify", "--provenance"]).stdout;
    assert!(told.contains("the pin itself still holds"), "{told}");
}

#[test]
fn evidence_that_was_changed_is_refused() {
    let stage = Stage::pypi();
    stage.attest("1.0.0", &release("v1"));
    stage.world.env.ok(["dep", "lock"]);
    let dir = stage.world.env.store().join("evidence/sha256");
    for entry in std::fs::read_dir(dir).expect("kept") {
        let path = entry.expect("entry").path();
        let text = std::fs::read_to_string(&path).expect("text");
        std::fs::write(&path, text.replacen("statement", "Statement", 1)).expect("write");
    }
    let outcome = stage.world.env.infra(["dep", "verify", "--provenance", "--offline"]);
    assert_eq!(outcome.code, Some(3), "{}", outcome.stderr);
    assert!(outcome.stdout.contains("REFUSED") && outcome.stdout.contains("changed on disk"));
}

#[test]
fn an_attestation_that_does_not_hold_refuses_the_lock() {
    let stage = Stage::pypi();
    let lock = ["dep", "lock"];
    let who = release("v1");
    let says = "the pypi-attestation of `alpha` 1.0.0";

    let other = "ab".repeat(32);
    stage.attest_as("1.0.0", &stage.authority, &who, |name, _| (name.to_owned(), other.clone()));
    stage.refused(3, &lock, &[says, "about another file", "alpha_bin-1.0.0-", "expected  sha256-"]);

    stage.attest_as("1.0.0", &stage.authority, &who, |_, hex| ("x.whl".to_owned(), hex.to_owned()));
    stage.refused(3, &lock, &[says, "about another file", "x.whl"]);

    let same = |name: &str, hex: &str| (name.to_owned(), hex.to_owned());
    stage.attest_as("1.0.0", &Authority::new(), &who, same);
    stage.refused(3, &lock, &[says, "does not hold"]);

    let late = Authority::new();
    stage.world.env.write("root.json", late.root());
    stage.attest_as("1.0.0", late.late(), &who, same);
    stage.refused(3, &lock, &[says, "does not hold", "xpire"]);
    stage.world.env.write("root.json", stage.authority.root());

    for (file, hex) in stage.files("1.0.0") {
        let mut object =
            attestation_object(&stage.authority.attest(&who, &[(&file, "sha256", &hex)]));
        let statement = object["envelope"]["statement"].as_str().expect("text").to_owned();
        let bytes = data_encoding::BASE64.decode(statement.as_bytes()).expect("base64");
        let text = String::from_utf8(bytes)
            .expect("text")
            .replace("\"predicate\":{}", "\"predicate\":{\"x\":1}");
        object["envelope"]["statement"] = json!(data_encoding::BASE64.encode(text.as_bytes()));
        stage.provenance(&file, &object);
    }
    stage.refused(3, &lock, &[says, "does not hold"]);

    for (file, _) in stage.files("1.0.0") {
        stage.world.upstream.file(&FakeUpstream::pypi_provenance_of(&file), "<html>");
    }
    stage.refused(3, &lock, &["says who signed", "cannot be understood"]);

    stage.attest("1.0.0", &who);
    stage.world.env.ok(lock);
}

#[test]
fn what_a_policy_requires_must_be_there() {
    let stage = Stage::pypi();
    let dep = "alpha = { from = \"pypi:alpha-bin\", version = \"<=1.0\" }";
    stage.world.env.ok(["dep", "lock"]);
    assert_eq!(stage.row("alpha")["verified"], json!(["registry-hash"]));
    stage.profile(dep, "require = { pypi = [\"pypi-attestation\"] }\n");
    let words = ["`alpha` 1.0.0 has no pypi-attestation", "profiles/base.toml", "require"];
    for args in [&["dep", "lock"][..], &["dep", "lock", "--check"], &["dep", "sync"]] {
        stage.refused(1, args, &words);
    }
    for (file, _) in stage.files("1.0.0") {
        stage
            .world
            .upstream
            .fault_always(&FakeUpstream::pypi_provenance_of(&file), Fault::Status(403));
    }
    stage.attest("1.0.0", &release("v1"));
    stage.refused(
        1,
        &["dep", "lock"],
        &["cannot find out who signed", "wanted    pypi-attestation"],
    );
    stage.world.upstream.heal();
    stage.world.env.ok(["dep", "lock"]);
    stage.world.env.ok(["dep", "lock", "--check"]);
    assert_eq!(stage.row("alpha")["verified"], json!(["registry-hash", "pypi-attestation"]));

    stage.profile(
        "alpha = { from = \"pypi:alpha-bin\", version = \"<=1.0\", proof = [\"minisign\"] }",
        "",
    );
    stage.refused(1, &["dep", "lock", "--check"], &["no minisign", "the dep asks for"]);
    stage.profile(dep, "sources = [\"npm\", \"pypi:beta-*\"]\n");
    stage.refused(
        1,
        &["dep", "lock"],
        &["`pypi:alpha-bin`, which `sources` does not list", "sources ="],
    );
    stage.profile(dep, "sources = [\"pypi:alpha-*\"]\n");
    stage.world.env.ok(["dep", "lock"]);
}

#[test]
fn nobody_to_ask_is_a_warning_where_nothing_depends_on_it() {
    let stage = Stage::pypi();
    stage.attest("1.0.0", &release("v1"));
    for (file, _) in stage.files("1.0.0") {
        stage
            .world
            .upstream
            .fault_always(&FakeUpstream::pypi_provenance_of(&file), Fault::Status(403));
    }
    let told = stage.world.env.ok(["dep", "lock"]).stderr;
    assert!(told.contains("nobody could be asked who signed it"), "{told}");
    assert_eq!(stage.row("alpha")["verified"], json!(["registry-hash"]));
}

#[test]
fn less_proof_or_another_signer_needs_a_word() {
    let stage = Stage::pypi();
    let newer = "alpha = { from = \"pypi:alpha-bin\", version = \"^1\" }";
    stage.attest("1.0.0", &release("v1"));
    stage.world.env.ok(["dep", "lock"]);
    stage.profile(newer, "");
    stage.world.env.ok(["dep", "lock"]);
    let update = ["dep", "update", "alpha"];
    let before = format!("before    pypi-attestation by {SIGNER}");
    stage.refused(3, &update, &[&before, "now       no pypi-attestation", "--accept-signer alpha"]);

    stage.attest("1.1.0", &Identity::workflow("mallory/alpha", "release.yml", "refs/tags/v1"));
    let now = "now       pypi-attestation by https://forge.example/mallory/alpha/";
    stage.refused(3, &update, &[&before, now]);
    stage.refused(2, &["dep", "update", "--accept-signer", "alhpa"], &["no dep is called"]);
    stage.world.env.ok(["dep", "update", "alpha", "--accept-signer", "alpha"]);
    assert_eq!(stage.lock()["deps"]["alpha"]["version"], "1.1.0");
    assert_eq!(stage.statuses(&["--offline"]), ["verified", "verified"]);
}

#[test]
fn the_same_signer_in_a_later_version_needs_none() {
    let stage = Stage::pypi();
    stage.attest("1.0.0", &release("v1.0.0"));
    stage.attest("1.1.0", &release("v1.1.0"));
    stage.world.env.ok(["dep", "lock"]);
    stage.profile("alpha = { from = \"pypi:alpha-bin\", version = \"^1\" }", "");
    stage.world.env.ok(["dep", "update"]);
    assert_eq!(stage.lock()["deps"]["alpha"]["version"], "1.1.0");
}

#[test]
fn young_versions_are_not_chosen() {
    let dep = "alpha = { from = \"pypi:alpha-bin\", version = \"^1\" }";
    let stage = Stage::new(dep, "minimum-age = \"3d\"\n");
    stage.refused(1, &["dep", "lock"], &["does not say when 1.1.0 was published", "allow-young"]);
    let now = jiff::Timestamp::now().to_string();
    for (version, time) in [("1.0.0", "2024-01-01T00:00:00.000000Z"), ("1.1.0", now.as_str())] {
        for (file, _) in stage.files(version) {
            stage.world.upstream.pypi_uploaded("alpha-bin", &file, time);
        }
    }
    stage.world.env.ok(["dep", "lock"]);
    assert_eq!(stage.lock()["deps"]["alpha"]["version"], "1.0.0");
    let exact = "alpha = { from = \"pypi:alpha-bin\", version = \"=1.1.0\" }";
    stage.profile(exact, "minimum-age = \"3d\"\n");
    stage.refused(1, &["dep", "lock"], &["younger than 3 days", "1.1.0 was published"]);
    stage.profile(exact, "minimum-age = \"3d\"\nallow-young = [\"alpha\"]\n");
    stage.world.env.ok(["dep", "lock"]);
    // What is locked stays, also when the exception is gone.
    stage.profile(dep, "minimum-age = \"3d\"\n");
    stage.world.env.ok(["dep", "update"]);
    assert_eq!(stage.lock()["deps"]["alpha"]["version"], "1.1.0");
}

fn sha512(bytes: &[u8]) -> Integrity {
    let mut hasher = Hasher::new(Algorithm::Sha512);
    hasher.update(bytes);
    hasher.finish()
}

/// `solo` 1.0.0, a package for one platform, with a signature by `signer`.
fn solo(signer: &SigningKey) -> (NpmPackage, Integrity) {
    let program = executable(Machine::of(infra::base::Platform::X86_64Linux), "solo 1.0.0");
    let tarball = tgz("solo", "1.0.0", &Tree::new().executable("bin/solo", program));
    let integrity = sha512(&tarball);
    let sig = signer.sign(format!("solo@1.0.0:{integrity}").as_bytes());
    let package = NpmPackage::new("solo", "1.0.0", tarball)
        .set("bin", json!({"solo": "bin/solo"}))
        .on("linux", "x64", "")
        .dist("signatures", json!([{"keyid": signer.id(), "sig": sig}]));
    (package, integrity)
}

fn keys(keys: &[(&SigningKey, Option<&str>)]) -> String {
    let keys: Vec<_> = keys
        .iter()
        .map(|(key, expires)| json!({"keyid": key.id(), "key": key.spki(), "expires": expires}))
        .collect();
    json!({"keys": keys}).to_string()
}

#[test]
fn an_npm_registry_signs() {
    const KEYS: &str = "/npm/-/npm/v1/keys";
    let stage = Stage::new("solo = \"npm:solo@=1.0.0\"", "");
    let (key, other) = (SigningKey::new(), SigningKey::new());
    let (package, integrity) = solo(&key);
    let upstream = &stage.world.upstream;
    upstream.npm(package.clone());
    let lock = ["dep", "lock"];

    upstream.file(KEYS, keys(&[(&other, None)]));
    stage.refused(3, &lock, &["npm-signature of `solo` 1.0.0", "does not publish"]);
    upstream.file(KEYS, keys(&[(&key, Some("2024-04-01T00:00:00.000Z"))]));
    stage.refused(3, &lock, &["npm-signature", "expired on 2024-04-01"]);
    upstream.file(KEYS, keys(&[(&key, Some("2024-06-01T00:00:00.000Z")), (&other, None)]));

    const STATEMENTS: &str = "/npm/-/npm/v1/attestations/solo@1.0.0";
    let url = upstream.url(STATEMENTS);
    upstream.npm(package.dist("attestations", json!({"url": url})));
    let who = Identity::workflow("some/solo", "publish.yml", "refs/heads/main");
    let statement = |purl: &str| {
        let bundle = stage.authority.attest(&who, &[(purl, "sha512", &integrity.hex())]);
        json!({"attestations": [{"predicateType": "x", "bundle": bundle}]}).to_string()
    };
    upstream.file(STATEMENTS, statement("pkg:npm/solo@1.0.1"));
    stage.refused(3, &lock, &["npm-provenance of `solo`", "about another package"]);
    upstream.file(STATEMENTS, statement("pkg:npm/solo@1.0.0"));
    stage.world.env.ok(lock);
    let row = stage.row("solo");
    assert_eq!(row["verified"], json!(["registry-hash", "npm-signature", "npm-provenance"]));
    assert_eq!(row["attestations"][0]["signer"], format!("npm-key:{}", key.id()));
    assert_eq!(stage.statuses(&["--offline"]), ["verified", "verified"]);
}

#[test]
fn a_mirror_without_keys_proves_nothing() {
    let stage = Stage::new("solo = \"npm:solo@=1.0.0\"", "");
    stage.world.upstream.npm(solo(&SigningKey::new()).0);
    stage.world.env.ok(["dep", "lock"]);
    assert_eq!(stage.row("solo")["verified"], json!(["registry-hash"]));
    assert_eq!(stage.statuses(&[]), ["none"]);
}

#[test]
fn signatures_beside_a_file() {
    let key = Minisigner::new(7);
    let signer = SigningKey::new();
    let dep = |key: &str| {
        format!(
            "gamma = {{ from = \"url:/g-${{version}}-${{os}}.tar.gz\", version = \"=3.0.0\", \
             minisign = \"{key}\", cosign = {{ key = \"cosign.pub\" }}, platforms = [\"x86_64-linux\"] }}"
        )
    };
    let stage = Stage::new(&dep(&key.public()), "");
    let upstream = &stage.world.upstream;
    let source = format!("\n[source.url]\nurl = \"{}\"\n", upstream.url("/url"));
    stage.profile(&dep(&key.public()), &source);
    stage.world.env.write("cosign.pub", signer.pem());
    let program = executable(Machine::of(infra::base::Platform::X86_64Linux), "gamma 3.0.0");
    let bytes = tar_gz(&Tree::new().executable("bin/gamma", program));
    upstream.file("/url/g-3.0.0-linux.tar.gz", bytes.clone());
    let lock = ["dep", "lock"];
    stage.refused(1, &lock, &["`gamma` 3.0.0 has no minisign", "has no cosign"]);

    upstream.file("/url/g-3.0.0-linux.tar.gz.sig", signer.sign(&bytes));
    upstream.file("/url/g-3.0.0-linux.tar.gz.minisig", Minisigner::new(8).sign(&bytes));
    stage.refused(3, &lock, &["the minisign of `gamma`", "signed by somebody else"]);
    upstream.file("/url/g-3.0.0-linux.tar.gz.minisig", key.sign(b"other bytes"));
    stage.refused(3, &lock, &["the minisign of `gamma`", "does not hold"]);
    upstream.file("/url/g-3.0.0-linux.tar.gz.minisig", key.sign(&bytes));
    upstream.file("/url/g-3.0.0-linux.tar.gz.sig", SigningKey::new().sign(&bytes));
    stage.refused(3, &lock, &["the cosign of `gamma`", "does not hold"]);
    upstream.file("/url/g-3.0.0-linux.tar.gz.sig", signer.sign(&bytes));
    stage.world.env.ok(lock);
    let row = stage.row("gamma");
    assert_eq!(row["verified"], json!(["minisign", "cosign"]));
    assert_eq!(row["attestations"][0]["signer"], "minisign:0707070707070707");
    assert_eq!(stage.statuses(&["--offline"]), ["verified", "verified"]);
    // Minisign signs bytes, not a hash: without them it cannot be looked at again.
    stage.world.lose(&["artifacts"]);
    assert_eq!(stage.statuses(&["--offline"]), ["unchecked", "verified"]);

    let other = Minisigner::new(9);
    stage.profile(&dep(&other.public()), &source);
    upstream.file("/url/g-3.0.0-linux.tar.gz.minisig", other.sign(&bytes));
    let (before, now) = ("minisign by minisign:0707070707070707", "minisign:0909090909090909");
    stage.refused(3, &lock, &[before, now]);
    stage.world.env.ok(["dep", "lock", "--accept-signer"]);
}

#[test]
fn a_forge_attests() {
    let stage = Stage::new("tool = \"github:some/tool@^2\"", "");
    let mut stage = stage;
    let upstream = &stage.world.upstream;
    let mut release = GithubRelease::new("v2.0.0");
    let mut subjects = Vec::new();
    for (system, platform) in [
        ("darwin_arm64", infra::base::Platform::Aarch64Darwin),
        ("linux_amd64", infra::base::Platform::X86_64Linux),
    ] {
        let name = format!("tool_2.0.0_{system}.tar.gz");
        let program = executable(Machine::of(platform), "tool 2.0.0");
        let bytes = tar_gz(&Tree::new().executable("bin/tool", program));
        subjects.push((name.clone(), Integrity::sha256_of(&bytes).hex()));
        release = release.asset(&name, bytes);
    }
    upstream.github("some/tool", &[release], 10);
    let api = upstream.github_url();
    let serve = |stage: &Stage, who: &Identity, count: usize| {
        let named: Vec<_> =
            subjects[..count].iter().map(|(n, h)| (n.as_str(), "sha256", h.as_str())).collect();
        let bundle = stage.authority.attest(who, &named);
        let body = json!({"attestations": [{"bundle": bundle, "repository_id": 1}]}).to_string();
        for (_, hex) in &subjects {
            let path = format!("/github/api/repos/some/tool/attestations/sha256:{hex}");
            stage.world.upstream.file(&path, body.clone());
        }
    };
    stage.world.env.set("GITHUB_API_URL", api);
    serve(&stage, &Identity::workflow("mallory/tool", "r.yml", "refs/tags/v2"), 2);
    stage.refused(
        3,
        &["dep", "lock"],
        &["github-attestation of `tool`", "signed by somebody else", "mallory/tool"],
    );
    let who = Identity::workflow("some/tool", "r.yml", "refs/tags/v2");
    serve(&stage, &who, 1);
    stage.refused(3, &["dep", "lock"], &["github-attestation of `tool`", "about another file"]);
    serve(&stage, &who, 2);
    stage.world.upstream.forget();
    stage.world.env.ok(["dep", "lock"]);
    assert_eq!(stage.row("tool")["verified"], json!(["release-digest", "github-attestation"]));
    let asked = stage.world.upstream.requests();
    let asked = asked.iter().filter(|r| r.path.contains("/attestations/")).count();
    assert_eq!(asked, 1, "one statement answers for every file of the release");
    assert_eq!(stage.statuses(&["--offline"]), ["verified", "verified"]);
}

#[test]
fn a_trust_root_that_is_none_is_told() {
    let stage = Stage::pypi();
    stage.world.env.write("root.json", "{}");
    stage.refused(2, &["dep", "lock"], &["`root.json` cannot be used as the trust root"]);
    // Another root is another signer.
    let (one, two) = (Authority::new(), Authority::new());
    let same = |name: &str, hex: &str| (name.to_owned(), hex.to_owned());
    stage.world.env.write("root.json", one.root());
    stage.attest_as("1.0.0", &one, &release("v1"), same);
    stage.attest_as("1.1.0", &two, &release("v1"), same);
    stage.world.env.ok(["dep", "lock"]);
    stage.world.env.write("root.json", two.root());
    stage.profile("alpha = { from = \"pypi:alpha-bin\", version = \"^1\" }", "");
    stage.refused(3, &["dep", "update"], &["by somebody else", "trusted by sha256-"]);
    let outcome = stage.world.env.infra(["dep", "verify", "--provenance", "--offline"]);
    assert!(matches!(outcome.code, Some(1 | 3)), "{}", outcome.stderr);
}

/// What a reviewer reads of who vouches, and what an update says of a version that stays.
#[test]
fn changes_of_proof_are_told() {
    let stage = Stage::pypi();
    let env = &stage.world.env;
    let git = |args: &[&str]| {
        let done = std::process::Command::new("git")
            .args(["-c", "user.name=t", "-c", "user.email=t@example.com"])
            .args(args)
            .current_dir(env.project())
            .output()
            .expect("git");
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    };
    let commit = || git(&["commit", "-qam", "x"]);
    env.ok(["dep", "lock"]);
    git(&["init", "-q"]);
    git(&["add", "-A"]);
    commit();
    let diff = || env.ok(["dep", "diff"]).stdout;

    // The same version, attested since.
    stage.attest("1.0.0", &release("v1"));
    let told = env.ok(["dep", "update"]).stdout;
    let both = "(aarch64-darwin, x86_64-linux)";
    let more = format!("more proof: pypi-attestation by {SIGNER}");
    assert!(told.contains(&format!("~ alpha {both}: {more}")), "{told}");
    assert_eq!(stage.row("alpha")["verified"], json!(["registry-hash", "pypi-attestation"]));
    assert!(diff().contains(&format!("alpha: {more}")) && diff().contains(both), "{}", diff());
    assert_eq!(stage.statuses(&["--offline"]), ["verified", "verified"]);
    commit();
    let text = env.read("dep.lock.json");
    env.ok(["dep", "update"]);
    assert_eq!(env.read("dep.lock.json"), text, "nothing new changes no byte");

    // The same version, whose source has no attestation any more.
    for (file, _) in stage.files("1.0.0") {
        stage.world.upstream.remove(&FakeUpstream::pypi_provenance_of(&file));
    }
    let told = env.ok(["dep", "update"]).stderr;
    assert!(told.contains("its source no longer has the pypi-attestation by"), "{told}");
    assert_eq!(env.read("dep.lock.json"), text, "what was verified is kept");
    assert_eq!(stage.statuses(&["--offline"]), ["verified", "verified"]);
    // The same version, attested by somebody else.
    stage.attest("1.0.0", &Identity::workflow("mallory/alpha", "release.yml", "refs/tags/v1"));
    stage.refused(3, &["dep", "update"], &["by somebody else", "mallory/alpha"]);

    // The next version by another signer, and the one after it by nobody: in words and as a table.
    stage.attest("1.0.0", &release("v1"));
    stage.profile("alpha = { from = \"pypi:alpha-bin\", version = \"^1\" }", "");
    stage.attest("1.1.0", &Identity::workflow("some/new", "release.yml", "refs/tags/v2"));
    env.ok(["dep", "update", "--accept-signer"]);
    let words = diff();
    assert!(
        words.contains("alpha: updated, 1.0.0 → 1.1.0; vouched for by registry-hash"),
        "{words}"
    );
    assert!(
        words.contains("pypi-attestation by ANOTHER SIGNER: ") && words.contains("some/new"),
        "{words}"
    );
    let table = env.ok(["dep", "diff", "--markdown"]).stdout;
    assert!(table.contains("| **ANOTHER SIGNER** | `pypi-attestation by https://"), "{table}");
    assert!(
        table.contains("| alpha | updated | `1.0.0` | `1.1.0` | registry-hash, pypi-"),
        "{table}"
    );
    let json: Value =
        serde_json::from_str(&env.ok(["dep", "diff", "--json"]).stdout).expect("json");
    let alarming = |line: &&Value| line["alarming"] == json!(true);
    let lines = json.as_array().expect("lines");
    assert_eq!(lines.iter().filter(alarming).count(), 1, "{json}");
    assert!(lines[0]["proof"].as_str().is_some_and(|p| p.contains("some/new")), "{json}");
    commit();
    crate::world::publish_pypi(&stage.world.upstream, "alpha", "1.2.0");
    env.ok(["dep", "update", "--accept-signer", "alpha"]);
    assert!(diff().contains("alpha: LESS PROOF: no pypi-attestation by"), "{}", diff());
}
