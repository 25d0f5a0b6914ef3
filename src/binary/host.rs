//! What this host offers to executables, and what it lacks of what they need.
//!
//! Everything is read from the host's files: its loader, the C library's own version, the cache of
//! `ldconfig` and the directories that the loader looks into; nothing is run. `LD_LIBRARY_PATH` is
//! left out: it is the caller's, not the host's. Invariant: [`Host::lacks`] says nothing that the
//! loader would not fail on.

use std::cell::{OnceCell, RefCell};
use std::collections::BTreeSet;
use std::fmt;
use std::path::{Path, PathBuf};

use super::verdict::libc_name;
use super::{Executable, Needs, elf, inspect_file, loader};
use crate::base::{Arch, Libc};
use crate::fs;

/// Something that a host lacks; shown as what an executable needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lack {
    /// The loader that a dynamic executable is started by.
    Interpreter {
        /// Its path.
        path: String,
        /// The C library that the host has instead, where one was found.
        instead: Option<Libc>,
    },
    /// Symbols of a newer glibc.
    Glibc {
        /// The lowest version that has them.
        wanted: String,
        /// The host's version.
        have: String,
    },
    /// A library that is nowhere the loader looks.
    Library {
        /// Its name.
        name: String,
    },
    /// The program that a script's first line names.
    Program {
        /// Its path.
        path: String,
    },
}

impl fmt::Display for Lack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Interpreter { path, instead: Some(libc) } => {
                let libc = libc_name(*libc);
                write!(f, "the loader {path}, which this host lacks: its C library is {libc}")
            }
            Self::Interpreter { path, instead: None } => {
                write!(f, "the loader {path}, which this host lacks")
            }
            Self::Glibc { wanted, have } => write!(f, "glibc {wanted}; this host has {have}"),
            Self::Library { name } => {
                write!(f, "the library {name}, which is nowhere this host's loader looks")
            }
            Self::Program { path } => write!(f, "the program {path}, which this host lacks"),
        }
    }
}

/// A host, read from its files.
#[derive(Debug)]
pub struct Host {
    root: PathBuf,
    cache: OnceCell<Vec<u8>>,
    glibc: OnceCell<Option<Vec<u32>>>,
    relied: RefCell<BTreeSet<PathBuf>>,
}

impl Host {
    /// The one that this program runs on.
    pub fn here() -> Self {
        Self::at(Path::new("/"))
    }

    /// The one whose files lie below `root`.
    pub fn at(root: &Path) -> Self {
        let (cache, glibc) = (OnceCell::new(), OnceCell::new());
        Self { root: root.to_owned(), cache, glibc, relied: RefCell::default() }
    }

    /// Every file and directory that what was said so far rests on: while none of them changes, what
    /// was not lacking is not lacking.
    pub fn relied_on(&self) -> BTreeSet<PathBuf> {
        self.relied.borrow().clone()
    }

    fn relies_on(&self, path: &Path) {
        self.relied.borrow_mut().insert(path.to_owned());
    }

    /// Whether a library lies in a directory, which what is said then rests on either way: one that
    /// comes to lie there later is taken before others.
    fn is_in(&self, directory: &Path, name: &str, arch: Arch) -> bool {
        let path = directory.join(name);
        let found = is_for(&path, arch);
        self.relies_on(if found { &path } else { directory });
        found
    }

    /// The C libraries whose loader is there, glibc with its version where it can be read.
    pub fn libcs(&self, arch: Arch) -> Vec<(Libc, Option<String>)> {
        let mut out = Vec::new();
        if self.has_loader(Libc::Glibc, arch) {
            out.push((Libc::Glibc, self.glibc(arch).map(elf::dotted)));
        }
        if self.has_loader(Libc::Musl, arch) {
            out.push((Libc::Musl, None));
        }
        out
    }

    /// What is lacking of what executables of a machine need; `search` are directories that they
    /// name themselves.
    pub fn lacks(&self, needs: &Needs, arch: Arch, search: &[PathBuf]) -> Vec<Lack> {
        let mut out = Vec::new();
        for line in &needs.programs {
            let path = line.split_whitespace().next().unwrap_or_default();
            if !self.exists(path) {
                out.push(Lack::Program { path: path.to_owned() });
            }
        }
        if let Some(path) = &needs.interpreter
            && !self.exists(path)
        {
            let instead = self.libcs(arch).first().map(|(libc, _)| *libc);
            out.push(Lack::Interpreter { path: path.clone(), instead });
            // Without it nobody looks for the rest.
            return out;
        }
        let Some(libc) = needs.libc.as_deref() else { return out };
        if libc == libc_name(Libc::Glibc)
            && let (Some(wanted), Some(have)) = (&needs.libc_version, self.glibc(arch))
            && numbers(wanted) > have
        {
            out.push(Lack::Glibc { wanted: wanted.clone(), have: elf::dotted(have) });
        }
        for name in &needs.libraries {
            if !self.has_library(name, libc, arch, search) {
                out.push(Lack::Library { name: name.clone() });
            }
        }
        out
    }

