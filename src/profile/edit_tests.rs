//! Edits, compared as text.

use proptest::prelude::*;

use super::*;
use crate::profile::starter::init_files;

const TEXT: &str = r#"# top
platforms = ["x86_64-linux"] # here

# programs
[dep]
# the broker
beta = { from = "pypi:beta-bin", version = "^2.15" } # pinned for a reason
gamma = "npm:@scope/gamma@~1.2" # short

[port]
nats = 4222
"#;

fn name(text: &str) -> DepName {
    DepName::new(text).expect("name")
}

fn add(text: &str, dep: &str) -> Result<String, EditError> {
    let from = "pypi:x-bin".parse().expect("reference");
    add_dep(text, &name(dep), &from, &"^1".parse().expect("requirement"), &Vec::new())
}

#[test]
fn adds_where_it_belongs() {
    let line = "{ from = \"pypi:x-bin\", version = \"^1\" }\n";
    let first = TEXT.replace("# the broker", &format!("alpha = {line}# the broker"));
    assert_eq!(add(TEXT, "alpha").expect("add"), first);
    let last = TEXT.replace("# short\n", &format!("# short\nzeta = {line}"));
    assert_eq!(add(TEXT, "zeta").expect("add"), last);
    let unsorted = TEXT.replace("beta =", "z-beta =");
    let end = unsorted.replace("# short\n", &format!("# short\nalpha = {line}"));
    assert_eq!(add(&unsorted, "alpha").expect("add"), end);
    assert_eq!(add("", "x").expect("add"), format!("[dep]\nx = {line}"));
    assert_eq!(add(TEXT, "beta"), Err(EditError::Exists(name("beta"))));
}

#[test]
fn adds_in_every_layout() {
    for text in [
        "[dep.b]\nfrom = \"pypi:b\"\n\n[port]\nx = 1\n",
        "[port]\nx = 1\n\n[dep.b]\nfrom = \"pypi:b\"\n",
        "dep.b = \"pypi:b\"\n\n[port]\nx = 1\n",
        "dep = { b = \"pypi:b\" } # all of them\n\n[port]\nx = 1\n",
        "[port]\nx = 1",
        "[dep] # none\r\n[port]\r\nx = 1\r\n",
    ] {
        for dep in ["a", "c"] {
            let more = add(text, dep).expect("add");
            let read: DocumentMut = more.parse().unwrap_or_else(|e| panic!("{e}\n{more}"));
            let version = &read["dep"][dep]["version"];
            assert_eq!(version.as_str(), Some("^1"), "{more}");
            assert!(!more.contains(" ,"), "{more}");
            assert_eq!(read["port"]["x"].as_integer(), Some(1), "{more}");
            let back = remove_dep(&more, &name(dep)).expect("remove");
            let back: DocumentMut = back.parse().unwrap_or_else(|e| panic!("{e}\n{back}"));
            let b = |d: &DocumentMut| d["dep"].get("b").map(ToString::to_string);
            assert!(back["dep"].get(dep).is_none());
            assert_eq!(b(&back).is_some(), text.contains("pypi:b"), "{back}");
        }
    }
}

#[test]
fn adds_more_keys() {
    let from = "url:http://mirror.invalid/${version}".parse().expect("reference");
    let extra = vec![("strip".to_owned(), Value::from(1))];
    let text = add_dep("", &name("x"), &from, &"=1.0.0".parse().expect("requirement"), &extra);
    let line =
        "x = { from = \"url:http://mirror.invalid/${version}\", version = \"=1.0.0\", strip = 1 }";
    assert_eq!(text.expect("add"), format!("[dep]\n{line}\n"));
}

#[test]
fn removes_one() {
    let without = TEXT.replace(
        "# the broker\nbeta = { from = \"pypi:beta-bin\", version = \"^2.15\" } # pinned for a reason\n",
        "",
    );
    assert_eq!(remove_dep(TEXT, &name("beta")).expect("remove"), without);
    let error = remove_dep(TEXT, &name("betta")).expect_err("not there");
    assert_eq!(error.hints(), [Hint::new("did you mean `beta`?")]);
    assert!(remove_dep("", &name("x")).is_err());
}

#[test]
fn sets_a_version_in_either_form() {
    let version = "^3".parse().expect("requirement");
    let long = set_version(TEXT, &name("beta"), &version).expect("set");
    assert_eq!(long, TEXT.replace("^2.15", "^3"));
    let short = set_version(TEXT, &name("gamma"), &version).expect("set");
    assert_eq!(short, TEXT.replace("~1.2", "^3"));
    let none = set_version("[dep]\nx = { from = \"pypi:x\" }\n", &name("x"), &version);
    assert_eq!(none.expect("set"), "[dep]\nx = { from = \"pypi:x\", version = \"^3\" }\n");
    let url = set_version("[dep]\nx = \"url:http://a.invalid/@x\"\n", &name("x"), &version);
    let line = "x = { from = \"url:http://a.invalid/@x\", version = \"^3\" }";
    assert_eq!(url.expect("set"), format!("[dep]\n{line}\n"));
    let table = set_version("[dep.x]\nfrom = \"pypi:x\"\n", &name("x"), &version);
    assert_eq!(table.expect("set"), "[dep.x]\nfrom = \"pypi:x\"\nversion = \"^3\"\n");
    assert!(set_version(TEXT, &name("beat"), &version).is_err());
}

#[test]
fn refuses_what_it_cannot_read() {
    for text in ["[dep", "dep = 1\n"] {
        assert!(matches!(add(text, "x"), Err(EditError::Unreadable(_))), "{text}");
    }
}

#[test]
fn removing_what_was_added_gives_the_text_back() {
    for (path, text) in init_files("demo") {
        if !path.as_str().ends_with("base.toml") {
            continue;
        }
        for dep in ["alpha", "minio", "zeta"] {
            let more = add(&text, dep).expect("add");
            assert_eq!(remove_dep(&more, &name(dep)).expect("remove"), text, "{dep}");
        }
    }
}

proptest! {
    #[test]
    fn never_panics(text in "(\\[dep\\]|dep|x|=|\"|\\{|\\}|\n|\\.| |\\PC){0,20}") {
        let _ = add(&text, "x");
        let _ = remove_dep(&text, &name("x"));
        let _ = set_version(&text, &name("x"), &VersionReq::any());
    }
}
