//! Typed access to a parsed TOML document, with a place for every error.
//!
//! Owns the words "wrong type", "unknown key" and "bad value". Invariant: whatever is asked of a
//! node, the error names the key from the top of the file and points at it.

use std::collections::BTreeMap;
use std::sync::Arc;

use toml_edit::{Array, Item, Key, TableLike, Value};

use super::error::{Error, Result};
use super::flaw::Flaw;
use super::spot::{Source, Spanned, Spot};
use super::template::{InvalidTemplate, Template};
use crate::base::suggest::nearest;

/// What a node holds.
#[derive(Clone, Copy)]
enum Held<'a> {
    Text(&'a str),
    Integer(i64),
    Boolean(bool),
    Float,
    Datetime,
    Array(&'a Array),
    Table(&'a dyn TableLike),
    Tables,
}

/// A value in a document.
#[derive(Clone)]
pub(super) struct Node<'a> {
    source: &'a Arc<Source>,
    held: Held<'a>,
    /// From the top of the file, e.g. `service.nats.command`; empty for the file itself.
    path: String,
    /// Where its key is written; the value, for elements of arrays.
    key: Spot,
    /// Where it is written.
    spot: Spot,
}

impl<'a> Node<'a> {
    /// The document's top table.
    pub(super) fn root(source: &'a Arc<Source>, table: &'a dyn TableLike) -> Self {
        let spot = Spot::new(source, 0..0);
        Self { source, held: Held::Table(table), path: String::new(), key: spot.clone(), spot }
    }

    fn child(&self, key: &'a Key, item: &'a Item) -> Option<Self> {
        let held = match item {
            Item::None => return None,
            Item::Value(value) => held(value),
            Item::Table(table) => Held::Table(table),
            Item::ArrayOfTables(_) => Held::Tables,
        };
        let key_span = key.span().or_else(|| item.span()).unwrap_or(self.key_range());
        let span = item.span().unwrap_or_else(|| key_span.clone());
        let path = match self.path.as_str() {
            "" => key.display_repr().into_owned(),
            path => format!("{path}.{}", key.display_repr()),
        };
        Some(Self {
            source: self.source,
            held,
            path,
            key: Spot::new(self.source, key_span),
            spot: Spot::new(self.source, span),
        })
    }

    fn key_range(&self) -> std::ops::Range<usize> {
        self.key.range()
    }

    /// The key from the top of the file.
    pub(super) fn path(&self) -> &str {
        &self.path
    }

    /// Where its key is written.
    pub(super) fn key_spot(&self) -> &Spot {
        &self.key
    }

    /// Where it is written.
    pub(super) fn spot(&self) -> &Spot {
        &self.spot
    }

    /// How messages call it as a table.
    pub(super) fn table_name(&self) -> String {
        if self.path.is_empty() { "a profile".to_owned() } else { format!("`[{}]`", self.path) }
    }

    fn found(&self) -> &'static str {
        match self.held {
            Held::Text(_) => "a string",
            Held::Integer(_) => "a number",
            Held::Boolean(_) => "a boolean",
            Held::Float => "a fraction",
            Held::Datetime => "a date",
            Held::Array(_) => "an array",
            Held::Table(_) => "a table",
            Held::Tables => "an array of tables",
        }
    }

    /// The error for a value of the wrong type.
    pub(super) fn wrong_type(&self, expected: &'static str, hint: Option<String>) -> Error {
        let flaw = Flaw::WrongType { key: self.path.clone(), found: self.found(), expected, hint };
        Error::at(&self.spot, flaw, format!("this is {}", self.found()))
    }

    /// The error for a value that means nothing.
    pub(super) fn bad(&self, why: impl ToString, hint: Option<String>, label: &str) -> Error {
        let flaw = Flaw::BadValue { key: self.path.clone(), why: why.to_string(), hint };
        Error::at(&self.spot, flaw, label)
    }

    /// The error for a key that means nothing.
    pub(super) fn bad_key(&self, why: impl ToString) -> Error {
        let flaw = Flaw::BadValue { key: self.path.clone(), why: why.to_string(), hint: None };
        Error::at(&self.key, flaw, "not a valid name")
    }

    /// The error for a value that must be one of a few words.
    pub(super) fn unknown_word<'k>(
        &self,
        what: &'static str,
        given: &str,
        known: impl IntoIterator<Item = &'k str>,
    ) -> Error {
        unknown_name(&self.spot, what, given, known)
    }

    /// The error for a key that its table does not have.
    pub(super) fn missing(&self, key: &'static str, hint: impl Into<String>) -> Error {
        let flaw = Flaw::Missing { table: self.table_name(), key, hint: hint.into() };
        Error::at(&self.key, flaw, format!("`{key}` is missing"))
    }

    /// Every entry of a table, in the order of the file.
    pub(super) fn entries(&self, expected: &'static str) -> Result<Vec<(&'a str, Self)>> {
        let Held::Table(table) = self.held else { return Err(self.wrong_type(expected, None)) };
        let mut out = Vec::new();
        for (name, item) in table.iter() {
            let child = table.key(name).and_then(|key| self.child(key, item));
            out.extend(child.map(|child| (name, child)));
        }
        Ok(out)
    }

    /// The entries of a table that has these keys and no others.
    pub(super) fn fields(
        &self,
        expected: &'static str,
        known: &[&'static str],
    ) -> Result<Fields<'a>> {
        let mut fields = BTreeMap::new();
        for (name, node) in self.entries(expected)? {
            if !known.contains(&name) {
                let flaw = Flaw::UnknownKey {
                    key: name.to_owned(),
                    table: self.table_name(),
                    near: nearest(name, known.iter().copied()).map(str::to_owned),
                    known: known.iter().map(|k| (*k).to_owned()).collect(),
                };
                return Err(Error::at(&node.key, flaw, "unknown key"));
            }
            fields.insert(name, node);
        }
        Ok(Fields(fields))
    }

    /// The elements of an array.
    pub(super) fn elements(&self, expected: &'static str) -> Result<Vec<Self>> {
        let Held::Array(array) = self.held else {
            let hint = match self.held {
                Held::Text(_) => Some(format!("write it in brackets: [{}]", self.spot.text())),
                _ => None,
            };
            return Err(self.wrong_type(expected, hint));
        };
        let element = |(i, value): (usize, &'a Value)| {
            let spot = value.span().map_or(self.spot.clone(), |s| Spot::new(self.source, s));
            Self {
                source: self.source,
                held: held(value),
                path: format!("{}[{i}]", self.path),
                key: spot.clone(),
                spot,
            }
        };
        Ok(array.iter().enumerate().map(element).collect())
    }

    /// Whether it is an array.
    pub(super) fn is_array(&self) -> bool {
        matches!(self.held, Held::Array(_))
    }

    /// Whether it is a table.
    pub(super) fn is_table(&self) -> bool {
        matches!(self.held, Held::Table(_))
    }

    /// The text, if it is one.
    pub(super) fn as_text(&self) -> Option<&'a str> {
        if let Held::Text(text) = self.held { Some(text) } else { None }
    }

    /// The number, if it is one.
    pub(super) fn as_integer(&self) -> Option<i64> {
        if let Held::Integer(n) = self.held { Some(n) } else { None }
    }

    /// The boolean, if it is one.
    pub(super) fn as_boolean(&self) -> Option<bool> {
        if let Held::Boolean(b) = self.held { Some(b) } else { None }
    }

    /// A string without NUL.
    pub(super) fn text(&self, expected: &'static str) -> Result<&'a str> {
        let text = self.as_text().ok_or_else(|| {
            let hint = match self.held {
                Held::Integer(_) | Held::Boolean(_) | Held::Float | Held::Datetime => {
                    Some(format!("write it in quotes: \"{}\"", self.spot.text()))
                }
                _ => None,
            };
            self.wrong_type(expected, hint)
        })?;
        if text.contains('\0') {
            return Err(self.bad("it contains a NUL character", None, "NUL is not allowed"));
        }
        Ok(text)
    }

    /// A string with `${…}`.
    pub(super) fn template(&self, expected: &'static str) -> Result<Spanned<Template>> {
        let text = self.text(expected)?;
        let error = match text.parse() {
            Ok(value) => return Ok(Spanned { value, spot: self.spot.clone() }),
            Err(error) => error,
        };
        let (spot, hint, label) = match &error {
            InvalidTemplate::Unclosed(at) => {
                let hint = "close it with `}`, or write `$$` for a dollar sign".to_owned();
                (self.spot.inside(text, *at..text.len()), Some(hint), "never closed")
            }
            InvalidTemplate::Dollar(at) => {
                (self.spot.inside(text, *at..at + 1), None, "a single `$`")
            }
            InvalidTemplate::Unknown { name, at } => {
                let (head, tail) = name.split_once('.').unwrap_or((name, "NAME"));
                let near =
                    nearest(head, ["port", "env", "file", "dep", "project", "data", "replica"]);
                let hint = match near {
                    Some(near @ ("project" | "data" | "replica")) => {
                        format!("did you mean `${{{near}}}`?")
                    }
                    Some(near) => format!("did you mean `${{{near}.{tail}}}`?"),
                    None => "a value is one of `${port.NAME}`, `${env.NAME}`, `${file.NAME}`, \
                             `${dep.NAME}`, `${project}` and `${data}`"
                        .to_owned(),
                };
                let end = at + name.len() + 3;
                (self.spot.inside(text, *at..end), Some(hint), "unknown value")
            }
        };
        let flaw = Flaw::BadValue { key: self.path.clone(), why: error.to_string(), hint };
        Err(Error::at(&spot, flaw, label))
    }
}

