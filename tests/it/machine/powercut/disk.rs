//! A model of a disk: files, directories and links, and the steps that changed them.
//!
//! Each step says what must be synced to make it last: a file's bytes, length and mode need the
//! file, an entry its directory, a rename the directory that it leads to. Invariant: replaying every
//! step gives what the real filesystem has ([`Disk::is_as`]).

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Component, Path, PathBuf};

use super::trace::{Arg, Event};
use crate::crashes::random::Random;

type Id = usize;

/// The directory that everything is below.
const ROOT: Id = 0;

#[derive(Clone, Debug, PartialEq)]
enum What {
    File(Vec<u8>),
    Dir(BTreeMap<OsString, Id>),
    Link(PathBuf),
}

#[derive(Clone, Debug)]
struct Node {
    what: What,
    mode: u32,
}

#[derive(Clone, Debug)]
enum Step {
    Write { file: Id, at: usize, bytes: Vec<u8> },
    Length { file: Id, length: usize },
    Mode { node: Id, mode: u32 },
    Enter { dir: Id, name: OsString, node: Id },
    Leave { dir: Id, name: OsString },
    Rename { from: (Id, OsString), to: (Id, OsString), node: Id },
    Sync(Id),
    SyncAll,
}

/// Which of the steps that nothing made durable stay.
#[derive(Debug)]
pub(super) enum Keep {
    Nothing,
    Everything,
    /// A random subset, by this seed.
    Some(u64),
}

/// Files as they are at one time.
#[derive(Clone, Debug, Default)]
pub(super) struct State {
    nodes: Vec<Node>,
}

/// What was there, and what was done to it.
#[derive(Debug)]
pub(super) struct Disk {
    before: State,
    steps: Vec<Step>,
}

/// Following the record.
struct Replay<'a> {
    root: &'a Path,
    cwd: &'a Path,
    before: State,
    now: State,
    steps: Vec<Step>,
    /// Open descriptors: node and offset.
    open: BTreeMap<u64, (Id, usize)>,
}

impl Disk {
    /// Replays a record on what was below `root` before it.
    pub(super) fn replay(before: State, root: &Path, cwd: &Path, events: &[Event]) -> Self {
        let (now, open) = (before.clone(), BTreeMap::new());
        let mut replay = Replay { root, cwd, before, now, steps: Vec::new(), open };
        for event in events {
            replay.see(event);
        }
        Self { before: replay.before, steps: replay.steps }
    }

    /// How many steps there are.
    pub(super) fn len(&self) -> usize {
        self.steps.len()
    }

    /// Where a cut can make a difference: after every step that is no sync.
    pub(super) fn moments(&self) -> Vec<usize> {
        let is_sync = |step: &Step| matches!(step, Step::Sync(_) | Step::SyncAll);
        let all = self.steps.iter().enumerate();
        all.filter(|(_, step)| !is_sync(step)).map(|(at, _)| at + 1).collect()
    }

    /// What the disk has after a power cut behind the first `cut` steps.
    pub(super) fn after(&self, cut: usize, keep: &Keep) -> State {
        let mut state = self.before.clone();
        let mut random = match keep {
            Keep::Some(seed) => Random(*seed),
            _ => Random(0),
        };
        // From behind: what a sync that follows covers is durable.
        let (mut synced, mut all) = (BTreeSet::new(), false);
        let mut stays = vec![false; cut];
        for at in (0..cut).rev() {
            let needs = match &self.steps[at] {
                Step::Sync(node) => {
                    synced.insert(*node);
                    continue;
                }
                Step::SyncAll => {
                    all = true;
                    continue;
                }
                Step::Write { file, .. } | Step::Length { file, .. } => *file,
                Step::Mode { node, .. } => *node,
                Step::Enter { dir, .. } | Step::Leave { dir, .. } => *dir,
                Step::Rename { to, .. } => to.0,
            };
            let chance = match keep {
                Keep::Nothing => false,
                Keep::Everything => true,
                Keep::Some(_) => random.coin(),
            };
            stays[at] = all || synced.contains(&needs) || chance;
        }
        for (step, _) in self.steps[..cut].iter().zip(&stays).filter(|(_, stays)| **stays) {
            state.apply(step);
        }
        state
    }

    /// Whether all steps together make what is below `root` now; the first difference otherwise.
    pub(super) fn is_as(&self, root: &Path) -> Result<(), String> {
        let model = self.after(self.steps.len(), &Keep::Everything);
        let real = State::read(root);
        let (mut model, real) = (model.list(), real.list());
        for (path, have) in real {
            match model.remove(&path) {
                Some(want) if want == have => {}
                other => return Err(format!("{}: {other:?}", path.display())),
            }
        }
        match model.into_keys().next() {
            Some(more) => Err(format!("{} should be there", more.display())),
            None => Ok(()),
        }
    }
}

