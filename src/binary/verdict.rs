//! Whether an executable can run on a platform.
//!
//! A static executable runs on either libc; a dynamic one only on its own.

use super::Executable;
use crate::base::{Arch, Libc, Os, Platform};

/// Why `executable` cannot run on `platform`; `None` when it can. A clause to follow the file's
/// name: `is built for macOS (arm64), not for x86_64-linux`.
pub fn contradiction(executable: &Executable, platform: Platform) -> Option<String> {
    let Executable { os, arches, machine, libc, needs, search: _ } = executable;
    if *os != platform.os() || !arches.contains(&platform.arch()) {
        return Some(format!("is built for {} ({machine}), not for {platform}", os_name(*os)));
    }
    let (Some(found), Some(offered)) = (libc, platform.libc()) else { return None };
    if *found == offered {
        return None;
    }
    let by = match &needs.interpreter {
        Some(interpreter) => format!("its interpreter is `{interpreter}`"),
        None => "its libraries are that libc's".to_owned(),
    };
    Some(format!(
        "is linked to {} ({by}), but {platform} offers {}",
        libc_name(*found),
        libc_name(offered)
    ))
}

/// Whether nothing but its C library keeps `executable` from running on `platform`.
pub fn contradicts_libc_only(executable: &Executable, platform: Platform) -> bool {
    let Executable { os, arches, .. } = executable;
    *os == platform.os()
        && arches.contains(&platform.arch())
        && contradiction(executable, platform).is_some()
}

/// As `needs.libc` has it.
pub(super) const fn libc_name(libc: Libc) -> &'static str {
    match libc {
        Libc::Glibc => "glibc",
        Libc::Musl => "musl",
    }
}

/// As people name the machine of a header.
pub(super) const fn arch_name(arch: Arch) -> &'static str {
    match arch {
        Arch::X86_64 => "x86_64",
        Arch::Aarch64 => "arm64",
    }
}

const fn os_name(os: Os) -> &'static str {
    match os {
        Os::Linux => "Linux",
        Os::Darwin => "macOS",
        Os::Windows => "Windows",
    }
}
