//! Landlock rules from a plan.
//!
//! Owns which accesses each level handles. Refuses kernels before Landlock ABI 2 (Linux 5.19), where
//! any rule set would forbid services to move files between directories. Newer accesses are used
//! where the kernel has them; whether that is enough is the probe's to say.
//! Invariant: no rule grants writing to the store.

use std::collections::BTreeSet;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use landlock::{
    ABI, Access as _, AccessFs, AccessNet, BitFlags, NetPort, PathBeneath, PathFd, Ruleset,
    RulesetAttr as _, RulesetCreated, RulesetCreatedAttr as _, Scope,
};
use rustix::fs::{FileType, Mode, OFlags, fstat, open};

use super::{Level, Plan};
use crate::fs;

/// What every `strict` service may read beside the store and its own directories.
const READABLE: &[&str] = &[
    "/dev/full",
    "/dev/null",
    "/dev/random",
    "/dev/urandom",
    "/dev/zero",
    "/etc/ca-certificates",
    "/etc/gai.conf",
    "/etc/group",
    "/etc/host.conf",
    "/etc/hosts",
    "/etc/localtime",
    "/etc/mime.types",
    "/etc/nsswitch.conf",
    "/etc/passwd",
    "/etc/pki/tls",
    "/etc/protocols",
    "/etc/resolv.conf",
    "/etc/services",
    "/etc/ssl",
    "/etc/timezone",
    "/proc",
    "/run/systemd/resolve",
    "/sys/class/net",
    "/sys/devices/system/cpu",
    "/sys/devices/virtual/net",
    "/sys/fs/cgroup",
    "/sys/kernel/mm/transparent_hugepage",
    "/usr/share/ca-certificates",
    "/usr/share/mime",
    "/usr/share/zoneinfo",
];

/// What a dynamic program reads of the host before its first own step.
const LIBRARIES: &[&str] = &[
    "/etc/ld.so.cache",
    "/etc/ld.so.conf",
    "/etc/ld.so.conf.d",
    "/lib",
    "/lib32",
    "/lib64",
    "/usr/lib",
    "/usr/lib32",
    "/usr/lib64",
    "/usr/local/lib",
];

/// Devices that anything may write to.
const SINKS: &[&str] = &["/dev/full", "/dev/null", "/dev/zero"];

/// The version of the kernel's Landlock; `None` where there is none that we can use.
#[allow(unsafe_code, reason = "the crate does not tell the version")]
pub(super) fn abi() -> Option<ABI> {
    const VERSION: libc::c_uint = 1;
    let none = std::ptr::null::<u8>();
    // SAFETY: asks for a number only; with this flag there is no structure to read.
    let version =
        unsafe { libc::syscall(libc::SYS_landlock_create_ruleset, none, 0usize, VERSION) };
    match version {
        ..2 => None,
        2 => Some(ABI::V2),
        3 => Some(ABI::V3),
        4 => Some(ABI::V4),
        5 => Some(ABI::V5),
        6.. => Some(ABI::V6),
    }
}

/// The rule set of a plan; `None` for [`Level::Off`] and where the kernel has no Landlock for us.
pub(super) fn rule_set(plan: &Plan) -> io::Result<Option<OwnedFd>> {
    let Some(abi) = abi() else { return Ok(None) };
    let made = match plan.level {
        Level::Off => return Ok(None),
        Level::Exec => exec(plan, abi),
        Level::Strict => strict(plan, abi),
    };
    Ok(made.map_err(io::Error::other)?.into())
}

type Made = Result<RulesetCreated, landlock::RulesetError>;

fn exec(plan: &Plan, abi: ABI) -> Made {
    let write = (AccessFs::WriteFile | AccessFs::Truncate) & AccessFs::from_all(abi);
    let handled = AccessFs::Execute | AccessFs::Refer | write;
    let mut set = Ruleset::default().handle_access(handled)?.create()?;
    set = grant(set, plan.execute.iter().chain(&plan.loaders), AccessFs::Execute.into())?;
    // Moving files stays possible wherever that makes nothing executable.
    set = grant(set, [Path::new("/")], AccessFs::Refer.into())?;
    set = grant_nofollow(set, around(&plan.store), write)?;
    grant(set, writable(plan), write)
}

