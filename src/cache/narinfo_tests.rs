//! Documents that Nix wrote, documents that nobody should, and the round trip.

use proptest::prelude::*;

use super::*;

const NIX: &str = "StorePath: /nix/store/06wzyv0bi5cpnibxi24q5pgw2pp1p1vz-env-dev
URL: nar/00xyyr3fi8l6hb839bv3f7yb86yjv7xi1cgh1xnhipym4asvb4aq.nar.xz
Compression: xz
FileHash: sha256:00xyyr3fi8l6hb839bv3f7yb86yjv7xi1cgh1xnhipym4asvb4aq
FileSize: 123
NarHash: sha256:1aza6vy37d1cq7l9c74zp4pi7ck8wbc2z16klpi6n6mkixqaglsr
NarSize: 456
References: 67hjk5vpimivcbi7gccsq2hshw3pam2w-caddy-2.11.7 las8lnmmi11bkl7hfc489md2nd8zl0hj-nats-server-2.15.1
Sig: cache.example-1:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8gISIjJCUmJygpKissLS4vMDEyMzQ1Njc4OTo7PD0+Pw==
CA: fixed:r:sha256:1aza6vy37d1cq7l9c74zp4pi7ck8wbc2z16klpi6n6mkixqaglsr
";

#[test]
fn what_nix_writes_is_read_and_written_again() {
    let info = NarInfo::parse(NIX.as_bytes()).expect("narinfo");
    assert_eq!(info.compression, Compression::Xz);
    assert_eq!(info.references.len(), 2);
    assert_eq!(info.to_string(), NIX);
    assert_eq!(
        info.fingerprint(),
        "1;/nix/store/06wzyv0bi5cpnibxi24q5pgw2pp1p1vz-env-dev;sha256:1aza6vy37d1cq7l9c74zp4pi7ck8wbc2z16klpi6n6mkixqaglsr;456;/nix/store/67hjk5vpimivcbi7gccsq2hshw3pam2w-caddy-2.11.7,/nix/store/las8lnmmi11bkl7hfc489md2nd8zl0hj-nats-server-2.15.1"
    );
}

#[test]
fn hashes_may_be_written_in_every_way_that_nix_has() {
    let hash = "sha256:1aza6vy37d1cq7l9c74zp4pi7ck8wbc2z16klpi6n6mkixqaglsr";
    let info = NarInfo::parse(NIX.as_bytes()).expect("narinfo");
    for other in [info.tree.to_string(), format!("sha256:{}", info.tree.hex())] {
        let text = NIX.replace(&format!("NarHash: {hash}"), &format!("NarHash: {other}"));
        assert_eq!(NarInfo::parse(text.as_bytes()).expect("narinfo"), info, "{other}");
    }
}

#[test]
fn what_is_left_out_has_its_meaning() {
    let text: String = NIX
        .lines()
        .filter(|l| {
            !["Compression", "FileHash", "FileSize", "Sig", "CA", "References"]
                .iter()
                .any(|k| l.starts_with(k))
        })
        .map(|l| format!("{l}\n"))
        .collect();
    let info = NarInfo::parse(text.as_bytes()).expect("narinfo");
    assert_eq!(info.compression, Compression::Bzip2);
    assert!(info.references.is_empty() && info.file_hash.is_none());
}

#[test]
fn refused() {
    let replace = |from: &str, to: &str| NIX.replace(from, to);
    let cases = [
        ("no StorePath", replace("StorePath", "Store")),
        ("twice", format!("{NIX}NarSize: 456\n")),
        ("twice", format!("{NIX}URL: nar/x.nar\n")),
        ("another store", replace("/nix/store/06w", "/gnu/store/06w")),
        ("a name", replace("-env-dev\n", "\n")),
        ("a way out", replace("URL: nar/", "URL: ../nar/")),
        ("another host", replace("URL: nar/", "URL: http://mirror.invalid/nar/")),
        ("absolute", replace("URL: nar/", "URL: /nar/")),
        ("a query", replace(".nar.xz", ".nar.xz?x")),
        ("compression", replace("Compression: xz", "Compression: lzip")),
        ("hash", replace("NarHash: sha256:1", "NarHash: sha256:e")),
        ("hash", replace("NarHash: sha256:", "NarHash: md5:")),
        ("size", replace("NarSize: 456", "NarSize: -1")),
        ("size", replace("NarSize: 456", "NarSize: +4")),
        ("size", replace("NarSize: 456", "NarSize: 99999999999999999999")),
        ("size", replace("NarSize: 456", "NarSize: 17592186044417")),
        ("size", replace("FileSize: 123", "FileSize: ")),
        ("a reference", replace("67hjk", "e7hjk")),
        (
            "a reference twice",
            replace(
                "las8lnmmi11bkl7hfc489md2nd8zl0hj-nats-server-2.15.1",
                "67hjk5vpimivcbi7gccsq2hshw3pam2w-caddy-2.11.7",
            ),
        ),
        ("a signature", replace("Sig: cache.example-1:", "Sig: cache.example-1")),
        ("a line", format!("{NIX}hello\n")),
        ("large", format!("{NIX}X: {}\n", "x".repeat(MAX_BYTES))),
    ];
    for (what, text) in cases {
        assert!(NarInfo::parse(text.as_bytes()).is_err(), "{what}");
    }
    assert_eq!(NarInfo::parse(b"StorePath: \xff\n"), Err(Invalid::NotText));
}

fn objects() -> impl Strategy<Value = ObjectName> {
    (any::<[u8; 20]>(), "[a-zA-Z0-9+_?=-][a-zA-Z0-9+._?=-]{0,30}").prop_map(|(digest, name)| {
        format!("{}-{name}", nix32::encode(&digest)).parse().expect("name")
    })
}

proptest! {
    #[test]
    fn parses_what_it_prints(
        object in objects(),
        references in proptest::collection::btree_set(objects(), 0..5),
        tree: [u8; 32],
        file in proptest::option::of((any::<[u8; 32]>(), 0..MAX_SIZE)),
        nar_size in 0..=MAX_SIZE,
        signature: [u8; 32],
        compression in 0..Compression::ALL.len(),
        address in proptest::option::of("fixed:r:sha256:[0-9a-z]{52}"),
    ) {
        let half = BASE64.encode(&[signature, signature].concat());
        let info = NarInfo {
            url: RelPath::new(format!("nar/{}.nar", nix32::encode(&tree))).expect("path"),
            object, references, nar_size,
            compression: Compression::ALL[compression],
            file_hash: file.and_then(|(h, _)| Integrity::new(Algorithm::Sha256, &h)),
            file_size: file.map(|(_, n)| n),
            tree: TreeHash::new(tree),
            deriver: None,
            signatures: vec![format!("k-1:{half}").parse().expect("signature")],
            content_address: address,
        };
        prop_assert_eq!(NarInfo::parse(info.to_string().as_bytes()), Ok(info));
    }

    #[test]
    fn never_panics(bytes: Vec<u8>, text in "([A-Za-z]{1,12}: ?[ -~]{0,60}\n){0,12}") {
        let _ = NarInfo::parse(&bytes);
        let _ = NarInfo::parse(text.as_bytes());
        let _ = NarInfo::parse(format!("{NIX}{text}").as_bytes());
    }
}
