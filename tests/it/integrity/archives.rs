//! Archives built to write outside of where they are unpacked.

use flate2::Compression;
use flate2::write::GzEncoder;
use infra::base::Platform;

use super::{nothing_of, refused};
use crate::support::TestEnv;
use crate::upstream::{FakeUpstream, Machine, Tree, executable, wheel, zip};

/// A tarball of entries as given: name, type, link target, body.
fn tar(entries: &[(&str, tar::EntryType, &str, &[u8])]) -> Vec<u8> {
    let mut out = Vec::new();
    for (name, kind, target, body) in entries {
        let mut header = tar::Header::new_ustar();
        // The builder refuses such names: they are written as bytes.
        header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
        header.as_old_mut().linkname[..target.len()].copy_from_slice(target.as_bytes());
        header.set_entry_type(*kind);
        header.set_mode(0o755);
        header.set_size(body.len() as u64);
        header.set_cksum();
        out.extend_from_slice(header.as_bytes());
        out.extend_from_slice(body);
        out.resize(out.len().next_multiple_of(512), 0);
    }
    out.resize(out.len() + 1024, 0);
    let mut gz = GzEncoder::new(Vec::new(), Compression::fast());
    std::io::Write::write_all(&mut gz, &out).expect("memory");
    gz.finish().expect("memory")
}

fn refuses(what: &str, file: &str, body: Vec<u8>) {
    let up = FakeUpstream::start();
    up.file(&format!("/dist/{file}"), body);
    let env = TestEnv::new();
    let from = up.url(&format!("/dist/{file}"));
    check(what, &env, &format!("evil = {{ from = \"url:{from}\", version = \"1.0.0\" }}"), "");
}

fn check(what: &str, env: &TestEnv, dep: &str, source: &str) {
    let host = Platform::host().name();
    env.write("profiles/base.toml", format!("platforms = [\"{host}\"]\n{source}\n[dep]\n{dep}\n"));
    env.write("profiles/dev.toml", "extends = \"base\"\n");
    let outcome = env.infra(["dep", "lock"]);
    refused(what, &outcome, &["`evil` 1.0.0"]);
    assert!(!env.project().join("dep.lock.json").exists(), "{what} was locked");
    nothing_of(what, env, "evil-1.0.0");
    for place in [env.root(), env.store().as_path(), env.home().as_path(), "/tmp".as_ref()] {
        assert!(!place.join("infra-evil").exists(), "{what}: it is in {}", place.display());
    }
}

#[test]
fn tarballs_that_leave_their_tree() {
    use tar::EntryType::{Link, Regular, Symlink};
    let program = executable(Machine::of(Platform::host()), "evil");
    let good = ("bin/evil", Regular, "", program.as_slice());
    let cases: [(&str, Vec<_>); 7] = [
        ("a name with ..", vec![good, ("../infra-evil", Regular, "", b"x")]),
        ("a name with .. inside", vec![good, ("bin/../../../infra-evil", Regular, "", b"x")]),
        ("an absolute name", vec![good, ("/tmp/infra-evil", Regular, "", b"x")]),
        (
            "a file below a link that leaves",
            vec![good, ("out", Symlink, "../..", b""), ("out/infra-evil", Regular, "", b"x")],
        ),
        (
            "a file below an absolute link",
            vec![good, ("out", Symlink, "/tmp", b""), ("out/infra-evil", Regular, "", b"x")],
        ),
        ("a link that leaves", vec![good, ("bin/passwd", Symlink, "../../../../etc/passwd", b"")]),
        ("a hard link that leaves", vec![good, ("bin/passwd", Link, "../../etc/passwd", b"")]),
    ];
    for (what, entries) in cases {
        refuses(what, "evil-1.0.0.tar.gz", tar(&entries));
    }
    let device = tar::EntryType::Char;
    refuses("a device", "evil-1.0.0.tar.gz", tar(&[good, ("bin/null", device, "", b"")]));
}

#[test]
fn zips_that_leave_their_tree() {
    let program = executable(Machine::of(Platform::host()), "evil");
    for name in ["../infra-evil", "bin/../../infra-evil", "/tmp/infra-evil", "..\\infra-evil"] {
        let tree = Tree::new().executable("bin/evil", program.clone()).file(name, "x");
        refuses(name, "evil-1.0.0.zip", zip(&tree));
    }
}

#[test]
fn a_wheel_whose_command_leaves_it() {
    let up = FakeUpstream::start();
    let program = executable(Machine::of(Platform::host()), "evil");
    let (file, bytes) =
        wheel("evil-bin", "1.0.0", "py3-none-any", &[("../../../../infra-evil", &program)]);
    up.pypi("evil-bin", &file, bytes);
    let source = format!("[source.pypi]\nurl = \"{}\"", up.pypi_url());
    let dep = "evil = { from = \"pypi:evil-bin\", version = \"1.0.0\" }";
    check("a wheel", &TestEnv::new(), dep, &source);
}
