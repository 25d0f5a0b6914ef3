//! Switching, cut at every step; rolling back; pruning; many at once.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::path::PathBuf;

use super::*;
use crate::base::{Integrity, Platform};

const WAIT: Duration = Duration::from_secs(30);

/// A project directory and the roots that were registered.
struct Project {
    dir: tempfile::TempDir,
    roots: RefCell<BTreeSet<PathBuf>>,
}

fn object(fill: u8) -> (PathBuf, ObjectName, TreeHash) {
    let tree = TreeHash::new([fill; 32]);
    let name = ObjectName::for_tree(&tree, &BTreeSet::new(), "env-dev").expect("name");
    (Path::new("/store/store").join(name.to_string()), name, tree)
}

fn inputs(text: &str) -> Inputs {
    Inputs { files: BTreeSet::new(), digest: Integrity::sha256_of(text.as_bytes()) }
}

impl Project {
    fn new() -> Self {
        let dir = tempfile::tempdir().expect("tempdir");
        Self { dir, roots: RefCell::default() }
    }

    fn generations(&self) -> Generations {
        Generations::new(self.dir.path(), &"dev".parse().expect("name"))
    }

    /// Switches; dies at the named point.
    fn switch_until(&self, fill: u8, inputs: &Inputs, end: &str) -> Result<Switched> {
        let (path, name, tree) = object(fill);
        let change = Change { inputs, now: Timestamp::UNIX_EPOCH, wait: WAIT, reporter: &Quiet };
        let effects = Effects {
            root: &|link| {
                assert!(fs::exists(link)?, "a root must exist when it is registered");
                self.roots.borrow_mut().insert(link.to_owned());
                Ok(())
            },
            point: &|name| {
                assert!(interrupt::POINTS.contains(&name));
                if name == end {
                    return Err(Error::NotBuilt("killed".parse().expect("name")));
                }
                Ok(())
            },
        };
        self.generations().switch_to(&path, &name, &tree, &change, &effects)
    }

    fn switch(&self, fill: u8) -> Switched {
        self.switch_until(fill, &inputs("in"), "").expect("switch")
    }

    fn roll_back(&self, to: Option<u64>, inputs: &Inputs) -> Result<Generation> {
        let change = Change { inputs, now: Timestamp::UNIX_EPOCH, wait: WAIT, reporter: &Quiet };
        let effects = Effects { root: &|_| Ok(()), point: &|_| Ok(()) };
        let there = |object: &ObjectName| {
            Ok((object.name() == "env-dev").then_some(TreeHash::new([0; 32])))
        };
        self.generations().roll_back_to(to, &there, &change, &effects)
    }

    /// What must hold after every instruction; gives the current number.
    fn check(&self) -> Option<u64> {
        let generations = self.generations();
        let current = generations.current().expect("never damaged")?;
        let record = current.record.as_ref().expect("a current generation has its record");
        assert_eq!(record.object, current.object);
        assert_eq!(current.path.file_name(), Some(current.object.to_string().as_ref()));
        assert!(self.roots.borrow().contains(&current.link), "a current generation is a root");
        assert!(generations.list().expect("list").iter().any(|g| g.current));
        Some(current.number)
    }
}

#[test]
fn only_a_new_object_makes_a_new_generation() {
    let project = Project::new();
    assert_eq!(project.generations().current().expect("none"), None);
    assert!(matches!(project.generations().require(), Err(Error::NotBuilt(_))));
    let first = project.switch(1);
    assert_eq!((first.generation.number, first.previous, first.changed()), (1, None, true));
    let same = project.switch(1);
    assert_eq!((same.generation.number, same.changed()), (1, false));
    assert_eq!(project.switch(2).generation.number, 2);
    assert_eq!(project.switch(1).generation.number, 3, "as in Nix: numbers only grow");
    let link = fs::read_link(&project.generations().link()).expect("link");
    assert_eq!(link, Path::new("dev@3"));
    let ignore = fs::read_to_string(&project.dir.path().join(".infra/.gitignore"));
    assert_eq!(ignore.expect("read"), "*\n");
}

