//! Zips: names, links, two headers that disagree, bytes that belong to nothing, lies of size.

use infra::archive::Format;

use super::Case;
use super::write::{Entry, Zip, descriptor, zip};

fn file(name: impl AsRef<[u8]>) -> Entry {
    Entry::file(name)
}

fn unicode_path(name: &str) -> Vec<u8> {
    let mut out = vec![0x75, 0x70];
    out.extend((name.len() as u16 + 5).to_le_bytes());
    out.extend([1, 0, 0, 0, 0]);
    out.extend(name.as_bytes());
    out
}

/// A 64-bit extra field of these numbers.
fn long(numbers: &[u64]) -> Vec<u8> {
    let mut out = vec![1, 0];
    out.extend((numbers.len() as u16 * 8).to_le_bytes());
    out.extend(numbers.iter().flat_map(|n| n.to_le_bytes()));
    out
}

pub fn cases() -> Vec<Case> {
    let mut out = Vec::new();
    let mut plain = |what: &str, zip: Zip| out.push(Case::new(what, Format::Zip, zip.bytes()));
    for (what, name) in [
        ("a name with ..", &b"../escaped"[..]),
        ("a name with .. inside", b"a/../../escaped"),
        ("an absolute name", b"/tmp/escaped"),
        ("a network name", b"//host/escaped"),
        ("a backslash", b"..\\escaped"),
        ("a drive", b"C:/escaped"),
        ("an empty component", b"a//b"),
        ("a NUL", b"a\0b"),
        ("a carriage return", b"a\rb"),
        ("a device name", b"lib/Aux.h"),
        ("a trailing dot", b"a."),
        ("bytes that are no UTF-8", b"a\xff"),
        ("no name", b""),
    ] {
        plain(what, zip([file("good"), file(name)]));
    }
    plain("a component of 256 bytes", zip([file("n".repeat(256))]));
    plain("a path of 4097 bytes", zip([file("n/".repeat(2048) + "n")]));
    plain("a path of 129 parts", zip([file("d/".repeat(128) + "f")]));
    plain("the same name twice", zip([file("a"), file("a")]));
    plain("the same name as ./", zip([file("a"), file("./a")]));
    plain("a file and a directory", zip([file("a"), Entry::new("a/", 0o040_755, "")]));
    plain("names that differ in case", zip([file("Read"), file("rEAD")]));
    plain("names that differ in form", zip([file("\u{e9}"), file("e\u{301}")]));
    plain("a file below a file", zip([file("a"), file("a/b")]));
    plain("a file below a link", zip([Entry::link("a", "b"), file("a/b")]));
    for (what, target) in [
        ("an absolute link", "/etc/passwd"),
        ("a link with ..", "../escaped"),
        ("a link to nothing", ""),
        ("a link with a NUL", "a\0b"),
    ] {
        plain(what, zip([Entry::link("l", target)]));
    }
    plain("a link of 5000 bytes", zip([Entry::link("l", &"t".repeat(5000))]));
    plain(
        "a link through a link",
        zip([Entry::link("a/up", ".."), Entry::link("a/out", "up/../x")]),
    );
    plain("a link with a slash at its end", zip([Entry::new("l/", 0o120_777, "x")]));
    for (what, mode) in [
        ("a character device", 0o020_644),
        ("a block device", 0o060_644),
        ("a named pipe", 0o010_644),
        ("a socket", 0o140_644),
        ("a kind that is none", 0o110_644),
        ("a set-user-ID file", 0o104_755),
        ("a set-group-ID file", 0o102_755),
    ] {
        plain(what, zip([Entry::new("x", mode, "")]));
    }
    plain("a device with a slash at its end", zip([Entry::new("x/", 0o020_644, "")]));
    plain("a directory with contents", zip([Entry::new("d/", 0o040_755, "x")]));

    plain("two names for an entry", zip([file("a").local(|h| h.name = b"b".to_vec())]));
    plain("a name of another length", zip([file("a").local(|h| h.name = b"../a".to_vec())]));
    plain(
        "another name in an extra field",
        zip([file("a").central(|h| h.extra = unicode_path("../b"))]),
    );
    plain(
        "another name in a local extra field",
        zip([file("a").local(|h| h.extra = unicode_path("b"))]),
    );
    plain("two sizes", zip([file("a").local(|h| h.size = 5)]));
    plain("two packed sizes", zip([file("a").local(|h| h.packed = 3)]));
    plain("two methods", zip([file("a").local(|h| h.method = 8)]));
    plain("two checksums", zip([file("a").local(|h| h.crc ^= 1)]));
    plain("encrypted for one reader", zip([file("a").local(|h| h.flags |= 1)]));
    plain("two spellings of a name", zip([file("\u{e9}").local(|h| h.flags = 0)]));
    plain(
        "a local header that is none",
        zip([{
            let mut entry = file("a");
            entry.at = Some(4);
            entry
        }]),
    );
    plain(
        "an offset beyond the end",
        zip([{
            let mut entry = file("a");
            entry.at = Some(1 << 20);
            entry
        }]),
    );
    plain("encrypted", zip([file("a").both(|h| h.flags |= 1)]));
    plain("strongly encrypted", zip([file("a").both(|h| h.flags |= 1 | 1 << 6)]));
    for (what, method) in [
        ("bzip2 within", 12),
        ("lzma within", 14),
        ("zstd within", 93),
        ("a method that is none", 77),
    ] {
        plain(what, zip([file("a").both(|h| h.method = method)]));
    }
    plain(
        "a descriptor with another checksum",
        zip([
            file("a").streamed(|h| {
                let mut bytes = descriptor(h);
                bytes[4] ^= 1;
                bytes
            }),
            file("b"),
        ]),
    );
    plain(
        "a descriptor with another size",
        zip([file("a").streamed(|h| {
            let mut bytes = descriptor(h);
            bytes[12] ^= 1;
            bytes
        })]),
    );
    plain("no descriptor", zip([file("a").streamed(|_| Vec::new()), file("b")]));
    plain(
        "more than a descriptor",
        zip([file("a").streamed(|h| [descriptor(h), b"more".to_vec()].concat()), file("b")]),
    );
    plain("data before", Zip { before: b"#!/bin/sh\n".to_vec(), ..zip([file("a")]) });
    plain(
        "data before that offsets ignore",
        Zip {
            before: vec![0; 64],
            lies: [0, 0, -64],
            ..zip([{
                let mut entry = file("a");
                entry.at = Some(0);
                entry
            }])
        },
    );
    plain(
        "data between entries",
        zip([
            {
                let mut entry = file("a");
                entry.after = b"hidden".to_vec();
                entry
            },
            file("b"),
        ]),
    );
    plain(
        "an entry that is not listed",
        zip([
            {
                let mut entry = file("a");
                entry.after = zip([file("../b")]).bytes()[..38].to_vec();
                entry
            },
            file("c"),
        ]),
    );
    plain(
        "data before the directory",
        Zip { gap: b"APK Sig Block 42".to_vec(), ..zip([file("a")]) },
    );
    plain("data after the end", Zip { after: b"garbage".to_vec(), ..zip([file("a")]) });
    plain("a second end in the comment", {
        let other = zip([file("../b")]).bytes();
        Zip { comment: other, ..zip([file("a")]) }
    });
    plain("an empty end in the comment", Zip { comment: zip([]).bytes(), ..zip([file("a")]) });
    plain("a comment that is cut", Zip { comment: b"PK\x05\x06".to_vec(), ..zip([file("a")]) });
    for (what, lies) in [
        ("one entry fewer", [-1, 0, 0]),
        ("one entry more", [1, 0, 0]),
        ("many entries more", [60_000, 0, 0]),
        ("a shorter directory", [0, -1, 0]),
        ("a longer directory", [0, 1, 0]),
        ("a directory that begins before", [0, 0, -1]),
        ("a directory that begins after", [0, 0, 1]),
        ("an offset far away", [0, 0, 1 << 30]),
        ("a directory without its first entry", [-1, -47, 47]),
    ] {
        plain(
            &format!("an end record that says {what}"),
            Zip { lies, ..zip([file("a"), file("b")]) },
        );
        plain(
            &format!("a 64-bit end record that says {what}"),
            Zip { lies, long: true, ..zip([file("a"), file("b")]) },
        );
    }
    plain(
        "a 64-bit size that is another",
        zip([file("a").local(|h| (h.size, h.extra) = (u32::MAX, long(&[5])))]),
    );
    plain("a 64-bit size that is missing", zip([file("a").both(|h| h.size = u32::MAX)]));
    plain(
        "two 64-bit sizes",
        zip([file("a")
            .central(|h| (h.size, h.extra) = (u32::MAX, [long(&[4]), long(&[9])].concat()))]),
    );
    plain(
        "a 64-bit size beyond the end",
        zip([file("a").both(|h| (h.packed, h.extra) = (u32::MAX, long(&[1 << 40])))]),
    );
    plain(
        "a 64-bit size that overflows",
        zip([file("a").both(|h| (h.packed, h.extra) = (u32::MAX, long(&[u64::MAX])))]),
    );
    plain(
        "entries that share their data",
        zip([file("a"), {
            let mut entry = file("a").central(|h| h.name = b"b".to_vec());
            (entry.at, entry.data) = (Some(0), Vec::new());
            entry
        }]),
    );
    plain("an entry within another's data", {
        let inner = zip([file("b")]).bytes();
        let mut entry = file("b");
        entry.at = Some(31);
        zip([Entry::new("a", 0o100_644, &inner[..35]), entry])
    });
    plain(
        "data that reaches into the directory",
        zip([file("a").both(|h| (h.packed, h.size) = (40, 40))]),
    );
    plain(
        "deflated data that ends early",
        zip([Entry::new("a", 0o100_644, "data".repeat(100)).deflated().both(|h| h.size += 1)]),
    );
    plain(
        "deflated data that goes on",
        zip([Entry::new("a", 0o100_644, "data".repeat(100)).deflated().both(|h| h.size -= 1)]),
    );
    plain("deflated data that is none", zip([file("a").both(|h| h.method = 8)]));
    plain("stored data of another size", zip([file("a").both(|h| h.size = 9)]));
    plain("a wrong checksum", zip([file("a").both(|h| h.crc ^= 1)]));
    plain("a wrong checksum of a link", zip([Entry::link("l", "x").both(|h| h.crc ^= 1)]));
    plain("a bomb", zip([Entry::new("a", 0o100_644, vec![0; 65 << 20]).deflated()]));
    plain(
        "a bomb that says it is small",
        zip([Entry::new("a", 0o100_644, vec![0; 2 << 20]).deflated().both(|h| h.size = 10)]),
    );
    plain(
        "a size that fills the disk",
        zip((0..5)
            .map(|i| file(format!("x{i}")).both(|h| h.size = u32::MAX - 1))
            .collect::<Vec<_>>()),
    );
    let good = zip([file("a")]).bytes();
    out.push(Case::new("no end record", Format::Zip, good[..good.len() - 22].to_vec()));
    out.push(Case::new("a cut in the end record", Format::Zip, good[..good.len() - 1].to_vec()));
    out.push(Case::new("no beginning", Format::Zip, good[10..].to_vec()));
    out.push(Case::new("in several parts", Format::Zip, {
        let mut bytes = good.clone();
        let at = bytes.len() - 18;
        bytes[at] = 1;
        bytes
    }));
    out.push(Case::new("no zip", Format::Zip, b"MZ something else".to_vec()));
    out.push(Case::new("nothing", Format::Zip, Vec::new()));
    out
}
