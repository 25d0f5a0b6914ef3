//! Real naming schemes, and the traps in them.

use super::super::schemes::{SCHEMES, Scheme};
use super::*;
use crate::base::Version;
use proptest::prelude::*;

use Platform::{
    Aarch64Darwin as AD, Aarch64Linux as AL, Aarch64LinuxMusl as ALM, Aarch64Windows as AW,
    X86_64Darwin as XD, X86_64Linux as XL, X86_64LinuxMusl as XLM, X86_64Windows as XW,
};

fn choose<'a>(dep: &str, version: &str, platform: Platform, names: &[&'a str]) -> Pick<'a> {
    let own = words::own([dep]);
    pick(&Wanted { platform, version, own: &own, pattern: None }, names)
}

fn with_pattern<'a>(asset: &str, platform: Platform, names: &[&'a str]) -> Pick<'a> {
    let own = words::own(["tool"]);
    let version: Version = "1.2.3".parse().expect("version");
    let pattern = Pattern::new(asset, &version, platform, &Default::default()).expect("pattern");
    pick(&Wanted { platform, version: "1.2.3", own: &own, pattern: Some(&pattern) }, names)
}

#[test]
fn every_scheme_on_every_platform() {
    for Scheme { dep, version, files, others } in SCHEMES {
        let mut names: Vec<_> =
            files.iter().map(|(_, name)| *name).chain(others.iter().copied()).collect();
        names.dedup();
        for platform in Platform::ALL {
            let want = files.iter().find(|(p, _)| *p == platform).map(|(_, name)| *name);
            let got = choose(dep, version, platform, &names);
            match (want, platform.libc()) {
                (Some(want), _) => assert_eq!(got, Pick::One(want), "{dep} {platform}"),
                // Without a word for the C library a file is offered to both.
                (None, Some(Libc::Musl)) => assert!(matches!(got, Pick::One(_)), "{dep} {got:?}"),
                (None, _) => assert!(matches!(got, Pick::None(_)), "{dep} {platform} {got:?}"),
            }
        }
    }
}

#[test]
fn triples() {
    let names = [
        "tool-aarch64-apple-darwin.tar.gz",
        "tool-aarch64-unknown-linux-gnu.tar.gz",
        "tool-aarch64-unknown-linux-musl.tar.gz",
        "tool-armv7-unknown-linux-gnueabihf.tar.gz",
        "tool-i686-unknown-linux-gnu.tar.gz",
        "tool-x86_64-apple-darwin.tar.gz",
        "tool-x86_64-pc-windows-msvc.zip",
        "tool-x86_64-unknown-linux-gnu.tar.gz",
        "tool-x86_64-unknown-linux-gnu.tar.gz.sha256",
        "tool-x86_64-unknown-linux-musl.tar.gz",
        "tool-x86_64-unknown-freebsd.tar.gz",
        "tool-aarch64-linux-android.tar.gz",
        "source.tar.gz",
    ];
    for (platform, want) in [
        (AD, Some("tool-aarch64-apple-darwin.tar.gz")),
        (AL, Some("tool-aarch64-unknown-linux-gnu.tar.gz")),
        (ALM, Some("tool-aarch64-unknown-linux-musl.tar.gz")),
        (XD, Some("tool-x86_64-apple-darwin.tar.gz")),
        (XL, Some("tool-x86_64-unknown-linux-gnu.tar.gz")),
        (XLM, Some("tool-x86_64-unknown-linux-musl.tar.gz")),
        (XW, Some("tool-x86_64-pc-windows-msvc.zip")),
        (AW, None),
    ] {
        let got = choose("tool", "1.2.3", platform, &names);
        match want {
            Some(want) => assert_eq!(got, Pick::One(want), "{platform}"),
            None => assert!(matches!(got, Pick::None(_)), "{platform} {got:?}"),
        }
    }
    let gnu = ["tool-x86_64-unknown-linux-gnu.tar.gz"];
    assert!(matches!(choose("tool", "1", XLM, &gnu), Pick::None(_)), "glibc is not musl");
    let musl = ["tool-x86_64-unknown-linux-musl.tar.gz"];
    assert_eq!(choose("tool", "1", XL, &musl), Pick::One(musl[0]), "static runs everywhere");
}

