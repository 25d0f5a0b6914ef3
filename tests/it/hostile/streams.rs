//! Debian packages, and single files in every compression.

use infra::archive::Format;

use super::Case;
use super::write::{Tar, ar, bz2, deb, gz, member, xz, zst};

pub fn cases() -> Vec<Case> {
    let mut out = packages();
    let text = b"a program ".repeat(100);
    for (format, packed) in [
        (Format::FileGz, gz(&text)),
        (Format::FileXz, xz(&text)),
        (Format::FileZst, zst(&text)),
        (Format::FileBz2, bz2(&text)),
    ] {
        let mut case = |what: &str, bytes: Vec<u8>| out.push(Case::new(what, format, bytes));
        let len = packed.len();
        case("nothing", Vec::new());
        case("another format", b"MZ something else, long enough".to_vec());
        case("a cut in the header", packed[..3].to_vec());
        case("a cut in the middle", packed[..len / 2].to_vec());
        case("a cut at the end", packed[..len - 1].to_vec());
        case("garbage after the end", [packed.clone(), b"garbage".to_vec()].concat());
        case("a second stream that is cut", [&packed[..], &packed[..len - 2]].concat());
        let mut damaged = packed.clone();
        // Before the last checksum of each format.
        let at = match format {
            Format::FileXz => 24 + 8,
            Format::FileBz2 => 12,
            Format::FileGz => len - 6,
            _ => len - 2,
        };
        damaged[at] ^= 0x55;
        case("a wrong checksum", damaged);
    }
    let zeros = vec![0; 70 << 20];
    out.push(Case::new("a bomb", Format::FileXz, xz(&zeros)));
    out.push(Case::new("a bomb", Format::FileBz2, bz2(&zeros)));
    out.push(Case::new("a bomb of empty members", Format::FileZst, zst_blocks(70 << 20)));

    let mut case = |what: &str, format, bytes: Vec<u8>| out.push(Case::new(what, format, bytes));
    let good = gz(&text);
    let flags = |flags: u8| {
        let mut bytes = good.clone();
        bytes[3] = flags;
        bytes
    };
    case("reserved flags", Format::FileGz, flags(0x20));
    case("a name without an end", Format::FileGz, [&flags(8)[..10], &[b'n'; 90][..]].concat());
    case("a wrong length", Format::FileGz, {
        let mut bytes = good.clone();
        let at = bytes.len() - 4;
        bytes[at] ^= 1;
        bytes
    });
    case(
        "a dictionary that is asked for",
        Format::FileZst,
        b"\x28\xb5\x2f\xfd\x21\x07\x00\x01\x00\x00".to_vec(),
    );
    case(
        "a window of terabytes",
        Format::FileZst,
        b"\x28\xb5\x2f\xfd\x00\xf8\x01\x00\x00".to_vec(),
    );
    case(
        "a size that is not the announced",
        Format::FileZst,
        b"\x28\xb5\x2f\xfd\x20\x05\x21\x00\x00data".to_vec(),
    );
    case(
        "a skippable frame that is cut",
        Format::FileZst,
        b"\x50\x2a\x4d\x18\xff\x00\x00\x00".to_vec(),
    );
    case("padding that is not zero", Format::FileXz, [xz(&text), b"\0\0\0\x01".to_vec()].concat());
    case("padding of another length", Format::FileXz, [xz(&text), vec![0; 3]].concat());
    case("a wrong index", Format::FileXz, {
        let mut bytes = xz(&text);
        let at = bytes.len() - 16;
        bytes[at] ^= 1;
        bytes
    });
    out
}

/// A zstd frame of blocks that repeat one byte: 128 KiB for four.
fn zst_blocks(size: usize) -> Vec<u8> {
    let mut out = b"\x28\xb5\x2f\xfd\x00\x58".to_vec();
    let blocks = size.div_ceil(128 << 10);
    for i in 0..blocks {
        let header = ((128u32 << 10) << 3) | 1 << 1 | u32::from(i + 1 == blocks);
        out.extend(&header.to_le_bytes()[..3]);
        out.push(0);
    }
    out
}

fn packages() -> Vec<Case> {
    let mut out = Vec::new();
    let mut plain = |what: &str, bytes: Vec<u8>| out.push(Case::new(what, Format::Deb, bytes));
    let tar = Tar::new().file("./usr/bin/x", "x").end();
    let data = gz(&tar);
    let (data, version) = (data.as_slice(), ("debian-binary", &b"2.0\n"[..]));
    let control = ("control.tar.gz", data);
    for (what, members) in [
        ("no version", &[control, ("data.tar.gz", data)][..]),
        ("a version that comes late", &[control, version, ("data.tar.gz", data)]),
        ("version 3", &[("debian-binary", b"3.0\n"), control, ("data.tar.gz", data)]),
        ("a version that is none", &[("debian-binary", b"two\n"), control, ("data.tar.gz", data)]),
        ("no data", &[version, control]),
        ("no control", &[version, ("data.tar.gz", data)]),
        ("two controls", &[version, control, control, ("data.tar.gz", data)]),
        ("data twice", &[version, control, ("data.tar.gz", data), ("data.tar.gz", data)]),
        (
            "data twice, compressed differently",
            &[version, control, ("data.tar.gz", data), ("data.tar", b"")],
        ),
        ("data before control", &[version, ("data.tar.gz", data), control]),
        ("a member between", &[version, ("extra", b"x"), control, ("data.tar.gz", data)]),
        ("data that is no gzip", &[version, control, ("data.tar.gz", b"no gzip at all")]),
        ("data that is no tar", &[version, control, ("data.tar", b"no tar at all")]),
        ("data in lzma", &[version, control, ("data.tar.lzma", data)]),
        ("data of another name", &[version, control, ("data.tarx", data)]),
        ("data in another compression", &[version, control, ("data.tar.xz", data)]),
        ("empty data", &[version, control, ("data.tar", b"")]),
    ] {
        plain(what, ar(members));
    }
    let spoiled = |name: &str, size: &str| {
        let head = ar(&[version, control]);
        [head, member(name, size, data)].concat()
    };
    plain("a size that is no number", spoiled("data.tar.gz", "twelve"));
    plain("a negative size", spoiled("data.tar.gz", "-1"));
    plain("no size", spoiled("data.tar.gz", ""));
    plain("a size beyond the end", spoiled("data.tar.gz", "9999999999"));
    plain("a size that is too small", spoiled("data.tar.gz", "20"));
    plain("a GNU long name", spoiled("/0", &data.len().to_string()));
    plain("a BSD long name", spoiled("#1/12", &data.len().to_string()));
    plain("a name with a slash", spoiled("../data.tar.gz", &data.len().to_string()));
    plain("no name", spoiled("", &data.len().to_string()));
    plain("a thousand members", ar(&vec![("_", &b""[..]); 1000]));
    plain("no ar", b"PK\x03\x04 something else".to_vec());
    plain("only the magic", b"!<arch>\n".to_vec());
    plain("nothing", Vec::new());
    plain("a bomb", deb("data.tar.xz", &xz(&Tar::new().file("z", vec![0; 70 << 20]).end())));
    for (what, target) in [
        ("a link that leaves a directory", "../../../x"),
        ("an absolute link that leaves", "/../x"),
    ] {
        let tar = Tar::new().symlink("./usr/x", target).end();
        plain(what, deb("data.tar.xz", &xz(&tar)));
    }
    plain(
        "a set-user-ID file",
        deb("data.tar.zst", &zst(&Tar::new().mode("./bin/su", b'0', "", "0004755").end())),
    );
    out
}
