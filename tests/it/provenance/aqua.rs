//! What the definitions of the Aqua registry say of who signed: artifacts, checksum files that list
//! them, and statements of how they were built.

use super::*;

/// A tool of a forge that the Aqua registry defines, with `sections` of proof.
struct Defined {
    stage: Stage,
    files: Vec<(String, Vec<u8>)>,
}

impl Defined {
    fn new(sections: &str) -> Self {
        let mut stage = Stage::new("tool = \"aqua:some/tool@^2\"", "");
        let api = stage.world.upstream.github_url();
        stage.world.env.set("GITHUB_API_URL", api);
        let files = [
            ("darwin_arm64", infra::base::Platform::Aarch64Darwin),
            ("linux_amd64", infra::base::Platform::X86_64Linux),
        ]
        .map(|(system, platform)| {
            let program = executable(Machine::of(platform), "tool 2.0.0");
            let bytes = tar_gz(&Tree::new().executable("tool", program));
            (format!("tool_{system}.tar.gz"), bytes)
        });
        let definition = format!(
            "  - type: github_release\n    repo_owner: some\n    repo_name: tool\n    \
             asset: tool_{{{{.OS}}}}_{{{{.Arch}}}}.tar.gz\n{sections}"
        );
        stage.world.upstream.aqua('a', &[("some/tool", &definition)]);
        let defined = Self { stage, files: files.into() };
        defined.serve(|_, _| Vec::new());
        defined
    }

