//! Hand-written manifests, as crates publish them.

use super::*;
use crate::base::Platform;
use proptest::prelude::*;
use std::io::Write as _;

fn manifest(text: &str, files: &[&str]) -> Manifest {
    let files: Vec<_> = files.iter().map(|f| (*f).to_owned()).collect();
    Manifest::read(&text.parse().expect("toml"), &files, "tool", "1.2.3")
}

const HEAD: &str = "[package]\nname = \"tool\"\nrepository = \"https://forge.invalid/some/tool.git/\"\n\
                    [[bin]]\nname = \"tl\"\npath = \"src/main.rs\"\n";

/// `FORMAT URL COMMAND=PATH` of every address of a platform's first target.
fn shown(text: &str, platform: Platform) -> Vec<String> {
    let manifest = manifest(&format!("{HEAD}{text}"), &["src/main.rs"]);
    let places = match manifest.places(Target::of(platform)[0]) {
        Ok(Places::Named(places) | Places::Usual(places)) => places,
        Ok(Places::None(why)) => return vec![format!("- {why}")],
        Err(why) => return vec![format!("! {why}")],
    };
    places
        .into_iter()
        .map(|place| {
            let commands = place.commands.map_or_else(
                || " ?".to_owned(),
                |all| all.iter().map(|(name, path)| format!(" {name}={path}")).collect(),
            );
            format!("{} {}{commands}", place.format, place.url)
        })
        .collect()
}

#[test]
fn one_template_on_every_platform() {
    let text = "[package.metadata.binstall]\n\
                pkg-url = \"{ repo }/releases/download/v{ version }/{ name }-{ version }-{ target }.{ archive-format }\"\n\
                bin-dir = \"{ name }-{ version }-{ target }/{ bin }{ binary-ext }\"\npkg-fmt = \"tgz\"\n\
                [package.metadata.binstall.overrides.x86_64-pc-windows-msvc]\npkg-fmt = \"zip\"\n\
                [package.metadata.binstall.overrides.'cfg(target_os = \"macos\")']\npkg-fmt = \"txz\"\nbin-dir = \"./{ bin }\"\n";
    let base = "https://forge.invalid/some/tool/releases/download/v1.2.3/tool-1.2.3";
    for (platform, target, ending, format, path) in [
        (Platform::Aarch64Darwin, "aarch64-apple-darwin", "txz", "tar.xz", None),
        (Platform::Aarch64Linux, "aarch64-unknown-linux-gnu", "tgz", "tar.gz", Some("tl")),
        (Platform::Aarch64LinuxMusl, "aarch64-unknown-linux-musl", "tgz", "tar.gz", Some("tl")),
        (Platform::Aarch64Windows, "aarch64-pc-windows-msvc", "tgz", "tar.gz", Some("tl.exe")),
        (Platform::X86_64Darwin, "x86_64-apple-darwin", "txz", "tar.xz", None),
        (Platform::X86_64Linux, "x86_64-unknown-linux-gnu", "tgz", "tar.gz", Some("tl")),
        (Platform::X86_64LinuxMusl, "x86_64-unknown-linux-musl", "tgz", "tar.gz", Some("tl")),
        (Platform::X86_64Windows, "x86_64-pc-windows-msvc", "zip", "zip", Some("tl.exe")),
    ] {
        let path = match path {
            Some(name) => format!("tool-1.2.3-{target}/{name}"),
            None => "tl".to_owned(),
        };
        let found = shown(text, platform);
        assert_eq!(found[0], format!("{format} {base}-{target}.{ending} tl={path}"), "{platform}");
    }
}

#[test]
fn formats() {
    let one =
        |text: &str, platform| shown(&format!("[package.metadata.binstall]\n{text}"), platform);
    let linux = Platform::X86_64Linux;
    let found = one("pkg-url = \"http://a.invalid/{ name }{ archive-suffix }\"\n", linux);
    assert_eq!(found[0], "tar.gz http://a.invalid/tool.tgz ?");
    assert_eq!(found.len(), 15, "every ending but .exe once");
    let found = one(
        "pkg-url = \"http://a.invalid/t{ archive-suffix }\"\npkg-fmt = \"bin\"\n",
        Platform::X86_64Windows,
    );
    assert_eq!(
        found,
        [
            "single-file http://a.invalid/t.bin tl=tl.exe",
            "single-file http://a.invalid/t tl=tl.exe",
            "single-file http://a.invalid/t.exe tl=tl.exe",
        ]
    );
    let found = one("pkg-url = \"http://a.invalid/t.tar.zst\"\n", linux);
    assert_eq!(found, ["tar.zst http://a.invalid/t.tar.zst ?"]);
    let found =
        one("pkg-url = \"http://a.invalid/t\"\npkg-fmt = \"bin\"\nbin-dir = \"x\"\n", linux);
    assert_eq!(found, ["single-file http://a.invalid/t tl=tl"]);
    for (text, why) in [
        ("pkg-url = \"http://a.invalid/t\"", "! neither"),
        ("pkg-url = \"http://a.invalid/{ nme }.zip\"", "! `pkg-url`: `{ nme }`"),
        ("pkg-url = \"http://a.invalid/t.zip\"\nbin-dir = \"{ x }\"", "! `bin-dir`: `{ x }`"),
        ("pkg-url = \"http://a.invalid/t.zip\"\nbin-dir = \"../x\"", "! `../x`"),
        ("pkg-fmt = \"rar\"", "! `pkg-fmt` is `rar`"),
        ("pkg-url = 1", "! `pkg-url` must be a text"),
        ("disabled-strategies = [\"crate-meta-data\"]", "- its metadata says"),
        (
            "[package.metadata.binstall.overrides.'cfg(linux)']",
            "! `overrides`: `cfg(linux)`: `linux`",
        ),
    ] {
        let found = one(text, linux);
        assert!(found[0].starts_with(why), "{text}: {found:?}");
    }
}

