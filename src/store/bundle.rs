//! One file that carries objects to another store: `nix-store --export`'s format, and a trailer.
//!
//! ```text
//! for each object, references first:
//!   1, archive, "EXIN", path, references, deriver (none), 0     numbers are 64 bits, little-endian
//! 0
//! trailer: "infra-export-1", what was exported, its lock (or nothing), SHA-256 of all before
//! ```
//!
//! `nix-store --import` reads the objects and stops at the 0, so that the same file serves both; a
//! file of `nix-store --export`, which has no trailer, is read too. Refuses, before anything is
//! registered, an object whose name does not follow from its archive and references, references
//! that neither the file nor the store has, a file that ends early and one that goes on. Invariant:
//! the same objects give the same bytes, and either all objects of a file are registered or those
//! of a complete earlier part of the registration, never one without its references.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Read, Write};

use sha2::{Digest as _, Sha256};

use super::add::Staged;
use super::registration::{Origin, Registration};
use super::{Error, ObjectPath, Result, Store, links};
use crate::base::{ObjectName, Task, interrupt};
use crate::nar;

/// `NEXI` on disk: the four letters as Nix writes them in a little-endian number.
const MAGIC: u64 = 0x4558_494e;
const TRAILER: &[u8] = b"infra-export-1";
/// Longest path, and most references, that a real object has.
const MAX_TEXT: u64 = 4096;
const MAX_REFERENCES: u64 = 65_536;
const MAX_LOCK: u64 = 64 << 20;
const STORE_DIR: &str = "/nix/store/";

/// What an exported file is about, beside the objects.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bundle {
    /// The object that was exported; the others are what it refers to.
    pub main: Option<ObjectName>,
    /// The project's lock, as it was when exporting.
    pub lock: Option<Vec<u8>>,
}

/// What an import did.
#[derive(Clone, Debug)]
pub struct Imported {
    /// What the file says of itself; empty for one that Nix wrote.
    pub bundle: Bundle,
    /// Objects of the file, references first.
    pub objects: Vec<ObjectPath>,
    /// How many of them were not there before.
    pub added: usize,
}

impl Store {
    /// Objects and everything that they refer to, references first and otherwise sorted.
    ///
    /// # Errors
    /// [`Error::Missing`] for one that is not registered.
    pub fn closure(&self, of: impl IntoIterator<Item = ObjectName>) -> Result<Vec<Registration>> {
        let mut known: BTreeMap<ObjectName, Registration> = BTreeMap::new();
        let mut ahead: Vec<ObjectName> = of.into_iter().collect();
        while let Some(object) = ahead.pop() {
            if known.contains_key(&object) {
                continue;
            }
            let missing = || Error::Missing { object: object.clone() };
            let registration = self.registration(&object)?.ok_or_else(missing)?;
            ahead.extend(registration.references.iter().cloned());
            known.insert(object, registration);
        }
        let mut out = Vec::with_capacity(known.len());
        // Content-addressed: there are no circles, so that every round finds at least one.
        while !known.is_empty() {
            let ready: Vec<ObjectName> = known
                .iter()
                .filter(|(_, r)| r.references.iter().all(|r| !known.contains_key(r)))
                .map(|(name, _)| name.clone())
                .collect();
            if ready.is_empty() {
                let why = "objects refer to each other in a circle".to_owned();
                return Err(Error::BadBundle { why });
            }
            out.extend(ready.iter().filter_map(|name| known.remove(name)));
        }
        Ok(out)
    }

    /// Writes objects, as [`Self::closure`] gives them, to `sink`. Each is hashed while it is
    /// read.
    ///
    /// # Errors
    /// [`Error::Damaged`] for an object that is not what was registered; the bytes written until
    /// then are no whole file.
    pub fn export(
        &self,
        objects: &[Registration],
        bundle: &Bundle,
        sink: &mut dyn Write,
        task: &dyn Task,
    ) -> Result<()> {
        let mut out = Out { sink, hash: Sha256::new(), task };
        for registration in objects {
            let object = &registration.object;
            out.number(1).map_err(writing)?;
            let mut pass = HashOut { out: &mut out, hash: nar::HashWriter::new() };
            let path = self.layout.object(object);
            nar::dump(&path, io::BufWriter::with_capacity(1 << 18, &mut pass)).and_then(
                |mut buffered| {
                    use crate::fs::Context as _;
                    buffered.flush().context("export", &path)
                },
            )?;
            let (actual, _) = pass.hash.finish();
            if actual != registration.tree {
                let (object, expected) = (object.clone(), registration.tree);
                return Err(Error::Damaged { object, expected, actual });
            }
            out.about(registration).map_err(writing)?;
        }
        out.end(bundle).map_err(writing)
    }

