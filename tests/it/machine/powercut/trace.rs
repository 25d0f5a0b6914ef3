//! What strace wrote, as events: system calls that succeeded, in the order in which they ended.
//!
//! Strings are hexadecimal in the record (`-xx`), and descriptors have their path beside them (`-y`).

use std::collections::BTreeMap;
use std::os::unix::ffi::OsStringExt as _;
use std::path::PathBuf;

/// A system call that succeeded.
#[derive(Debug)]
pub(super) struct Event {
    pub(super) call: String,
    pub(super) args: Vec<Arg>,
    /// What it gave: a number or a descriptor.
    pub(super) gave: Arg,
}

/// An argument, as far as anybody asks for it.
#[derive(Debug)]
pub(super) struct Arg {
    /// As it was written.
    pub(super) text: String,
    /// Its strings, decoded and joined.
    pub(super) bytes: Vec<u8>,
    /// The path beside a descriptor.
    pub(super) path: Option<PathBuf>,
}

impl Arg {
    fn new(text: &str) -> Self {
        let path = match (text.find('<'), text.rfind('>')) {
            (Some(start), Some(end)) if !text.starts_with('"') && start < end => {
                Some(PathBuf::from(std::ffi::OsString::from_vec(decode(&text[start + 1..end]))))
            }
            _ => None,
        };
        let bytes = text.split('"').skip(1).step_by(2).flat_map(decode).collect();
        // Data is long; only its beginning could be a number or a flag.
        let text = if text.starts_with('"') { String::new() } else { text.to_owned() };
        Self { text, bytes, path }
    }

    /// A decimal, octal or descriptor number.
    pub(super) fn number(&self) -> Option<u64> {
        let digits = self.text.split('<').next().unwrap_or_default();
        match digits.strip_prefix('0') {
            Some(octal) if !octal.is_empty() => u64::from_str_radix(octal, 8).ok(),
            _ => digits.parse().ok(),
        }
    }

    /// Its string as a path.
    pub(super) fn as_path(&self) -> PathBuf {
        PathBuf::from(std::ffi::OsString::from_vec(self.bytes.clone()))
    }
}

/// `\x2f\x74` → `/t`; anything else stays.
fn decode(text: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len() / 4);
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let digits = (rest.len() >= 4 && rest.starts_with(b"\\x"))
            .then(|| std::str::from_utf8(&rest[2..4]).ok())
            .flatten()
            .and_then(|digits| u8::from_str_radix(digits, 16).ok());
        if let Some(byte) = digits {
            out.push(byte);
            rest = &rest[4..];
        } else {
            out.push(*first);
            rest = after;
        }
    }
    out
}

/// The record's events.
pub(super) fn read(log: &[u8]) -> Vec<Event> {
    const UNFINISHED: &str = " <unfinished ...>";
    let text = String::from_utf8_lossy(log);
    let mut begun: BTreeMap<&str, &str> = BTreeMap::new();
    let mut events = Vec::new();
    for line in text.lines() {
        let Some((pid, rest)) = line.split_once(' ') else { continue };
        let rest = rest.trim_start();
        if let Some(start) = rest.strip_suffix(UNFINISHED) {
            begun.insert(pid, start);
        } else if let Some((_, end)) = rest.strip_prefix("<... ").and_then(|r| r.split_once('>')) {
            let start = begun.remove(pid).unwrap_or_default();
            events.extend(call(&format!("{start}{end}")));
        } else {
            events.extend(call(rest));
        }
    }
    events
}

/// `name(arguments) = result`, unless it failed.
fn call(text: &str) -> Option<Event> {
    let (name, rest) = text.split_once('(')?;
    let (args, gave) = rest.rsplit_once(" = ")?;
    let args = args.trim_end().strip_suffix(')')?;
    let gave = gave.split(' ').next().unwrap_or_default();
    if gave.starts_with('-') || gave == "?" {
        return None;
    }
    Some(Event { call: name.to_owned(), args: split(args), gave: Arg::new(gave) })
}

/// At the commas between arguments.
fn split(text: &str) -> Vec<Arg> {
    let (mut depth, mut quoted, mut start) = (0_i32, false, 0);
    let mut out = Vec::new();
    for (at, c) in text.char_indices() {
        match c {
            '"' => quoted = !quoted,
            _ if quoted => {}
            '[' | '{' => depth += 1,
            ']' | '}' => depth -= 1,
            ',' if depth == 0 => {
                out.push(Arg::new(text[start..at].trim()));
                start = at + 1;
            }
            _ => {}
        }
    }
    out.push(Arg::new(text[start..].trim()));
    out
}

#[test]
fn a_record() {
    let log = b"7  write(3<\\x2f\\x61>, \"\\x68\\x69\", 2 <unfinished ...>\n\
        8  fsync(4<\\x2f\\x62>) = 0\n\
        8  unlink(\"\\x2f\\x62\") = -1 ENOENT (No such file or directory)\n\
        7  <... write resumed>) = 2\n\
        7  writev(3<\\x2f\\x61>, [{iov_base=\"\\x61\", iov_len=1}, {iov_base=\"\\x62\", iov_len=1}], 2) = 2\n\
        7  mkdir(\"\\x2f\\x63\", 0755) = 0\n";
    let events = read(log);
    let names: Vec<_> = events.iter().map(|e| e.call.as_str()).collect();
    assert_eq!(names, ["fsync", "write", "writev", "mkdir"]);
    assert_eq!(events[1].args[1].bytes, b"hi");
    assert_eq!(events[1].args[0].path.as_deref(), Some(std::path::Path::new("/a")));
    assert_eq!(events[1].args[0].number(), Some(3));
    assert_eq!(events[2].args[1].bytes, b"ab");
    assert_eq!(events[3].args[1].number(), Some(0o755));
}
