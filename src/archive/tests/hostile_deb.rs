//! Debian packages built to do harm, and what is made of their links.

use tar::EntryType;

use super::make::{ar, bzip2, deb, gzip, tar, tar_file, tar_header, tar_link, xz, zstd};
use super::*;
use crate::archive::EntryKind;

#[test]
fn every_compression_of_data_is_read() {
    let data = tar(&[(tar_header("./", EntryType::Directory, 0), vec![]), tar_file("./usr/bin/x")]);
    for (name, data) in [
        ("data.tar", data.clone()),
        ("data.tar.gz", gzip(&data)),
        ("data.tar.xz", xz(&data)),
        ("data.tar.zst", zstd(&data)),
        ("data.tar.bz2", bzip2(&data)),
        ("data.tar.xz/", xz(&data)),
    ] {
        let archive = open(&deb(name, &data), Format::Deb).expect(name);
        assert_eq!(names(&archive), ["usr", "usr/bin", "usr/bin/x"], "{name}");
    }
    let error = refused(&deb("data.tar.lzma", &data), Format::Deb);
    assert!(matches!(error, Error::Unsupported { .. }), "{error:?}");
}

#[test]
fn absolute_links_mean_the_tree() {
    let link = |name: &str, target: &str| tar_link(name, EntryType::Symlink, target);
    let data = tar(&[
        link("./usr/bin/x", "/etc/alternatives/x"),
        link("./usr/bin/y", "/usr/lib/y"),
        tar_file("./usr/lib/y"),
        link("./top", "/"),
    ]);
    let place = Place::new();
    let mut archive = open(&deb("data.tar.xz", &xz(&data)), Format::Deb).expect("opens");
    let targets: Vec<_> = archive
        .entries()
        .iter()
        .filter_map(|e| match &e.kind {
            EntryKind::Symlink { target } => Some((e.path.as_str(), target.as_str())),
            _ => None,
        })
        .collect();
    let want =
        [("top", "."), ("usr/bin/x", "../../etc/alternatives/x"), ("usr/bin/y", "../../usr/lib/y")];
    assert_eq!(targets, want);
    archive.unpack(&place.target()).expect("unpacks");
    place.assert_untouched();
    assert!(exists(&place.target().join("usr/bin/y")), "a link that leads somewhere");

    let outside = tar(&[link("./usr/x", "/../../precious")]);
    let why = Refusal::LinkEscapes("../../../precious".into());
    assert_refusal(&deb("data.tar.xz", &xz(&outside)), Format::Deb, &why);
    let relative = tar(&[link("./x", "../precious")]);
    let why = Refusal::LinkEscapes("../precious".into());
    assert_refusal(&deb("data.tar.gz", &gzip(&relative)), Format::Deb, &why);
}

#[test]
fn what_is_no_package() {
    let data = gzip(&tar(&[tar_file("x")]));
    let data = data.as_slice();
    for members in [
        &[("data.tar.gz", data)][..],
        &[("control.tar.gz", data), ("debian-binary", b"2.0\n"), ("data.tar.gz", data)],
        &[("debian-binary", b"3.0\n"), ("data.tar.gz", data)],
        &[("debian-binary", b"2.0\n"), ("control.tar.gz", data)],
        &[("debian-binary", b"2.0\n"), ("data.tar.gz", data), ("data.tar.gz", data)],
        &[("debian-binary", b"2.0\n"), ("data.tar.gz", b"no gzip")],
        &[("debian-binary", b"2.0\n"), ("data.tar", b"no tar")],
        &[],
    ] {
        let error = refused(&ar(members), Format::Deb);
        assert_eq!(error.kind(), Kind::Integrity, "{error:?}");
    }
}

#[test]
fn cut_short() {
    let good = deb("data.tar.zst", &zstd(&tar(&[tar_file("x")])));
    // The last byte may be padding.
    for cut in 0..good.len() - 1 {
        let error = refused(&good[..cut], Format::Deb);
        assert_eq!(error.kind(), Kind::Integrity, "cut at {cut}: {error:?}");
    }
}
