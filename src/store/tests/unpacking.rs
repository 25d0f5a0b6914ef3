//! Adding from artifacts, and getting a damaged object back from the cache.

use super::adding::entries;
use super::*;
use crate::archive::Format;
use crate::base::{Quiet, TreeHash};
use crate::nar;

/// An artifact that is one executable file, in the cache.
fn artifact(f: &Fixture, content: &str) -> Verified {
    let integrity = Integrity::sha256_of(content.as_bytes());
    let partial = f.store.artifacts().partial(&integrity).expect("partial");
    fs::write_atomic(&partial, content.as_bytes()).expect("write");
    f.store.artifacts().admit(&partial, &integrity, &integrity, "x", "a test").expect("admit")
}

#[test]
fn an_artifact_is_unpacked_compared_and_registered() {
    let f = Fixture::new();
    let artifact = artifact(&f, "a program");
    write(&f.path("same/tool"), "a program", 0o755);
    let (tree, _) = nar::hash_path(&f.path("same")).expect("hash");
    let options = Options { format: Format::File, strip: 0, file_name: "tool".to_owned() };
    let executables = BTreeSet::from([RelPath::new("tool").expect("path")]);
    let name = |tree: &TreeHash| ObjectName::for_tree(tree, &BTreeSet::new(), "x-1").expect("name");
    let add = |object: &ObjectName, tree: &TreeHash| {
        let addition = Addition {
            object,
            tree,
            options: &options,
            executables: &executables,
            shown: "x 1 (x86_64-linux)",
        };
        f.store.add_archive(&artifact, &addition, &Quiet)
    };

    let other = TreeHash::new([1; 32]);
    assert!(matches!(add(&name(&other), &tree), Err(Error::NameMismatch { .. })));
    assert!(matches!(add(&name(&other), &other), Err(Error::TreeMismatch { .. })));
    assert_eq!(f.list("store"), Vec::<String>::new());
    f.assert_clean();

    let object = add(&name(&tree), &tree).expect("add");
    assert_eq!(add(&name(&tree), &tree).expect("again"), object);
    f.store.check(&object, CheckLevel::Full).expect("full");
    let modes: Vec<_> = entries(object.path()).into_iter().map(|e| (e.1, e.2)).collect();
    assert_eq!(modes, [(0o040_555, 1), (0o100_555, 1)]);
    f.assert_clean();

    tamper(&object.path().join("tool"));
    let report = f.store.verify(CheckLevel::Full, &|_| {}).expect("verify");
    assert_eq!((report.objects, report.artifacts, report.damaged.len()), (1, 1, 1));
    let done = f.store.repair(&report).expect("repair");
    let (integrity, shown) = (artifact.integrity().clone(), "x 1 (x86_64-linux)".to_owned());
    let origin = Origin::Artifact { integrity, shown };
    assert_eq!(
        done.refetch,
        [Refetch { object: object.name().clone(), origin, cached: true }],
        "nothing has to be fetched"
    );
    assert_eq!(f.store.get(object.name()).expect("get"), None);
    assert_eq!(add(&name(&tree), &tree).expect("from the cache"), object);
    f.store.check(&object, CheckLevel::Full).expect("good again");
    f.assert_clean();
}

#[test]
fn an_archive_that_is_refused_leaves_nothing() {
    let f = Fixture::new();
    let artifact = artifact(&f, "no zip at all");
    let tree = TreeHash::new([1; 32]);
    let object = ObjectName::for_tree(&tree, &BTreeSet::new(), "x-1").expect("name");
    let options = Options { format: Format::Zip, strip: 0, file_name: String::new() };
    let addition = Addition {
        object: &object,
        tree: &tree,
        options: &options,
        executables: &BTreeSet::new(),
        shown: "x 1",
    };
    assert!(matches!(f.store.add_archive(&artifact, &addition, &Quiet), Err(Error::Archive(_))));
    assert_eq!(f.list("store"), Vec::<String>::new());
    f.assert_clean();
}
