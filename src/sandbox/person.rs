//! Whom a service runs as: users and groups of this host, from `/etc/passwd` and `/etc/group`.
//!
//! Refuses a user other than our own unless we are root. Invariant: nothing here changes who we
//! are; the child does.

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use super::plan::Person;
use crate::base::{Diagnose, Hint};
use crate::fs;

/// A person that a service cannot run as.
#[derive(Debug, thiserror::Error)]
pub enum PersonError {
    /// There is no such user or group.
    #[error("there is no {what} `{name}` on this host")]
    Unknown {
        /// `user` or `group`.
        what: &'static str,
        /// The name or number.
        name: String,
    },
    /// We are somebody else, and not root.
    #[error("only root can run a service as user `{name}`; this is user {us}")]
    NotRoot {
        /// The user wanted.
        name: String,
        /// Our own number.
        us: u32,
    },
    /// A directory of the service belongs to somebody else.
    #[error("`{}` belongs to user {owner}, and the service runs as user {wanted}", path.display())]
    Owner {
        /// The directory.
        path: PathBuf,
        /// Whose it is.
        owner: u32,
        /// Who the service runs as.
        wanted: u32,
    },
    /// The file operation failed.
    #[error(transparent)]
    Fs(#[from] fs::Error),
}

impl Diagnose for PersonError {
    fn hints(&self) -> Vec<Hint> {
        match self {
            Self::Unknown { .. } => vec![Hint::new("make it, or name one of this host")],
            Self::NotRoot { .. } => {
                vec![Hint::new("run it as that user, or take `user` out of the service")]
            }
            Self::Owner { path, wanted, .. } => {
                vec![Hint::new(format!("`chown -R {wanted} {}`, or remove it", path.display()))]
            }
            Self::Fs(error) => error.hints(),
        }
    }
}

/// Finds a person; `None` when that is who we are anyway.
pub fn find(user: Option<&str>, group: Option<&str>) -> Result<Option<Person>, PersonError> {
    let (us, our_group) =
        (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
    if user.is_none() && group.is_none() {
        return Ok(None);
    }
    let passwd = fs::read_to_string_if_exists(Path::new("/etc/passwd"))?.unwrap_or_default();
    let groups = fs::read_to_string_if_exists(Path::new("/etc/group"))?.unwrap_or_default();
    let person = among(&passwd, &groups, (us, our_group), user, group)?;
    if person.uid == us && person.gid == our_group && group.is_none() {
        return Ok(None);
    }
    if us != 0 {
        let name = user.or(group).unwrap_or_default().to_owned();
        return Err(PersonError::NotRoot { name, us });
    }
    Ok(Some(person))
}

fn among(
    passwd: &str,
    group_file: &str,
    (us, our_group): (u32, u32),
    user: Option<&str>,
    group: Option<&str>,
) -> Result<Person, PersonError> {
    let unknown = |what, name: &str| PersonError::Unknown { what, name: name.to_owned() };
    let (mut uid, mut gid, mut login) = (us, our_group, None);
    if let Some(wanted) = user {
        // NAME:x:UID:GID:…
        let mut lines = passwd.lines().map(|line| line.split(':').collect::<Vec<_>>());
        let found = lines.find(|f| f.len() > 3 && (f[0] == wanted || f[2] == wanted));
        let numbers = |f: &[&str]| Some((f[2].parse().ok()?, f[3].parse().ok()?));
        (uid, gid) = match (found.as_deref().and_then(numbers), wanted.parse::<u32>()) {
            (Some(numbers), _) => numbers,
            // A number needs no entry: containers have none.
            (None, Ok(number)) => (number, number),
            (None, Err(_)) => return Err(unknown("user", wanted)),
        };
        login = found.map(|f| f[0].to_owned());
    }
    // NAME:x:GID:MEMBER,MEMBER
    let lines =
        || group_file.lines().map(|l| l.split(':').collect::<Vec<_>>()).filter(|f| f.len() > 3);
    if let Some(wanted) = group {
        let found = lines().find(|f| f[0] == wanted || f[2] == wanted);
        gid = match (found.and_then(|f| f[2].parse().ok()), wanted.parse::<u32>()) {
            (Some(number), _) | (None, Ok(number)) => number,
            (None, Err(_)) => return Err(unknown("group", wanted)),
        };
    }
    let is_member = |f: &[&str]| login.as_deref().is_some_and(|l| f[3].split(',').any(|m| m == l));
    let groups = lines().filter(|f| is_member(f)).filter_map(|f| f[2].parse().ok()).collect();
    Ok(Person { uid, gid, groups })
}

/// Makes a directory of a service where it is missing, and gives it to its person.
pub fn own_directory(path: &Path, person: Option<&Person>) -> Result<(), PersonError> {
    let made = !fs::exists(path)?;
    fs::create_dir_all(path)?;
    let Some(person) = person else { return Ok(()) };
    let owner = fs::lstat(path)?.uid();
    if made {
        chown(path, person)?;
    } else if owner != person.uid {
        return Err(PersonError::Owner { path: path.to_owned(), owner, wanted: person.uid });
    }
    Ok(())
}

fn chown(path: &Path, person: &Person) -> Result<(), PersonError> {
    let (uid, gid) = (rustix::fs::Uid::from_raw(person.uid), rustix::fs::Gid::from_raw(person.gid));
    let changed = rustix::fs::chown(path, Some(uid), Some(gid));
    changed.map_err(|e| fs::Error::Io {
        action: "give away",
        path: path.to_owned(),
        source: e.into(),
    })?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSWD: &str = "root:x:0:0::/root:/bin/sh\nweb:x:33:44::/:/bin/false\nbad\n";
    const GROUP: &str = "root:x:0:\nweb:x:44:\nlogs:x:50:web,other\nother:x:51:other\n";

    #[test]
    fn users_by_name_and_number_with_their_groups() {
        let find = |user, group| among(PASSWD, GROUP, (1000, 1000), user, group);
        let web = Person { uid: 33, gid: 44, groups: vec![50] };
        assert_eq!(find(Some("web"), None).unwrap(), web);
        assert_eq!(find(Some("33"), None).unwrap(), web);
        assert_eq!(find(Some("web"), Some("other")).unwrap().gid, 51);
        let bare = Person { uid: 4242, gid: 4242, groups: vec![] };
        assert_eq!(find(Some("4242"), None).unwrap(), bare);
        assert_eq!(find(None, Some("logs")).unwrap().gid, 50);
        for (user, group) in [(Some("nobody-here"), None), (None, Some("nobody-here"))] {
            assert!(matches!(find(user, group), Err(PersonError::Unknown { .. })));
        }
    }
}
