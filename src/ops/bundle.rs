//! One file that carries objects to a machine without a network, and back in.
//!
//! Refuses to write to a terminal. Invariant: a lock that was asked for is written only after
//! everything was imported.

use std::io::{Read, Write};
use std::path::Path;

use super::cache::object_named;
use super::{Context, Error, Result};
use crate::fs;
use crate::store::{Bundle, Imported};

/// Writes an environment (built where needed) or an object, and all that it refers to.
pub fn export(
    context: &Context,
    name: &str,
    with_lock: bool,
    sink: &mut dyn Write,
) -> Result<usize> {
    let store = context.store();
    let object = object_named(context, name)?;
    let closure = store.closure([object.clone()])?;
    let lock = with_lock.then(|| fs::read(&context.lock_path())).transpose()?;
    let total = closure.iter().map(|r| r.nar_size).fold(0, u64::saturating_add);
    let task = context.reporter().begin("exporting", Some(total));
    let names = closure.iter().map(|r| r.object.clone()).collect();
    let _lease = store.hold(&names, "infra store export")?;
    store.export(&closure, &Bundle { main: Some(object), lock }, sink, task.as_ref())?;
    Ok(closure.len())
}

/// Takes such a file in; `lock_to` is where the lock that it carries goes.
pub fn import(
    context: &Context,
    lock_to: Option<&Path>,
    source: &mut dyn Read,
) -> Result<Imported> {
    let task = context.reporter().begin("importing", None);
    let imported = context.store().import(source, task.as_ref())?;
    if let Some(file) = lock_to {
        let path = context.cwd().join(file);
        let Some(lock) = &imported.bundle.lock else { return Err(Error::NoLockCarried.into()) };
        match fs::missing_is_none(fs::read(&path))? {
            Some(known) if known == *lock => {}
            Some(_) => return Err(Error::InTheWay { path: file.to_owned() }.into()),
            None => fs::write_atomic(&path, lock)?,
        }
    }
    Ok(imported)
}
