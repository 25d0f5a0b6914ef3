//! Control groups (version 2), where we may make them.
//!
//! Owns one directory for a run and one below it for each service. There a service's processes are
//! all in `cgroup.procs`, whatever they do to their session, parent or environment, and one write to
//! `cgroup.kill` ends them. Limits need controllers that the group above hands down.
//! Refuses nothing: where there is no version 2, or our own group is not ours to divide, there are no
//! groups, and the reason is told. Invariant: only groups that this module made are killed or removed.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use super::Limits;
use super::apply::Joining;
use crate::fs;

/// The group of a run.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub struct Run {
    dir: PathBuf,
    controllers: Vec<String>,
}

/// The group of a service.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub struct Group {
    dir: PathBuf,
    /// Limits that were set and that could not be, in words.
    pub told: Vec<String>,
}

/// Where version 2 is mounted: the mount point and the part of the tree that is seen there.
fn mount(mountinfo: &str) -> Option<(PathBuf, &str)> {
    // ID PARENT MAJOR:MINOR ROOT POINT OPTIONS … - TYPE SOURCE OPTIONS
    mountinfo.lines().find_map(|line| {
        let (before, after) = line.split_once(" - ")?;
        let mut fields = before.split(' ').skip(3);
        let (root, point) = (fields.next()?, fields.next()?);
        after.starts_with("cgroup2 ").then(|| (PathBuf::from(point), root))
    })
}

/// The directory of our own group.
fn own(mountinfo: &str, cgroups: &str) -> Option<PathBuf> {
    let (point, root) = mount(mountinfo)?;
    let path = cgroups.lines().find_map(|line| line.strip_prefix("0::"))?;
    let below = path.strip_prefix(root.trim_end_matches('/')).unwrap_or(path);
    Some(point.join(below.trim_start_matches('/')))
}

impl Run {
    /// Makes the group of a run, named after its mark; with controllers where limits want them.
    ///
    /// # Errors
    /// The reason, in words.
    pub fn create(name: &str, limited: bool) -> Result<Self, String> {
        let read = |path: &str| fs::read_to_string(Path::new(path)).map_err(|e| e.to_string());
        let own = own(&read("/proc/self/mountinfo")?, &read("/proc/self/cgroup")?)
            .ok_or("this host has no control groups of version 2")?;
        let dir = own.join(format!("infra-{name}"));
        fs::create_dir(&dir).map_err(|_| "this process may not make control groups".to_owned())?;
        for name in ["memory", "cpu", "pids"].into_iter().filter(|_| limited) {
            // Refused where our own group holds processes, as everybody's does outside a container.
            let _ = write(&own.join("cgroup.subtree_control"), &format!("+{name}"));
            let _ = write(&dir.join("cgroup.subtree_control"), &format!("+{name}"));
        }
        let handed = fs::read_to_string(&dir.join("cgroup.subtree_control")).unwrap_or_default();
        let controllers = handed.split_whitespace().map(str::to_owned).collect();
        Ok(Self { dir, controllers })
    }

    /// Its directory.
    pub fn path(&self) -> &Path {
        &self.dir
    }

    /// The group of a service, with its limits.
    pub fn service(&self, name: &str, limits: &Limits) -> io::Result<Group> {
        let dir = self.dir.join(name);
        if !fs::exists(&dir).unwrap_or(false) {
            fs::create_dir(&dir).map_err(|e| io::Error::other(e.to_string()))?;
        }
        let mut told = Vec::new();
        let quota = limits.milli_cpus.map(|milli| format!("{} 100000", milli.saturating_mul(100)));
        let text = |n: Option<u64>| n.map(|n| n.to_string());
        for (word, controller, file, value) in [
            ("memory", "memory", "memory.max", text(limits.memory)),
            ("cpus", "cpu", "cpu.max", quota),
            ("pids", "pids", "pids.max", text(limits.pids)),
        ] {
            let Some(value) = value else { continue };
            if !self.controllers.iter().any(|c| c == controller) {
                told.push(format!(
                    "{word}: not available (the {controller} controller is not ours)"
                ));
            } else if let Err(e) = write(&dir.join(file), &value) {
                told.push(format!("{word}: not available ({e})"));
            } else {
                told.push(format!("{word}: {value}"));
            }
        }
        Ok(Group { dir, told })
    }
}

