//! The packages that a world's upstream serves: a program for each platform, published as each
//! source has them. The program prints its name and version.

use infra::base::{Integrity, Platform};

use super::PLATFORMS;
use crate::upstream::{FakeUpstream, Machine, NpmPackage, Tree, executable, tar_gz, tgz, wheel};

/// Publishes a command as wheels for all platforms; the package is `NAME-bin`.
pub(crate) fn publish_pypi(upstream: &FakeUpstream, name: &str, version: &str) {
    for platform in PLATFORMS {
        let tags = match platform {
            Platform::Aarch64Darwin => "py3-none-macosx_11_0_arm64",
            Platform::Aarch64Linux => "py3-none-manylinux_2_17_aarch64",
            Platform::X86_64Darwin => "py3-none-macosx_10_12_x86_64",
            Platform::X86_64Linux => "py3-none-manylinux_2_17_x86_64",
            _ => "py3-none-win_amd64",
        };
        let program = program(name, version, platform);
        let package = format!("{name}-bin");
        let (file, bytes) =
            wheel(&package, version, tags, &[(&file_name(name, platform), &program)]);
        upstream.pypi(&package, &file, bytes);
    }
}

/// Publishes a command as an npm package with a package for each platform.
pub(crate) fn publish_npm(upstream: &FakeUpstream, name: &str, version: &str) {
    let mut members = Vec::new();
    for platform in PLATFORMS {
        let (os, cpu) = match platform {
            Platform::Aarch64Darwin => ("darwin", "arm64"),
            Platform::Aarch64Linux => ("linux", "arm64"),
            Platform::X86_64Darwin => ("darwin", "x64"),
            Platform::X86_64Linux => ("linux", "x64"),
            _ => ("win32", "x64"),
        };
        let member = format!("@{name}/{os}-{cpu}");
        let program = program(name, version, platform);
        let tree = Tree::new().executable(&format!("bin/{}", file_name(name, platform)), program);
        upstream
            .npm(NpmPackage::new(&member, version, tgz(&member, version, &tree)).on(os, cpu, ""));
        members.push(member);
    }
    let tree = Tree::new().file("cli.js", "// chooses a platform package\n");
    let optional: Vec<_> = members.iter().map(|m| (m.as_str(), version)).collect();
    upstream.npm(
        NpmPackage::new(name, version, tgz(name, version, &tree))
            .set("bin", serde_json::json!({ name: "cli.js" }))
            .optional(&optional),
    );
}

/// Publishes a command as tarballs below `/url`, with a checksum file.
pub(super) fn publish_url(upstream: &FakeUpstream, name: &str, version: &str) {
    let mut sums = String::new();
    for platform in PLATFORMS {
        let tree = Tree::new()
            .executable(&file_name(name, platform), program(name, version, platform))
            .file("LICENSE", "to whom it may concern\n");
        let bytes = tar_gz(&tree);
        let (arch, os) = platform.name().split_once('-').expect("ARCH-OS");
        let file = format!("{name}-{version}-{os}-{arch}.tar.gz");
        sums.push_str(&format!("{}  {file}\n", Integrity::sha256_of(&bytes).hex()));
        upstream.file(&format!("/url/{file}"), bytes);
    }
    upstream.file("/url/SHA256SUMS", sums);
}

/// A program that prints its name and version.
pub(crate) fn program(name: &str, version: &str, platform: Platform) -> Vec<u8> {
    executable(Machine::of(platform), &format!("{name} {version}"))
}

fn file_name(name: &str, platform: Platform) -> String {
    match platform {
        Platform::X86_64Windows => format!("{name}.exe"),
        _ => name.to_owned(),
    }
}
