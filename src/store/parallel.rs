//! The same work on many things, on every core.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::Result;

/// Does `each` of the work, in its order as far as there are cores; after the first error nothing
/// more begins.
pub(super) fn each<T: Sync>(work: &[T], each: impl Fn(&T) -> Result<()> + Sync) -> Result<()> {
    let next = AtomicUsize::new(0);
    let failed = Mutex::new(None);
    let run = || {
        while let Some(item) = work.get(next.fetch_add(1, Ordering::Relaxed)) {
            if let Err(e) = each(item) {
                next.store(work.len(), Ordering::Relaxed);
                failed.lock().unwrap_or_else(|e| e.into_inner()).get_or_insert(e);
            }
        }
    };
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 1..cores.min(work.len()) {
            scope.spawn(run);
        }
        run();
    });
    failed.into_inner().unwrap_or_else(|e| e.into_inner()).map_or(Ok(()), Err)
}
