//! Pins: objects that a person keeps by name, whatever projects come and go.
//!
//! A pin is a link `pins/NAME` → `../store/<object>` below the store, so that it moves with it.
//! Refuses a name that is no plain word, and an object that is not registered. Invariant: a pin
//! that is there leads to one object.

use std::path::PathBuf;

use super::{Error, Result, Root, RootKind, RootProblem, Store, fs};
use crate::base::{ObjectName, Quiet, interrupt};

impl Store {
    /// Keeps an object, and what it refers to, under a name. Pinning another object under the same
    /// name moves the pin; gives what it kept before.
    ///
    /// # Errors
    /// [`Error::PinName`] for a name with other characters than letters, digits, `-`, `_` and `.`.
    pub fn pin(&self, name: &str, object: &ObjectName) -> Result<Option<ObjectName>> {
        let entry = self.pin_path(name)?;
        let _pause = self.pause_gc(&Quiet)?;
        if self.get(object)?.is_none() {
            return Err(Error::NoObject { text: object.to_string() });
        }
        let before = fs::missing_is_none(fs::read_link(&entry))?;
        let target = PathBuf::from("../store").join(object.to_string());
        fs::create_dir_all_synced(&self.layout.pins())?;
        fs::replace_symlink(&target, &entry)?;
        interrupt::point("pin.linked");
        Ok(before.and_then(|path| path.file_name()?.to_str()?.parse().ok()))
    }

    /// Removes a pin; its object stays until the next collection.
    ///
    /// # Errors
    /// [`Error::NoPin`] names the pins that there are.
    pub fn unpin(&self, name: &str) -> Result<ObjectName> {
        let entry = self.pin_path(name)?;
        let pins = self.pins()?;
        let found = pins.iter().find(|root| matches!(&root.kind, RootKind::Pin(n) if n == name));
        let Some(object) = found.and_then(|root| root.objects.first()) else {
            let names = pins.into_iter().filter_map(|root| match root.kind {
                RootKind::Pin(name) => Some(name),
                _ => None,
            });
            return Err(Error::NoPin { name: name.to_owned(), names: names.collect() });
        };
        fs::remove_file_if_exists(&entry)?;
        Ok(object.clone())
    }

    /// Every pin, by name.
    pub(super) fn pins(&self) -> Result<Vec<Root>> {
        let dir = self.layout.pins();
        let mut pins = Vec::new();
        for name in fs::read_dir_names_if_exists(&dir)? {
            let entry = dir.join(&name);
            let name = name.to_string_lossy().into_owned();
            // A pin that was being moved by a killed process.
            if name.starts_with('.') {
                continue;
            }
            let unreadable = |source| Error::UnreadableRoot { root: entry.clone(), source };
            let target = fs::read_link(&entry).map_err(|e| unreadable(e.into()))?;
            let object = target.file_name().and_then(|name| name.to_str()?.parse().ok());
            let Some(object) = object else {
                let why = format!("it points to `{}`, which is no object", target.display());
                return Err(unreadable(RootProblem::Unknown(why)));
            };
            pins.push(Root { kind: RootKind::Pin(name), objects: [object].into(), entry });
        }
        Ok(pins)
    }

    fn pin_path(&self, name: &str) -> Result<PathBuf> {
        let good = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        if name.is_empty() || name.starts_with('.') || name.len() > 100 || !name.chars().all(good) {
            return Err(Error::PinName { name: name.to_owned() });
        }
        Ok(self.layout.pins().join(name))
    }
}
