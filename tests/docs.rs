//! Holds the documentation to the program: links, commands, flags and variables.
//!
//! Reads `README.md` and `docs/**/*.md` as text and asks the built binary for its help. Needs no
//! network, no store and no project.

#![allow(clippy::disallowed_methods, reason = "tests read files and start the binary themselves")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// A page: its path from the repository's root, and its text.
struct Page {
    path: PathBuf,
    text: String,
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &str) -> Page {
    let path = PathBuf::from(path);
    let text = fs::read_to_string(root().join(&path)).expect("read");
    Page { path, text }
}

fn markdown_below(dir: &Path, out: &mut Vec<Page>) {
    for entry in fs::read_dir(root().join(dir)).expect("list") {
        let path = dir.join(entry.expect("entry").file_name());
        if root().join(&path).is_dir() {
            markdown_below(&path, out);
        } else if path.extension().is_some_and(|e| e == "md") {
            out.push(read(path.to_str().expect("text")));
        }
    }
}

fn pages() -> Vec<Page> {
    let mut pages = vec![read("README.md"), read("CHANGELOG.md")];
    markdown_below(Path::new("docs"), &mut pages);
    assert!(pages.len() > 10, "every page is looked at");
    pages
}

/// The lines of fenced blocks, and those outside of them.
fn split(text: &str) -> (Vec<&str>, Vec<&str>) {
    let (mut inside, mut outside, mut fenced) = (Vec::new(), Vec::new(), false);
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        } else if fenced {
            inside.push(line);
        } else {
            outside.push(line);
        }
    }
    assert!(!fenced, "a fenced block is never closed");
    (inside, outside)
}

/// The targets of `[text](target)`.
fn links(text: &str) -> Vec<String> {
    let (_, prose) = split(text);
    let prose = prose.join("\n");
    prose.split("](").skip(1).filter_map(|rest| Some(rest.split_once(')')?.0.to_owned())).collect()
}

/// A heading's anchor as code forges make it.
fn anchor(heading: &str) -> String {
    let kept = heading.trim().to_lowercase();
    let kept = kept.chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c));
    kept.map(|c| if c == ' ' { '-' } else { c }).collect()
}

fn anchors(text: &str) -> BTreeSet<String> {
    let (_, prose) = split(text);
    let headings = prose.iter().filter(|line| line.starts_with('#'));
    headings.map(|line| anchor(line.trim_start_matches('#'))).collect()
}