impl State {
    /// What is below a directory now.
    pub(super) fn read(root: &Path) -> Self {
        let mut state = Self::default();
        let mut known = BTreeMap::new();
        state.take(root, &mut known);
        state
    }

    fn add(&mut self, what: What, mode: u32) -> Id {
        self.nodes.push(Node { what, mode });
        self.nodes.len() - 1
    }

    fn take(&mut self, path: &Path, known: &mut BTreeMap<u64, Id>) -> Id {
        let meta = std::fs::symlink_metadata(path).expect("look");
        if let Some(id) = known.get(&meta.ino()) {
            return *id;
        }
        let mode = meta.mode() & 0o7777;
        let id = if meta.is_dir() {
            let id = self.add(What::Dir(BTreeMap::new()), mode);
            for entry in std::fs::read_dir(path).expect("list") {
                let entry = entry.expect("entry");
                let node = self.take(&entry.path(), known);
                self.apply(&Step::Enter { dir: id, name: entry.file_name(), node });
            }
            id
        } else if meta.is_symlink() {
            self.add(What::Link(std::fs::read_link(path).expect("link")), mode)
        } else if meta.is_file() {
            self.add(What::File(std::fs::read(path).expect("read")), mode)
        } else {
            panic!("{} is neither file, directory nor link", path.display());
        };
        known.insert(meta.ino(), id);
        id
    }

    fn apply(&mut self, step: &Step) {
        match step {
            Step::Write { file, at, bytes } => {
                if let What::File(data) = &mut self.nodes[*file].what {
                    data.resize(data.len().max(at + bytes.len()), 0);
                    data[*at..at + bytes.len()].copy_from_slice(bytes);
                }
            }
            Step::Length { file, length } => {
                if let What::File(data) = &mut self.nodes[*file].what {
                    data.resize(*length, 0);
                }
            }
            Step::Mode { node, mode } => self.nodes[*node].mode = *mode,
            Step::Enter { dir, name, node } => {
                if let What::Dir(entries) = &mut self.nodes[*dir].what {
                    entries.insert(name.clone(), *node);
                }
            }
            Step::Leave { dir, name } => {
                if let What::Dir(entries) = &mut self.nodes[*dir].what {
                    entries.remove(name);
                }
            }
            Step::Rename { from, to, node } => {
                self.apply(&Step::Leave { dir: from.0, name: from.1.clone() });
                self.apply(&Step::Enter { dir: to.0, name: to.1.clone(), node: *node });
            }
            Step::Sync(_) | Step::SyncAll => {}
        }
    }

    /// Everything by path: mode of files and directories, and what it is.
    fn list(&self) -> BTreeMap<PathBuf, (u32, String)> {
        let mut out = BTreeMap::new();
        let mut open = vec![(PathBuf::new(), ROOT)];
        while let Some((path, id)) = open.pop() {
            let node = &self.nodes[id];
            let (mode, shown) = match &node.what {
                What::Dir(entries) => {
                    open.extend(entries.iter().map(|(name, id)| (path.join(name), *id)));
                    (node.mode, "dir".to_owned())
                }
                What::Link(to) => (0, format!("-> {}", to.display())),
                What::File(data) => {
                    (node.mode, infra::base::Integrity::sha256_of(data).to_string())
                }
            };
            // The root's own mode is the temporary directory's.
            if id != ROOT {
                out.insert(path, (mode, shown));
            }
        }
        out
    }

    /// Puts everything below an empty directory.
    pub(super) fn write(&self, root: &Path) {
        let mut placed = BTreeMap::new();
        self.write_node(ROOT, root, &mut placed);
    }

    fn write_node(&self, id: Id, path: &Path, placed: &mut BTreeMap<Id, PathBuf>) {
        let node = &self.nodes[id];
        let mode = std::fs::Permissions::from_mode(node.mode);
        match &node.what {
            What::Dir(entries) => {
                if id != ROOT {
                    std::fs::create_dir(path).expect("create");
                }
                for (name, id) in entries {
                    self.write_node(*id, &path.join(name), placed);
                }
                if id != ROOT {
                    std::fs::set_permissions(path, mode).expect("chmod");
                }
            }
            What::Link(to) => std::os::unix::fs::symlink(to, path).expect("link"),
            What::File(data) => match placed.get(&id) {
                Some(other) => std::fs::hard_link(other, path).expect("hard link"),
                None => {
                    std::fs::write(path, data).expect("write");
                    // The power was off for a while.
                    let file = std::fs::File::options().write(true).open(path).expect("open");
                    let then = std::time::SystemTime::now() - std::time::Duration::from_secs(60);
                    file.set_modified(then).expect("set time");
                    std::fs::set_permissions(path, mode).expect("chmod");
                    placed.insert(id, path.to_owned());
                }
            },
        }
    }
}

