//! The end of a log file, for when no supervisor is there to ask.

use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::Path;

use super::Result;
use crate::base::ServiceName;
use crate::fs::{self, Context as _};

/// As much of a file as may be read to find its last lines.
const WINDOW: u64 = 4 << 20;

/// The last `lines` lines of a service's log; `None` when there is none.
pub(super) fn tail(data: &Path, service: &ServiceName, lines: usize) -> Result<Option<String>> {
    let path = data.join("logs").join(format!("{service}.log"));
    let Some(mut file) = fs::missing_is_none(fs::open(&path))? else { return Ok(None) };
    let size = fs::lstat(&path)?.len();
    let mut bytes = Vec::new();
    file.seek(SeekFrom::Start(size.saturating_sub(WINDOW))).context("read", &path)?;
    file.take(WINDOW).read_to_end(&mut bytes).context("read", &path)?;
    let text = String::from_utf8_lossy(&bytes);
    Ok(Some(last(&text, lines)))
}

/// The last lines that a service wrote itself, without what the log puts before them.
pub(super) fn own_words(text: &str, lines: usize) -> Vec<String> {
    let own = |line: &str| {
        let (_, rest) = line.split_once(' ')?;
        let (source, words) = rest.split_once(' ')?;
        (!source.starts_with("sup")).then(|| words.to_owned())
    };
    let all: Vec<String> = text.lines().filter_map(own).collect();
    all[all.len().saturating_sub(lines)..].to_vec()
}

fn last(text: &str, lines: usize) -> String {
    let all: Vec<&str> = text.lines().collect();
    let mut out = String::new();
    for line in &all[all.len().saturating_sub(lines)..] {
        out.push_str(line);
        out.push('\n');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::last;

    #[test]
    fn the_last_lines() {
        assert_eq!(last("a\nb\nc\n", 2), "b\nc\n");
        assert_eq!(last("a\nb", 9), "a\nb\n");
        assert_eq!(last("", 3), "");
        assert_eq!(last("a\n", 0), "");
    }
}