/// Whether there are limits that need a group.
pub fn wants(limits: &Limits) -> bool {
    limits.memory.or(limits.milli_cpus).or(limits.pids).is_some()
}

/// What cannot be limited without a group.
pub fn without(limits: &Limits, why: &str) -> Vec<String> {
    let wanted = [("memory", limits.memory), ("cpus", limits.milli_cpus), ("pids", limits.pids)];
    let told = wanted.into_iter().filter(|(_, value)| value.is_some());
    told.map(|(word, _)| format!("{word}: not available ({why})")).collect()
}

impl Group {
    /// Its directory.
    pub fn path(&self) -> &Path {
        &self.dir
    }

    /// Opens it for a child to join.
    pub(super) fn joining(&self) -> io::Result<Joining> {
        use rustix::fs::{Mode, OFlags, open};
        let dir = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let procs = OFlags::WRONLY | OFlags::CLOEXEC;
        Ok(Joining {
            dir: open(&self.dir, dir, Mode::empty())?,
            procs: open(self.dir.join("cgroup.procs"), procs, Mode::empty())?,
        })
    }
}

/// The processes in a group and below it.
pub fn processes(dir: &Path) -> Vec<u32> {
    let mut found = Vec::new();
    let events = fs::read_to_string(&dir.join("cgroup.events")).unwrap_or_default();
    if events.lines().any(|line| line == "populated 0") {
        return found;
    }
    each(dir, &mut |group| {
        let text = fs::read_to_string(&group.join("cgroup.procs")).unwrap_or_default();
        found.extend(text.lines().filter_map(|line| line.parse::<u32>().ok()));
    });
    found
}

/// Ends everything in a group and below it: nothing that is born meanwhile escapes.
pub fn kill(dir: &Path) {
    // Before Linux 5.14 there is no such file; the caller signals each process as well.
    let _ = write(&dir.join("cgroup.kill"), "1");
}

/// Removes a group of ours and those below it.
pub fn remove(dir: &Path) {
    let mut groups = Vec::new();
    each(dir, &mut |group| groups.push(group.to_owned()));
    for group in groups.iter().rev() {
        let _ = fs::remove_empty_dir(group);
    }
}

/// Calls with a group, then with each below it.
fn each(dir: &Path, visit: &mut dyn FnMut(&Path)) {
    visit(dir);
    for name in fs::read_dir_names_if_exists(dir).unwrap_or_default() {
        let below = dir.join(name);
        if fs::lstat(&below).is_ok_and(|meta| meta.is_dir()) {
            each(&below, visit);
        }
    }
}

fn write(path: &Path, text: &str) -> io::Result<()> {
    use rustix::fs::{Mode, OFlags, open};
    let fd = open(path, OFlags::WRONLY | OFlags::CLOEXEC, Mode::empty())?;
    std::fs::File::from(fd).write_all(text.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_group_in_both_kinds_of_hierarchy() {
        let unified = "30 24 0:26 / /sys/fs/cgroup rw shared:4 - cgroup2 cgroup2 rw\n";
        let at = |info, own_text| own(info, own_text).map(|p| p.display().to_string());
        assert_eq!(
            at(unified, "0::/user.slice/x.scope\n").as_deref(),
            Some("/sys/fs/cgroup/user.slice/x.scope")
        );
        let hybrid = "31 24 0:27 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n\
                      32 24 0:28 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n";
        let text = "4:memory:/a\n0::/\n";
        assert_eq!(at(hybrid, text).as_deref(), Some("/sys/fs/cgroup/unified/"));
        // In a container the mount shows a part of the tree.
        let part = "30 24 0:26 /docker/1 /sys/fs/cgroup ro - cgroup2 cgroup rw\n";
        assert_eq!(at(part, "0::/docker/1/a\n").as_deref(), Some("/sys/fs/cgroup/a"));
        assert_eq!(at("", "0::/\n"), None);
        assert_eq!(at(unified, "4:memory:/a\n"), None);
    }
}
