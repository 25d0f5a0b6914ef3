//! Platforms, written as Nix system doubles; glibc Linux unless the name ends in `-musl`.
//!
//! Invariant: the set is closed, so a `match` over it shows every place a new one must be added.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::suggest;

/// An operating system.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Os {
    /// Linux.
    Linux,
    /// macOS.
    Darwin,
    /// Windows.
    Windows,
}

/// A processor architecture.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Arch {
    /// 64-bit x86.
    X86_64,
    /// 64-bit ARM.
    Aarch64,
}

/// The C library that a Linux platform offers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Libc {
    /// GNU libc.
    Glibc,
    /// musl.
    Musl,
}

/// Where an artifact runs.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Platform {
    /// `aarch64-darwin`
    Aarch64Darwin,
    /// `aarch64-linux`
    Aarch64Linux,
    /// `aarch64-linux-musl`
    Aarch64LinuxMusl,
    /// `aarch64-windows`
    Aarch64Windows,
    /// `x86_64-darwin`
    X86_64Darwin,
    /// `x86_64-linux`
    X86_64Linux,
    /// `x86_64-linux-musl`
    X86_64LinuxMusl,
    /// `x86_64-windows`
    X86_64Windows,
}

impl Platform {
    /// Every platform, sorted by name.
    pub const ALL: [Self; 8] = [
        Self::Aarch64Darwin,
        Self::Aarch64Linux,
        Self::Aarch64LinuxMusl,
        Self::Aarch64Windows,
        Self::X86_64Darwin,
        Self::X86_64Linux,
        Self::X86_64LinuxMusl,
        Self::X86_64Windows,
    ];

    /// The platform that this program was built for, which is the one it runs on.
    pub const fn host() -> Self {
        let arm = cfg!(target_arch = "aarch64");
        if cfg!(target_os = "macos") {
            if arm { Self::Aarch64Darwin } else { Self::X86_64Darwin }
        } else if cfg!(windows) {
            if arm { Self::Aarch64Windows } else { Self::X86_64Windows }
        } else if arm {
            Self::Aarch64Linux
        } else {
            Self::X86_64Linux
        }
    }

    /// The system double.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Aarch64Darwin => "aarch64-darwin",
            Self::Aarch64Linux => "aarch64-linux",
            Self::Aarch64LinuxMusl => "aarch64-linux-musl",
            Self::Aarch64Windows => "aarch64-windows",
            Self::X86_64Darwin => "x86_64-darwin",
            Self::X86_64Linux => "x86_64-linux",
            Self::X86_64LinuxMusl => "x86_64-linux-musl",
            Self::X86_64Windows => "x86_64-windows",
        }
    }

    /// The operating system.
    pub const fn os(self) -> Os {
        match self {
            Self::Aarch64Darwin | Self::X86_64Darwin => Os::Darwin,
            Self::Aarch64Windows | Self::X86_64Windows => Os::Windows,
            _ => Os::Linux,
        }
    }

    /// The architecture.
    pub const fn arch(self) -> Arch {
        match self {
            Self::Aarch64Darwin
            | Self::Aarch64Linux
            | Self::Aarch64LinuxMusl
            | Self::Aarch64Windows => Arch::Aarch64,
            _ => Arch::X86_64,
        }
    }

    /// The C library of a Linux platform, `None` elsewhere.
    pub const fn libc(self) -> Option<Libc> {
        match self {
            Self::Aarch64Linux | Self::X86_64Linux => Some(Libc::Glibc),
            Self::Aarch64LinuxMusl | Self::X86_64LinuxMusl => Some(Libc::Musl),
            _ => None,
        }
    }
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl fmt::Debug for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The text names no platform.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a platform{near}", near = suggest::tail(.0, Platform::ALL.map(Platform::name)))]
pub struct UnknownPlatform(pub String);

impl FromStr for Platform {
    type Err = UnknownPlatform;
    fn from_str(s: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|p| p.name() == s).ok_or_else(|| UnknownPlatform(s.to_owned()))
    }
}

impl TryFrom<String> for Platform {
    type Error = UnknownPlatform;
    fn try_from(s: String) -> Result<Self, Self::Error> {
        s.parse()
    }
}

impl From<Platform> for String {
    fn from(value: Platform) -> Self {
        value.name().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sorted_by_name_and_round_trips() {
        let names: Vec<_> = Platform::ALL.iter().map(|p| p.name()).collect();
        assert!(names.is_sorted());
        assert!(Platform::ALL.is_sorted(), "the derived order is the order of names");
        for platform in Platform::ALL {
            assert_eq!(platform.name().parse(), Ok(platform));
        }
    }
}
