//! Hand-written definitions, one for each shape that the registry has, on every platform.

use super::*;
use crate::source::aqua::definition::{self, Runtime};
use crate::source::aqua::evidence::{self, Signed};
use crate::source::aqua::yaml;

fn definition(text: &str) -> Definition {
    let indented: String = text.lines().map(|line| format!("    {line}\n")).collect();
    let document = yaml::parse(&format!("packages:\n  -\n{indented}")).expect("yaml");
    definition::find(&document, "some/tool").expect("definition").expect("package")
}

fn outcome(definition: &Definition, tag: &str, platform: Platform) -> Result<Outcome, Flaw> {
    let at = definition.at(tag)?;
    let on = at.on(Runtime::of(platform))?;
    Render::new(&on, tag, platform).outcome()
}

/// `FORMAT ASSET COMMAND=PATH …`, or what is said instead, for every platform in the order of
/// their names; equal neighbours of one system are not folded.
fn shown(text: &str, tag: &str) -> Vec<String> {
    let definition = definition(text);
    Platform::ALL
        .iter()
        .map(|platform| match outcome(&definition, tag, *platform) {
            Ok(Outcome::File(file)) => {
                let commands = file.commands.iter().map(|(name, path)| format!(" {name}={path}"));
                let place = match &file.place {
                    Place::Release { .. } => file.asset.clone(),
                    Place::Content { path, .. } => format!("content {path}"),
                    Place::Archive { .. } => format!("archive {}", file.asset),
                    Place::Url(url) => url.clone(),
                };
                format!("{} {place}{}", file.format, commands.collect::<String>())
            }
            Ok(Outcome::None(why)) => format!("- {why}"),
            Ok(Outcome::Elsewhere { kind, instead }) => format!("{kind}: {instead}"),
            Err(flaw) => format!("! {flaw}"),
        })
        .collect()
}

const OWN: &str = "repo_owner: some\nrepo_name: tool\n";

/// Checks the rows of: arm macOS, arm Linux, arm musl, arm Windows, then the same of x86-64.
fn check(what: &str, text: &str, tag: &str, want: [&str; 8]) {
    let found = shown(&format!("{OWN}{text}"), tag);
    for ((platform, found), want) in Platform::ALL.iter().zip(&found).zip(want) {
        assert_eq!(found, want, "{what} on {platform}");
    }
}

#[test]
fn plain_archives_with_words() {
    check(
        "a tarball with replacements and a zip for Windows",
        "type: github_release\n\
         asset: tool_{{trimV .Version}}_{{.OS}}_{{.Arch}}.{{.Format}}\n\
         format: tar.gz\n\
         files:\n  - name: tl\n    src: \"{{.AssetWithoutExt}}/bin/tl\"\n\
         replacements:\n  darwin: macOS\n  amd64: x86_64\n\
         overrides:\n  - goos: windows\n    format: zip\n    files:\n      - name: tl\n",
        "v1.2.3",
        [
            "tar.gz tool_1.2.3_macOS_arm64.tar.gz tl=tool_1.2.3_macOS_arm64/bin/tl",
            "tar.gz tool_1.2.3_linux_arm64.tar.gz tl=tool_1.2.3_linux_arm64/bin/tl",
            "tar.gz tool_1.2.3_linux_arm64.tar.gz tl=tool_1.2.3_linux_arm64/bin/tl",
            "zip tool_1.2.3_windows_arm64.zip tl=tl.exe",
            "tar.gz tool_1.2.3_macOS_x86_64.tar.gz tl=tool_1.2.3_macOS_x86_64/bin/tl",
            "tar.gz tool_1.2.3_linux_x86_64.tar.gz tl=tool_1.2.3_linux_x86_64/bin/tl",
            "tar.gz tool_1.2.3_linux_x86_64.tar.gz tl=tool_1.2.3_linux_x86_64/bin/tl",
            "zip tool_1.2.3_windows_x86_64.zip tl=tl.exe",
        ],
    );
}

