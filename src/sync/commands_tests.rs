//! Tests of choosing commands, on listings alone.

use super::*;

const ELF: &[u8] = b"\x7fELF";
const PE: &[u8] = b"MZ\x90\0";
const SCRIPT: &[u8] = b"#!/b";
const TEXT: &[u8] = b"text";

/// `path`, `path@target` for a link, `path/` for a directory; content by its ending.
fn listing(spec: &[&str]) -> Vec<Entry> {
    let mut entries: Vec<Entry> = spec
        .iter()
        .map(|text| {
            let (path, kind) = if let Some((path, target)) = text.split_once('@') {
                (path, EntryKind::Symlink { target: target.to_owned() })
            } else if let Some(path) = text.strip_suffix('/') {
                (path, EntryKind::Directory)
            } else {
                (*text, EntryKind::File { executable: !text.ends_with(".txt"), size: 100 })
            };
            Entry { path: RelPath::new(path).expect("path"), kind }
        })
        .collect();
    entries.sort_by(|a, b| a.path.cmp(&b.path));
    entries
}

fn content(path: &RelPath) -> &'static [u8] {
    match path.as_str() {
        p if p.ends_with(".txt") => TEXT,
        p if p.ends_with(".sh") => SCRIPT,
        p if p.ends_with(".exe") || p.ends_with(".dll") => PE,
        _ => ELF,
    }
}

fn chosen(spec: &[&str], commands: &Commands, scripts: bool) -> Result<Vec<String>, Refusal> {
    let found = choose(&listing(spec), commands, scripts, &mut |path| {
        Ok::<_, Refusal>(content(path).to_vec())
    })?;
    Ok(found.iter().map(|(command, path)| format!("{command}={path}")).collect())
}

fn named(list: &[(&str, &str)]) -> Commands {
    Commands::Named(
        list.iter()
            .map(|(c, p)| (CommandName::new(*c).expect("command"), RelPath::new(*p).expect("path")))
            .collect(),
    )
}

#[test]
fn wheels_prefer_scripts() {
    let spec = [
        "tool-1.0.data/scripts/tool",
        "tool-1.0.data/scripts/tool.sh",
        "tool-1.0.data/data/other",
        "tool/bin/helper",
        "tool-1.0.dist-info/RECORD.txt",
    ];
    let wheel = |spec: &[&str]| chosen(spec, &Commands::Wheel, false).expect("chosen");
    assert_eq!(wheel(&spec), ["tool=tool-1.0.data/scripts/tool"]);
    let spec = ["tool/bin/tool", "tool/bin/libx.so.1", "tool/bin/README.txt", "tool/lib/other"];
    assert_eq!(wheel(&spec), ["tool=tool/bin/tool"]);
    let spec = ["tool/bin/tool.exe", "tool/bin/dep.dll"];
    assert_eq!(wheel(&spec), ["tool=tool/bin/tool.exe"]);
    assert!(wheel(&["tool/tool"]).is_empty());
}

#[test]
fn packages_of_a_system() {
    let system = |spec: &[&str]| chosen(spec, &Commands::System, false).expect("chosen");
    let spec = [
        "usr/bin/a",
        "usr/bin/script.sh",
        "usr/sbin/b",
        "bin/c",
        "usr/games/d",
        "usr/lib/a/helper",
        "usr/bin/deep/e",
        "etc/bin/f",
        "top",
    ];
    assert_eq!(system(&spec), ["a=usr/bin/a", "b=usr/sbin/b", "c=bin/c", "d=usr/games/d"]);
    assert!(system(&["usr/lib/x"]).is_empty());
    let twice = chosen(&["bin/a", "usr/bin/a"], &Commands::System, false);
    assert!(matches!(twice, Err(Refusal::Ambiguous { .. })));
}

