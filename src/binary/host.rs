//! What this host offers to executables: the C library and its version.

use crate::base::Libc;

/// The C library that this program runs on, with its version; `None` where it is neither.
#[cfg(target_env = "gnu")]
#[allow(unsafe_code, reason = "the C library tells its version through a C string only")]
pub fn libc() -> Option<(Libc, String)> {
    // SAFETY: the function takes nothing, always succeeds, and returns a string that lives as long
    // as the process.
    let version = unsafe { std::ffi::CStr::from_ptr(libc::gnu_get_libc_version()) };
    Some((Libc::Glibc, version.to_str().ok()?.to_owned()))
}

/// The C library that this program runs on, with its version; `None` where it is neither.
#[cfg(not(target_env = "gnu"))]
pub fn libc() -> Option<(Libc, String)> {
    None
}

/// Whether dotted version `have` comes before `wanted`.
pub fn is_older(have: &str, wanted: &str) -> bool {
    let parts = |v: &str| v.split('.').map(|p| p.parse().unwrap_or(0)).collect::<Vec<u32>>();
    parts(have) < parts(wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn compares_by_number() {
        assert!(is_older("2.9", "2.17"));
        assert!(!is_older("2.36", "2.36"));
        assert!(!is_older("2.36.1", "2.36"));
    }
}