#[test]
fn format_overrides_and_appended_endings() {
    check(
        "a format that is not in the template",
        "asset: tool-{{.OS}}-{{.Arch}}\nformat: tar.xz\n\
         format_overrides:\n  - goos: windows\n    format: zip\n",
        "v2",
        [
            "tar.xz tool-darwin-arm64.tar.xz tool=tool",
            "tar.xz tool-linux-arm64.tar.xz tool=tool",
            "tar.xz tool-linux-arm64.tar.xz tool=tool",
            "zip tool-windows-arm64.zip tool=tool.exe",
            "tar.xz tool-darwin-amd64.tar.xz tool=tool",
            "tar.xz tool-linux-amd64.tar.xz tool=tool",
            "tar.xz tool-linux-amd64.tar.xz tool=tool",
            "zip tool-windows-amd64.zip tool=tool.exe",
        ],
    );
}

#[test]
fn single_files_and_windows_endings() {
    check(
        "one file",
        "asset: tool-{{.Version}}-{{.OS}}-{{.Arch}}\nformat: raw\nfiles:\n  - name: tl\n    src: x\n",
        "v1.0",
        [
            "single-file tool-v1.0-darwin-arm64 tl=tl",
            "single-file tool-v1.0-linux-arm64 tl=tl",
            "single-file tool-v1.0-linux-arm64 tl=tl",
            "single-file tool-v1.0-windows-arm64.exe tl=tl.exe",
            "single-file tool-v1.0-darwin-amd64 tl=tl",
            "single-file tool-v1.0-linux-amd64 tl=tl",
            "single-file tool-v1.0-linux-amd64 tl=tl",
            "single-file tool-v1.0-windows-amd64.exe tl=tl.exe",
        ],
    );
    check(
        "no format, an ending of its own for Windows; not completed; nothing appended",
        "asset: tool\nwindows_ext: .bat\noverrides:\n\
         - {goos: linux, goarch: arm64, format: raw, append_ext: false, asset: tool.run}\n\
         - {goos: windows, goarch: arm64, complete_windows_ext: false}\n\
         - {goos: darwin, format: gz, append_ext: false}\n\
         - {goos: linux, asset: tool.gz}\n",
        "v1.0",
        [
            "gz tool tool=tool",
            "single-file tool.run tool=tool",
            "single-file tool.run tool=tool",
            "single-file tool tool=tool",
            "gz tool tool=tool",
            "gz tool.gz tool=tool",
            "gz tool.gz tool=tool",
            "single-file tool.bat tool=tool.bat",
        ],
    );
}

#[test]
fn several_commands_and_hard_links() {
    check(
        "one file under two names",
        "asset: tool-{{.OS}}-{{.Arch}}.zip\nfiles:\n  - name: tl\n    src: \"{{.AssetWithoutExt}}/{{.FileName}}\"\n  \
         - name: tlx\n    src: \"{{.AssetWithoutExt}}/tl\"\n    link: tlx\n    hard: true\n",
        "v1",
        [
            "zip tool-darwin-arm64.zip tl=tool-darwin-arm64/tl tlx=tool-darwin-arm64/tl",
            "zip tool-linux-arm64.zip tl=tool-linux-arm64/tl tlx=tool-linux-arm64/tl",
            "zip tool-linux-arm64.zip tl=tool-linux-arm64/tl tlx=tool-linux-arm64/tl",
            "zip tool-windows-arm64.zip tl=tool-windows-arm64/tl.exe tlx=tool-windows-arm64/tl.exe",
            "zip tool-darwin-amd64.zip tl=tool-darwin-amd64/tl tlx=tool-darwin-amd64/tl",
            "zip tool-linux-amd64.zip tl=tool-linux-amd64/tl tlx=tool-linux-amd64/tl",
            "zip tool-linux-amd64.zip tl=tool-linux-amd64/tl tlx=tool-linux-amd64/tl",
            "zip tool-windows-amd64.zip tl=tool-windows-amd64/tl.exe tlx=tool-windows-amd64/tl.exe",
        ],
    );
}

