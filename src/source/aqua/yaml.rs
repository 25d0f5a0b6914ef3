//! YAML as the registry uses it: a tree of texts that knows its lines.
//!
//! Scalars stay text, so that `1.10` is no number and `386` can be a key. Refuses documents that a
//! definition never is: several of them, aliases, duplicate keys, deep nesting. Invariant: every
//! error names the line that it is about.

use saphyr_parser::{Event, Parser, ScalarStyle};

/// More levels than any definition has; bounds the recursion.
const DEPTH: usize = 32;

/// A node and the line where it begins, from 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Node {
    pub(super) line: usize,
    pub(super) value: Value,
}

/// What a node holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Value {
    /// Nothing, or a plain `null` or `~`.
    Null,
    /// A scalar, as it is written.
    Text(String),
    /// A sequence.
    List(Vec<Node>),
    /// A mapping, in the order of the file.
    Map(Vec<(String, Node)>),
}

/// What is wrong, and on which line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Flaw {
    pub(super) line: usize,
    pub(super) why: String,
}

impl Flaw {
    pub(super) fn new(line: usize, why: impl Into<String>) -> Self {
        Self { line, why: why.into() }
    }
}

impl std::fmt::Display for Flaw {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "line {}: {}", self.line, self.why)
    }
}

/// Reads the one document of a file.
pub(super) fn parse(text: &str) -> Result<Node, Flaw> {
    let mut events = Parser::new_from_str(text);
    let mut documents = Vec::new();
    while let Some((event, line)) = next(&mut events)? {
        match event {
            Event::StreamEnd => break,
            Event::StreamStart | Event::DocumentStart(_) | Event::DocumentEnd | Event::Nothing => {}
            event => documents.push(node(event, line, &mut events, 0)?),
        }
    }
    let mut documents = documents.into_iter();
    match (documents.next(), documents.next()) {
        (Some(only), None) => Ok(only),
        (None, _) => Err(Flaw::new(1, "it is empty")),
        (_, Some(second)) => Err(Flaw::new(second.line, "a second document begins")),
    }
}

type Events<'a> = Parser<'a, saphyr_parser::StrInput<'a>>;

fn next<'a>(events: &mut Events<'a>) -> Result<Option<(Event<'a>, usize)>, Flaw> {
    match events.next_event() {
        None => Ok(None),
        Some(Ok((event, span))) => Ok(Some((event, span.start.line()))),
        Some(Err(e)) => Err(Flaw::new(e.marker().line(), e.info())),
    }
}

fn node<'a>(
    event: Event<'a>,
    line: usize,
    events: &mut Events<'a>,
    depth: usize,
) -> Result<Node, Flaw> {
    if depth > DEPTH {
        return Err(Flaw::new(line, "it is nested too deeply"));
    }
    let value = match event {
        Event::Scalar(text, ScalarStyle::Plain, ..)
            if matches!(&*text, "" | "~" | "null" | "Null" | "NULL") =>
        {
            Value::Null
        }
        Event::Scalar(text, ..) => Value::Text(text.into_owned()),
        Event::SequenceStart(..) => {
            let mut list = Vec::new();
            loop {
                match next(events)? {
                    Some((Event::SequenceEnd, _)) => break Value::List(list),
                    Some((event, line)) => list.push(node(event, line, events, depth + 1)?),
                    None => return Err(Flaw::new(line, "the list does not end")),
                }
            }
        }
        Event::MappingStart(..) => {
            let mut map: Vec<(String, Node)> = Vec::new();
            loop {
                let (key, at) = match next(events)? {
                    Some((Event::MappingEnd, _)) => break Value::Map(map),
                    Some((Event::Scalar(key, ..), at)) => (key.into_owned(), at),
                    Some((_, at)) => return Err(Flaw::new(at, "a key is no text")),
                    None => return Err(Flaw::new(line, "the table does not end")),
                };
                if map.iter().any(|(known, _)| *known == key) {
                    return Err(Flaw::new(at, format!("`{key}` is there twice")));
                }
                match next(events)? {
                    Some((event, at)) => map.push((key, node(event, at, events, depth + 1)?)),
                    None => return Err(Flaw::new(at, format!("`{key}` has no value"))),
                }
            }
        }
        Event::Alias(_) => return Err(Flaw::new(line, "an alias, which is not read")),
        _ => return Err(Flaw::new(line, "there is no value where one must be")),
    };
    Ok(Node { line, value })
}

