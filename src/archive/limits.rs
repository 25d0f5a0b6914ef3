//! How large an archive may be.
//!
//! Owns the bounds that keep an archive from filling the disk, the memory or the path of the
//! machine that unpacks it. They are far above every real artifact.

/// Bounds on one archive.
#[derive(Clone, Debug)]
pub(super) struct Limits {
    /// Entries, directories that only paths imply included.
    pub(super) entries: usize,
    /// Bytes of all files together, and of a tar within its compression.
    pub(super) expanded: u64,
    /// Expanded bytes for each byte of the archive …
    pub(super) ratio: u64,
    /// … beyond this many expanded bytes: small repetitive files may pack well.
    pub(super) ratio_from: u64,
}

impl Limits {
    /// What every archive is held to.
    pub(super) const DEFAULT: Self =
        Self { entries: 200_000, expanded: 16 << 30, ratio: 1000, ratio_from: 64 << 20 };

    /// Whether so many bytes from an archive of `packed` bytes are suspicious.
    pub(super) fn ratio_exceeded(&self, expanded: u64, packed: u64) -> bool {
        expanded > self.ratio_from && expanded > packed.saturating_mul(self.ratio)
    }
}

/// Most archives of a stack. Each holds a file open; engines of containers stop at 127 layers.
pub(super) const MAX_LAYERS: usize = 256;

/// Longest path in bytes (`PATH_MAX`).
pub(super) const MAX_PATH: usize = 4096;

/// Longest component in bytes.
pub(super) const MAX_COMPONENT: usize = 255;

/// Most components of a path.
pub(super) const MAX_DEPTH: usize = 128;

/// Longest target of a symbolic link in bytes.
pub(super) const MAX_TARGET: u64 = 4095;

/// Most bytes of all paths and link targets together: names compress well, and are held in memory.
pub(super) const MAX_NAMES: usize = 64 << 20;

/// Most bytes of headers (long names, pax records) between two entries of a tar.
pub(super) const MAX_HEADERS: u64 = 1 << 20;

/// Largest window that a compressed stream may ask memory for: what `zstd --long` and `xz -9` use,
/// and some more.
pub(super) const MAX_WINDOW: u64 = 256 << 20;
