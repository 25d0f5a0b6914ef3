//! What the lock says of the host, and what is told when the host cannot keep up.

use infra::base::Platform;
use serde_json::{Value, json};

use crate::support::TestEnv;
use crate::upstream::{
    FakeUpstream, GithubRelease, Machine, Tree, elf_with_interpreter, executable, tar_gz,
};

const LOADER: &str = "/lib/ld-of-nobody.so.1";

fn json_of(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|e| panic!("{e}: {text}"))
}

/// A project whose own `tools` hold a static program, one with a loader that no host has, and a
/// script of a program that no host has.
fn project() -> TestEnv {
    let env = TestEnv::new();
    let host = Platform::host();
    env.write("tools/bin/good", executable(Machine::of(host), "good"));
    env.write("lost/bin/lost", elf_with_interpreter(host.arch(), LOADER));
    env.write("script/bin/script", "#!/usr/bin/program-of-nobody -e\n");
    for path in ["tools/bin/good", "lost/bin/lost", "script/bin/script"] {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(env.project().join(path), mode).expect("chmod");
    }
    env.write(
        "profiles/base.toml",
        format!(
            "platforms = [\"{host}\"]\n[dep]\ntools = \"path:tools\"\nlost = \"path:lost\"\n\
             script = \"path:script\"\n"
        ),
    );
    env.write(
        "profiles/dev.toml",
        "extends = \"base\"\n[service.lost]\ncommand = [\"lost\"]\n[service.good]\ncommand = \
         [\"good\"]\n",
    );
    env.ok(["dep", "lock"]);
    env
}

#[cfg(target_os = "linux")]
#[test]
fn a_missing_loader_is_named_before_anything_starts() {
    let env = project();
    let doctor = env.infra(["doctor"]);
    assert_eq!(doctor.code, Some(1));
    let said = format!("needs the loader {LOADER}, which this host lacks");
    assert!(doctor.stdout.contains(&format!("wrong  dep: `lost` 0 {said}")), "{}", doctor.stdout);
    assert!(doctor.stdout.contains("the program /usr/bin/program-of-nobody"), "{}", doctor.stdout);
    assert!(doctor.stdout.contains("libc: "), "{}", doctor.stdout);

    // What lacks nothing is remembered, what lacks something is looked at each time.
    let remembered = || {
        let all = std::fs::read_dir(env.home().join(".cache/infra/starts"));
        all.map(|all| all.flatten().collect::<Vec<_>>()).unwrap_or_default()
    };
    for _ in 0..2 {
        assert_eq!(env.ok(["env", "exec", "dev", "--", "good"]).stdout, "good\n");
        assert_eq!(remembered().len(), 1);
    }
    std::fs::write(remembered()[0].path(), "{").expect("write");
    assert_eq!(env.ok(["env", "exec", "dev", "--", "good"]).stdout, "good\n");
    for (command, what) in [
        ("lost", said.as_str()),
        ("lost", said.as_str()),
        ("script", "needs the program /usr/bin/program-of-nobody"),
    ] {
        let exec = env.infra(["env", "exec", "dev", "--", command]);
        assert_eq!(exec.code, Some(127), "{}", exec.stderr);
        assert!(exec.stderr.contains("cannot start on this host"), "{}", exec.stderr);
        assert!(exec.stderr.contains(what), "{}", exec.stderr);
        assert!(exec.stderr.contains("hint: "), "{}", exec.stderr);
    }
    let run = env.infra(["run", "--env", "dev"]);
    assert_eq!(run.code, Some(127), "{}", run.stderr);
    assert!(run.stderr.contains(&said), "{}", run.stderr);
    assert!(!run.stderr.contains("good"), "nothing started: {}", run.stderr);
    let up = env.infra(["runtime", "up", "--env", "dev"]);
    assert!(up.code != Some(0) && up.stderr.contains(&said), "{}", up.stderr);

    let mut enter = env.command(["env", "enter", "dev"]);
    enter.env("SHELL", "/bin/sh");
    let enter = crate::support::finish(enter.spawn().expect("start"));
    assert!(enter.stderr.contains(&said), "{}", enter.stderr);
}

#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[test]
fn doctor_compares_versions_and_libraries_with_this_host() {
    let mut env = project();
    let host = Platform::host();
    let mut lock = json_of(&env.read("dep.lock.json"));
    let row = &mut lock["deps"]["tools"]["platforms"][host.name()];
    let loader = match host.arch() {
        infra::base::Arch::X86_64 => "/lib64/ld-linux-x86-64.so.2",
        infra::base::Arch::Aarch64 => "/lib/ld-linux-aarch64.so.1",
    };
    row["needs"] = json!({
        "libc": "glibc", "libc_version": "2.999", "interpreter": loader,
        "libraries": ["libc.so.6", "libm.so.6", "libof-nobody.so.7"],
    });
    // Fields have an order.
    let text = serde_json::to_string_pretty(&lock).expect("text");
    env.write("dep.lock.json", text);
    // Where the object is there its own bytes are believed, so look from a store without it.
    let empty = env.root().join("empty").to_string_lossy().into_owned();
    env.set("INFRA_STORE", empty);
    let doctor = env.infra(["doctor"]).stdout;
    assert!(doctor.contains("needs glibc 2.999; this host has 2."), "{doctor}");
    assert!(doctor.contains("needs the library libof-nobody.so.7, which is nowhere"), "{doctor}");
    for there in ["libc.so.6", "libm.so.6"] {
        assert!(!doctor.contains(&format!("the library {there}")), "{doctor}");
    }
}