    /// Serves the release, each file with what goes with it: a name's ending and the bytes.
    fn serve(&self, beside: impl Fn(&str, &[u8]) -> Vec<(&'static str, String)>) {
        self.serve_with(&[], beside);
    }

    /// The same, with further files.
    fn serve_with(
        &self,
        further: &[(&str, &str)],
        beside: impl Fn(&str, &[u8]) -> Vec<(&'static str, String)>,
    ) {
        let mut release = GithubRelease::new("v2.0.0");
        for (name, body) in further {
            release = release.asset(name, *body);
        }
        for (name, bytes) in &self.files {
            release = release.asset(name, bytes.clone());
            for (ending, body) in beside(name, bytes) {
                release = release.asset(&format!("{name}{ending}"), body);
            }
        }
        self.stage.world.upstream.github("some/tool", &[release], 10);
    }
}

#[test]
fn a_registry_names_the_key_of_a_signature() {
    let key = Minisigner::new(7);
    let defined = Defined::new(&format!(
        "    minisign:\n      type: github_release\n      asset: \"{{{{.Asset}}}}.minisig\"\n      \
         public_key: {}\n    cosign:\n      opts: [--key, cosign.pub]\n",
        key.public()
    ));
    let (stage, lock) = (&defined.stage, ["dep", "lock"]);
    let by = |signer: &Minisigner, of: Option<&[u8]>| {
        defined.serve(|_, bytes| vec![(".minisig", signer.sign(of.unwrap_or(bytes)))]);
    };
    by(&Minisigner::new(8), None);
    stage.refused(3, &lock, &["the minisign of `tool`", "signed by somebody else"]);
    by(&key, Some(b"other bytes"));
    stage.refused(3, &lock, &["the minisign of `tool`", "does not hold"]);
    by(&key, None);
    let told = stage.world.env.ok(lock).stderr;
    let left_out =
        "names a signature of cosign for `tool` (aqua:some/tool) that cannot be verified";
    assert_eq!(told.matches(left_out).count(), 1, "{told}");
    assert!(told.contains("`--key cosign.pub` is no address"), "{told}");
    let row = stage.row("tool");
    assert_eq!(row["verified"], json!(["release-digest", "minisign"]));
    assert_eq!(row["attestations"][0]["signer"], "minisign:0707070707070707");
    assert_eq!(stage.statuses(&["--offline"]).last().map(String::as_str), Some("verified"));
}

#[test]
fn a_signature_that_a_registry_names_and_is_not_there_is_told() {
    let key = Minisigner::new(7);
    let defined = Defined::new(&format!(
        "    minisign:\n      type: github_release\n      asset: \"{{{{.Asset}}}}.minisig\"\n      \
         public_key: {}\n",
        key.public()
    ));
    let told = defined.stage.world.env.ok(["dep", "lock"]).stderr;
    assert!(told.contains("`tool_linux_amd64.tar.gz.minisig` for `tool`"), "{told}");
    assert!(told.contains("it is not there"), "{told}");
    assert_eq!(defined.stage.row("tool")["verified"], json!(["release-digest"]));
}

#[test]
fn a_registry_names_who_attests_and_signs() {
    let identity = Identity::workflow("some/tool", "r.yml", "refs/tags/v2.0.0");
    let defined = Defined::new(
        "    github_artifact_attestations:\n      signer_workflow: some/tool/.github/workflows/r.yml\n    \
         cosign:\n      bundle:\n        type: github_release\n        asset: \"{{.Asset}}.json\"\n      \
         opts:\n        - --certificate-identity-regexp\n        \
         - '^https://forge\\.example/some/tool/\\.github/workflows/r\\.yml@.*$'\n        \
         - --certificate-oidc-issuer=https://issuer.example\n",
    );
    let (stage, lock) = (&defined.stage, ["dep", "lock"]);
    let sign = |who: &Identity| {
        defined
            .serve(|_, bytes| vec![(".json", stage.authority.sign_bytes(who, bytes).to_string())]);
    };
    let mallory = Identity::workflow("mallory/tool", "r.yml", "refs/tags/v2.0.0");
    sign(&mallory);
    stage.refused(3, &lock, &["the cosign of `tool`", "signed by somebody else"]);
    sign(&identity);
    stage.world.env.ok(lock);
    assert_eq!(stage.row("tool")["verified"], json!(["release-digest", "cosign"]));
    let attest = |who: &Identity| {
        for (name, bytes) in &defined.files {
            let hex = Integrity::sha256_of(bytes).hex();
            let bundle = stage.authority.attest(who, &[(name.as_str(), "sha256", hex.as_str())]);
            let body = json!({"attestations": [{"bundle": bundle, "repository_id": 1}]});
            let path = format!("/github/api/repos/some/tool/attestations/sha256:{hex}");
            stage.world.upstream.file(&path, body.to_string());
        }
    };
    stage.profile(
        "tool = { from = \"aqua:some/tool\", version = \"^2\", proof = [\"github-attestation\"] }",
        "",
    );
    attest(&mallory);
    stage.refused(3, &lock, &["github-attestation of `tool`", "signed by somebody else"]);
    attest(&identity);
    stage.world.env.ok(lock);
    let row = stage.row("tool");
    assert_eq!(row["verified"], json!(["release-digest", "cosign", "github-attestation"]));
    assert_eq!(stage.statuses(&["--offline"]), ["verified"; 4]);
}

impl Defined {
    /// Forgets what is locked.
    fn unlock(&self) {
        let lock = self.stage.world.env.project().join("dep.lock.json");
        std::fs::remove_file(lock).expect("a lock");
    }

    /// The checksum file of the release.
    fn sums(&self) -> String {
        let line = |(name, bytes): &(String, Vec<u8>)| {
            format!("{}  {name}\n", Integrity::sha256_of(bytes).hex())
        };
        self.files.iter().map(line).collect()
    }

    /// Lets the trust root's log be this upstream, with these entries about any artifact.
    fn log(&self, entries: &[&str]) {
        let upstream = &self.stage.world.upstream;
        let root = self.stage.authority.root_with_log(&upstream.url("/log"));
        self.stage.world.env.write("root.json", root);
        let names: Vec<String> = (0..entries.len()).map(|n| format!("{n:080x}")).collect();
        upstream.file("/log/api/v1/index/retrieve", json!(names).to_string());
        for (name, entry) in names.iter().zip(entries) {
            upstream.file(&format!("/log/api/v1/log/entries/{name}"), *entry);
        }
    }
}

const LISTED: &str = "    checksum:\n      type: github_release\n      asset: sums.txt\n      \
    algorithm: sha256\n";

#[test]
fn a_signed_checksum_file_vouches_for_what_it_lists() {
    let key = Minisigner::new(7);
    let defined = Defined::new(&format!(
        "{LISTED}      minisign:\n        type: github_release\n        \
         asset: \"{{{{.Asset}}}}.minisig\"\n        public_key: {}\n      cosign:\n        \
         bundle:\n          type: github_release\n          asset: sums.txt.json\n        opts:\n          \
         - --certificate-identity=https://forge.example/some/tool/.github/workflows/r.yml\n          \
         - --certificate-oidc-issuer=https://issuer.example\n      \
         github_artifact_attestations:\n        enabled: true\n",
        key.public()
    ));
    let (stage, lock) = (&defined.stage, ["dep", "lock"]);
    let sums = defined.sums();
    let who = Identity::workflow("some/tool", "r.yml", "refs/tags/v2.0.0");
    let mallory = Identity::workflow("mallory/tool", "r.yml", "refs/tags/v2.0.0");
    let serve = |list: &str, minisig: &str, bundle: &Value| {
        let bundle = bundle.to_string();
        defined.serve_with(
            &[("sums.txt", list), ("sums.txt.minisig", minisig), ("sums.txt.json", &bundle)],
            |_, _| Vec::new(),
        );
    };
    let sound = stage.authority.sign_bytes(&who, sums.as_bytes());
    let signed = key.sign(sums.as_bytes());

    serve(&sums, &Minisigner::new(8).sign(sums.as_bytes()), &sound);
    stage.refused(3, &lock, &["the minisign of `tool`", "signed by somebody else"]);
    serve(&sums, &signed, &stage.authority.sign_bytes(&mallory, sums.as_bytes()));
    stage.refused(3, &lock, &["the cosign of `tool`", "signed by somebody else", "mallory/tool"]);
    // Changed after it was signed, though it still says the truth of our file.
    serve(&format!("{sums}{}  more\n", "ab".repeat(32)), &signed, &sound);
    stage.refused(3, &lock, &["the minisign of `tool`", "does not hold"]);
    // Signed, and about other bytes under the same name.
    let other = sums.replace(&Integrity::sha256_of(&defined.files[1].1).hex(), &"cd".repeat(32));
    serve(&other, &key.sign(other.as_bytes()), &sound);
    stage.refused(
        1,
        &lock,
        &["sums.txt", "tool_linux_amd64.tar.gz", "another one than the release"],
    );
    // Attested, and about another file.
    serve(&sums, &signed, &sound);
    let attest = |hex: &str| {
        let bundle = stage.authority.attest(&who, &[("sums.txt", "sha256", hex)]);
        let body = json!({"attestations": [{"bundle": bundle, "repository_id": 1}]}).to_string();
        let of = Integrity::sha256_of(sums.as_bytes()).hex();
        let path = format!("/github/api/repos/some/tool/attestations/sha256:{of}");
        stage.world.upstream.file(&path, body);
    };
    attest(&"ef".repeat(32));
    stage.refused(3, &lock, &["github-attestation of `tool`", "about another file"]);

    attest(&Integrity::sha256_of(sums.as_bytes()).hex());
    stage.world.env.ok(lock);
    let row = stage.row("tool");
    let kinds = ["release-digest", "checksum-file", "minisign", "cosign", "github-attestation"];
    assert_eq!(row["verified"], json!(kinds));
    for one in row["attestations"].as_array().expect("attestations") {
        assert_eq!(one["list"], "sums.txt", "{one}");
    }
    let text = stage.world.env.read("dep.lock.json");
    stage.world.env.ok(lock);
    assert_eq!(stage.world.env.read("dep.lock.json"), text, "locking again changes no byte");
    // The list is part of what was kept: not even minisign needs the artifact.
    stage.world.lose(&["artifacts"]);
    assert_eq!(stage.statuses(&["--offline"]), ["verified"; 6]);
    stage.world.lose(&["evidence"]);
    assert_eq!(stage.statuses(&[]), ["fetched"; 6]);

    // The same release without its signatures is told of; what was verified is kept.
    defined.serve_with(&[("sums.txt", &sums)], |_, _| Vec::new());
    let told = stage.world.env.ok(["dep", "update"]).stderr;
    assert!(told.contains("its source no longer has the minisign by minisign:0707"), "{told}");
    assert_eq!(stage.world.env.read("dep.lock.json"), text);
    // A later one without is refused.
    let mut next = GithubRelease::new("v2.1.0").asset("sums.txt", sums);
    for (name, bytes) in &defined.files {
        next = next.asset(name, bytes.clone());
    }
    stage.world.upstream.github("some/tool", &[next], 10);
    stage.refused(
        3,
        &["dep", "update"],
        &["by less than before", "before    minisign by minisign:0707", "now       no minisign"],
    );
}

#[test]
fn a_signature_beside_a_checksum_file_is_looked_up_in_the_log() {
    let defined = Defined::new(&format!(
        "{LISTED}      cosign:\n        opts:\n          \
         - --certificate-identity=https://forge.example/some/tool/.github/workflows/r.yml\n          \
         - --certificate-oidc-issuer=https://issuer.example\n        \
         signature:\n          type: github_release\n          asset: sums.txt.sig\n        \
         certificate:\n          type: github_release\n          asset: sums.txt.pem\n"
    ));
    let (stage, lock) = (&defined.stage, ["dep", "lock"]);
    let sums = defined.sums();
    let who = Identity::workflow("some/tool", "r.yml", "refs/tags/v2.0.0");
    let sign = |bytes: &[u8]| stage.authority.apart(&stage.authority.sign_bytes(&who, bytes));
    let (sound, unrelated) = (sign(sums.as_bytes()), sign(sums.as_bytes()));
    let further = [
        ("sums.txt", sums.as_str()),
        ("sums.txt.sig", &sound.signature),
        ("sums.txt.pem", &sound.certificate),
    ];
    defined.serve_with(&further, |_, _| Vec::new());
    defined.log(&[&unrelated.entry]);
    let told = stage.world.env.ok(lock).stderr;
    assert!(told.contains("cosign") && told.contains("no log knows of it"), "{told}");
    assert_eq!(stage.row("tool")["verified"], json!(["release-digest", "checksum-file"]));

    defined.log(&[&unrelated.entry, &sound.entry]);
    let proof = "tool = { from = \"aqua:some/tool\", version = \"^2\", proof = [\"cosign\"] }";
    stage.profile(proof, "");
    stage.world.env.ok(lock);
    let one = &stage.row("tool")["attestations"][0];
    assert_eq!((&one["kind"], &one["list"]), (&json!("cosign"), &json!("sums.txt")));
    assert_eq!(stage.statuses(&["--offline"]), ["verified", "verified"]);

    // A log that cannot be reached is no reason to lock less than is asked for.
    defined.unlock();
    stage.world.upstream.fault_always("/log/api/v1/index/retrieve", Fault::Status(503));
    stage.refused(1, &lock, &["cosign", "tool"]);
}

#[test]
fn provenance_among_the_files_of_a_release() {
    let defined = Defined::new(
        "    slsa_provenance:\n      type: github_release\n      asset: multiple.intoto.jsonl\n",
    );
    let (stage, lock) = (&defined.stage, ["dep", "lock"]);
    let hexes: Vec<(String, String)> = defined
        .files
        .iter()
        .map(|(name, bytes)| (name.clone(), Integrity::sha256_of(bytes).hex()))
        .collect();
    let builder =
        "https://forge.example/builders/shared/.github/workflows/generic.yml@refs/tags/v9";
    let made = |repository: &str, tag: &str, hexes: &[(String, String)]| {
        let mut who = Identity::workflow(repository, "r.yml", &format!("refs/tags/{tag}"));
        who.san = builder.to_owned();
        let named: Vec<_> = hexes.iter().map(|(n, h)| (n.as_str(), "sha256", h.as_str())).collect();
        stage.authority.attest(&who, &named)
    };
    let serve = |line: &str| {
        defined.serve_with(&[("multiple.intoto.jsonl", line)], |_, _| Vec::new());
    };
    let envelope = |bundle: &Value| stage.authority.apart(bundle);
    let told = stage.world.env.ok(lock).stderr;
    assert!(told.contains("`multiple.intoto.jsonl`") && told.contains("not there"), "{told}");
    assert_eq!(stage.row("tool")["verified"], json!(["release-digest"]));
    defined.unlock();

    let require = "require = { aqua = [\"slsa-provenance\"] }\n";
    stage.profile("tool = \"aqua:some/tool@^2\"", require);
    stage.refused(1, &lock, &["slsa-provenance", "tool"]);
    for (bundle, words) in [
        (made("mallory/tool", "v2.0.0", &hexes), ["somebody else", "mallory/tool"]),
        (made("some/tool", "v1.0.0", &hexes), ["another tag", "refs/tags/v1.0.0"]),
        (
            made("some/tool", "v2.0.0", &[("x".to_owned(), "ab".repeat(32))]),
            ["another file", "expected  sha256-"],
        ),
        (
            Authority::new().attest(
                &Identity::workflow("some/tool", "r.yml", "refs/tags/v2.0.0"),
                &[(&hexes[0].0, "sha256", &hexes[0].1), (&hexes[1].0, "sha256", &hexes[1].1)],
            ),
            ["does not hold", "tool"],
        ),
    ] {
        let apart = envelope(&bundle);
        defined.log(&[&apart.entry]);
        serve(&apart.envelope);
        let says = [&["the slsa-provenance of `tool`"][..], &words].concat();
        stage.refused(3, &lock, &says);
    }
    serve("<html>not found</html>");
    stage.refused(3, &lock, &["multiple.intoto.jsonl", "cannot be understood"]);

    // An envelope with its certificate, whose entry is in the log; beside one of another file.
    let other = envelope(&made("some/tool", "v2.0.0", &[("x".to_owned(), "ab".repeat(32))]));
    let sound = envelope(&made("some/tool", "v2.0.0", &hexes));
    defined.log(&[&other.entry]);
    serve(&format!("{}\n{}\n", other.envelope, sound.envelope));
    stage.refused(1, &lock, &["slsa-provenance", "no log knows of it"]);
    defined.log(&[&other.entry, &sound.entry]);
    stage.world.upstream.forget();
    stage.world.env.ok(lock);
    let asked = stage.world.upstream.count("/log/api/v1/index/retrieve");
    assert_eq!(asked, 1, "the log is asked once for the statement of both files");
    let row = stage.row("tool");
    assert_eq!(row["verified"], json!(["release-digest", "slsa-provenance"]));
    let signer = row["attestations"][0]["signer"].as_str().expect("signer");
    let (workflow, _) = builder.split_once('@').expect("reference");
    assert!(
        signer.starts_with(&format!("{workflow} for some/tool (https://issuer.example)")),
        "{signer}"
    );
    assert_eq!(stage.statuses(&["--offline"]), ["verified", "verified"]);

    // A whole bundle needs no log.
    defined.unlock();
    stage.world.upstream.remove("/log/api/v1/index/retrieve");
    serve(&made("some/tool", "v2.0.0", &hexes).to_string());
    stage.world.env.ok(lock);
    assert_eq!(stage.row("tool")["verified"], json!(["release-digest", "slsa-provenance"]));
}
