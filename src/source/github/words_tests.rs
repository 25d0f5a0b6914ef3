//! Names as publishers write them, and what is read in them.

use super::*;
use proptest::prelude::*;

fn said(name: &str) -> Said {
    read(name, "1.2.3", &own(["tool", "some-tool"]))
}

fn short(name: &str) -> String {
    let Said { systems, machines, is_vague, libraries, is_side, extras } = said(name);
    let list = |debug: String| debug.trim_matches(['{', '}']).to_owned();
    format!(
        "{}|{}|{}{}{}{}",
        list(format!("{systems:?}")),
        list(format!("{machines:?}")),
        list(format!("{libraries:?}")),
        if is_vague { " vague" } else { "" },
        if is_side { " side" } else { "" },
        if extras > 0 { format!(" +{extras}") } else { String::new() },
    )
}

#[test]
fn reads_names() {
    for (name, want) in [
        ("tool_1.2.3_linux_amd64.tar.gz", "Of(Linux)|Of(X86_64)|"),
        ("tool-v1.2.3-x86_64-unknown-linux-musl.tar.gz", "Of(Linux)|Of(X86_64)|Musl"),
        ("tool-aarch64-apple-darwin.zip", "Of(Darwin)|Of(Aarch64)|"),
        ("tool-x86_64-pc-windows-gnu.zip", "Of(Windows)|Of(X86_64)|Gnu"),
        ("tool-win32-x64.zip", "Of(Windows)|Of(X86_64)|"),
        ("tool-win32.zip", "Of(Windows)|Other|"),
        ("tool-win64.exe", "Of(Windows)|Of(X86_64)| vague"),
        ("tool-linux64", "Of(Linux)|Of(X86_64)| vague"),
        ("tool-linux-64.zip", "Of(Linux)|Of(X86_64)| vague"),
        ("tool-linux-32.zip", "Of(Linux)|Other|"),
        ("tool.Linux-x86_64", "Of(Linux)|Of(X86_64)|"),
        ("tool-macosarm64.zip", "Of(Darwin)|Of(Aarch64)|"),
        ("tool-macos11-arm64.zip", "Of(Darwin)|Of(Aarch64)|"),
        ("tool-darwin-universal2.tgz", "Of(Darwin)|Universal|"),
        ("tool-linux-armv7.tar.gz", "Of(Linux)|Other|"),
        ("tool-linux-arm.tar.gz", "Of(Linux)|Other|"),
        ("tool-linux-arm-64.tar.gz", "Of(Linux)|Of(Aarch64)|"),
        ("tool-arm-unknown-linux-gnueabihf.tgz", "Of(Linux)|Other|"),
        ("tool-linux-x86.tar.gz", "Of(Linux)|Other|"),
        ("tool-linux-386.tar.gz", "Of(Linux)|Other|"),
        ("tool-linux-x86-64.tar.gz", "Of(Linux)|Of(X86_64)|"),
        ("tool-linux-x86_64_v3.tar.gz", "Of(Linux)|Of(X86_64)| +1"),
        ("tool-linux-x86_64v3.tar.gz", "Of(Linux)|Of(X86_64)| +1"),
        ("tool-linux-amd64v1.tar.gz", "Of(Linux)|Of(X86_64)|"),
        ("tool-aarch64-linux-android.tgz", "Of(Linux), Other|Of(Aarch64)|"),
        ("tool-freebsd14-amd64.tgz", "Other|Of(X86_64)|"),
        ("tool-ubuntu-22.04-x64.zip", "Of(Linux)|Of(X86_64)| +1"),
        ("tool-alpine-x64.zip", "Of(Linux)|Of(X86_64)|Musl"),
        ("tool-x86_64.AppImage", "Of(Linux)|Of(X86_64)| +1"),
        ("tool_extended_linux-amd64.tar.gz", "Of(Linux)|Of(X86_64)| +1"),
        ("tool_linux_amd64.tar.gz.sha256", "Of(Linux)|Of(X86_64)| side +3"),
        ("tool_linux_amd64.deb", "Of(Linux)|Of(X86_64)| side +1"),
        ("tool_1.2.3_checksums.txt", "|| side +1"),
        ("tool-1.2.3-src.tar.gz", "|| side"),
        ("some-tool", "||"),
    ] {
        assert_eq!(short(name), want, "{name}");
    }
}

#[test]
fn a_name_of_its_own_says_nothing() {
    let own = own(["win-src-x86", "all"]);
    let said = read("win-src-x86-all-linux-arm64.zip", "1.0", &own);
    assert_eq!(said.systems, [System::Of(Os::Linux)].into());
    assert_eq!(said.machines, [Machine::Of(Arch::Aarch64)].into());
    assert!(!said.is_side);
    assert_eq!(said.extras, 0);
}

proptest! {
    #[test]
    fn never_panics(s in "\\PC{0,60}", t in "([-_. ]|linux|x86|64|win32|v3|arm|1|tool|ä){0,12}") {
        let _ = (said(&s), said(&t));
    }
    #[test]
    fn order_and_case_do_not_matter(
        os in prop::sample::select(vec!["linux", "Linux", "LINUX"]),
        arch in prop::sample::select(vec!["amd64", "x86_64", "X64"]),
        between in prop::sample::select(vec!["-", "_", "."]),
    ) {
        let (a, b) = (format!("tool{between}{os}{between}{arch}.zip"), format!("{arch}{between}tool-1.2.3{between}{os}.zip"));
        prop_assert_eq!(said(&a), said(&b));
    }
}