#[test]
fn found_in_bin_then_at_the_top_then_one_directory_down() {
    let found = |spec: &[&str]| chosen(spec, &Commands::Found, false).expect("chosen");
    assert_eq!(found(&["bin/", "bin/a", "b", "bin/deep/", "bin/deep/c"]), ["a=bin/a"]);
    assert_eq!(found(&["bin/", "bin/x.txt", "b", "c.exe", "d.dll"]), ["b=b", "c=c.exe"]);
    assert_eq!(found(&["v1/", "v1/tool", "v1/LICENSE.txt"]), ["tool=v1/tool"]);
    assert_eq!(found(&["v1/", "v1/bin/", "v1/bin/tool", "v1/x"]), ["tool=v1/bin/tool"]);
    assert!(found(&["v1/", "v1/v2/", "v1/v2/tool"]).is_empty(), "one directory only");
    assert!(found(&["a/", "a/tool", "b/", "b/x.txt"]).is_empty());
    assert!(found(&[]).is_empty());
    // A name that no command can have is none.
    assert!(found(&["bin/-x", "bin/a b"]).is_empty());
}

#[test]
fn scripts_count_only_where_they_may() {
    let spec = ["bin/", "bin/go.sh", "bin/note.txt"];
    assert!(chosen(&spec, &Commands::Found, false).expect("chosen").is_empty());
    assert_eq!(chosen(&spec, &Commands::Found, true).expect("chosen"), ["go.sh=bin/go.sh"]);
    let by_name = named(&[("go", "bin/go.sh")]);
    assert_eq!(chosen(&spec, &by_name, false).expect("chosen"), ["go=bin/go.sh"]);
}

#[test]
fn links_are_followed_inside_the_tree_only() {
    let spec = ["bin/tool@../lib/tool-1", "lib/tool-1", "bin/out@../../tool", "bin/loop@loop"];
    assert_eq!(chosen(&spec, &Commands::Found, false).expect("chosen"), ["tool=lib/tool-1"]);
    let by_name = named(&[("t", "bin/tool")]);
    assert_eq!(chosen(&spec, &by_name, false).expect("chosen"), ["t=lib/tool-1"]);
    for gone in ["bin/out", "bin/loop", "bin", "none"] {
        let by_name = named(&[("t", gone)]);
        let refusal = chosen(&spec, &by_name, false).expect_err("refused");
        assert!(matches!(refusal, Refusal::NoSuchFile { .. }), "{gone}");
    }
}

#[test]
fn named_files_may_have_a_suffix_on_windows_and_misspellings_are_helped() {
    let by_name = named(&[("tool", "bin/tool")]);
    assert_eq!(chosen(&["bin/tool.exe"], &by_name, false).expect("chosen"), ["tool=bin/tool.exe"]);
    let refusal = chosen(&["dist/tool"], &by_name, false).expect_err("refused");
    assert_eq!(refusal.to_string(), "command `tool` is to be `bin/tool`, which is no file of it");
    assert_eq!(refusal.hints(), ["did you mean `dist/tool`? correct `bin` in the profile"]);
}

#[test]
fn one_command_from_two_files_is_refused() {
    let spec = ["a/bin/tool", "b/bin/tool"];
    let refusal = chosen(&spec, &Commands::Wheel, false).expect_err("refused");
    assert_eq!(refusal.to_string(), "command `tool` could be `a/bin/tool` or `b/bin/tool`");
    let same = ["a/bin/tool", "b/bin/tool@../../a/bin/tool"];
    assert_eq!(chosen(&same, &Commands::Wheel, false).expect("chosen"), ["tool=a/bin/tool"]);
}

proptest::proptest! {
    #[test]
    fn only_files_of_the_listing_are_chosen(
        spec in proptest::collection::vec("(([a-c]|bin|x\\.data|scripts)/){0,3}[a-c](\\.exe|@(\\.\\./){0,2}[a-c]|/)?", 0..8),
        scripts: bool,
    ) {
        let mut spec: Vec<&str> = spec.iter().map(String::as_str).collect();
        spec.sort_by_key(|s| s.split('@').next().map(|s| s.trim_end_matches('/')));
        spec.dedup_by_key(|s| s.split('@').next().map(|s| s.trim_end_matches('/')));
        let entries = listing(&spec);
        for commands in [Commands::Found, Commands::Wheel] {
            let chosen = choose(&entries, &commands, scripts, &mut |path| {
                Ok::<_, Refusal>(content(path).to_vec())
            });
            for path in chosen.into_iter().flatten().map(|(_, path)| path) {
                let entry = entries.iter().find(|e| e.path == path).expect("in the listing");
                let is_file = matches!(entry.kind, EntryKind::File { .. });
                proptest::prop_assert!(is_file);
            }
        }
    }
}
