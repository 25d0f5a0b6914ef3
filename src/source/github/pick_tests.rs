//! Real naming schemes, and the traps in them.

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

/// One project's way to name its files: for each platform the one that is meant; and everything
/// else in the release.
struct Scheme {
    dep: &'static str,
    version: &'static str,
    files: &'static [(Platform, &'static str)],
    others: &'static [&'static str],
}

const SCHEMES: &[Scheme] = &[
    Scheme {
        dep: "flyctl",
        version: "0.3.162",
        files: &[
            (XL, "flyctl_0.3.162_Linux_x86_64.tar.gz"),
            (AL, "flyctl_0.3.162_Linux_arm64.tar.gz"),
            (XD, "flyctl_0.3.162_macOS_x86_64.tar.gz"),
            (AD, "flyctl_0.3.162_macOS_arm64.tar.gz"),
            (XW, "flyctl_0.3.162_Windows_x86_64.zip"),
            (AW, "flyctl_0.3.162_Windows_arm64.zip"),
        ],
        others: &["flyctl_0.3.162_checksums.txt"],
    },
    Scheme {
        dep: "ko",
        version: "0.18.0",
        files: &[
            (XL, "ko_0.18.0_Linux_x86_64.tar.gz"),
            (AL, "ko_0.18.0_Linux_arm64.tar.gz"),
            (XD, "ko_0.18.0_Darwin_x86_64.tar.gz"),
            (AD, "ko_0.18.0_Darwin_arm64.tar.gz"),
            (XW, "ko_0.18.0_Windows_x86_64.tar.gz"),
            (AW, "ko_0.18.0_Windows_arm64.tar.gz"),
        ],
        others: &[
            "ko_0.18.0_Linux_i386.tar.gz",
            "ko_0.18.0_Linux_mips64le_hardfloat.tar.gz",
            "ko_0.18.0_Linux_ppc64le.tar.gz",
            "ko_0.18.0_Linux_riscv64.tar.gz",
            "ko_0.18.0_Linux_s390x.tar.gz",
            "checksums.txt",
            "multiple.intoto.jsonl",
        ],
    },
    Scheme {
        dep: "caddy",
        version: "2.10.0",
        files: &[
            (XL, "caddy_2.10.0_linux_amd64.tar.gz"),
            (AL, "caddy_2.10.0_linux_arm64.tar.gz"),
            (XD, "caddy_2.10.0_mac_amd64.tar.gz"),
            (AD, "caddy_2.10.0_mac_arm64.tar.gz"),
            (XW, "caddy_2.10.0_windows_amd64.zip"),
            (AW, "caddy_2.10.0_windows_arm64.zip"),
        ],
        others: &[
            "caddy_2.10.0_buildable-artifact.tar.gz",
            "caddy_2.10.0_src.tar.gz",
            "caddy_2.10.0_linux_amd64.deb",
            "caddy_2.10.0_linux_amd64.sbom",
            "caddy_2.10.0_linux_amd64.tar.gz.sig",
            "caddy_2.10.0_linux_amd64.tar.gz.pem",
            "caddy_2.10.0_linux_armv5.tar.gz",
            "caddy_2.10.0_linux_armv7.tar.gz",
            "caddy_2.10.0_freebsd_amd64.tar.gz",
            "caddy_2.10.0_windows_armv7.zip",
        ],
    },
    Scheme {
        dep: "task",
        version: "3.44.1",
        files: &[
            (XL, "task_linux_amd64.tar.gz"),
            (AL, "task_linux_arm64.tar.gz"),
            (XD, "task_darwin_amd64.tar.gz"),
            (AD, "task_darwin_arm64.tar.gz"),
            (XW, "task_windows_amd64.zip"),
            (AW, "task_windows_arm64.zip"),
        ],
        others: &[
            "task_linux_386.tar.gz",
            "task_linux_arm.tar.gz",
            "task_linux_amd64.deb",
            "task_linux_amd64.rpm",
            "task_linux_amd64.apk",
            "task_freebsd_amd64.tar.gz",
            "task_checksums.txt",
        ],
    },
    Scheme {
        dep: "tofu",
        version: "1.7.2",
        files: &[
            (XL, "tofu_1.7.2_linux_amd64.tar.gz"),
            (AL, "tofu_1.7.2_linux_arm64.tar.gz"),
            (XD, "tofu_1.7.2_darwin_amd64.tar.gz"),
            (AD, "tofu_1.7.2_darwin_arm64.tar.gz"),
            (XW, "tofu_1.7.2_windows_amd64.zip"),
        ],
        others: &[
            "tofu_1.7.2_linux_amd64.zip",
            "tofu_1.7.2_linux_arm64.zip",
            "tofu_1.7.2_darwin_amd64.zip",
            "tofu_1.7.2_darwin_arm64.zip",
            "tofu_1.7.2_windows_amd64.tar.gz",
            "tofu_1.7.2_windows_386.zip",
            "tofu_1.7.2_solaris_amd64.zip",
            "tofu_1.7.2_linux_386.tar.gz",
            "tofu_1.7.2_amd64.deb",
            "tofu_1.7.2_amd64.deb.gpgsig",
            "tofu_1.7.2_SHA256SUMS",
            "tofu_1.7.2_SHA256SUMS.pem",
        ],
    },
    Scheme {
        dep: "bento",
        version: "1.10.2",
        files: &[
            (XL, "bento_1.10.2_linux_amd64.tar.gz"),
            (AL, "bento_1.10.2_linux_arm64.tar.gz"),
            (XD, "bento_1.10.2_darwin_amd64.tar.gz"),
            (AD, "bento_1.10.2_darwin_arm64.tar.gz"),
            (XW, "bento_1.10.2_windows_amd64.tar.gz"),
        ],
        others: &["bento-lambda_1.10.2_linux_amd64.zip", "bento-lambda_1.10.2_linux_arm64.zip"],
    },
    Scheme {
        dep: "bun",
        version: "1.2.19",
        files: &[
            (XL, "bun-linux-x64.zip"),
            (XLM, "bun-linux-x64-musl.zip"),
            (AL, "bun-linux-aarch64.zip"),
            (ALM, "bun-linux-aarch64-musl.zip"),
            (XD, "bun-darwin-x64.zip"),
            (AD, "bun-darwin-aarch64.zip"),
            (XW, "bun-windows-x64.zip"),
        ],
        others: &[
            "bun-linux-x64-baseline.zip",
            "bun-linux-x64-profile.zip",
            "bun-linux-x64-baseline-profile.zip",
            "bun-linux-x64-musl-baseline.zip",
            "bun-linux-x64-musl-profile.zip",
            "bun-linux-aarch64-profile.zip",
            "bun-linux-aarch64-musl-profile.zip",
            "bun-darwin-x64-baseline.zip",
            "bun-darwin-x64-profile.zip",
            "bun-darwin-aarch64-profile.zip",
            "bun-windows-x64-baseline.zip",
            "SHASUMS256.txt",
            "SHASUMS256.txt.asc",
        ],
    },
    Scheme {
        dep: "nats",
        version: "0.2.4",
        files: &[
            (XL, "nats-0.2.4-linux-amd64.zip"),
            (AL, "nats-0.2.4-linux-arm64.zip"),
            (XD, "nats-0.2.4-darwin-amd64.zip"),
            (AD, "nats-0.2.4-darwin-arm64.zip"),
            (XW, "nats-0.2.4-windows-amd64.zip"),
            (AW, "nats-0.2.4-windows-arm64.zip"),
        ],
        others: &[
            "nats-0.2.4-linux-386.zip",
            "nats-0.2.4-linux-arm6.zip",
            "nats-0.2.4-linux-arm7.zip",
            "nats-0.2.4-amd64.deb",
            "nats-0.2.4-arm64.rpm",
            "SHA256SUMS",
        ],
    },
    Scheme {
        dep: "nsc",
        version: "2.11.1",
        files: &[
            (XL, "nsc-linux-amd64.zip"),
            (AL, "nsc-linux-arm64.zip"),
            (XD, "nsc-darwin-amd64.zip"),
            (AD, "nsc-darwin-arm64.zip"),
            (XW, "nsc-windows-amd64.zip"),
        ],
        others: &["nsc-linux-arm.zip", "nsc-SHA256SUMS.txt"],
    },
    Scheme {
        dep: "nats-server",
        version: "2.11.9",
        files: &[
            (XL, "nats-server-v2.11.9-linux-amd64.tar.gz"),
            (AL, "nats-server-v2.11.9-linux-arm64.tar.gz"),
            (XD, "nats-server-v2.11.9-darwin-amd64.tar.gz"),
            (AD, "nats-server-v2.11.9-darwin-arm64.tar.gz"),
            (XW, "nats-server-v2.11.9-windows-amd64.zip"),
            (AW, "nats-server-v2.11.9-windows-arm64.zip"),
        ],
        others: &[
            "nats-server-v2.11.9-amd64.deb",
            "nats-server-v2.11.9-linux-arm6.tar.gz",
            "nats-server-v2.11.9-linux-arm7.tar.gz",
            "nats-server-v2.11.9-linux-386.tar.gz",
            "nats-server-v2.11.9-linux-mips64le.tar.gz",
            "nats-server-v2.11.9-freebsd-amd64.tar.gz",
            "nats-server-v2.11.9-linux-amd64.zip",
            "nats-server-v2.11.9-linux-amd64.tar.gz.sha256",
            "nats-server.spdx.json",
            "nats-server-sbom.spdx.sig",
            "SHA256SUMS",
        ],
    },
    Scheme {
        dep: "nats-top",
        version: "0.6.1",
        files: &[
            (XL, "nats-top_0.6.1_linux_amd64.tar.gz"),
            (AL, "nats-top_0.6.1_linux_arm64.tar.gz"),
            (XD, "nats-top_0.6.1_darwin_amd64.tar.gz"),
            (AD, "nats-top_0.6.1_darwin_arm64.tar.gz"),
            (XW, "nats-top_0.6.1_windows_amd64.zip"),
            (AW, "nats-top_0.6.1_windows_arm64.zip"),
        ],
        others: &["nats-top_0.6.1_linux_armv6.tar.gz", "nats-top_0.6.1_checksums.txt"],
    },
    Scheme {
        dep: "litestream",
        version: "0.3.13",
        files: &[
            (XL, "litestream-v0.3.13-linux-amd64.tar.gz"),
            (AL, "litestream-v0.3.13-linux-arm64.tar.gz"),
            (XD, "litestream-v0.3.13-darwin-amd64.zip"),
            (AD, "litestream-v0.3.13-darwin-arm64.zip"),
            (XW, "litestream-v0.3.13-windows-amd64.zip"),
        ],
        others: &[
            "litestream-v0.3.13-linux-amd64.deb",
            "litestream-v0.3.13-linux-arm6.tar.gz",
            "litestream-v0.3.13-linux-arm7.tar.gz",
        ],
    },
    Scheme {
        dep: "toki",
        version: "0.8.3",
        files: &[
            (XL, "toki_0.8.3_linux_amd64.tar.gz"),
            (AL, "toki_0.8.3_linux_arm64.tar.gz"),
            (XD, "toki_0.8.3_darwin_amd64.tar.gz"),
            (AD, "toki_0.8.3_darwin_arm64.tar.gz"),
            (XW, "toki_0.8.3_windows_amd64.tar.gz"),
            (AW, "toki_0.8.3_windows_arm64.tar.gz"),
        ],
        others: &["toki_0.8.3_linux_386.tar.gz", "checksums.txt"],
    },
    Scheme {
        dep: "gs",
        version: "0.16.1",
        files: &[
            (XL, "git-spice.Linux-x86_64.tar.gz"),
            (AL, "git-spice.Linux-aarch64.tar.gz"),
            (XD, "git-spice.Darwin-x86_64.tar.gz"),
            (AD, "git-spice.Darwin-arm64.tar.gz"),
            (XW, "git-spice.Windows-x86_64.tar.gz"),
        ],
        others: &["git-spice.Linux-armv6.tar.gz", "checksums.txt"],
    },
    Scheme {
        dep: "crush",
        version: "0.6.3",
        files: &[
            (XL, "crush_0.6.3_Linux_x86_64.tar.gz"),
            (AL, "crush_0.6.3_Linux_arm64.tar.gz"),
            (XD, "crush_0.6.3_Darwin_x86_64.tar.gz"),
            (AD, "crush_0.6.3_Darwin_arm64.tar.gz"),
            (XW, "crush_0.6.3_Windows_x86_64.zip"),
            (AW, "crush_0.6.3_Windows_arm64.zip"),
        ],
        others: &[
            "crush-0.6.3-1.aarch64.rpm",
            "crush-0.6.3.tar.gz",
            "crush-0.6.3.tar.gz.sbom.json",
            "crush_0.6.3_Android_arm64.tar.gz",
            "crush_0.6.3_Linux_armv7.tar.gz",
            "crush_0.6.3_Linux_i386.tar.gz",
            "crush_0.6.3_Linux_x86_64.tar.gz.sbom.json",
            "crush_0.6.3_x86_64.apk",
            "crush_0.6.3_amd64.deb",
            "checksums.txt.sig",
        ],
    },
    Scheme {
        dep: "gh",
        version: "2.67.0",
        files: &[
            (XL, "gh_2.67.0_linux_amd64.tar.gz"),
            (AL, "gh_2.67.0_linux_arm64.tar.gz"),
            (XD, "gh_2.67.0_macOS_amd64.zip"),
            (AD, "gh_2.67.0_macOS_arm64.zip"),
            (XW, "gh_2.67.0_windows_amd64.zip"),
            (AW, "gh_2.67.0_windows_arm64.zip"),
        ],
        others: &[
            "gh_2.67.0_macOS_universal.pkg",
            "gh_2.67.0_linux_386.tar.gz",
            "gh_2.67.0_linux_armv6.tar.gz",
            "gh_2.67.0_linux_amd64.deb",
            "gh_2.67.0_linux_amd64.rpm",
            "gh_2.67.0_windows_amd64.msi",
            "gh_2.67.0_checksums.txt",
        ],
    },
    Scheme {
        dep: "tinygo",
        version: "0.39.0",
        files: &[
            (XL, "tinygo0.39.0.linux-amd64.tar.gz"),
            (AL, "tinygo0.39.0.linux-arm64.tar.gz"),
            (XD, "tinygo0.39.0.darwin-amd64.tar.gz"),
            (AD, "tinygo0.39.0.darwin-arm64.tar.gz"),
            (XW, "tinygo0.39.0.windows-amd64.zip"),
        ],
        others: &["tinygo0.39.0.linux-arm.tar.gz", "tinygo_0.39.0_amd64.deb"],
    },
    Scheme {
        dep: "xtemplate",
        version: "0.8.4",
        files: &[
            (XL, "xtemplate-amd64-linux_v0.8.4.zip"),
            (AL, "xtemplate-arm64-linux_v0.8.4.zip"),
            (XD, "xtemplate-amd64-darwin_v0.8.4.zip"),
            (AD, "xtemplate-arm64-darwin_v0.8.4.zip"),
            (XW, "xtemplate-amd64-windows_v0.8.4.zip"),
            (AW, "xtemplate-arm64-windows_v0.8.4.zip"),
        ],
        others: &[],
    },
    Scheme {
        dep: "pocketbase",
        version: "0.30.0",
        files: &[
            (XL, "pocketbase_0.30.0_linux_amd64.zip"),
            (AL, "pocketbase_0.30.0_linux_arm64.zip"),
            (XD, "pocketbase_0.30.0_darwin_amd64.zip"),
            (AD, "pocketbase_0.30.0_darwin_arm64.zip"),
            (XW, "pocketbase_0.30.0_windows_amd64.zip"),
            (AW, "pocketbase_0.30.0_windows_arm64.zip"),
        ],
        others: &[
            "pocketbase_0.30.0_linux_armv7.zip",
            "pocketbase_0.30.0_linux_s390x.zip",
            "checksums.txt",
        ],
    },
    Scheme {
        dep: "hugo",
        version: "0.150.0",
        files: &[
            (XL, "hugo_0.150.0_linux-amd64.tar.gz"),
            (AL, "hugo_0.150.0_linux-arm64.tar.gz"),
            (XD, "hugo_0.150.0_darwin-universal.tar.gz"),
            (AD, "hugo_0.150.0_darwin-universal.tar.gz"),
            (XW, "hugo_0.150.0_windows-amd64.zip"),
            (AW, "hugo_0.150.0_windows-arm64.zip"),
        ],
        others: &[
            "hugo_extended_0.150.0_linux-amd64.tar.gz",
            "hugo_extended_0.150.0_darwin-universal.tar.gz",
            "hugo_extended_withdeploy_0.150.0_linux-amd64.tar.gz",
            "hugo_0.150.0_Linux-64bit.tar.gz",
            "hugo_0.150.0_dragonfly-amd64.tar.gz",
            "hugo_0.150.0_linux-arm.tar.gz",
            "hugo_0.150.0_linux-amd64.deb",
            "hugo_0.150.0_darwin-universal.pkg",
            "hugo_0.150.0_checksums.txt",
        ],
    },
];

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
        (XL, &["tool-x86_64.AppImage"], Some("tool-x86_64.AppImage")),
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
    let names = ["tool-linux-amd64.7z", "tool-linux-amd64"];
    assert_eq!(choose("tool", "1", XL, &names), Pick::One("tool-linux-amd64"));
    let Pick::None(reason) = choose("tool", "1", XL, &names[..1]) else { panic!("unreadable") };
    assert_eq!(
        reason,
        "the files for this platform are in formats that are not supported; there are \
         `tool-linux-amd64.7z`"
    );
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
        names in prop::collection::vec("(tool|foo)[-_](linux|darwin|windows)[-_](amd64|arm64|x86|universal)(-musl|-gnu|-x)?\\.(zip|tar\\.gz|exe|7z|sig)", 0..8),
        platform in prop::sample::select(Platform::ALL.to_vec()),
    ) {
        let mut names: Vec<&str> = names.iter().map(String::as_str).collect();
        names.sort_unstable();
        names.dedup();
        let first = choose("tool", "1.2.3", platform, &names);
        names.reverse();
        prop_assert_eq!(&first, &choose("tool", "1.2.3", platform, &names));
        if let Pick::One(name) = first {
            prop_assert!(!name.ends_with(".sig") && !name.ends_with(".7z"));
            prop_assert!(!name.contains("x86"));
        }
    }
    #[test]
    fn never_panics(names in prop::collection::vec("\\PC{0,20}", 0..4)) {
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let _ = choose("tool", "1", XL, &names);
    }
}