/// The error for a name that nothing has.
pub(super) fn unknown_name<'k>(
    spot: &Spot,
    what: &'static str,
    given: &str,
    known: impl IntoIterator<Item = &'k str>,
) -> Error {
    let known: Vec<&str> = known.into_iter().collect();
    let flaw = Flaw::UnknownName {
        what,
        name: given.to_owned(),
        near: nearest(given, known.iter().copied()).map(str::to_owned),
        known: known.into_iter().map(str::to_owned).collect(),
    };
    Error::at(spot, flaw, format!("no such {what}"))
}

/// A table's entries, taken out one by one.
pub(super) struct Fields<'a>(BTreeMap<&'a str, Node<'a>>);

impl<'a> Fields<'a> {
    /// The value of a key.
    pub(super) fn take(&mut self, key: &str) -> Option<Node<'a>> {
        self.0.remove(key)
    }
}

fn held(value: &Value) -> Held<'_> {
    match value {
        Value::String(text) => Held::Text(text.value()),
        Value::Integer(n) => Held::Integer(*n.value()),
        Value::Boolean(b) => Held::Boolean(*b.value()),
        Value::Float(_) => Held::Float,
        Value::Datetime(_) => Held::Datetime,
        Value::Array(array) => Held::Array(array),
        Value::InlineTable(table) => Held::Table(table),
    }
}