impl Node {
    /// The value of a key; `None` also when it is null.
    pub(super) fn get(&self, key: &str) -> Option<&Self> {
        let Value::Map(map) = &self.value else { return None };
        let (_, found) = map.iter().find(|(k, _)| k == key)?;
        (found.value != Value::Null).then_some(found)
    }

    /// Its text.
    pub(super) fn text(&self, what: &str) -> Result<&str, Flaw> {
        match &self.value {
            Value::Text(text) => Ok(text),
            _ => Err(Flaw::new(self.line, format!("`{what}` must be a text"))),
        }
    }

    /// `true` or `false`.
    pub(super) fn flag(&self, what: &str) -> Result<bool, Flaw> {
        match self.text(what)? {
            "true" => Ok(true),
            "false" => Ok(false),
            _ => Err(Flaw::new(self.line, format!("`{what}` must be true or false"))),
        }
    }

    /// Its elements.
    pub(super) fn list(&self, what: &str) -> Result<&[Self], Flaw> {
        match &self.value {
            Value::List(list) => Ok(list),
            _ => Err(Flaw::new(self.line, format!("`{what}` must be a list"))),
        }
    }

    /// Its entries.
    pub(super) fn map(&self, what: &str) -> Result<&[(String, Self)], Flaw> {
        match &self.value {
            Value::Map(map) => Ok(map),
            _ => Err(Flaw::new(self.line, format!("`{what}` must be a table"))),
        }
    }

    /// The text of a key.
    pub(super) fn text_at(&self, key: &str) -> Result<Option<&str>, Flaw> {
        self.get(key).map(|node| node.text(key)).transpose()
    }

    /// The flag of a key.
    pub(super) fn flag_at(&self, key: &str) -> Result<Option<bool>, Flaw> {
        self.get(key).map(|node| node.flag(key)).transpose()
    }

    /// The elements of a key; none when it is missing.
    pub(super) fn list_at(&self, key: &str) -> Result<&[Self], Flaw> {
        self.get(key).map_or(Ok(&[]), |node| node.list(key))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn keeps_texts_as_they_are() {
        let node = parse("a: 1.10\n386: \"yes\"\nb:\n  - x\n  - ~\nc: |\n  two\n  lines\nd:\n")
            .expect("yaml");
        assert_eq!(node.text_at("a"), Ok(Some("1.10")));
        assert_eq!(node.text_at("386"), Ok(Some("yes")));
        assert_eq!(node.text_at("c"), Ok(Some("two\nlines\n")));
        assert_eq!((node.get("d"), node.get("e")), (None, None));
        let list = node.list_at("b").expect("list");
        assert_eq!((list[0].line, &list[1].value), (4, &Value::Null));
    }

    #[test]
    fn names_the_line() {
        for (text, line, why) in [
            ("", 1, "empty"),
            ("a: 1\nb: [x", 3, "flow sequence"),
            ("a: 1\n\na: 2", 3, "`a` is there twice"),
            ("a: &x 1\nb: *x", 2, "alias"),
            ("a: 1\n---\nb: 2", 3, "second document"),
            ("a: 1\n b: 2", 2, ""),
        ] {
            let flaw = parse(text).expect_err(text);
            assert_eq!(flaw.line, line, "{text}: {flaw}");
            assert!(flaw.why.contains(why), "{text}: {flaw}");
        }
        let deep = "[".repeat(100);
        assert!(parse(&deep).is_err());
        let node = parse("a:\n  b: [1]").expect("yaml");
        let flaw = node.get("a").expect("a").text_at("b").expect_err("list");
        assert_eq!(flaw, Flaw::new(2, "`b` must be a text"));
    }

    proptest! {
        #[test]
        fn never_panics(s in "\\PC{0,80}", t in "(- |a: |  |\n|\\[|\\{|\"|'|\\||#|&x|\\*x|!t ){0,20}") {
            let _ = (parse(&s), parse(&t));
        }
    }
}
