//! Who is believed.

use std::os::unix::fs::PermissionsExt as _;

use super::{forget, narinfo, pushed, value};

#[test]
fn keys_and_signatures() {
    let (world, dir) = pushed();
    let at = dir.to_str().expect("UTF-8");
    let object = {
        let (_, text) = narinfo(&dir, "-env-dev");
        value(&text, "StorePath").strip_prefix("/nix/store/").expect("path").to_owned()
    };
    let key = world.env.ok(["cache", "key", "generate", "team-1", "team.key"]).stdout;
    let key = key.trim_end().to_owned();
    assert!(key.starts_with("team-1:"), "{key}");
    assert_eq!(world.env.ok(["cache", "key", "public", "team.key"]).stdout.trim_end(), key);
    let file = world.env.project().join("team.key");
    let mode = std::fs::metadata(&file).expect("key").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    world.refused("cache_key_there", 1, ["cache", "key", "generate", "team-1", "team.key"]);
    world.refused("cache_key_name", 2, ["cache", "key", "generate", "a b", "other.key"]);
    world.env.write("bad.key", "team-1:AAAA\n");
    world.refused("cache_key_bad", 2, ["cache", "sign", "--at", at, "--key", "bad.key"]);

    forget(&world);
    // The lock does not know the environment's object: somebody has to vouch for it.
    world.refused("cache_untrusted", 3, ["cache", "pull", "--from", at, &object]);
    let signed = world.env.ok(["cache", "sign", "--at", at, "--key", "team.key"]);
    assert!(signed.stderr.contains("5 objects signed"), "{}", signed.stderr);
    let again = world.env.ok(["cache", "sign", "--at", at, "--key", "team.key"]);
    assert!(again.stderr.contains("0 objects signed, 5 were"), "{}", again.stderr);
    world.refused("cache_untrusted_key", 3, ["cache", "pull", "--from", at, &object]);
    let pull = ["cache", "pull", "--from", at, &object, "--json", "--trusted-key", &key];
    let pulled = world.json(pull);
    assert_eq!(pulled["pulled"].as_array().map(Vec::len), Some(5), "{pulled}");
    world.env.ok(["store", "verify"]);
    let verified = world.json(["cache", "verify", "--at", at, "--trusted-key", &key, "--json"]);
    assert_eq!((&verified["objects"], &verified["signed"]), (&5.into(), &5.into()));

    // Without a signature, when asked to.
    forget(&world);
    world.env.ok(["cache", "pull", "--from", at, &object, "--unsigned"]);

    // A signature of something else is none, and verifying says so.
    let (path, text) = narinfo(&dir, "-env-dev");
    let (_, other) = narinfo(&dir, "-alpha-");
    std::fs::write(&path, text.replace(value(&text, "Sig"), value(&other, "Sig"))).expect("write");
    forget(&world);
    let refused = world.env.infra(pull);
    assert_eq!(refused.code, Some(3), "{}", refused.stderr);
    let found = world.env.infra(["cache", "verify", "--at", at, "--trusted-key", &key]);
    assert_eq!(found.code, Some(3), "{}", found.stderr);
    assert!(found.stderr.contains("its signature by team-1 is false"), "{}", found.stderr);
}

#[test]
fn pushed_with_a_key() {
    let (world, dir) = pushed();
    let at = dir.to_str().expect("UTF-8");
    let key = world.env.ok(["cache", "key", "generate", "team-1", "team.key"]).stdout;
    // What is there already gets the signature too.
    world.env.ok(["cache", "push", "--to", at, "--key", "team.key", "dev"]);
    let base = world.env.read("profiles/base.toml");
    let table = format!("{base}\n[cache]\nurl = \"../cache\"\nkeys = [\"{}\"]\n", key.trim_end());
    world.env.write("profiles/base.toml", table);
    let verified = world.json(["cache", "verify", "--json"]);
    assert_eq!(verified["signed"], 5, "{verified}");
}