    /// What is lacking of what a file that lies on this machine needs to start, and the libraries
    /// that come with it. A file that is neither ELF nor a script needs nothing that is known here.
    pub fn lacks_of(&self, file: &Path) -> fs::Result<Vec<Lack>> {
        let mut opened = fs::open(file)?;
        let mut head = [0; 256];
        let count = read_head(&mut opened, &mut head);
        if let Some(program) = super::script_program(&head[..count]) {
            let needs = Needs { programs: vec![program], ..Needs::default() };
            return Ok(self.lacks(&needs, Arch::X86_64, &[]));
        }
        let Some(executable) = inspect_file(opened) else { return Ok(Vec::new()) };
        let Some(arch) = executable.arches.first().copied() else { return Ok(Vec::new()) };
        let mut out = Vec::new();
        let mut seen = BTreeSet::new();
        let mut open = vec![(file.to_owned(), executable, Vec::new())];
        while let Some((path, executable, inherited)) = open.pop() {
            let search = [directories(&path, &executable), inherited].concat();
            for name in &executable.needs.libraries {
                let own = search.iter().find(|d| self.is_in(d, name, arch));
                let own = own.map(|directory| directory.join(name));
                if let Some(own) = own
                    && seen.insert(own.clone())
                    && let Some(library) = inspect_file(fs::open(&own)?)
                {
                    let below =
                        if executable.search.inherited { search.clone() } else { Vec::new() };
                    open.push((own, library, below));
                }
            }
            for lack in self.lacks(&executable.needs, arch, &search) {
                if !out.contains(&lack) {
                    out.push(lack);
                }
            }
        }
        Ok(out)
    }

    fn has_loader(&self, libc: Libc, arch: Arch) -> bool {
        let machine = loader::machine(arch);
        let paths = match (libc, arch) {
            (Libc::Musl, _) => vec![format!("lib/ld-musl-{machine}.so.1")],
            (Libc::Glibc, Arch::X86_64) => vec!["lib64/ld-linux-x86-64.so.2".to_owned()],
            (Libc::Glibc, Arch::Aarch64) => vec!["lib/ld-linux-aarch64.so.1".to_owned()],
        };
        paths.iter().any(|path| self.exists(path))
    }

    fn exists(&self, path: &str) -> bool {
        let path = path.trim_start_matches('/');
        let full = self.root.join(path);
        // Following links: a link that leads nowhere starts nothing.
        let is_there = !path.is_empty() && fs::open(&full).is_ok();
        self.relies_on(&full);
        is_there
    }

    /// glibc's version, from its library: the highest that it defines symbols for, or that its own
    /// words give.
    fn glibc(&self, arch: Arch) -> Option<Vec<u32>> {
        let read = || {
            let path = self.find("libc.so.6", arch)?;
            let bytes = fs::read(&path).ok()?;
            let defines = elf::read(bytes.as_slice()).map(|elf| elf.defines).unwrap_or_default();
            let defined = defines.iter().filter_map(|v| elf::glibc_version(v)).max();
            defined.max(loader::glibc_banner(&bytes))
        };
        self.glibc.get_or_init(read).clone()
    }

    fn has_library(&self, name: &str, libc: &str, arch: Arch, search: &[PathBuf]) -> bool {
        if name.contains('/') {
            return self.exists(name);
        }
        if search.iter().any(|directory| self.is_in(directory, name, arch)) {
            return true;
        }
        if libc == libc_name(Libc::Musl) {
            let file = self.root.join(format!("etc/ld-musl-{}.path", loader::machine(arch)));
            self.relies_on(&file);
            let file = fs::read_to_string_if_exists(&file).ok().flatten();
            let places = loader::musl_directories(file.as_deref());
            return loader::is_musl_itself(name)
                || places.iter().any(|place| self.is_in(&self.root.join(place), name, arch));
        }
        self.find(name, arch).is_some()
    }