    /// Takes in a file that [`Self::export`] or `nix-store --export` wrote.
    ///
    /// Everything is unpacked and compared first, in memory that does not grow with the file; then
    /// it is registered, references first.
    pub fn import(&self, source: &mut dyn Read, task: &dyn Task) -> Result<Imported> {
        let pause = self.pause_gc(task)?;
        let mut file = In { source, hash: Sha256::new(), task };
        let mut staged: Vec<Arrived> = Vec::new();
        loop {
            match file.number().map_err(reading)? {
                0 => break,
                1 => staged.push(self.arrive(&mut file, &staged)?),
                _ => return Err(bad("it is no exported file of a store")),
            }
        }
        let bundle = file.trailer()?;
        if let Some(main) = &bundle.main
            && !staged.iter().any(|one| one.object == *main)
        {
            return Err(bad(&format!("it says that it holds {main}, and does not")));
        }
        let mut objects = Vec::with_capacity(staged.len());
        let mut added = 0;
        for one in staged {
            let Arrived { object, references, staged } = one;
            let _lock = self.lock_object(&object, task)?;
            if let Some(found) = self.get(&object)? {
                objects.push(found);
                continue;
            }
            let shown = object.to_string();
            let origin = Origin::Substituted { shown: shown.clone() };
            objects.push(self.publish(staged, object, references, origin, &shown)?);
            added += 1;
            interrupt::point("import.object");
        }
        drop(pause);
        Ok(Imported { bundle, objects, added })
    }

    /// One object into staging, compared with its own name.
    fn arrive(&self, file: &mut In<'_>, before: &[Arrived]) -> Result<Arrived> {
        let staged = self.stage_nar(file, None, "an object of the exported file")?;
        if file.number().map_err(reading)? != MAGIC {
            return Err(bad("an archive is not followed by what it is"));
        }
        let object = file.path()?;
        let count = file.number().map_err(reading)?;
        if count > MAX_REFERENCES {
            return Err(bad(&format!("{object} has {count} references")));
        }
        let mut references = BTreeSet::new();
        for _ in 0..count {
            references.insert(file.path()?);
        }
        let deriver = file.text(MAX_TEXT)?;
        if file.number().map_err(reading)? != 0 {
            return Err(bad(&format!("{object} has a signature of a form that is not used")));
        }
        drop(deriver);
        let named = ObjectName::for_tree(&staged.tree, &references, object.name());
        let named = named.map_err(Error::InvalidName)?;
        if named != object {
            return Err(bad(&format!("{object} is not what its name says: that would be {named}")));
        }
        for reference in &references {
            if !before.iter().any(|one| one.object == *reference) && self.get(reference)?.is_none()
            {
                return Err(bad(&format!("{object} refers to {reference}, which is missing")));
            }
        }
        links::check(staged.dir.path(), &references, &object.to_string())?;
        Ok(Arrived { object, references, staged })
    }
}

/// An object that was unpacked and compared, and is not registered yet.
struct Arrived {
    object: ObjectName,
    references: BTreeSet<ObjectName>,
    staged: Staged,
}

fn writing(source: io::Error) -> Error {
    Error::Bundle { action: "write", source }
}

fn reading(source: io::Error) -> Error {
    match source.kind() {
        io::ErrorKind::UnexpectedEof => bad("it ends too early"),
        _ => Error::Bundle { action: "read", source },
    }
}

fn bad(why: &str) -> Error {
    Error::BadBundle { why: why.to_owned() }
}

struct Out<'a> {
    sink: &'a mut dyn Write,
    hash: Sha256,
    task: &'a dyn Task,
}