#[test]
fn supported_envs_and_emulation() {
    let none = "- the registry knows no build for linux/arm64";
    let rosetta = "- the registry knows no build for arm64, only one that Rosetta 2 would run";
    let windows = "- the registry knows no build for windows/arm64, only one that Windows' \
                   emulation would run";
    check(
        "emulation is no build",
        "asset: tool-{{.OS}}-{{.Arch}}\nformat: raw\nrosetta2: true\nwindows_arm_emulation: true\n\
         supported_envs: [darwin, amd64]\n",
        "v1",
        [
            rosetta,
            none,
            none,
            windows,
            "single-file tool-darwin-amd64 tool=tool",
            "single-file tool-linux-amd64 tool=tool",
            "single-file tool-linux-amd64 tool=tool",
            "single-file tool-windows-amd64.exe tool=tool.exe",
        ],
    );
    check(
        "one file for both processors of macOS is no emulation",
        "asset: tool-{{.OS}}\nformat: raw\nrosetta2: true\nsupported_envs: [all]\n\
         overrides:\n  - envs: [linux/arm64]\n    asset: tool-arm\n  - envs: [windows, linux]\n    asset: other\n",
        "v1",
        [
            "single-file tool-darwin tool=tool",
            "single-file tool-arm tool=tool",
            "single-file tool-arm tool=tool",
            "single-file other.exe tool=tool.exe",
            "single-file tool-darwin tool=tool",
            "single-file other tool=tool",
            "single-file other tool=tool",
            "single-file other.exe tool=tool.exe",
        ],
    );
}

#[test]
fn c_libraries() {
    check(
        "variants",
        "asset: tool-{{.OS}}-{{.Arch}}.tar.gz\noverrides:\n  - goos: linux\n    variants:\n      \
         - key: libc\n        value: glibc\n  - goos: linux\n    variants:\n      - key: libc\n        \
         value: musl\n    replacements:\n      linux: alpine\n  - variants:\n      - key: cpu\n        \
         value: fast\n    asset: never\n",
        "v1",
        [
            "tar.gz tool-darwin-arm64.tar.gz tool=tool",
            "tar.gz tool-linux-arm64.tar.gz tool=tool",
            "tar.gz tool-alpine-arm64.tar.gz tool=tool",
            "tar.gz tool-windows-arm64.tar.gz tool=tool.exe",
            "tar.gz tool-darwin-amd64.tar.gz tool=tool",
            "tar.gz tool-linux-amd64.tar.gz tool=tool",
            "tar.gz tool-alpine-amd64.tar.gz tool=tool",
            "tar.gz tool-windows-amd64.tar.gz tool=tool.exe",
        ],
    );
}

#[test]
fn other_places() {
    let http = "http://files.invalid/1.5/tool-linux-x86_64.tgz";
    check(
        "an address, a file of a repository, a source archive, each on a platform of its own",
        "type: http\nurl: http://files.invalid/{{trimV .Version}}/tool-{{.OS}}-{{.Arch}}.tgz\n\
         replacements: {amd64: x86_64}\noverrides:\n\
         - {goos: darwin, type: github_content, path: \"bin/tool-{{.OS}}\", format: raw}\n\
         - {goos: windows, type: github_archive, files: [{name: tool, src: \"tool-{{trimV .Version}}/tool.cmd\"}]}\n\
         - {goarch: arm64, type: github_release, asset: t.tar.zst}\n",
        "v1.5",
        [
            "single-file content bin/tool-darwin tool=tool",
            "tar.zst t.tar.zst tool=tool",
            "tar.zst t.tar.zst tool=tool",
            "tar.gz archive v1.5.tar.gz tool=tool-1.5/tool.cmd",
            "single-file content bin/tool-darwin tool=tool",
            &format!("tar.gz {http} tool=tool"),
            &format!("tar.gz {http} tool=tool"),
            "tar.gz archive v1.5.tar.gz tool=tool-1.5/tool.cmd",
        ],
    );
}

/// Only one row counts where all are alike.
fn first(text: &str, tag: &str) -> String {
    let all = shown(&format!("{OWN}{text}"), tag);
    all.into_iter().nth(5).expect("x86_64-linux")
}

