//! Jobs on several threads.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Runs each job once, on `more` threads beyond the number of cores; gives the outcomes in the jobs'
/// order, `None` for one that panicked.
pub(crate) fn each<J: Sync, T: Send>(
    jobs: &[J],
    more: usize,
    run: impl Fn(&J) -> T + Sync,
) -> Vec<Option<T>> {
    let next = AtomicUsize::new(0);
    let done: Vec<Mutex<Option<T>>> = jobs.iter().map(|_| Mutex::new(None)).collect();
    let cores = std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
    std::thread::scope(|scope| {
        for _ in 0..cores + more {
            scope.spawn(|| {
                loop {
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    let Some(job) = jobs.get(at) else { return };
                    let outcome = catch_unwind(AssertUnwindSafe(|| run(job))).ok();
                    *done[at].lock().expect("lock") = outcome;
                }
            });
        }
    });
    done.into_iter().map(|outcome| outcome.into_inner().expect("lock")).collect()
}