#[test]
fn a_cut_switch_leaves_old_or_new_and_repeating_finishes_it() {
    for end in ["env.staged", "env.linked", "env.switched"] {
        for before in [None, Some(1)] {
            let project = Project::new();
            if let Some(fill) = before {
                project.switch(fill);
            }
            project.switch_until(2, &inputs("in"), end).expect_err("killed");
            let next = before.map_or(1, |_| 2);
            let expected = if end == "env.switched" { Some(next) } else { before.map(|_| 1) };
            assert_eq!(project.check(), expected, "{end}");
            let finished = project.switch(2);
            assert_eq!(finished.generation.number, next, "{end}: the same number");
            assert_eq!(project.check(), Some(next));
            assert_eq!(project.generations().list().expect("list").len() as u64, next);
        }
    }
}

#[test]
fn another_object_after_a_cut_switch_takes_no_record_of_it() {
    let project = Project::new();
    project.switch(1);
    project.switch_until(2, &inputs("in"), "env.staged").expect_err("killed");
    let other = project.switch(3).generation;
    assert_eq!(other.number, 2);
    assert_eq!(other.record.expect("record").digest, TreeHash::new([3; 32]));
}

#[test]
fn left_over_temporary_names_are_swept() {
    let project = Project::new();
    project.switch(1);
    let left = project.dir.path().join(".infra/env/.dev.1-0.tmp");
    fs::symlink(Path::new("x"), &left).expect("link");
    project.switch(1);
    assert!(!fs::exists(&left).expect("look"));
}

#[test]
fn rolling_back_stands_until_the_project_changes() {
    let project = Project::new();
    let dir = project.dir.path().to_owned();
    let write = |text: &str| fs::write_atomic(&dir.join("p.toml"), text.as_bytes()).expect("write");
    let now = || {
        let none = std::collections::BTreeMap::new();
        let files = [dir.join("p.toml")];
        Inputs::collect(&dir, &files, &dir.join("lock"), &none, Platform::X86_64Linux)
            .expect("inputs")
    };
    let is_current = || {
        let current = project.generations().require().expect("current");
        current.is_current(&dir, Platform::X86_64Linux).expect("read")
    };
    write("one");
    project.switch_until(1, &now(), "").expect("switch");
    assert!(is_current());
    write("two");
    assert!(!is_current());
    project.switch_until(2, &now(), "").expect("switch");
    assert!(is_current());

    let back = project.roll_back(None, &now()).expect("roll back");
    assert_eq!((back.number, back.is_held()), (1, true));
    assert!(is_current(), "held: the next run does not undo it");
    write("three");
    assert!(!is_current(), "the first change ends it");
    write("one");
    assert!(is_current(), "what it was made from");

    write("two");
    let forward = project.roll_back(Some(2), &now()).expect("forward");
    assert!(!forward.is_held(), "it is what the project asks for anyway");
    project.roll_back(Some(1), &now()).expect("roll back");
    let built = project.switch_until(2, &now(), "").expect("an explicit build");
    assert_eq!((built.generation.number, built.previous), (2, Some(1)));
    let again = project.switch_until(1, &now(), "").expect("switch");
    assert_eq!(again.generation.number, 3);
    assert!(!again.generation.is_held());
}

#[test]
fn rolling_back_to_nothing_says_what_there_is() {
    let project = Project::new();
    let nothing = project.roll_back(None, &inputs("in")).expect_err("not built");
    assert!(matches!(nothing, Error::NotBuilt(_)));
    project.switch(1);
    let nothing = project.roll_back(None, &inputs("in")).expect_err("nothing before");
    assert!(matches!(nothing, Error::NothingBefore { current: 1, .. }));
    let nothing = project.roll_back(Some(7), &inputs("in")).expect_err("no such number");
    assert!(matches!(nothing, Error::NoGeneration { number: 7, have, .. } if have == [1]));
}

