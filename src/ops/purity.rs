//! Which deps are closed, and which lean on a host and on what, for every platform of the lock.
//!
//! From the lock alone: nothing is fetched, and it says the same on every machine. A row is closed
//! when its programs need nothing but the system itself: on Linux no loader, library or script's
//! program at all; on macOS and Windows, where every program calls the system through libraries
//! that come with it, none but those. Invariant: every row of the lock is in the report.

use serde::Serialize;

use super::{Context, Result};
use crate::base::{DepName, Os, Platform, Version};
use crate::binary::Needs;
use crate::lock::Row;

/// What a row leans on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "state", rename_all = "lowercase")]
pub enum State {
    /// Nothing but the system.
    Closed,
    /// Something of the host.
    Leans {
        /// The C library, with the lowest version that has what is used.
        #[serde(skip_serializing_if = "Option::is_none")]
        libc: Option<String>,
        /// The loader.
        #[serde(skip_serializing_if = "Option::is_none")]
        interpreter: Option<String>,
        /// Libraries that neither the dep nor the C library brings.
        libraries: Vec<String>,
        /// Programs that its scripts start in.
        programs: Vec<String>,
    },
    /// There is nothing for the platform.
    Unavailable {
        /// Why.
        reason: String,
    },
}

/// One row of the lock.
#[derive(Clone, Debug, Serialize)]
pub struct Entry {
    /// The dep.
    pub name: DepName,
    /// Its version.
    pub version: Version,
    /// The platform.
    pub platform: Platform,
    /// What it leans on.
    #[serde(flatten)]
    pub state: State,
}

/// Every row of the lock.
pub fn purity(context: &Context) -> Result<Vec<Entry>> {
    let lock = context.lock()?;
    let rows = lock.deps.iter().flat_map(|(name, dep)| {
        dep.platforms.iter().map(move |(platform, row)| Entry {
            name: name.clone(),
            version: dep.version.clone(),
            platform: *platform,
            state: state(row, *platform),
        })
    });
    Ok(rows.collect())
}

fn state(row: &Row, platform: Platform) -> State {
    let pin = match row {
        Row::Unavailable { reason } => return State::Unavailable { reason: reason.clone() },
        Row::Pinned(pin) => pin,
    };
    let Some(Needs { libc, libc_version, interpreter, libraries, programs }) = &pin.needs else {
        return State::Closed;
    };
    let libraries: Vec<String> =
        libraries.iter().filter(|name| !comes_along(name, platform)).cloned().collect();
    let libc = libc.as_ref().map(|libc| match libc_version {
        Some(version) => format!("{libc} {version}"),
        None => libc.clone(),
    });
    if libc.is_none() && interpreter.is_none() && libraries.is_empty() && programs.is_empty() {
        return State::Closed;
    }
    State::Leans { libc, interpreter: interpreter.clone(), libraries, programs: programs.clone() }
}

/// Whether a library is the system's own, or part of the C library that is named already.
fn comes_along(name: &str, platform: Platform) -> bool {
    match platform.os() {
        Os::Linux => is_of_libc(name),
        // `@rpath` and the like are places in the dep's own tree.
        Os::Darwin => ["/usr/lib/", "/System/Library/", "@"].iter().any(|p| name.starts_with(p)),
        Os::Windows => is_of_windows(name),
    }
}

/// The parts that glibc and musl consist of.
fn is_of_libc(name: &str) -> bool {
    const PARTS: [&str; 11] = [
        "libc.so",
        "libm.so",
        "libmvec.so",
        "libpthread.so",
        "libdl.so",
        "librt.so",
        "libutil.so",
        "libresolv.so",
        "libanl.so",
        "libc.musl-",
        "ld-",
    ];
    PARTS.iter().any(|part| name.starts_with(part))
}

/// Libraries of every Windows since 10; the runtime of Visual C++ (`vcruntime140.dll`) is not one.
fn is_of_windows(name: &str) -> bool {
    const SYSTEM: [&str; 49] = [
        "advapi32",
        "avrt",
        "bcrypt",
        "bcryptprimitives",
        "cfgmgr32",
        "combase",
        "comctl32",
        "comdlg32",
        "crypt32",
        "d3d11",
        "dbghelp",
        "dnsapi",
        "dwmapi",
        "dxgi",
        "gdi32",
        "hid",
        "imm32",
        "iphlpapi",
        "kernel32",
        "kernelbase",
        "mpr",
        "msvcrt",
        "mswsock",
        "ncrypt",
        "netapi32",
        "normaliz",
        "ntdll",
        "ole32",
        "oleaut32",
        "pdh",
        "powrprof",
        "propsys",
        "psapi",
        "rpcrt4",
        "secur32",
        "setupapi",
        "shell32",
        "shlwapi",
        "ucrtbase",
        "user32",
        "userenv",
        "usp10",
        "uxtheme",
        "version",
        "winhttp",
        "winmm",
        "wintrust",
        "ws2_32",
        "wtsapi32",
    ];
    let lower = name.to_ascii_lowercase();
    let stem = lower.strip_suffix(".dll").unwrap_or(&lower);
    // API sets are names of parts of those.
    stem.starts_with("api-ms-win-")
        || stem.starts_with("ext-ms-win-")
        || SYSTEM.contains(&stem)
        || lower == "winspool.drv"
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lock::fixture;

    #[test]
    fn of_each_system() {
        let lock = fixture::lock();
        let dep = lock.deps.values().next().expect("dep");
        let mut pin = dep.platforms[&Platform::X86_64Linux].pin().expect("pin").clone();
        let mut of = |needs: Option<Needs>, platform| {
            pin.needs = needs;
            state(&Row::Pinned(Box::new(pin.clone())), platform)
        };
        let libraries = |names: &[&str]| {
            let libraries = names.iter().map(|n| (*n).to_owned()).collect();
            Some(Needs { libraries, ..Needs::default() })
        };
        assert_eq!(of(None, Platform::X86_64Linux), State::Closed);
        let darwin = libraries(&["/usr/lib/libSystem.B.dylib", "@rpath/libown.dylib"]);
        assert_eq!(of(darwin, Platform::Aarch64Darwin), State::Closed);
        let brew = libraries(&["/opt/homebrew/lib/libz.dylib"]);
        assert!(matches!(of(brew, Platform::Aarch64Darwin), State::Leans { .. }));
        let windows = libraries(&["KERNEL32.dll", "api-ms-win-crt-heap-l1-1-0.dll"]);
        assert_eq!(of(windows, Platform::X86_64Windows), State::Closed);
        let runtime = libraries(&["VCRUNTIME140.dll", "KERNEL32.dll"]);
        let State::Leans { libraries, .. } = of(runtime, Platform::X86_64Windows) else {
            panic!("leans")
        };
        assert_eq!(libraries, ["VCRUNTIME140.dll"]);
        let glibc = Needs {
            libc: Some("glibc".to_owned()),
            libc_version: Some("2.17".to_owned()),
            interpreter: Some("/lib64/ld-linux-x86-64.so.2".to_owned()),
            libraries: ["libc.so.6", "libssl.so.3"].map(str::to_owned).into(),
            programs: Vec::new(),
        };
        let State::Leans { libc, libraries, .. } = of(Some(glibc), Platform::X86_64Linux) else {
            panic!("leans")
        };
        assert_eq!((libc.as_deref(), libraries), (Some("glibc 2.17"), vec!["libssl.so.3".into()]));
    }
}