#[test]
fn variables() {
    let text = "[package.metadata.binstall]\npkg-fmt = \"zip\"\npkg-url = \"http://a.invalid/{ target-family }/{ os-name }/\
                { target-arch }/{ target-libc }/{ target-vendor }/{ binary-ext }/{ format }\"\n";
    for (platform, want) in [
        (Platform::X86_64Linux, "linux/linux/x86_64/gnu/unknown//zip"),
        (Platform::Aarch64Darwin, "darwin/macos/aarch64/unknown/apple//zip"),
        (Platform::X86_64Windows, "windows/windows/x86_64/msvc/pc/.exe/zip"),
    ] {
        assert_eq!(shown(text, platform), [format!("zip http://a.invalid/{want} ?")]);
    }
}

#[test]
fn names_by_habit() {
    let found = shown("", Platform::X86_64Linux);
    assert_eq!(
        found[0],
        "tar.gz https://forge.invalid/some/tool/releases/download/v1.2.3/\
         tool-x86_64-unknown-linux-gnu-v1.2.3.tgz ?"
    );
    assert_eq!(found.len(), 10 * 2 * 15);
    let text = "[package]\nrepository = \"https://forge.invalid/some/all/tree/main/crates/tool\"\n";
    let manifest = manifest(text, &["src/main.rs"]);
    let Ok(Places::Usual(places)) = manifest.places(Target::of(Platform::X86_64Linux)[0]) else {
        panic!("habit");
    };
    assert!(places.iter().any(|place| place.url.starts_with(
        "https://forge.invalid/some/all/releases/download/tool%2Fv1.2.3/tool-x86_64"
    )));
    let bare = super::Manifest::read(
        &"[package]".parse().expect("toml"),
        &["src/main.rs".to_owned()],
        "tool",
        "1.0.0",
    );
    assert!(matches!(bare.places(Target::of(Platform::X86_64Linux)[0]), Ok(Places::None(_))));
    let none = super::Manifest::read(
        &"[package]".parse().expect("toml"),
        &["src/lib.rs".to_owned()],
        "tool",
        "1.0.0",
    );
    let reason = none.places(Target::of(Platform::X86_64Linux)[0]);
    assert_eq!(reason, Ok(Places::None("the crate has no program")));
}

#[test]
fn programs() {
    let all = |text: &str, files: &[&str]| manifest(text, files).bins;
    let found = [
        "src/main.rs",
        "src/bin/extra.rs",
        "src/bin/more/main.rs",
        "src/bin/more/x.rs",
        "src/lib.rs",
    ];
    assert_eq!(all("", &found), ["tool", "extra", "more"]);
    let listed = "[[bin]]\nname = \"tl\"\npath = \"src/main.rs\"\n";
    assert_eq!(all(listed, &found), ["tl", "extra", "more"]);
    assert_eq!(all(&format!("[package]\nautobins = false\n{listed}"), &found), ["tl"]);
    assert!(all("", &["src/lib.rs"]).is_empty());
}

fn packed(files: &[(&str, &str)]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (path, text) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(text.len() as u64);
        header.set_mode(0o644);
        builder.append_data(&mut header, path, text.as_bytes()).expect("memory");
    }
    let plain = builder.into_inner().expect("memory");
    let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gz.write_all(&plain).expect("memory");
    gz.finish().expect("memory")
}

#[test]
fn out_of_a_crate() {
    let good = packed(&[("tool-1.2.3/Cargo.toml", HEAD), ("tool-1.2.3/src/bin/x.rs", "")]);
    let found = Manifest::of_crate(&good, "tool", "1.2.3").expect("manifest");
    assert_eq!(found.bins, ["tl", "x"]);
    assert_eq!(found.repository.as_deref(), Some("https://forge.invalid/some/tool"));
    for (bytes, why) in [
        (packed(&[("tool-1.2.3/src/main.rs", "")]), "no Cargo.toml"),
        (packed(&[("other-1.2.3/Cargo.toml", HEAD)]), "no Cargo.toml"),
        (packed(&[("tool-1.2.3/Cargo.toml", "[package")]), "its Cargo.toml"),
        (good[..good.len() / 2].to_vec(), ""),
        (b"<html>".to_vec(), ""),
    ] {
        let error = Manifest::of_crate(&bytes, "tool", "1.2.3").expect_err("refused");
        assert!(error.contains(why), "{error}");
    }
}

proptest! {
    #[test]
    fn never_panics(repository in "\\PC{0,30}", url in "\\PC{0,30}", dir in "[{} a-z\\\\]{0,20}") {
        let quoted = |text: &str| toml_edit::Value::from(text).to_string();
        let text = format!(
            "[package]\nrepository = {}\n[package.metadata.binstall]\npkg-url = {}\nbin-dir = {}\n",
            quoted(&repository), quoted(&url), quoted(&dir)
        );
        if let Ok(document) = text.parse() {
            let manifest = Manifest::read(&document, &["src/main.rs".to_owned()], "tool", "1.0.0");
            for platform in Platform::ALL {
                let _ = manifest.places(Target::of(platform)[0]);
            }
        }
    }
}