/// Directory and name of a path, and the node that is there.
struct Place {
    dir: Id,
    name: OsString,
    node: Option<Id>,
}

impl Replay<'_> {
    fn step(&mut self, step: Step) {
        self.now.apply(&step);
        self.steps.push(step);
    }

    /// A node that is made now; before its steps it is empty.
    fn make(&mut self, what: What, mode: u32) -> Id {
        // Ids are the same in both.
        let id = self.now.add(what.clone(), mode);
        assert_eq!(id, self.before.add(what, mode));
        id
    }

    /// Where a path leads; `None` outside of what is watched, or where a directory is missing.
    fn find(&self, path: &Path, follow: bool) -> Option<Place> {
        let mut at = path.to_owned();
        for _ in 0..20 {
            let inside = at.strip_prefix(self.root).ok()?.to_owned();
            let (mut dir, mut shown) = (ROOT, self.root.to_owned());
            let parts: Vec<Component<'_>> = inside.components().collect();
            let Some((last, parents)) = parts.split_last() else {
                return Some(Place { dir: ROOT, name: OsString::new(), node: Some(ROOT) });
            };
            let mut jump = None;
            for (n, part) in parents.iter().enumerate() {
                let What::Dir(entries) = &self.now.nodes[dir].what else { return None };
                let next = *entries.get(part.as_os_str())?;
                match &self.now.nodes[next].what {
                    What::Dir(_) => {
                        dir = next;
                        shown.push(part);
                    }
                    What::Link(to) => {
                        let rest: PathBuf = parts[n + 1..].iter().collect();
                        jump = Some(shown.join(to).join(rest));
                        break;
                    }
                    What::File(_) => return None,
                }
            }
            if let Some(to) = jump {
                at = plain(&to);
                continue;
            }
            let What::Dir(entries) = &self.now.nodes[dir].what else { return None };
            let node = entries.get(last.as_os_str()).copied();
            match node.map(|id| &self.now.nodes[id].what) {
                Some(What::Link(to)) if follow => at = plain(&shown.join(to)),
                _ => return Some(Place { dir, name: last.as_os_str().to_owned(), node }),
            }
        }
        None
    }

    /// A path argument, relative to the working directory or to the descriptor before it.
    fn path(&self, dir: Option<&Arg>, path: &Arg) -> PathBuf {
        let base = dir.and_then(|arg| arg.path.as_deref()).unwrap_or(self.cwd);
        plain(&base.join(path.as_path()))
    }

    /// The node of a descriptor, by its path.
    fn node(&self, fd: &Arg) -> Option<Id> {
        self.find(fd.path.as_deref()?, false)?.node
    }

    fn see(&mut self, event: &Event) {
        let args = &event.args;
        let gave = event.gave.number().and_then(|n| usize::try_from(n).ok()).unwrap_or_default();
        match event.call.as_str() {
            "open" | "creat" => self.opened(None, &args[0], args, event),
            "openat" => self.opened(Some(&args[0]), &args[1], &args[1..], event),
            "mkdir" => self.made(self.path(None, &args[0]), What::Dir(BTreeMap::new()), &args[1]),
            "mkdirat" => {
                let path = self.path(Some(&args[0]), &args[1]);
                self.made(path, What::Dir(BTreeMap::new()), &args[2]);
            }
            "symlink" => {
                let link = What::Link(args[0].as_path());
                self.made(self.path(None, &args[1]), link, &args[1]);
            }
            "symlinkat" => {
                let link = What::Link(args[0].as_path());
                self.made(self.path(Some(&args[1]), &args[2]), link, &args[2]);
            }
            "rename" => self.renamed(self.path(None, &args[0]), self.path(None, &args[1])),
            "renameat" | "renameat2" => {
                let from = self.path(Some(&args[0]), &args[1]);
                self.renamed(from, self.path(Some(&args[2]), &args[3]));
            }
            "link" => self.linked(self.path(None, &args[0]), self.path(None, &args[1])),
            "linkat" => {
                let from = self.path(Some(&args[0]), &args[1]);
                self.linked(from, self.path(Some(&args[2]), &args[3]));
            }
            "unlink" | "rmdir" => self.removed(self.path(None, &args[0])),
            "unlinkat" => self.removed(self.path(Some(&args[0]), &args[1])),
            "write" | "writev" => {
                let at = self.offset(&args[0], gave);
                self.wrote(&args[0], at, &args[1].bytes[..gave.min(args[1].bytes.len())]);
            }
            "pwrite64" | "pwritev" => {
                let at = args.last().and_then(Arg::number).unwrap_or_default();
                let at = usize::try_from(at).expect("offset");
                self.wrote(&args[0], Some(at), &args[1].bytes[..gave.min(args[1].bytes.len())]);
            }
            "read" => drop(self.offset(&args[0], gave)),
            "lseek" => {
                if let Some(entry) = args[0].number().and_then(|fd| self.open.get_mut(&fd)) {
                    entry.1 = gave;
                }
            }
            "copy_file_range" => self.copied(&args[0], &args[2], gave),
            "sendfile" => self.copied(&args[1], &args[0], gave),
            "ftruncate" => {
                let length = args[1].number().and_then(|n| usize::try_from(n).ok());
                if let (Some(file), Some(length)) = (self.node(&args[0]), length) {
                    self.step(Step::Length { file, length });
                }
            }
            "fchmod" => {
                if let Some(node) = self.node(&args[0]) {
                    self.moded(Some(node), &args[1]);
                }
            }
            "chmod" => {
                let place = self.find(&self.path(None, &args[0]), true);
                self.moded(place.and_then(|place| place.node), &args[1]);
            }
            "fchmodat" => {
                let place = self.find(&self.path(Some(&args[0]), &args[1]), true);
                self.moded(place.and_then(|place| place.node), &args[2]);
            }
            "fsync" | "fdatasync" => {
                if let Some(node) = self.node(&args[0]) {
                    self.step(Step::Sync(node));
                }
            }
            "syncfs" | "sync" => self.step(Step::SyncAll),
            // A terminal is asked; only a clone of a file would matter, and no case makes one.
            "ioctl" => assert!(!args.iter().any(|arg| arg.text.contains("FICLONE")), "{event:?}"),
            other => panic!("{other} is recorded but not understood: {event:?}"),
        }
    }

    fn opened(&mut self, dir: Option<&Arg>, path: &Arg, flags: &[Arg], event: &Event) {
        let follow = !event.args.iter().any(|arg| arg.text.contains("O_NOFOLLOW"));
        let Some(place) = self.find(&self.path(dir, path), follow) else { return };
        let has =
            |flag: &str| flags.get(1).is_some_and(|arg| arg.text.split('|').any(|f| f == flag));
        let node = match place.node {
            Some(node) => {
                if has("O_TRUNC") {
                    self.step(Step::Length { file: node, length: 0 });
                }
                node
            }
            None => {
                let mode = flags.get(2).and_then(Arg::number).unwrap_or(0o666);
                let node = self.make(What::File(Vec::new()), masked(mode));
                self.step(Step::Enter { dir: place.dir, name: place.name, node });
                node
            }
        };
        if let Some(fd) = event.gave.number() {
            let offset = if has("O_APPEND") { usize::MAX } else { 0 };
            self.open.insert(fd, (node, offset));
        }
    }

    /// The offset of a descriptor, which then moves on by `by`.
    fn offset(&mut self, fd: &Arg, by: usize) -> Option<usize> {
        let node = self.node(fd)?;
        let entry = fd.number().and_then(|fd| self.open.get_mut(&fd))?;
        if entry.0 != node || entry.1 == usize::MAX {
            return None;
        }
        let at = entry.1;
        entry.1 += by;
        Some(at)
    }

    fn wrote(&mut self, fd: &Arg, at: Option<usize>, bytes: &[u8]) {
        let Some(file) = self.node(fd) else { return };
        let What::File(data) = &self.now.nodes[file].what else { return };
        let at = at.unwrap_or(data.len());
        self.step(Step::Write { file, at, bytes: bytes.to_owned() });
    }

    fn copied(&mut self, from: &Arg, to: &Arg, length: usize) {
        let (source, at) = (self.node(from), self.offset(from, length).unwrap_or_default());
        let bytes = match (source, from.path.as_deref()) {
            (Some(source), _) => match &self.now.nodes[source].what {
                What::File(data) => data.clone(),
                _ => return,
            },
            (None, Some(path)) => std::fs::read(path).unwrap_or_default(),
            (None, None) => return,
        };
        let end = (at + length).min(bytes.len());
        let target = self.offset(to, length);
        self.wrote(to, target, &bytes[at.min(end)..end]);
    }

    fn made(&mut self, path: PathBuf, what: What, mode: &Arg) {
        let Some(place) = self.find(&path, false) else { return };
        let node = self.make(what, masked(mode.number().unwrap_or(0o777)));
        self.step(Step::Enter { dir: place.dir, name: place.name, node });
    }

    fn renamed(&mut self, from: PathBuf, to: PathBuf) {
        let (from, to) = (self.find(&from, false), self.find(&to, false));
        if let (Some(from), Some(to)) = (from, to)
            && let Some(node) = from.node
        {
            let (from, to) = ((from.dir, from.name), (to.dir, to.name));
            self.step(Step::Rename { from, to, node });
        }
    }

    fn linked(&mut self, from: PathBuf, to: PathBuf) {
        let (from, to) = (self.find(&from, false), self.find(&to, false));
        if let (Some(from), Some(to)) = (from, to)
            && let Some(node) = from.node
        {
            self.step(Step::Enter { dir: to.dir, name: to.name, node });
        }
    }

    fn removed(&mut self, path: PathBuf) {
        if let Some(place) = self.find(&path, false) {
            self.step(Step::Leave { dir: place.dir, name: place.name });
        }
    }

    fn moded(&mut self, node: Option<Id>, mode: &Arg) {
        if let (Some(node), Some(mode)) = (node, mode.number()) {
            self.step(Step::Mode { node, mode: u32::try_from(mode).expect("mode") & 0o7777 });
        }
    }
}

