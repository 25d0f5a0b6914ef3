//! The artifact cache: only what matches gets in, and only what still matches comes out.

use super::*;
use crate::base::{Algorithm, Diagnose as _, Hasher, Kind};

#[test]
fn a_download_that_matches_is_kept() {
    let f = Fixture::new();
    let cache = f.store.artifacts();
    let good = Integrity::sha256_of(b"good");
    assert!(cache.get(&good, "x 1").expect("get").is_none());
    let partial = cache.partial(&good).expect("partial");
    assert_eq!(partial, cache.partial(&good).expect("again"), "so that it can resume");
    fs::write_atomic(&partial, b"good").expect("write");
    let admitted = cache.admit(&partial, &good, &good, "x 1", "here").expect("admit");
    assert_eq!((admitted.size(), admitted.integrity()), (4, &good));
    assert_eq!(fs::lstat(admitted.path()).expect("lstat").mode() & 0o777, 0o444);
    assert!(!fs::exists(&partial).expect("exists"));
    let found = cache.get(&good, "x 1").expect("get").expect("there");
    assert_eq!(found.path(), admitted.path());
}

#[test]
fn a_download_that_does_not_match_is_removed() {
    let f = Fixture::new();
    let (good, bad) = (Integrity::sha256_of(b"good"), Integrity::sha256_of(b"bad"));
    let partial = f.store.artifacts().partial(&good).expect("partial");
    fs::write_atomic(&partial, b"bad").expect("write");
    let shown = "x 1.0 (x86_64-linux)";
    let from = "http://127.0.0.1:1/x.whl";
    let error = f.store.artifacts().admit(&partial, &bad, &good, shown, from).expect_err("no");
    assert_eq!(error.kind(), Kind::Integrity);
    assert_eq!(error.to_string(), "sha256 mismatch for x 1.0 (x86_64-linux)");
    assert_eq!(
        error.details(),
        [format!("expected  {good}  from dep.lock.json"), format!("received  {bad}  from {from}")]
    );
    assert!(error.hints().iter().any(|h| h.0.contains("`infra dep update x`")));
    assert!(!fs::exists(&partial).expect("exists"));
    assert!(f.store.artifacts().get(&good, shown).expect("get").is_none());
}

#[test]
fn another_algorithm_is_hashed_again() {
    let f = Fixture::new();
    let mut hasher = Hasher::new(Algorithm::Sha512);
    hasher.update(b"good");
    let expected = hasher.finish();
    let computed = Integrity::sha256_of(b"good");
    let partial = f.store.artifacts().partial(&expected).expect("partial");
    fs::write_atomic(&partial, b"good").expect("write");
    let admitted = f.store.artifacts().admit(&partial, &computed, &expected, "x", "here");
    assert_eq!(admitted.expect("admit").integrity(), &expected);
}

#[test]
fn cached_bytes_that_changed_are_an_error_with_both_hashes() {
    let f = Fixture::new();
    let good = Integrity::sha256_of(b"good");
    let partial = f.store.artifacts().partial(&good).expect("partial");
    fs::write_atomic(&partial, b"good").expect("write");
    let admitted = f.store.artifacts().admit(&partial, &good, &good, "x", "here").expect("admit");
    tamper(admitted.path());
    let error = f.store.artifacts().get(&good, "x 1").expect_err("changed");
    assert_eq!(error.kind(), Kind::Integrity);
    let details = error.details().join("\n");
    assert!(details.contains(&good.to_string()), "{details}");
    assert!(details.contains(&Integrity::sha256_of(b"food").to_string()), "{details}");
}

#[test]
fn one_downloads_at_a_time() {
    let f = Fixture::new();
    let artifact = Integrity::sha256_of(b"x");
    let quick = Store::new(f.store.root().into(), f.path("root/artifacts"), Duration::ZERO);
    let held = quick.artifacts().lock(&artifact, "x 1", &crate::base::Quiet).expect("lock");
    let refused = quick.artifacts().lock(&artifact, "x 1", &crate::base::Quiet);
    let error = refused.expect_err("held").to_string();
    assert!(error.contains("infra fetching x 1 (pid "), "{error}");
    drop(held);
    quick.artifacts().lock(&artifact, "x 1", &crate::base::Quiet).expect("free");
}
