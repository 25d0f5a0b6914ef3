//! Where a value is written, for rooms that find it wrong later.
//!
//! Owns no error of its own: what cannot be found is `None`, and the message goes without a place.

use std::sync::Arc;

use toml_edit::{Item, Value};

use super::read;
use super::spot::{Source, Spot};
use crate::base::Excerpt;

/// Looks through a chain, the file with the last word first.
pub(super) fn find(chain: &[Arc<Source>], path: &[&str]) -> Option<Excerpt> {
    chain.iter().find_map(|source| in_file(source, path))
}

fn in_file(source: &Arc<Source>, path: &[&str]) -> Option<Excerpt> {
    let document = read::parse(source).ok()?;
    let (last, parents) = path.split_last()?;
    let mut item = document.as_item();
    for (depth, key) in parents.iter().enumerate() {
        let next = item.as_table_like()?.get(key)?;
        if depth + 1 == parents.len()
            && let (Some(array), Ok(index)) = (next.as_array(), last.parse::<usize>())
        {
            let span = array.get(index).and_then(Value::span).or_else(|| next.span())?;
            return Some(Spot::new(source, span).excerpt(""));
        }
        item = next;
    }
    let table = item.as_table_like()?;
    let found = table.get(last)?;
    // A table is best shown by its name: its span is its whole header or body.
    let span = match found {
        Item::Value(value) => value.span(),
        _ => table.key(last).and_then(|k| k.span()),
    };
    Some(Spot::new(source, span.or_else(|| found.span())?).excerpt(""))
}