fn strict(plan: &Plan, abi: ABI) -> Made {
    let all = AccessFs::from_all(abi.min(ABI::V5));
    let read = AccessFs::ReadFile | AccessFs::ReadDir;
    let mut set = Ruleset::default().handle_access(all)?;
    if abi >= ABI::V4 {
        set = set.handle_access(AccessNet::BindTcp | AccessNet::ConnectTcp)?;
    }
    if abi >= ABI::V6 {
        set = set.scope(Scope::AbstractUnixSocket)?;
        if !plan.signals {
            set = set.scope(Scope::Signal)?;
        }
    }
    let mut set = set.create()?;
    set = grant(set, plan.execute.iter().chain(&plan.loaders), read | AccessFs::Execute)?;
    set = grant(set, READABLE.iter().map(Path::new), read)?;
    if !plan.loaders.is_empty() {
        set = grant(set, LIBRARIES.iter().map(Path::new), read)?;
    }
    set = grant(set, SINKS.iter().map(Path::new), read | AccessFs::WriteFile)?;
    set = grant(set, &plan.read, read)?;
    set = grant(set, writable(plan), all & !BitFlags::from(AccessFs::Execute))?;
    if abi >= ABI::V4 {
        for port in &plan.bind {
            set = set.add_rule(NetPort::new(*port, AccessNet::BindTcp))?;
        }
        for port in &plan.connect {
            set = set.add_rule(NetPort::new(*port, AccessNet::ConnectTcp))?;
        }
    }
    Ok(set)
}

/// Adds a rule for each path that exists; what does not exist cannot be granted.
fn grant<P: AsRef<Path>>(
    mut set: RulesetCreated,
    paths: impl IntoIterator<Item = P>,
    access: BitFlags<AccessFs>,
) -> Made {
    for path in paths {
        let Ok(fd) = PathFd::new(path.as_ref()) else { continue };
        set = allow(set, fd, access)?;
    }
    Ok(set)
}

/// The same for paths whose last step is not followed: it may have become a link meanwhile.
fn grant_nofollow(
    mut set: RulesetCreated,
    paths: impl IntoIterator<Item = PathBuf>,
    access: BitFlags<AccessFs>,
) -> Made {
    let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    for path in paths {
        let Ok(fd) = open(&path, flags, Mode::empty()) else { continue };
        set = allow(set, fd, access)?;
    }
    Ok(set)
}

/// Adds a rule for what is open: directories take every access, links none.
fn allow(set: RulesetCreated, fd: impl AsFd, access: BitFlags<AccessFs>) -> Made {
    let access = match fstat(&fd).map(|stat| FileType::from_raw_mode(stat.st_mode)) {
        Ok(FileType::Directory) => access,
        Ok(FileType::Symlink) | Err(_) => return Ok(set),
        Ok(_) => access & AccessFs::from_file(ABI::V5),
    };
    if access.is_empty() {
        return Ok(set);
    }
    set.add_rule(PathBeneath::new(fd, access))
}

/// What a plan lets be written, unless it holds the store.
fn writable(plan: &Plan) -> impl Iterator<Item = PathBuf> {
    let store = fs::canonicalize(&plan.store).unwrap_or_else(|_| plan.store.clone());
    let real = plan.write.iter().filter_map(|path| fs::canonicalize(path).ok());
    real.filter(move |path| !store.starts_with(path) && !path.starts_with(&store))
}

/// Everything but the store: the entries beside each step on the way to it. Landlock only grants,
/// so this is how one directory is left out. What is later made directly beside a step is left out
/// as well.
fn around(store: &Path) -> BTreeSet<PathBuf> {
    let mut out = BTreeSet::new();
    let Ok(store) = fs::canonicalize(store) else { return out };
    for step in store.ancestors().skip(1) {
        let names = fs::read_dir_names(step).unwrap_or_default();
        let beside = names.iter().map(|name| step.join(name));
        // A link could lead into the store.
        out.extend(beside.filter(|path| {
            !store.starts_with(path) && fs::lstat(path).is_ok_and(|meta| !meta.is_symlink())
        }));
    }
    out
}

#[cfg(test)]
#[allow(clippy::disallowed_methods, reason = "tests make what they look at")]
mod tests {
    use super::*;

    #[test]
    fn everything_beside_the_store_and_nothing_above_it() {
        let dir = tempfile::tempdir().unwrap();
        let top = fs::canonicalize(dir.path()).unwrap();
        for path in ["a/store/x", "a/beside", "b"] {
            std::fs::create_dir_all(top.join(path)).unwrap();
        }
        std::os::unix::fs::symlink(top.join("a/store"), top.join("a/link")).unwrap();
        let found = around(&top.join("a/store"));
        assert!(found.contains(&top.join("a/beside")) && found.contains(&top.join("b")));
        assert!(found.contains(Path::new("/dev")));
        assert!(!found.contains(&top.join("a/link")));
        assert!(found.iter().all(|path| !top.join("a/store").starts_with(path)));
    }
}