#[test]
fn versions_choose_their_override() {
    let text = "asset: new-{{.OS}}.zip\nversion_prefix: tool-\nversion_constraint: semver(\">= 3\")\n\
                replacements: {linux: Linux, amd64: x}\nversion_overrides:\n\
                - version_constraint: Version == \"tool-v2.5.0\"\n  no_asset: true\n\
                - version_constraint: Version == \"tool-v2.4.0\"\n  error_message: it was withdrawn\n\
                - version_constraint: semver(\"< 1\")\n  replacements: {amd64: old}\n  asset: \"{{.SemVer}}-{{.OS}}-{{.Arch}}.zip\"\n\
                - version_constraint: Version startsWith \"cli/\"\n  version_prefix: cli/\n  asset: \"cli-{{.SemVer}}.zip\"\n\
                - version_constraint: \"true\"\n  asset: mid-{{.OS}}-{{.Arch}}.zip\n  format: \"\"\n";
    for (tag, want) in [
        ("tool-v3.0.0", "zip new-Linux.zip tool=tool"),
        ("tool-v2.5.0", "- the registry says that tool-v2.5.0 has no file"),
        ("tool-v2.4.0", "- it was withdrawn"),
        // Another version's words replace all.
        ("tool-v0.9.0", "zip v0.9.0-linux-old.zip tool=tool"),
        ("tool-v2.0.0", "zip mid-Linux-x.zip tool=tool"),
        ("cli/2.0.0", "zip cli-2.0.0.zip tool=tool"),
        // Nothing matches: what stands at the top holds.
        ("other-1", "zip new-Linux.zip tool=tool"),
    ] {
        assert_eq!(first(text, tag), want, "{tag}");
    }
    let definition = definition(&format!("{OWN}{text}"));
    for (tag, want) in [
        ("tool-v3.0.0", Some("v3.0.0")),
        ("tool-v2.5.0", None),
        ("tool-v2.4.0", None),
        ("cli/2.0.0", Some("2.0.0")),
        ("other-1", None),
    ] {
        assert_eq!(definition.version_in(tag), Ok(want), "{tag}");
    }
    assert_eq!(definition.prefixes(), Ok(vec!["tool-", "cli/"]));
}

#[test]
fn filters_let_tags_through() {
    let filtered = "asset: x\nversion_filter: not (Version matches \"-rc\")\n";
    let filtered = definition(&format!("{OWN}{filtered}"));
    assert_eq!(filtered.version_in("v1.0"), Ok(Some("v1.0")));
    assert_eq!(filtered.version_in("v1.0-rc1"), Ok(None));
    let broken = definition(&format!("{OWN}asset: x\nversion_filter: Version ~ \"a\"\n"));
    let flaw = broken.version_in("v1.0").expect_err("filter");
    assert_eq!(flaw.line, 6, "{flaw}");
}

#[test]
fn other_ways_to_make_it() {
    for (text, want) in [
        ("type: cargo\ncrate: tool-cli\n", "cargo: crate:tool-cli"),
        (
            "type: go_install\npath: forge.invalid/some/tool/cmd\n",
            "go_install: go:forge.invalid/some/tool/cmd",
        ),
        ("type: go_build\n", "go_build: go:MODULE, with the module path of some/tool"),
        (
            "asset: a.zip\noverrides: [{goos: linux, type: go_install, path: a.invalid/b}]\n",
            "go_install: go:a.invalid/b",
        ),
    ] {
        assert_eq!(first(text, "v1"), want, "{text}");
    }
    assert_eq!(definition(&format!("{OWN}type: cargo\n")).has_files(), Ok(false));
    let later = "type: cargo\nversion_overrides: [{version_constraint: \"true\", type: http}]\n";
    assert_eq!(definition(&format!("{OWN}{later}")).has_files(), Ok(true));
}

