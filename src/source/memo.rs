//! Values that are made at most once in a process, however many tasks ask at the same time.
//!
//! Refuses to remember a failure: the next who asks tries again.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::OnceCell;

/// One value for each key.
pub(super) struct Memo<K, V> {
    cells: Mutex<BTreeMap<K, Arc<OnceCell<Arc<V>>>>>,
}

impl<K: Ord, V> Memo<K, V> {
    pub(super) fn new() -> Self {
        Self { cells: Mutex::new(BTreeMap::new()) }
    }

    /// Whether somebody asked for a key's value, which may be under way still.
    pub(super) fn has_begun(&self, key: &K) -> bool {
        self.cells.lock().unwrap_or_else(PoisonError::into_inner).contains_key(key)
    }

    /// The value of a key; made by `make` unless it is there. Others who ask meanwhile wait.
    pub(super) async fn get<E>(
        &self,
        key: K,
        make: impl Future<Output = Result<V, E>>,
    ) -> Result<Arc<V>, E> {
        let cell = {
            let mut cells = self.cells.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(cells.entry(key).or_default())
        };
        cell.get_or_try_init(|| async { make.await.map(Arc::new) }).await.map(Arc::clone)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    #[tokio::test]
    async fn makes_once_and_forgets_failures() {
        let memo = Memo::<&str, u32>::new();
        let made = AtomicU32::new(0);
        let make = |fail: bool| {
            let made = &made;
            async move {
                let n = made.fetch_add(1, Ordering::Relaxed);
                tokio::task::yield_now().await;
                if fail { Err(n) } else { Ok(n) }
            }
        };
        assert!(!memo.has_begun(&"a"));
        assert_eq!(memo.get("a", make(true)).await, Err(0));
        assert!(memo.has_begun(&"a"));
        let (x, y) = tokio::join!(memo.get("a", make(false)), memo.get("a", make(false)));
        assert_eq!((x.as_deref().ok(), y.as_deref().ok()), (Some(&1), Some(&1)));
        assert_eq!(memo.get("b", make(false)).await.as_deref().ok(), Some(&2));
    }
}