#[test]
fn every_relative_link_resolves() {
    let mut broken = Vec::new();
    for page in pages() {
        let folder = root().join(&page.path).parent().expect("folder").to_owned();
        for link in links(&page.text) {
            if link.contains("://") {
                continue;
            }
            let (file, fragment) = link.split_once('#').unwrap_or((&link, ""));
            let target = if file.is_empty() { root().join(&page.path) } else { folder.join(file) };
            let found = match fs::read_to_string(&target) {
                Ok(text) => fragment.is_empty() || anchors(&text).contains(fragment),
                Err(_) => fragment.is_empty() && target.exists(),
            };
            if !found {
                broken.push(format!("{}: {link}", page.path.display()));
            }
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn the_index_links_every_technical_page() {
    let linked: BTreeSet<String> =
        links(&read("docs/technical/README.md").text).into_iter().collect();
    let mut here = Vec::new();
    markdown_below(Path::new("docs/technical"), &mut here);
    for page in here {
        let name = page.path.file_name().expect("name").to_str().expect("text").to_owned();
        assert!(name == "README.md" || linked.contains(&name), "{name} is not in the index");
    }
}

#[test]
fn no_page_is_unfinished() {
    let words = ["todo", "tbd", "fixme", "lorem", "placeholder", "coming soon", "work in progress"];
    for page in pages() {
        let text = page.text.to_lowercase();
        for word in words {
            let found = text.match_indices(word).any(|(at, _)| {
                let around = |c: Option<char>| c.is_none_or(|c| !c.is_alphanumeric());
                around(text[..at].chars().next_back())
                    && around(text[at + word.len()..].chars().next())
            });
            assert!(!found, "{} says `{word}`", page.path.display());
        }
    }
}

/// Starts the binary away from any project, without the caller's variables.
fn infra(words: &[&str]) -> Output {
    let home = tempfile::tempdir().expect("tempdir");
    Command::new(env!("CARGO_BIN_EXE_infra"))
        .args(words)
        .env_clear()
        .env("HOME", home.path())
        .current_dir(home.path())
        .output()
        .expect("start")
}

fn help(path: &[&str]) -> String {
    let mut words = path.to_vec();
    words.push("--help");
    let output = infra(&words);
    let text = String::from_utf8(output.stdout).expect("text");
    assert!(output.status.success(), "`infra {}` fails", words.join(" "));
    text
}

/// The names under `Commands:` of a help text.
fn subcommands(help: &str) -> Vec<String> {
    let block = help.lines().skip_while(|line| *line != "Commands:").skip(1);
    block
        .take_while(|line| !line.is_empty())
        .filter(|line| line.starts_with("  ") && !line.starts_with("   "))
        .filter_map(|line| line.split_ascii_whitespace().next())
        .map(str::to_owned)
        .collect()
}

/// Every command of the binary, by its words, with its help.
fn commands() -> BTreeMap<Vec<String>, String> {
    let mut all = BTreeMap::new();
    let mut ahead = vec![Vec::<String>::new()];
    while let Some(path) = ahead.pop() {
        let words: Vec<&str> = path.iter().map(String::as_str).collect();
        let text = help(&words);
        for sub in subcommands(&text) {
            ahead.push(path.iter().cloned().chain([sub]).collect());
        }
        all.insert(path, text);
    }
    all
}

/// `--long` words of a text.
fn flags(text: &str) -> BTreeSet<String> {
    text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '-'))
        .filter(|word| word.len() > 2 && word.starts_with("--"))
        .map(str::to_owned)
        .collect()
}

#[test]
fn the_command_line_page_has_every_command_and_flag() {
    let page = read("docs/technical/cli.md").text;
    let commands = commands();
    assert!(commands.len() > 30, "the whole tree was walked: {}", commands.len());
    let documented = flags(&page);
    for (path, help) in &commands {
        let leaf = subcommands(help).is_empty();
        let name = format!("`infra {}`", path.join(" "));
        assert!(!leaf || page.contains(&name), "cli.md lacks {name}");
        for flag in flags(help) {
            // Examples may show a flag of the command that is started.
            let own = help.lines().any(|line| {
                let line = line.trim_start();
                line.starts_with(&flag) || line.starts_with('-') && line.contains(&flag)
            });
            assert!(!own || documented.contains(&flag), "cli.md lacks {flag} of {name}");
        }
    }
}

#[test]
fn the_command_line_page_has_every_variable() {
    let page = read("docs/technical/cli.md").text;
    for var in infra::base::vars::ALL {
        assert!(page.contains(&format!("| `{}` |", var.name)), "cli.md lacks {}", var.name);
    }
}

/// The commands that `console` and `sh` blocks show, each as words after `infra`.
fn shown_commands(text: &str) -> Vec<Vec<String>> {
    let mut shown = Vec::new();
    let mut fence = None;
    for line in text.lines().map(str::trim_start) {
        if let Some(kind) = line.strip_prefix("```") {
            fence = if fence.is_none() { Some(kind) } else { None };
            continue;
        }
        if !matches!(fence, Some("console" | "sh")) {
            continue;
        }
        let typed = line.strip_prefix("$ ").unwrap_or(line);
        let Some(rest) = typed.strip_prefix("infra ") else { continue };
        let command = rest.split(['|', '>', '&', ';', '#']).next().unwrap_or_default();
        shown.push(command.split_ascii_whitespace().map(str::to_owned).collect());
    }
    shown
}

#[test]
fn every_shown_command_exists_and_has_the_flags_it_is_shown_with() {
    let commands = commands();
    let mut shown = 0;
    for page in pages() {
        for words in shown_commands(&page.text) {
            let own: Vec<&String> = words.iter().take_while(|w| *w != "--").collect();
            let mut path: Vec<String> = Vec::new();
            for word in own.iter().filter(|w| !w.starts_with('-')) {
                let longer: Vec<String> = path.iter().cloned().chain([(*word).clone()]).collect();
                if !commands.contains_key(&longer) {
                    break;
                }
                path = longer;
            }
            let line = format!("{}: infra {}", page.path.display(), words.join(" "));
            let help = &commands[&path];
            assert!(subcommands(help).is_empty(), "no such command: {line}");
            let known = flags(help);
            for flag in own.iter().filter(|w| w.starts_with("--")) {
                let flag = flag.split('=').next().unwrap_or_default();
                assert!(known.contains(flag), "no such flag: {line}");
            }
            shown += 1;
        }
    }
    assert!(shown > 20, "commands are looked at: {shown}");
}

/// The block after a marker comment, as CI takes it from the README.
fn marked<'a>(text: &'a str, marker: &str) -> Vec<&'a str> {
    let lines: Vec<&str> = text.lines().collect();
    let found: Vec<usize> = (0..lines.len()).filter(|n| lines[*n] == marker).collect();
    assert_eq!(found.len(), 1, "{marker} stands once");
    assert!(lines[found[0] + 1].starts_with("```"), "{marker} stands before a block");
    lines[found[0] + 2..].iter().take_while(|line| !line.starts_with("```")).copied().collect()
}

#[test]
fn the_readme_has_the_two_commands_that_ci_takes_from_it() {
    let readme = read("README.md").text;
    assert_eq!(marked(&readme, "<!-- run -->"), ["cargo run --release -- run"]);
    assert_eq!(marked(&readme, "<!-- test -->"), ["cargo test"]);
}

#[test]
fn pages_name_no_place_of_a_machine() {
    for page in pages() {
        // A directory of the data directory's is nobody's machine.
        let text = page.text.replace("${data}/tmp/", "");
        for place in ["/home/", "/root/", "/tmp/", "/Users/", "/work/"] {
            assert!(!text.contains(place), "{} has {place}", page.path.display());
        }
    }
}

#[test]
fn the_checkers_see_what_they_look_for() {
    assert_eq!(links("a [b](c.md#d) e\n```\n[x](y)\n```\n"), ["c.md#d"]);
    assert_eq!(anchor("`[service.*]` and JSON `--x`"), "service-and-json---x");
    let shown = shown_commands(
        "```sh\n$ infra dep lock --check | cat\nx\ninfra run\n```\n```text\ninfra x\n```\n",
    );
    assert_eq!(shown, [vec!["dep", "lock", "--check"], vec!["run"]]);
    assert!(!infra(&["dep", "nope", "--help"]).status.success());
    assert!(flags("  -e, --env <NAME>  x").contains("--env"));
}