    /// Where glibc's loader finds a library of the host.
    fn find(&self, name: &str, arch: Arch) -> Option<PathBuf> {
        let file = self.root.join("etc/ld.so.cache");
        self.relies_on(&file);
        let read = || fs::read(&file).unwrap_or_default();
        let cached = loader::in_cache(self.cache.get_or_init(read), name, arch);
        let cached = cached.iter().map(|path| self.root.join(path.trim_start_matches('/')));
        let places = loader::glibc_directories(arch);
        let default = places.iter().map(|place| self.root.join(place).join(name));
        let found = cached.chain(default).find(|path| is_for(path, arch));
        if let Some(path) = &found {
            self.relies_on(path);
        }
        found
    }
}

/// The directories that a file names, in full.
fn directories(file: &Path, executable: &Executable) -> Vec<PathBuf> {
    let own = file.parent().unwrap_or(Path::new("/"));
    let from_origin = executable.search.from_origin().map(|rest| own.join(rest));
    from_origin.chain(executable.search.absolute().map(PathBuf::from)).collect()
}

fn read_head(file: &mut std::fs::File, head: &mut [u8]) -> usize {
    use std::io::{Read as _, Seek as _};
    let count = file.read(head).unwrap_or(0);
    // What follows reads by position.
    let _ = file.rewind();
    count
}

/// Whether a file is an ELF file of 64 bits for a machine.
fn is_for(path: &Path, arch: Arch) -> bool {
    let Ok(mut file) = fs::open(path) else { return false };
    let mut head = [0; 20];
    let machine: u8 = match arch {
        Arch::X86_64 => 62,
        Arch::Aarch64 => 183,
    };
    read_head(&mut file, &mut head) == head.len()
        && head.starts_with(b"\x7fELF\x02\x01")
        && head[18..] == [machine, 0]
}

/// `2.17` as numbers, so that it is more than `2.4`.
fn numbers(version: &str) -> Vec<u32> {
    version.split('.').map(|part| part.parse().unwrap_or(0)).collect()
}

#[cfg(test)]
mod tests {
    use super::super::loader::tests::cache;
    use super::super::tests::make::Elf;
    use super::*;

    const LOADER: &str = "/lib64/ld-linux-x86-64.so.2";

    struct Fake(tempfile::TempDir);

    impl Fake {
        fn new() -> Self {
            Self(tempfile::tempdir().expect("tempdir"))
        }

        fn put(&self, path: &str, bytes: &[u8]) -> &Self {
            let path = self.0.path().join(path);
            fs::create_dir_all(path.parent().expect("parent")).expect("mkdir");
            fs::write_atomic(&path, bytes).expect("write");
            self
        }

        fn library(&self, path: &str) -> &Self {
            self.put(path, &Elf::default().bytes())
        }

        fn glibc(&self, version: &str) -> &Self {
            let words = format!("\0GNU C Library (x) stable release version {version}.\n");
            let bytes = [Elf::default().bytes(), words.into_bytes()].concat();
            self.library("lib64/ld-linux-x86-64.so.2").put("opt/libc.so.6", &bytes);
            self.put("etc/ld.so.cache", &cache(&[("libc.so.6", 0x0303, "/opt/libc.so.6")]))
        }

        fn lacks(&self, needs: &Needs) -> Vec<String> {
            let host = Host::at(self.0.path());
            host.lacks(needs, Arch::X86_64, &[]).iter().map(ToString::to_string).collect()
        }
    }

    fn needs(libraries: &[&str]) -> Needs {
        Needs {
            libc: Some("glibc".to_owned()),
            libc_version: Some("2.34".to_owned()),
            interpreter: Some(LOADER.to_owned()),
            libraries: libraries.iter().map(|l| (*l).to_owned()).collect(),
            programs: Vec::new(),
        }
    }

    #[test]
    fn a_host_of_glibc() {
        let fake = Fake::new();
        fake.glibc("2.36").library("usr/lib/x86_64-linux-gnu/libz.so.1");
        assert_eq!(fake.lacks(&needs(&["libc.so.6", "libz.so.1"])), [""; 0]);
        fake.put("lib/libother.so.2", &Elf { machine: 183, ..Elf::default() }.bytes());
        assert_eq!(
            fake.lacks(&needs(&["libother.so.2"])),
            ["the library libother.so.2, which is nowhere this host's loader looks"],
            "a library of another machine is none"
        );
        let fake = Fake::new();
        fake.glibc("2.31");
        assert_eq!(fake.lacks(&needs(&["libc.so.6"])), ["glibc 2.34; this host has 2.31"]);
        let host = Host::at(fake.0.path());
        assert_eq!(host.libcs(Arch::X86_64), [(Libc::Glibc, Some("2.31".to_owned()))]);
    }

