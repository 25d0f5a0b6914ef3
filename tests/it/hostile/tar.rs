//! Tars: names, links, kinds, extended headers, ends.

use infra::archive::Format;

use super::Case;
use super::write::{Tar, bz2, deb, gz, xz, zst};

pub fn cases() -> Vec<Case> {
    let mut out = Vec::new();
    let mut plain = |what: &str, tar: Vec<u8>| out.push(Case::new(what, Format::Tar, tar));
    for (what, name) in [
        ("a name with ..", "../escaped"),
        ("a name with .. inside", "a/../../escaped"),
        ("a name that is ..", ".."),
        ("an absolute name", "/tmp/escaped"),
        ("an absolute name after ./", ".//tmp/escaped"),
        ("an empty component", "a//b"),
        ("a . component", "a/./b"),
        ("a backslash", "..\\escaped"),
        ("a drive", "C:/escaped"),
        ("a drive without a slash", "c:escaped"),
        ("a line feed", "a\nb"),
        ("an escape sequence", "a\x1b[2Kb"),
        ("a turn of direction", "gpj.\u{202e}exe"),
        ("a byte order mark", "\u{feff}a"),
        ("a device name", "CON"),
        ("a device name with an extension", "lib/nul.txt"),
        ("a device name in a directory", "aux/x"),
        ("a device name with a superscript", "COM\u{b9}.log"),
        ("a trailing dot", "a./b"),
        ("a trailing space", "a "),
        ("no name", ""),
        ("the root as a file", "."),
    ] {
        plain(what, Tar::new().file("good", "good").file(name, "evil").end());
    }
    plain("bytes that are no UTF-8", Tar::new().file(b"a\xff", "x").end());
    plain("a NUL in a pax name", Tar::new().pax(b'x', &[("path", "a\0b")]).file("x", "").end());
    plain("a NUL in a GNU name", Tar::new().long(b'L', "a\0b").file("x", "").end());
    plain("a component of 256 bytes", Tar::new().long(b'L', "n".repeat(256)).file("x", "").end());
    plain("a path of 4097 bytes", Tar::new().long(b'L', "n/".repeat(2049)).file("x", "").end());
    plain("a path of 129 parts", Tar::new().long(b'L', "d/".repeat(128) + "f").file("x", "").end());
    plain("a huge name", Tar::new().long(b'L', "n".repeat(2 << 20)).file("x", "").end());
    plain(
        "a name in the prefix field",
        Tar::new().any("escaped", b'0', "", "x", |h| h[345..347].copy_from_slice(b"..")).end(),
    );
    plain("a file with a slash at its end", Tar::new().file("a/", "x").end());

    plain("the same file twice", Tar::new().file("a", "1").file("a", "2").end());
    plain("the same file as ./", Tar::new().file("a", "1").file("./a", "2").end());
    plain("a file and a directory", Tar::new().file("a", "1").dir("a/").end());
    plain("a directory and a link", Tar::new().dir("a/").symlink("a", "b").end());
    plain("a directory twice", Tar::new().dir("a").dir("a/").end());
    plain("names that differ in case", Tar::new().file("Read", "1").file("rEAD", "2").end());
    plain("names that differ in form", Tar::new().file("\u{e9}", "1").file("e\u{301}", "2").end());
    plain(
        "names that fold to two letters",
        Tar::new().file("stra\u{df}e", "1").file("STRASSE", "2").end(),
    );
    plain(
        "names that differ in what is ignored",
        Tar::new().file(".git", "1").file(".g\u{200c}it", "2").end(),
    );
    plain("directories that differ in case", Tar::new().file("A/x", "1").file("a/y", "2").end());
    plain("a file below a file", Tar::new().file("a", "1").file("a/b", "2").end());
    plain("a file below a link", Tar::new().symlink("a", "b").file("a/b", "2").end());
    plain("a file below a link in other case", Tar::new().symlink("a", "b").file("A/b", "2").end());
    plain(
        "a file below a hard link",
        Tar::new().file("f", "1").hardlink("a", "f").file("a/b", "2").end(),
    );

    for (what, target) in [
        ("an absolute link", "/etc/passwd"),
        ("a link with ..", "../escaped"),
        ("a link with .. inside", "a/../../escaped"),
        ("a link to a drive", "C:/x"),
        ("a link with a backslash", "..\\x"),
        ("a link with a line feed", "a\nb"),
        ("a link to nothing", ""),
    ] {
        plain(what, Tar::new().symlink("l", target).end());
    }
    plain(
        "a link through a link",
        Tar::new().symlink("a/up", "..").symlink("a/out", "up/../x").end(),
    );
    plain(
        "a link through a link in other case",
        Tar::new().symlink("a/up", "..").symlink("a/out", "UP/../x").end(),
    );
    plain("links in a circle", Tar::new().symlink("a", "b").symlink("b", "a").end());
    plain(
        "a chain of 41 links",
        (0..42).fold(Tar::new(), |t, i| t.symlink(&format!("l{i}"), &format!("l{}", i + 1))).end(),
    );
    plain(
        "a link target of 5000 bytes",
        Tar::new().long(b'K', "t".repeat(5000)).symlink("l", "x").end(),
    );
    plain("a directory over a link", Tar::new().symlink("d", ".").dir("d/").end());
    for (what, target) in [
        ("a hard link to an absolute name", "/etc/passwd"),
        ("a hard link with ..", "../precious"),
        ("a hard link to nothing", "missing"),
        ("a hard link to a later file", "later"),
        ("a hard link to a link", "l"),
        ("a hard link to a directory", "d"),
        ("a hard link to itself", "h"),
    ] {
        plain(
            what,
            Tar::new().dir("d/").symlink("l", "d").hardlink("h", target).file("later", "").end(),
        );
    }

    plain("a character device", Tar::new().any("x", b'3', "", "", |_| ()).end());
    plain("a block device", Tar::new().any("x", b'4', "", "", |_| ()).end());
    plain("a named pipe", Tar::new().any("x", b'6', "", "", |_| ()).end());
    plain("a set-user-ID file", Tar::new().mode("x", b'0', "", "0004755").end());
    plain("a set-group-ID file", Tar::new().mode("x", b'0', "", "0002755").end());
    plain(
        "a set-user-ID hard link",
        Tar::new().file("f", "").mode("x", b'1', "f", "0004755").end(),
    );
    plain("a directory with contents", Tar::new().any("x", b'5', "", "data", |_| ()).end());
    plain("a link with contents", Tar::new().any("x", b'2', "y", "data", |_| ()).end());
    plain("an unknown kind", Tar::new().any("x", b'V', "", "", |_| ()).end());
    plain(
        "an old sparse file",
        Tar::new()
            .any("x", b'S', "", "", |h| {
                h[257..265].copy_from_slice(b"ustar  \0");
                h[386..398].copy_from_slice(b"00000010000\0");
                h[398..410].copy_from_slice(b"00000000000\0");
                h[483..495].copy_from_slice(b"00000010000\0");
            })
            .end(),
    );
    plain(
        "a sparse file that reaches far",
        Tar::new()
            .any("x", b'S', "", "", |h| {
                h[257..265].copy_from_slice(b"ustar  \0");
                h[386..398].copy_from_slice(b"77777777777\0");
                h[398..410].copy_from_slice(b"00000000000\0");
                h[483..495].copy_from_slice(b"77777777777\0");
            })
            .end(),
    );
    for (what, records) in [
        ("a sparse file 0.0", &[("GNU.sparse.size", "9"), ("GNU.sparse.numblocks", "0")][..]),
        ("a sparse file 0.1", &[("GNU.sparse.map", "0,4"), ("GNU.sparse.name", "../x")]),
        ("a sparse file 1.0", &[("GNU.sparse.major", "1"), ("GNU.sparse.minor", "0")]),
        ("a pax name with ..", &[("path", "../escaped")]),
        ("an absolute pax name", &[("path", "/tmp/escaped")]),
        ("a pax name twice", &[("path", "a"), ("path", "b")]),
        ("a pax size that is no number", &[("size", "four")]),
        ("a pax size with a sign", &[("size", "+4")]),
        ("a negative pax size", &[("size", "-4")]),
        ("no pax size", &[("size", "")]),
        ("a pax size twice", &[("size", "4"), ("size", "0")]),
        ("a pax size beyond the end", &[("size", "99999")]),
        ("a pax size beyond all numbers", &[("size", "99999999999999999999")]),
        ("a pax size that overflows", &[("size", "18446744073709551615")]),
        ("a pax size that hides a header", &[("size", "516")]),
        ("a record in a record", &[("comment", "x\n15 path=../evil")]),
    ] {
        plain(what, Tar::new().pax(b'x', records).file("x", "data").file("y", "data").end());
    }
    plain(
        "a pax link with ..",
        Tar::new().pax(b'x', &[("linkpath", "../x")]).symlink("l", "y").end(),
    );
    plain(
        "a pax size for a link",
        Tar::new().pax(b'x', &[("size", "4")]).symlink("l", "y").file("z", "").end(),
    );
    for (what, records) in [
        ("a global name", &[("path", "same")][..]),
        ("a global link", &[("linkpath", "same")]),
        ("a global size", &[("size", "0")]),
        ("a global sparse map", &[("GNU.sparse.map", "0,4")]),
    ] {
        plain(what, Tar::new().pax(b'g', records).file("x", "data").end());
    }
    plain(
        "a global header after a local one",
        Tar::new().pax(b'x', &[("path", "a")]).pax(b'g', &[("comment", "c")]).file("x", "").end(),
    );
    plain(
        "two pax headers",
        Tar::new().pax(b'x', &[("path", "a")]).pax(b'x', &[("path", "b")]).file("x", "").end(),
    );
    plain(
        "a pax name and a GNU name",
        Tar::new().pax(b'x', &[("path", "a")]).long(b'L', "b\0").file("x", "").end(),
    );
    plain(
        "a pax link and a GNU link",
        Tar::new().pax(b'x', &[("linkpath", "a")]).long(b'K', "b\0").symlink("x", "c").end(),
    );
    plain("two GNU names", Tar::new().long(b'L', "a\0").long(b'L', "b\0").file("x", "").end());
    plain(
        "a GNU name with ..",
        Tar::new().long(b'L', "d/".repeat(60) + "../../x\0").file("x", "").end(),
    );
    plain(
        "a GNU link with ..",
        Tar::new().long(b'K', "../".repeat(60) + "x\0").symlink("l", "x").end(),
    );
    plain("a GNU name for nothing", Tar::new().file("a", "").long(b'L', "b\0").end());
    plain("a pax header for nothing", Tar::new().file("a", "").pax(b'x', &[("path", "b")]).end());
    plain(
        "a pax header of 2 MiB",
        Tar::new().pax(b'x', &[("comment", &"c".repeat(2 << 20))]).file("x", "").end(),
    );
    for (what, body) in [
        ("a record that is too long", &b"99 path=a\n"[..]),
        ("a record that is too short", b"5 path=a\n"),
        ("a record without a length", b"path=a\n"),
        ("a record with a negative length", b"-9 path=a\n"),
        ("a record without =", b"7 path\n"),
        ("a record without an end", b"9 path=ab"),
        ("an empty line before a record", b"\n10 path=a\n"),
        ("a record with a huge length", b"99999999999999999999 path=a\n"),
    ] {
        plain(what, Tar::new().any("pax", b'x', "", body, |_| ()).file("x", "").end());
    }
    plain("a wrong checksum", {
        let mut bytes = Tar::new().file("a", "x").end();
        bytes[0] ^= 1;
        bytes
    });
    for (what, size) in [
        ("a negative size", [0xff; 12]),
        ("a size of more than 64 bits", *b"\x80\0\x01\0\0\0\0\0\0\0\0\0"),
        ("a size of 2^63", *b"\x80\0\0\0\x80\0\0\0\0\0\0\0"),
        ("a size with a sign", *b"+0000000004\0"),
        ("a size that is no number", *b"four\0\0\0\0\0\0\0\0"),
        ("a size beyond the end", *b"00000777777\0"),
    ] {
        plain(
            what,
            Tar::new().any("x", b'0', "", "data", |h| h[124..136].copy_from_slice(&size)).end(),
        );
    }
    plain("no end", Tar::new().file("a", "x").open());
    plain("a cut within contents", Tar::new().file("a", [7; 2000]).open()[..1024].to_vec());
    plain("half a block of zeros", [Tar::new().file("a", "x").open(), vec![0; 256]].concat());
    plain("garbage after the end", [Tar::new().file("a", "x").end(), b"garbage".to_vec()].concat());
    plain(
        "a second tar after the end",
        [Tar::new().file("a", "x").end(), Tar::new().file("../b", "x").end()].concat(),
    );
    plain(
        "a tar after one block of zeros",
        [Tar::new().file("a", "x").open(), vec![0; 512], Tar::new().file("b", "x").end()].concat(),
    );
    plain("no tar", b"MZ this is something else entirely".to_vec());
    plain("nothing", Vec::new());

    // The same rules through every compression.
    for (what, tar) in [
        ("a name with ..", Tar::new().file("../escaped", "x").end()),
        ("a link that leaves", Tar::new().symlink("l", "../../x").end()),
        (
            "a file below a link that leaves",
            Tar::new().symlink("l", "/tmp").file("l/escaped", "x").end(),
        ),
        ("a device", Tar::new().any("null", b'3', "", "", |_| ()).end()),
        ("a global size", Tar::new().pax(b'g', &[("size", "0")]).file("x", "data").end()),
        ("garbage after the end", [Tar::new().file("a", "x").end(), b"garbage".to_vec()].concat()),
    ] {
        out.push(Case::new(what, Format::TarGz, gz(&tar)));
        out.push(Case::new(what, Format::TarXz, xz(&tar)));
        out.push(Case::new(what, Format::TarZst, zst(&tar)));
        out.push(Case::new(what, Format::TarBz2, bz2(&tar)));
        out.push(Case::new(what, Format::Deb, deb("data.tar.gz", &gz(&tar))));
    }
    out
}