#[test]
fn what_cannot_be_told_is_said() {
    for (text, want) in [
        ("type: github_release\n", "- the registry defines no file for v1"),
        ("asset: tool.dmg\n", "- `tool.dmg` is in the format `dmg`, which is not read"),
        ("asset: tool\nformat: pkg\n", "- `tool.pkg` is in the format `pkg`, which is not read"),
        ("type: strange\n", "! line 5: the type `strange` is not known"),
        ("asset: \"{{.Os}}\"\n", "! line 5: `asset`: `.Os` is not set"),
        ("asset: a/b\n", "! line 3: `a/b` is no file's name"),
        ("asset: a.zip\nfiles: [{src: x}]\n", "! line 6: a file has no `name`"),
        ("asset: a.zip\nfiles: tl\n", "! line 6: `files` must be a list"),
        (
            "asset: a.zip\nfiles: [{name: tl, src: ../x}]\n",
            "! line 6: `../x` is not a relative path inside its tree (no leading `/`, no `..`, no backslash)",
        ),
        (
            "asset: a.zip\nversion_constraint: semver(\">= x\")\n",
            "! line 6: `version_constraint`: `x` is no version",
        ),
        (
            "asset: \"{{.Vars.c}}.zip\"\nvars: [{name: c, default: stable}]\n",
            "zip stable.zip tool=tool",
        ),
        ("asset: a.zip\nvars: [{name: c, required: true}]\n", "! line 6: it needs a value for `c`"),
        ("asset: a.zip\nchecksum: {type: http, algorithm: sha256}\n", "! line 6: it has no `url`"),
        (
            "asset: a.zip\nchecksum: {type: http, algorithm: sha3}\n",
            "! line 6: the hash `sha3` is not known",
        ),
        (
            "asset: a.zip\nchecksum: {type: github_release, asset: s, algorithm: sha256, file_format: x}\n",
            "! line 6: the checksum format `x` is not known",
        ),
    ] {
        assert_eq!(first(text, "v1"), want, "{text}");
    }
}

