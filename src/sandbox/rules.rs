//! Landlock rules from a plan.
//!
//! Owns which accesses each level handles. Refuses kernels before Landlock ABI 2 (Linux 5.19), where
//! any rule set would forbid services to move files between directories. Newer accesses are used
//! where the kernel has them; whether that is enough is the probe's to say.
//! Invariant: no rule grants writing to the store.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use landlock::{
    ABI, Access as _, AccessFs, AccessNet, BitFlags, NetPort, PathBeneath, PathFd, Ruleset,
    RulesetAttr as _, RulesetCreated, RulesetCreatedAttr as _, Scope,
};
use rustix::fs::{FileType, Stat};

use super::beside;
use super::source::{Identity, Source};
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

/// A rule set, and what it was made from.
#[derive(Debug)]
pub(super) struct Made {
    /// The rule set.
    pub(super) rules: OwnedFd,
    /// What it must be made anew for.
    pub(super) source: Source,
}

/// The rule set of a plan; `None` for [`Level::Off`] and where the kernel has no Landlock for us.
pub(super) fn rule_set(plan: &Plan) -> io::Result<Option<Made>> {
    let Some(abi) = abi() else { return Ok(None) };
    let mut source = Source::default();
    let made = match plan.level {
        Level::Off => return Ok(None),
        Level::Exec => exec(plan, abi, &mut source),
        Level::Strict => strict(plan, abi, &mut source),
    };
    let rules: Option<OwnedFd> = made.map_err(io::Error::other)?.into();
    Ok(rules.map(|rules| Made { rules, source }))
}

type Under = Result<RulesetCreated, landlock::RulesetError>;

fn exec(plan: &Plan, abi: ABI, source: &mut Source) -> Under {
    let write = (AccessFs::WriteFile | AccessFs::Truncate) & AccessFs::from_all(abi);
    let handled = AccessFs::Execute | AccessFs::Refer | write;
    let mut set = Ruleset::default().handle_access(handled)?.create()?;
    set = grant(set, plan.execute.iter().chain(&plan.loaders), AccessFs::Execute.into(), source)?;
    // Moving files stays possible wherever that makes nothing executable.
    set = grant(set, [Path::new("/")], AccessFs::Refer.into(), source)?;
    // Everything but the store: Landlock only grants, so this is how one directory is left out.
    source.look_at(&plan.store);
    if let Ok(store) = fs::canonicalize(&plan.store) {
        for step in beside::steps(&store) {
            source.list(&step);
            for (fd, stat) in step.entries() {
                set = allow(set, fd, &stat, write)?;
            }
        }
    }
    grant(set, writable(plan, source), write, source)
}

fn strict(plan: &Plan, abi: ABI, source: &mut Source) -> Under {
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
    let code = plan.execute.iter().chain(&plan.loaders);
    set = grant(set, code, read | AccessFs::Execute, source)?;
    set = grant(set, READABLE.iter().map(Path::new), read, source)?;
    if !plan.loaders.is_empty() {
        set = grant(set, LIBRARIES.iter().map(Path::new), read, source)?;
    }
    set = grant(set, SINKS.iter().map(Path::new), read | AccessFs::WriteFile, source)?;
    set = grant(set, &plan.read, read, source)?;
    let write = all & !BitFlags::from(AccessFs::Execute);
    set = grant(set, writable(plan, source), write, source)?;
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
    source: &mut Source,
) -> Under {
    for path in paths {
        let found = PathFd::new(path.as_ref()).ok();
        let found = found.and_then(|fd| rustix::fs::fstat(&fd).ok().map(|stat| (fd, stat)));
        source.found(path.as_ref(), found.as_ref().map(|(_, stat)| Identity::of(stat)));
        if let Some((fd, stat)) = found {
            set = allow(set, fd, &stat, access)?;
        }
    }
    Ok(set)
}

/// Adds a rule for what is open: directories take every access, links none.
fn allow(set: RulesetCreated, fd: impl AsFd, stat: &Stat, access: BitFlags<AccessFs>) -> Under {
    let access = match FileType::from_raw_mode(stat.st_mode) {
        FileType::Directory => access,
        FileType::Symlink => return Ok(set),
        _ => access & AccessFs::from_file(ABI::V5),
    };
    if access.is_empty() {
        return Ok(set);
    }
    set.add_rule(PathBeneath::new(fd, access))
}

/// What a plan lets be written, unless it holds the store.
fn writable(plan: &Plan, source: &mut Source) -> Vec<PathBuf> {
    let store = fs::canonicalize(&plan.store).unwrap_or_else(|_| plan.store.clone());
    source.look_at(&plan.store);
    let mut out = Vec::new();
    for path in &plan.write {
        source.look_at(path);
        let real = fs::canonicalize(path).ok();
        out.extend(real.filter(|path| !store.starts_with(path) && !path.starts_with(&store)));
    }
    out
}