#[test]
fn pruning_keeps_the_newest_and_the_current() {
    let project = Project::new();
    for fill in 1..=5 {
        project.switch(fill);
    }
    project.roll_back(Some(2), &inputs("other")).expect("roll back");
    let inputs = inputs("in");
    let change =
        Change { inputs: &inputs, now: Timestamp::UNIX_EPOCH, wait: WAIT, reporter: &Quiet };
    assert_eq!(
        project.generations().prune(2, change.wait, change.reporter).expect("prune"),
        [1, 3]
    );
    let numbers = || -> Vec<_> {
        project.generations().list().expect("list").iter().map(|g| g.number).collect()
    };
    assert_eq!(numbers(), [2, 4, 5]);
    assert_eq!(project.generations().prune(0, change.wait, change.reporter).expect("prune"), [4]);
    assert_eq!(numbers(), [2, 5]);
    assert_eq!(project.switch(6).generation.number, 6, "no number is given twice");
    let files = fs::read_dir_names(&project.dir.path().join(".infra/env")).expect("list");
    let files: Vec<_> = files.iter().filter_map(|name| name.to_str()).collect();
    assert_eq!(files, ["dev", "dev@2", "dev@2.json", "dev@5", "dev@5.json", "dev@6", "dev@6.json"]);
}

#[test]
fn a_lost_or_broken_record_only_means_out_of_date() {
    for broken in [None, Some("{"), Some("{\"version\":1}")] {
        let project = Project::new();
        project.switch(1);
        let path = project.dir.path().join(".infra/env/dev@1.json");
        match broken {
            Some(text) => fs::write_atomic(&path, text.as_bytes()).expect("write"),
            None => fs::remove_file_if_exists(&path).expect("remove"),
        }
        let current = project.generations().require().expect("current");
        assert_eq!(current.record, None);
        assert!(!current.is_current(project.dir.path(), Platform::X86_64Linux).expect("read"));
        assert!(!project.switch(1).changed());
        assert_eq!(project.check(), Some(1));
    }
    let project = Project::new();
    project.switch(1);
    let path = project.dir.path().join(".infra/env/dev@1.json");
    fs::write_atomic(&path, b"{\"version\":2}").expect("write");
    assert!(matches!(project.generations().current(), Err(Error::TooNew { found: 2, .. })));
}

#[test]
fn a_link_changed_by_hand_is_reported_and_mended() {
    let project = Project::new();
    project.switch(1);
    fs::replace_symlink(Path::new("elsewhere"), &project.generations().link()).expect("link");
    let damaged = project.generations().current().expect_err("damaged");
    assert!(matches!(damaged, Error::Damaged { .. }), "{damaged}");
    assert_eq!(project.switch(1).generation.number, 1);
    assert_eq!(project.check(), Some(1));
}

#[test]
fn many_at_once_end_in_one_state() {
    let dir = tempfile::tempdir().expect("tempdir");
    let switch = |fill: u8| {
        let (path, name, tree) = object(fill);
        let inputs = inputs("in");
        let change =
            Change { inputs: &inputs, now: Timestamp::UNIX_EPOCH, wait: WAIT, reporter: &Quiet };
        let effects = Effects { root: &|_| Ok(()), point: &|_| Ok(()) };
        Generations::new(dir.path(), &"dev".parse().expect("name"))
            .switch_to(&path, &name, &tree, &change, &effects)
            .expect("switch")
    };
    std::thread::scope(|scope| {
        for fill in [1, 2, 1, 2, 1, 2, 1, 2] {
            scope.spawn(move || switch(fill));
        }
    });
    let generations = Generations::new(dir.path(), &"dev".parse().expect("name"));
    let list = generations.list().expect("list");
    assert!(list.windows(2).all(|pair| pair[0].object != pair[1].object), "no needless one");
    assert_eq!(list.last().map(|g| g.current), Some(true));
}

#[test]
fn names_that_look_like_generations_do_not_mix() {
    let project = Project::new();
    project.switch(1);
    let dir = project.dir.path();
    for name in ["dev-1", "dev.json", "dev-1.json"] {
        let other = Generations::new(dir, &name.parse().expect("name"));
        assert_eq!(other.current().expect("none"), None, "{name}");
        assert!(other.list().expect("none").is_empty(), "{name}");
    }
}