    #[test]
    fn a_host_of_musl() {
        let fake = Fake::new();
        fake.library("lib/ld-musl-x86_64.so.1").library("usr/local/lib/libz.so.1");
        assert_eq!(
            fake.lacks(&needs(&["libc.so.6"])),
            [format!("the loader {LOADER}, which this host lacks: its C library is musl")]
        );
        let musl = Needs {
            libc: Some("musl".to_owned()),
            interpreter: Some("/lib/ld-musl-x86_64.so.1".to_owned()),
            libraries: ["libc.musl-x86_64.so.1", "libz.so.1", "libssl.so.3"]
                .map(str::to_owned)
                .into(),
            ..Needs::default()
        };
        assert_eq!(
            fake.lacks(&musl),
            ["the library libssl.so.3, which is nowhere this host's loader looks"]
        );
        fake.put("etc/ld-musl-x86_64.path", b"/own\n").library("own/libssl.so.3");
        assert_eq!(
            fake.lacks(&musl),
            ["the library libz.so.1, which is nowhere this host's loader looks"]
        );
    }

    #[test]
    fn what_it_rests_on() {
        let fake = Fake::new();
        fake.glibc("2.36").library("usr/lib/x86_64-linux-gnu/libz.so.1").library("own/libown.so.1");
        let host = Host::at(fake.0.path());
        let search = ["none", "own"].map(|name| fake.0.path().join(name));
        let needs = needs(&["libc.so.6", "libz.so.1", "libown.so.1"]);
        assert_eq!(host.lacks(&needs, Arch::X86_64, &search), []);
        let relied = host.relied_on();
        for path in [
            "lib64/ld-linux-x86-64.so.2",
            "opt/libc.so.6",
            "etc/ld.so.cache",
            "usr/lib/x86_64-linux-gnu/libz.so.1",
            "own/libown.so.1",
            // What comes to lie there would be taken before others.
            "none",
            "own",
        ] {
            assert!(relied.contains(&fake.0.path().join(path)), "{path}: {relied:?}");
        }
    }

    #[test]
    fn scripts() {
        let fake = Fake::new();
        let script = Needs { programs: vec!["/bin/sh -e".to_owned()], ..Needs::default() };
        assert_eq!(fake.lacks(&script), ["the program /bin/sh, which this host lacks"]);
        fake.put("bin/sh", b"x");
        assert_eq!(fake.lacks(&script), [""; 0]);
        // The static program needs nothing of any host.
        assert_eq!(Fake::new().lacks(&Needs::default()), [""; 0]);
    }

    #[test]
    fn a_file_brings_its_own_libraries() {
        let fake = Fake::new();
        fake.glibc("2.36");
        let own = |needed| Elf {
            interpreter: Some(LOADER),
            needed,
            runpath: Some("$ORIGIN/../lib"),
            ..Elf::default()
        };
        fake.put("dep/bin/tool", &own(&["libown.so.1", "libc.so.6"]).bytes());
        fake.put(
            "dep/lib/libown.so.1",
            &Elf { needed: &["libfar.so.9"], ..Elf::default() }.bytes(),
        );
        let file = fake.0.path().join("dep/bin/tool");
        let lacks = Host::at(fake.0.path()).lacks_of(&file).expect("read");
        let shown: Vec<_> = lacks.iter().map(ToString::to_string).collect();
        // The library that comes along is found; it does not say which libc it is for, so what it
        // needs itself is not known to be missing.
        assert_eq!(shown, [""; 0]);
        let bytes = Elf { needed: &["libc.so.6", "libfar.so.9"], ..Elf::default() }.bytes();
        fake.put("dep/lib/libown.so.1", &bytes);
        let lacks = Host::at(fake.0.path()).lacks_of(&file).expect("read");
        assert_eq!(lacks, [Lack::Library { name: "libfar.so.9".to_owned() }]);
        fake.put("script", b"#!/usr/bin/none\n");
        let lacks = Host::at(fake.0.path()).lacks_of(&fake.0.path().join("script"));
        assert_eq!(lacks.expect("read"), [Lack::Program { path: "/usr/bin/none".to_owned() }]);
    }
}
