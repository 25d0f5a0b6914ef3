//! The logs: every line is whole, in the file's form, and one that the service wrote.

use std::path::Path;

/// Looks at every file of a data directory's logs.
pub(super) fn check(data: &Path) {
    let mut floods = 0;
    for entry in std::fs::read_dir(data.join("logs")).expect("list") {
        let path = entry.expect("entry").path();
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        if name == "supervisor.log" {
            continue;
        }
        let bytes = std::fs::read(&path).expect("read");
        if name.ends_with(".gz") {
            assert!(bytes.starts_with(&[0x1f, 0x8b]), "{name} is not compressed");
            continue;
        }
        let text = String::from_utf8(bytes).expect("UTF-8");
        assert!(text.is_empty() || text.ends_with('\n'), "{name} ends within a line");
        for line in text.lines() {
            whole(line).unwrap_or_else(|| panic!("{name}: {line}"));
            floods += usize::from(line.contains(" out flood "));
        }
    }
    assert!(floods > 0, "nothing of the flood is kept");
}

/// `TIME STREAM TEXT`, the text being a whole one.
fn whole(line: &str) -> Option<()> {
    let mut parts = line.splitn(3, ' ');
    let (time, stream, text) = (parts.next()?, parts.next()?, parts.next().unwrap_or_default());
    let timed = time.len() == 24 && time.ends_with('Z') && time.as_bytes()[10] == b'T';
    let known = matches!(stream, "out" | "err" | "sup");
    let number = |text: &str| text.parse::<u32>().is_ok();
    let whole = match text.split(' ').collect::<Vec<_>>()[..] {
        ["flood", pid, n, fill] => number(pid) && number(n) && fill == "x".repeat(60),
        ["tail", pid] => number(pid),
        ["flood", ..] => false,
        _ => true,
    };
    (timed && known && whole).then_some(())
}
