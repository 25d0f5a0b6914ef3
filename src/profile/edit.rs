//! Edits of `[dep]` that leave the rest of a profile's text as it was written.
//!
//! Owns adding, removing and changing one requirement. Invariant: comments, order and layout of
//! everything not named survive; the result reads as TOML again.

use toml_edit::{DocumentMut, InlineTable, Item, Table, TableLike, Value};

use crate::base::suggest::nearest;
use crate::base::{DepName, Diagnose, Hint, Kind, SourceRef, VersionReq};

/// An edit that cannot be made.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum EditError {
    /// The text is not TOML, or `dep` is no table in it.
    #[error("cannot edit the profile: {0}")]
    Unreadable(String),
    /// The dep is there already.
    #[error("dep `{0}` is in the profile already")]
    Exists(DepName),
    /// The dep is not there.
    #[error("dep `{name}` is not in the profile")]
    Unknown {
        /// What was named.
        name: DepName,
        /// The likely intention.
        near: Option<String>,
    },
}

impl Diagnose for EditError {
    fn kind(&self) -> Kind {
        Kind::Usage
    }

    fn hints(&self) -> Vec<Hint> {
        match self {
            Self::Exists(name) => vec![Hint::new(format!(
                "`infra dep update {name}` moves it; `infra dep remove {name}` takes it away"
            ))],
            Self::Unknown { near: Some(near), .. } => {
                vec![Hint::new(format!("did you mean `{near}`?"))]
            }
            _ => Vec::new(),
        }
    }
}

/// Keys of a dep beside `from` and `version`, in the order they are written: `("strip", 1.into())`.
pub type Extra = Vec<(String, Value)>;

/// Adds a requirement at the end of `[dep]`; in its alphabetical place if the table is sorted.
pub fn add_dep(
    text: &str,
    name: &DepName,
    from: &SourceRef,
    version: &VersionReq,
    extra: &Extra,
) -> Result<String, EditError> {
    let mut document = parse(text)?;
    let root = document.as_table_mut();
    let dep = root.entry("dep").or_insert_with(|| Item::Table(Table::new()));
    let deps = dep
        .as_table_like_mut()
        .ok_or_else(|| EditError::Unreadable("`dep` is not a table".to_owned()))?;
    if deps.contains_key(name.as_str()) {
        return Err(EditError::Exists(name.clone()));
    }
    let sorted = deps.iter().map(|(k, _)| k.to_owned()).collect::<Vec<_>>().is_sorted();
    let mut wish = InlineTable::new();
    wish.insert("from", from.to_string().into());
    wish.insert("version", version.as_str().into());
    for (key, value) in extra {
        wish.insert(key, value.clone());
    }
    append(dep, name.as_str(), Value::InlineTable(wish));
    if sorted && let Item::Table(table) = dep {
        // Comments belong to the key below them and move with it.
        table.sort_values();
    }
    Ok(document.to_string())
}

/// Takes a requirement away, with the comment above it.
pub fn remove_dep(text: &str, name: &DepName) -> Result<String, EditError> {
    let mut document = parse(text)?;
    let deps = deps(&mut document, name)?;
    deps.remove(name.as_str());
    Ok(document.to_string())
}

/// Sets the version of a requirement, in whichever way it is written.
pub fn set_version(text: &str, name: &DepName, version: &VersionReq) -> Result<String, EditError> {
    let mut document = parse(text)?;
    let deps = deps(&mut document, name)?;
    let Some(item) = deps.get_mut(name.as_str()) else { return Ok(text.to_owned()) };
    if let Some(short) = item.as_str() {
        let package = super::read_dep::split_short(short).0.to_owned();
        if package.starts_with("url:") || package.starts_with("path:") {
            // These have no short form with a version.
            let mut wish = InlineTable::new();
            wish.insert("from", package.into());
            wish.insert("version", version.as_str().into());
            replace(item, Value::InlineTable(wish));
        } else {
            replace(item, Value::from(format!("{package}@{version}")));
        }
    } else if let Some(wish) = item.as_table_like_mut() {
        match wish.get_mut("version") {
            Some(old) => replace(old, version.as_str().into()),
            None => append(item, "version", version.as_str().into()),
        }
    } else {
        return Err(EditError::Unreadable(format!("`dep.{name}` is not a requirement")));
    }
    Ok(document.to_string())
}

/// Adds a key at the end of either kind of table.
fn append(table: &mut Item, key: &str, mut value: Value) {
    match table {
        Item::Value(Value::InlineTable(table)) => {
            // The space before the closing brace belongs to what is last.
            let last = table.iter_mut().last().map(|(_, value)| value.decor_mut());
            if let Some(decor) = last
                && let Some(space) = decor.suffix().and_then(|s| s.as_str())
                && space.trim().is_empty()
            {
                let space = space.to_owned();
                decor.set_suffix("");
                *value.decor_mut() = toml_edit::Decor::new(" ", space);
            }
            table.insert(key, value);
        }
        Item::Table(table) => {
            table.insert(key, Item::Value(value));
        }
        _ => {}
    }
}

/// Puts another value in place, with the space and comment around the old one.
fn replace(item: &mut Item, mut value: Value) {
    let decor = item.as_value().map(|v| v.decor().clone());
    if let Some(decor) = decor {
        *value.decor_mut() = decor;
    }
    *item = Item::Value(value);
}

fn parse(text: &str) -> Result<DocumentMut, EditError> {
    text.parse().map_err(|e: toml_edit::TomlError| {
        EditError::Unreadable(e.message().lines().collect::<Vec<_>>().join(", "))
    })
}

fn deps<'a>(
    document: &'a mut DocumentMut,
    name: &DepName,
) -> Result<&'a mut dyn TableLike, EditError> {
    let table = document.get_mut("dep").and_then(Item::as_table_like_mut);
    let Some(table) = table else {
        return Err(EditError::Unknown { name: name.clone(), near: None });
    };
    if table.contains_key(name.as_str()) {
        return Ok(table);
    }
    let near = nearest(name.as_str(), table.iter().map(|(k, _)| k)).map(str::to_owned);
    Err(EditError::Unknown { name: name.clone(), near })
}

#[cfg(test)]
#[path = "edit_tests.rs"]
mod tests;