impl Out<'_> {
    fn number(&mut self, n: u64) -> io::Result<()> {
        self.write_all(&n.to_le_bytes())
    }

    fn text(&mut self, text: &[u8]) -> io::Result<()> {
        let mut out = Vec::with_capacity(text.len() + 16);
        nar::wire::put(&mut out, text);
        self.write_all(&out)
    }

    fn about(&mut self, registration: &Registration) -> io::Result<()> {
        self.number(MAGIC)?;
        self.text(format!("{STORE_DIR}{}", registration.object).as_bytes())?;
        self.number(registration.references.len() as u64)?;
        for reference in &registration.references {
            self.text(format!("{STORE_DIR}{reference}").as_bytes())?;
        }
        self.text(b"")?;
        self.number(0)
    }

    fn end(mut self, bundle: &Bundle) -> io::Result<()> {
        self.number(0)?;
        self.text(TRAILER)?;
        let main = bundle.main.as_ref().map(ToString::to_string).unwrap_or_default();
        self.text(main.as_bytes())?;
        self.text(bundle.lock.as_deref().unwrap_or_default())?;
        let hash = self.hash.clone().finalize();
        self.text(&hash)?;
        self.sink.flush()
    }
}

impl Write for Out<'_> {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        let n = self.sink.write(data)?;
        self.hash.update(&data[..n]);
        self.task.advance(n as u64);
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.sink.flush()
    }
}

/// What passes to the file, hashed once more for itself.
struct HashOut<'a, 'b> {
    out: &'a mut Out<'b>,
    hash: nar::HashWriter,
}

impl Write for HashOut<'_, '_> {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        let n = self.out.write(data)?;
        self.hash.write_all(&data[..n])?;
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

struct In<'a> {
    source: &'a mut dyn Read,
    hash: Sha256,
    task: &'a dyn Task,
}

impl Read for In<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.source.read(buffer)?;
        self.hash.update(&buffer[..n]);
        self.task.advance(n as u64);
        Ok(n)
    }
}

impl In<'_> {
    fn number(&mut self) -> io::Result<u64> {
        let mut bytes = [0; 8];
        self.read_exact(&mut bytes)?;
        Ok(u64::from_le_bytes(bytes))
    }

    fn text(&mut self, limit: u64) -> Result<Vec<u8>> {
        let length = self.number().map_err(reading)?;
        self.text_of(length, limit)
    }

    fn text_of(&mut self, length: u64, limit: u64) -> Result<Vec<u8>> {
        if length > limit {
            return Err(bad(&format!("it holds a text of {length} bytes")));
        }
        // A length is a claim until the bytes came.
        let mut text = Vec::with_capacity(length.min(1 << 16) as usize);
        let got = self.take(length).read_to_end(&mut text).map_err(reading)?;
        if (got as u64) < length {
            return Err(bad("it ends too early"));
        }
        let mut zeros = [0; 8];
        let zeros = &mut zeros[..nar::wire::padding(length)];
        self.read_exact(zeros).map_err(reading)?;
        match zeros.iter().all(|byte| *byte == 0) {
            true => Ok(text),
            false => Err(bad("a text is not filled up with zeros")),
        }
    }

    fn path(&mut self) -> Result<ObjectName> {
        let text = self.text(MAX_TEXT)?;
        let name = std::str::from_utf8(&text)
            .ok()
            .and_then(|text| text.strip_prefix(STORE_DIR)?.parse().ok());
        name.ok_or_else(|| bad(&format!("`{}` is no store path", nar::wire::shown(&text))))
    }

    /// What follows the last object: nothing, or our trailer and then nothing.
    fn trailer(&mut self) -> Result<Bundle> {
        let mut length = [0; 8];
        let mut filled = 0;
        while filled < length.len() {
            match self.read(&mut length[filled..]) {
                Ok(0) if filled == 0 => return Ok(Bundle::default()),
                Ok(0) => return Err(bad("it ends too early")),
                Ok(n) => filled += n,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(reading(e)),
            }
        }
        if self.text_of(u64::from_le_bytes(length), MAX_TEXT)? != TRAILER {
            return Err(bad("something else follows its objects"));
        }
        let main = self.text(MAX_TEXT)?;
        let lock = self.text(MAX_LOCK)?;
        let actual = self.hash.clone().finalize();
        if self.text(MAX_TEXT)? != actual[..] {
            return Err(bad("its bytes do not hash to what its end says"));
        }
        if crate::fs::read_part(self, &mut [0]).map_err(reading)? != 0 {
            return Err(bad("something follows its end"));
        }
        let main = match main.as_slice() {
            b"" => None,
            name => Some(
                std::str::from_utf8(name)
                    .ok()
                    .and_then(|name| name.parse().ok())
                    .ok_or_else(|| bad("it names no object"))?,
            ),
        };
        Ok(Bundle { main, lock: (!lock.is_empty()).then_some(lock) })
    }
}