fn file(text: &str) -> (Definition, File) {
    let definition = definition(&format!("{OWN}{text}"));
    let platform = Platform::X86_64Darwin;
    match outcome(&definition, "v1.0", platform).expect("outcome") {
        Outcome::File(file) => {
            let at = definition.at("v1.0").expect("at");
            (at.on(Runtime::of(platform)).expect("on"), *file)
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn checksum_files() {
    let at = |repo: &str, asset: &str| SideFile::Release {
        repo: repo.to_owned(),
        asset: asset.to_owned(),
    };
    let base = "asset: t-{{.OS}}.zip\nreplacements: {darwin: mac}\n";
    for (section, want) in [
        (
            "type: github_release, asset: \"{{.Asset}}.sha256\", algorithm: sha256",
            Some((at("some/tool", "t-mac.zip.sha256"), Algorithm::Sha256, Read::Lines)),
        ),
        (
            "type: github_release, asset: \"sums-{{.OS}}\", algorithm: sha512, file_format: raw, replacements: {}",
            Some((at("some/tool", "sums-darwin"), Algorithm::Sha512, Read::Raw)),
        ),
        (
            "type: github_release, asset: \"sums-{{.OS}}-{{.Arch}}\", replacements: {amd64: x}",
            Some((at("some/tool", "sums-mac-x"), Algorithm::Sha256, Read::Lines)),
        ),
        (
            "type: http, url: \"http://files.invalid/{{.Version}}\", algorithm: sha256, \
             file_format: regexp, pattern: {checksum: (a), file: (b)}",
            Some((
                SideFile::Url("http://files.invalid/v1.0".to_owned()),
                Algorithm::Sha256,
                Read::Patterns { checksum: "(a)".to_owned(), file: Some("(b)".to_owned()) },
            )),
        ),
        ("type: github_release, asset: x, algorithm: md5", None),
        ("enabled: false, type: github_release, asset: x, algorithm: sha256", None),
    ] {
        let (_, file) = file(&format!("{base}checksum: {{{section}}}\n"));
        let found = file.checksum.map(|c| (c.at, c.sums.algorithm, c.sums.read));
        assert_eq!(found, want, "{section}");
    }
    let text = "type: http\nurl: http://files.invalid/t.zip\n\
                checksum: {type: http, url: \"{{.AssetURL}}.sha256\", algorithm: sha256}\n";
    let (_, file) = file(text);
    let want = SideFile::Url("http://files.invalid/t.zip.sha256".to_owned());
    assert_eq!(file.checksum.map(|c| c.at), Some(want));
}

#[test]
fn signatures_are_handed_over_rendered() {
    let text = "asset: t-{{.OS}}.zip\n\
                cosign:\n  opts:\n    - --certificate-identity\n    - https://forge.invalid/x@refs/tags/{{.Version}}\n    - --insecure\n    - --key=k\n  \
                bundle: {type: github_release, asset: \"{{.Asset}}.bundle\"}\n\
                minisign: {type: http, url: \"http://files.invalid/{{.Asset}}.minisig\", public_key: RWQ}\n\
                slsa_provenance: {type: github_release, asset: \"{{.SemVer}}.intoto.jsonl\", source_tag: \"{{.Version}}\"}\n\
                github_artifact_attestations: {signer-workflow: some/tool/.github/workflows/r.yml}\n\
                checksum:\n  type: github_release\n  asset: sums.txt\n  algorithm: sha256\n  \
                cosign:\n    signature: {type: github_release, asset: \"{{.Asset}}.sig\", repo_owner: other, repo_name: keys}\n  \
                minisign: {enabled: false, public_key: x}\n  \
                github_artifact_attestations: {signer_workflow: w, predicate_type: p}\n";
    let (on, file) = file(text);
    let render = Render::new(&on, "v1.0", Platform::X86_64Darwin);
    let found = evidence::of(&render, &on, &file).expect("evidence");
    let at =
        |asset: &str| SideFile::Release { repo: "some/tool".to_owned(), asset: asset.to_owned() };
    assert_eq!(found.cosign.len(), 2);
    let (own, list) = (&found.cosign[0], &found.cosign[1]);
    assert_eq!(
        (own.of, &own.bundle, &own.signature),
        (Signed::Artifact, &Some(at("t-darwin.zip.bundle")), &None)
    );
    let options: Vec<_> = own.options.iter().map(|(k, v)| format!("{k}={v}")).collect();
    assert_eq!(
        options,
        ["certificate-identity=https://forge.invalid/x@refs/tags/v1.0", "insecure=true", "key=k"]
    );
    let other =
        SideFile::Release { repo: "other/keys".to_owned(), asset: "sums.txt.sig".to_owned() };
    assert_eq!((list.of, &list.signature), (Signed::ChecksumFile, &Some(other)));
    assert_eq!((own.key.is_none(), own.certificate.is_none()), (true, true));
    assert_eq!(found.minisign.len(), 1, "one is disabled");
    let minisign = &found.minisign[0];
    assert_eq!(
        minisign.signature,
        SideFile::Url("http://files.invalid/t-darwin.zip.minisig".to_owned())
    );
    assert_eq!((minisign.of, minisign.public_key.as_str()), (Signed::Artifact, "RWQ"));
    assert_eq!(found.attestations, [Signed::Artifact, Signed::ChecksumFile]);
    let (on, bare) = file_without();
    let render = Render::new(&on, "v1.0", Platform::X86_64Darwin);
    assert_eq!(evidence::of(&render, &on, &bare), Ok(evidence::AquaEvidence::default()));
}

fn file_without() -> (Definition, File) {
    file("asset: t.zip\nchecksum: {type: github_release, asset: s, algorithm: sha256}\n")
}

#[test]
fn names_and_aliases() {
    let text = "packages:\n  - name: some/new\n    repo_owner: some\n    repo_name: thing\n    aliases:\n      - name: some/tool\n";
    let document = yaml::parse(text).expect("yaml");
    let found = definition::find(&document, "some/tool").expect("definition").expect("package");
    assert_eq!(found.name().as_deref(), Ok("some/new"));
    assert_eq!(definition::find(&document, "some/thing"), Ok(None));
    assert!(definition::find(&yaml::parse("a: b").expect("yaml"), "x/y").is_err());
    assert!(definition::find(&yaml::parse("packages: [x]").expect("yaml"), "x/y").is_err());
}