#[test]
fn traps() {
    for (platform, names, want) in [
        // Never a 32-bit program, never another system's, never what goes with a file.
        (AL, &["tool-linux-armv7.zip", "tool-linux-arm.zip", "tool-darwin-arm64.zip"][..], None),
        (XL, &["tool-linux-x86.zip", "tool-linux-i686.zip", "tool-linux-32.zip"], None),
        (XL, &["tool-linux-amd64.sha256", "tool-linux-amd64.zip.sig", "tool_amd64.deb"], None),
        (XL, &["tool-linux-amd64.rpm", "tool-linux-amd64.apk", "tool-linux-amd64.sbom"], None),
        (XL, &["tool-1.2.3.tar.gz", "tool-1.2.3-src.tar.gz", "tool-source.zip"], None),
        (XW, &["tool-darwin-x64.zip", "tool-win32.zip"], None),
        (
            AD,
            &["tool-universal2-macos.zip", "tool-linux-universal.zip"],
            Some("tool-universal2-macos.zip"),
        ),
        (AD, &["tool-macos-x86_64-arm64.zip"], Some("tool-macos-x86_64-arm64.zip")),
        (AD, &["tool-macos.zip"], None),
        (AD, &["tool-macos-all.zip", "tool-macos-arm64.zip"], Some("tool-macos-arm64.zip")),
        (
            XD,
            &["Tool_intel_mac.zip", "tool-x86_64-apple-darwin.tar.gz"],
            Some("tool-x86_64-apple-darwin.tar.gz"),
        ),
        (XL, &["tool-linux.tar.gz", "tool-linux-arm64.tar.gz"], Some("tool-linux.tar.gz")),
        (
            XL,
            &["tool-linux-x86_64_v3.tar.gz", "tool-linux-x86_64.tar.gz"],
            Some("tool-linux-x86_64.tar.gz"),
        ),
        (XL, &["tool-linux-amd64", "tool-linux-amd64.zip"], Some("tool-linux-amd64.zip")),
        (XL, &["tool-x86_64.AppImage", "tool-linux-x86_64"], Some("tool-linux-x86_64")),
        (XL, &["tool-x86_64.AppImage"], None),
        (XW, &["tool-setup-x64.exe", "tool-x64.exe"], Some("tool-x64.exe")),
        (XW, &["tool-win32-x64.zip", "tool-win32-ia32.zip"], Some("tool-win32-x64.zip")),
        (XL, &["tool.js", "tool.wasm"], None),
    ] {
        match (choose("tool", "1.2.3", platform, names), want) {
            (Pick::One(got), Some(want)) => assert_eq!(got, want, "{platform}"),
            (Pick::None(_), None) => {}
            (got, _) => panic!("{platform} {names:?}: {got:?}"),
        }
    }
}

#[test]
fn what_cannot_be_read_is_passed_over() {
    let names = ["tool-linux-amd64.rar", "tool-linux-amd64"];
    assert_eq!(choose("tool", "1", XL, &names), Pick::One("tool-linux-amd64"));
    let Pick::None(reason) = choose("tool", "1", XL, &names[..1]) else { panic!("unreadable") };
    assert_eq!(
        reason,
        "the files for this platform are in formats that are not supported; there are \
         `tool-linux-amd64.rar`"
    );
}

#[test]
fn a_desktop_program_in_one_file_is_named() {
    let names = ["tool-x86_64.AppImage"];
    let Pick::None(reason) = choose("tool", "1", XL, &names) else { panic!("taken") };
    assert!(reason.contains("`asset`") && reason.contains(names[0]), "{reason}");
    assert_eq!(with_pattern("*.AppImage", XL, &names), Pick::One(names[0]));
    // Whole, and executable.
    assert_eq!(crate::archive::Format::of_name(names[0]), Some(crate::archive::Format::File));
    let seven = ["tool-linux-amd64.7z"];
    assert_eq!(choose("tool", "1", XL, &seven), Pick::One(seven[0]));
}

