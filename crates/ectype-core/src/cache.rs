//! What the readers of one image keep for each other: pages of tables, unpacked blocks, decoders. The locks of format code.
//!
//! ```text
//!   Cache.get(key) ──► under the lock: find or add a cell ──► outside of it: fill the cell, once, while others wait for it alone
//!   Shared.with    ──► all of it under the lock: a pool, or a stream that two at once would both begin anew
//! ```

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

/// Values by key, the least recently used forgotten first.
pub struct Cache<V> {
    entries: Mutex<Entries<V>>,
    most: usize,
}

struct Entries<V> {
    list: Vec<Entry<V>>,
    /// Counts the lookups.
    now: u64,
}

struct Entry<V> {
    key: u64,
    used: u64,
    cell: Cell<V>,
}

/// Empty until its first taker is done; `None` where making the value failed.
type Cell<V> = Arc<OnceLock<Option<Arc<V>>>>;

impl<V> Cache<V> {
    /// A cache of at most `most` values; a lookup looks through all their keys.
    pub fn new(most: usize) -> Self {
        Cache { entries: Mutex::new(Entries { list: Vec::new(), now: 0 }), most: most.max(1) }
    }

    /// The value of `key`: as it was made before, or by `make`. An error is not kept.
    pub fn get<E>(&self, key: u64, make: impl FnOnce() -> Result<V, E>) -> Result<Arc<V>, E> {
        let cell = self.cell(key);
        let (mut make, mut failed) = (Some(make), None);
        let made = cell.get_or_init(|| match make.take()?() {
            Ok(value) => Some(Arc::new(value)),
            Err(error) => {
                failed = Some(error);
                None
            }
        });
        if let Some(value) = made {
            return Ok(Arc::clone(value));
        }
        self.lock().list.retain(|entry| !Arc::ptr_eq(&entry.cell, &cell));
        match (failed, make) {
            (Some(error), _) => Err(error),
            // Another thread met the error; this one has to meet its own.
            (None, Some(make)) => make().map(Arc::new),
            (None, None) => unreachable!("the maker was called and neither made nor failed"),
        }
    }

    fn cell(&self, key: u64) -> Cell<V> {
        let mut entries = self.lock();
        entries.now += 1;
        let now = entries.now;
        if let Some(entry) = entries.list.iter_mut().find(|entry| entry.key == key) {
            entry.used = now;
            return Arc::clone(&entry.cell);
        }
        let cell = Cell::default();
        let entry = Entry { key, used: now, cell: Arc::clone(&cell) };
        if entries.list.len() < self.most {
            entries.list.push(entry);
        } else if let Some(oldest) = entries.list.iter_mut().min_by_key(|entry| entry.used) {
            *oldest = entry;
        }
        cell
    }

    fn lock(&self) -> MutexGuard<'_, Entries<V>> {
        // No code of others runs under the lock: a list is whole even where a thread panicked.
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What the readers of one image keep for each other, used by one of them at a time.
#[derive(Debug, Default)]
pub struct Shared<T>(Mutex<T>);

impl<T> Shared<T> {
    /// Something to share.
    pub fn new(kept: T) -> Self {
        Shared(Mutex::new(kept))
    }

    /// Uses it, alone.
    pub fn with<R>(&self, using: impl FnOnce(&mut T) -> R) -> R {
        using(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// The few values that were used last, by their keys.
#[derive(Debug)]
pub struct Recent<K, V> {
    /// The last used first.
    kept: VecDeque<(K, V)>,
    most: usize,
}

impl<K: PartialEq, V: Clone> Recent<K, V> {
    /// Keeps at most `most` values.
    pub fn new(most: usize) -> Self {
        Recent { kept: VecDeque::with_capacity(most), most }
    }

    /// The value of `key`, if it is still there.
    pub fn get(&mut self, key: &K) -> Option<V> {
        let index = self.kept.iter().position(|(kept, _)| kept == key)?;
        let entry = self.kept.remove(index)?;
        let value = entry.1.clone();
        self.kept.push_front(entry);
        Some(value)
    }

    /// Keeps a value, instead of the one that was not used for longest.
    pub fn put(&mut self, key: K, value: V) {
        self.kept.retain(|(kept, _)| *kept != key);
        self.kept.truncate(self.most.saturating_sub(1));
        self.kept.push_front((key, value));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU32, Ordering};

    #[test]
    fn a_value_is_made_once_and_the_oldest_is_forgotten() {
        let made = AtomicU32::new(0);
        let cache = Cache::new(2);
        let get = |key| {
            let make = || {
                made.fetch_add(1, Ordering::Relaxed);
                Ok::<_, ()>(key * 10)
            };
            *cache.get(key, make).unwrap()
        };
        assert_eq!((get(1), get(2), get(1), get(1)), (10, 20, 10, 10));
        assert_eq!(made.load(Ordering::Relaxed), 2);
        // Three takes the place of two, which was used longer ago than one.
        assert_eq!((get(3), get(1), get(2)), (30, 10, 20));
        assert_eq!(made.load(Ordering::Relaxed), 4);
    }

    #[test]
    fn an_error_is_not_kept() {
        let cache = Cache::new(4);
        assert_eq!(cache.get(7, || Err("no")), Err("no"));
        assert_eq!(cache.get(7, || Ok::<_, &str>(5)), Ok(Arc::new(5)));
    }

    #[test]
    fn threads_that_want_the_same_wait_for_it() {
        let made = AtomicU32::new(0);
        let cache = Cache::new(8);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for key in 0..8 {
                        let make = || {
                            made.fetch_add(1, Ordering::Relaxed);
                            std::thread::yield_now();
                            Ok::<_, ()>(key)
                        };
                        assert_eq!(cache.get(key, make), Ok(Arc::new(key)));
                    }
                });
            }
        });
        assert_eq!(made.load(Ordering::Relaxed), 8);
    }
}