#[test]
fn purity_tells_closed_from_leaning() {
    let env = project();
    let all = json_of(&env.ok(["dep", "audit", "--purity", "--json"]).stdout);
    let of = |name: &str| {
        all.as_array().expect("rows").iter().find(|r| r["name"] == name).expect("row").clone()
    };
    assert_eq!(of("tools")["state"], "closed");
    assert_eq!(of("script")["programs"], json!(["/usr/bin/program-of-nobody -e"]));
    let strict = env.infra(["dep", "audit", "--purity", "--strict"]);
    assert_eq!(strict.code, Some(1));
    assert!(strict.stdout.contains("closed"), "{}", strict.stdout);
    env.write(
        "profiles/base.toml",
        format!("platforms = [\"{}\"]\n[dep]\ntools = \"path:tools\"\n", Platform::host()),
    );
    env.write("profiles/dev.toml", "extends = \"base\"\n");
    env.ok(["dep", "lock"]);
    env.ok(["dep", "audit", "--purity", "--strict"]);
    let neither = env.infra(["dep", "audit"]);
    assert_eq!(neither.code, Some(2));
    assert!(neither.stderr.contains("--osv"), "{}", neither.stderr);
}

#[test]
fn a_missing_row_is_stale_and_named() {
    let env = project();
    let text = env.read("dep.lock.json");
    let mut lock = json_of(&text);
    let rows = lock["deps"]["tools"]["platforms"].as_object_mut().expect("rows");
    rows.remove(Platform::host().name());
    env.write("dep.lock.json", serde_json::to_string_pretty(&lock).expect("text"));
    let check = env.infra(["dep", "lock", "--check"]);
    assert_eq!(check.code, Some(1));
    let said = format!("{} is wanted but not locked for `tools`", Platform::host());
    assert!(check.stderr.contains(&said), "{}", check.stderr);
    env.ok(["dep", "lock"]);
    assert_eq!(env.read("dep.lock.json"), text, "the row comes back, and nothing else moves");

    let mut lock = json_of(&text);
    lock["deps"]["tools"]["platforms"][Platform::host().name()] = json!({"unavailable": " "});
    env.write("dep.lock.json", serde_json::to_string_pretty(&lock).expect("text"));
    let silent = env.infra(["dep", "lock", "--check"]);
    assert_eq!(silent.code, Some(1));
    assert!(silent.stderr.contains("`unavailable` says why"), "{}", silent.stderr);
}

#[test]
fn a_release_that_names_no_libc_has_nothing_for_musl_when_its_file_wants_glibc() {
    let upstream = FakeUpstream::start();
    let glibc = elf_with_interpreter(Platform::X86_64Linux.arch(), "/lib64/ld-linux-x86-64.so.2");
    let file = tar_gz(&Tree::new().executable("tool", glibc));
    let release = |tag: &str, name: &str| GithubRelease::new(tag).asset(name, file.clone());
    upstream.github(
        "some/tool",
        &[
            release("v1.0.0", "tool-linux-amd64.tar.gz"),
            release("v2.0.0", "tool-linux-amd64.tar.gz"),
        ],
        10,
    );
    let env = TestEnv::new().var("GITHUB_API_URL", upstream.github_url());
    let profile = |extra: &str| {
        format!(
            "platforms = [\"x86_64-linux\", \"x86_64-linux-musl\"]\n[dep]\ntool = {{ from = \
             \"github:some/tool\", version = \"^1\"{extra} }}\n"
        )
    };
    env.write("profiles/base.toml", profile(""));
    let locked = env.ok(["dep", "lock"]);
    assert!(locked.stderr.contains("has nothing for x86_64-linux-musl"), "{}", locked.stderr);
    let lock = json_of(&env.read("dep.lock.json"));
    let rows = &lock["deps"]["tool"]["platforms"];
    let reason = rows["x86_64-linux-musl"]["unavailable"].as_str().expect("a reason");
    assert!(reason.contains("is linked to glibc"), "{reason}");
    assert_eq!(rows["x86_64-linux"]["needs"]["libc"], "glibc");

    // Whoever names the file has said that it is for it.
    env.write("profiles/base.toml", profile(", asset = \"tool-linux-amd64.tar.gz\""));
    let before = env.read("dep.lock.json");
    let refused = env.infra(["dep", "lock"]);
    assert_eq!(refused.code, Some(3), "{}", refused.stderr);
    assert!(refused.stderr.contains("cannot run there"), "{}", refused.stderr);
    assert_eq!(env.read("dep.lock.json"), before);
}