/// What the umask of these tests leaves.
fn masked(mode: u64) -> u32 {
    let status = std::fs::read_to_string("/proc/self/status").expect("status");
    let mask = status.lines().find_map(|line| line.strip_prefix("Umask:")).expect("umask");
    let mask = u32::from_str_radix(mask.trim(), 8).expect("octal");
    u32::try_from(mode).expect("mode") & 0o7777 & !mask
}

/// Without `.` and `..`.
fn plain(path: &Path) -> PathBuf {
    let mut out = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => drop(out.pop()),
            other => out.push(other),
        }
    }
    out
}

/// The model tells a careless program from a careful one.
#[test]
fn what_is_not_synced_is_not_there() {
    let record = |sync_file: &str, sync_dir: &str| {
        let text = format!(
            "1 openat(AT_FDCWD</r>, \"t\", O_WRONLY|O_CREAT|O_EXCL, 0644) = 3</r/t>\n\
             1 write(3</r/t>, \"new\", 3) = 3\n\
             {sync_file}\
             1 rename(\"t\", \"f\") = 0\n\
             {sync_dir}\
             1 mkdir(\"d\", 0755) = 0\n"
        );
        let mut before = State::default();
        let root = before.add(What::Dir(BTreeMap::new()), 0o755);
        let old = before.add(What::File(b"old".to_vec()), 0o644);
        before.apply(&Step::Enter { dir: root, name: "f".into(), node: old });
        let root = Path::new("/r");
        Disk::replay(before, root, root, &super::trace::read(text.as_bytes()))
    };
    let shown = |state: &State| -> Vec<(String, String)> {
        let all = state.list().into_iter();
        all.map(|(path, (_, what))| (path.display().to_string(), what)).collect()
    };
    let file = |bytes: &[u8]| infra::base::Integrity::sha256_of(bytes).to_string();
    let only = |bytes: &[u8]| vec![("f".to_owned(), file(bytes))];
    let (fsync, dirsync) = ("1 fsync(3</r/t>) = 0\n", "1 fsync(4</r>) = 0\n");

    let careful = record(fsync, dirsync);
    assert_eq!(shown(&careful.after(careful.len(), &Keep::Nothing)), only(b"new"));
    let all = careful.after(careful.len(), &Keep::Everything);
    assert_eq!(shown(&all)[0], ("d".to_owned(), "dir".to_owned()));
    // Before the directory's sync the old file is as likely as the new one.
    let at_rename = careful.moments()[2];
    assert_eq!(shown(&careful.after(at_rename, &Keep::Nothing)), only(b"old"));
    let seen: BTreeSet<_> =
        (0..64).map(|seed| shown(&careful.after(at_rename, &Keep::Some(seed)))).collect();
    assert!(seen.contains(&only(b"old")) && seen.contains(&only(b"new")), "{seen:?}");
    assert!(!seen.contains(&only(b"")), "{seen:?}");

    let careless = record("", dirsync);
    assert_eq!(shown(&careless.after(careless.len(), &Keep::Nothing)), only(b""));
    let forgetful = record(fsync, "");
    assert_eq!(shown(&forgetful.after(forgetful.len(), &Keep::Nothing)), only(b"old"));
}