#[test]
fn a_desktop_program_is_no_substitute() {
    // The command's own files are packed with bzip2; what stands beside them is an application.
    let names = [
        "Goose.zip",
        "Goose_intel_mac.zip",
        "goose-aarch64-apple-darwin.tar.bz2",
        "goose-aarch64-unknown-linux-gnu.tar.bz2",
        "goose-x86_64-apple-darwin.tar.bz2",
        "goose-x86_64-pc-windows-gnu.zip",
        "goose-x86_64-unknown-linux-gnu.tar.bz2",
        "goose_1.3.1_amd64.deb",
        "download_cli.sh",
    ];
    assert_eq!(choose("goose", "1.3.1", XW, &names), Pick::One(names[5]));
    for (platform, want) in [(AD, names[2]), (AL, names[3]), (XD, names[4]), (XL, names[6])] {
        let got = choose("goose", "1.3.1", platform, &names);
        match Format::of_name(want) {
            Some(_) => assert_eq!(got, Pick::One(want), "{platform}"),
            None => assert!(matches!(&got, Pick::None(why) if why.contains(want)), "{got:?}"),
        }
    }
    // A disk image is not unpacked.
    assert!(matches!(choose("utm", "4.7.4", AD, &["UTM.dmg"]), Pick::None(_)));
}

#[test]
fn says_what_there_is() {
    let names: Vec<String> = (0..9).map(|n| format!("tool-{n}-darwin-arm64.zip")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let Pick::None(reason) = choose("tool", "1", XL, &names) else { panic!("none") };
    assert!(reason.starts_with("no file of the release is for this platform; there are `tool-0-"));
    assert!(reason.ends_with("`tool-5-darwin-arm64.zip` and 3 more"), "{reason}");
    let sums = ["checksums.txt"];
    let Pick::None(reason) = choose("tool", "1", XL, &sums) else { panic!("none") };
    assert_eq!(reason, "no file of the release is for this platform");
}

#[test]
fn equal_claims_are_not_decided() {
    let names = ["bar-linux-amd64.zip", "foo-linux-amd64.zip", "foo-linux-arm64.zip"];
    assert_eq!(choose("tools", "1", XL, &names), Pick::Several(names[..2].to_vec()));
    assert_eq!(choose("foo", "1", XL, &names), Pick::One("foo-linux-amd64.zip"));
    assert_eq!(choose("tools", "1", AL, &names), Pick::One("foo-linux-arm64.zip"));
}

#[test]
fn a_pattern_decides() {
    let names = [
        "tool_1.2.3_linux_amd64.tar.gz",
        "tool_extended_1.2.3_linux_amd64.tar.gz",
        "tool_extended_1.2.3_linux_arm64.tar.gz",
        "tool_extended_1.2.3_linux_amd64.tar.gz.sha256",
        "tool.pyz",
        "install.sh",
    ];
    assert_eq!(with_pattern("tool_extended_*", XL, &names), Pick::One(names[1]));
    assert_eq!(with_pattern("tool_extended_*", AL, &names), Pick::One(names[2]));
    let exact = "tool_extended_${version}_${os}_${arch}.tar.gz";
    assert_eq!(with_pattern(exact, XL, &names), Pick::One(names[1]));
    // One file for all platforms, and what would be passed over otherwise.
    for platform in [XL, AL, AD, XW, XLM] {
        assert_eq!(with_pattern("tool.pyz", platform, &names), Pick::One("tool.pyz"));
        assert_eq!(with_pattern("install.sh", platform, &names), Pick::One("install.sh"));
    }
    assert!(matches!(with_pattern("tool_extended_*", XD, &names), Pick::None(_)));
    let Pick::None(reason) = with_pattern("nope", XL, &names) else { panic!("none") };
    assert!(reason.starts_with("no file of the release matches `asset`; there are"), "{reason}");
    assert!(matches!(with_pattern("*tool*", XL, &["a-tool.zip", "b-tool.zip"]), Pick::Several(_)));
}

proptest! {
    #[test]
    fn order_does_not_matter(
        names in prop::collection::vec("(tool|foo)[-_](linux|darwin|windows)[-_](amd64|arm64|x86|universal)(-musl|-gnu|-x)?\\.(zip|tar\\.gz|exe|rar|sig)", 0..8),
        platform in prop::sample::select(Platform::ALL.to_vec()),
    ) {
        let mut names: Vec<&str> = names.iter().map(String::as_str).collect();
        names.sort_unstable();
        names.dedup();
        let first = choose("tool", "1.2.3", platform, &names);
        names.reverse();
        prop_assert_eq!(&first, &choose("tool", "1.2.3", platform, &names));
        if let Pick::One(name) = first {
            prop_assert!(!name.ends_with(".sig") && !name.ends_with(".rar"));
            prop_assert!(!name.contains("x86"));
        }
    }
    #[test]
    fn never_panics(names in prop::collection::vec("\\PC{0,20}", 0..4)) {
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let _ = choose("tool", "1", XL, &names);
    }
}
