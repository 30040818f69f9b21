//! What is shared between threads without a lock, or by an order of our own.
//!
//! It is the standard library's, and in models (`tests/loom`) loom's, which tries the orders of what threads do.

#[cfg(not(all(test, limitra_loom)))]
pub(crate) use std::sync::{Mutex, MutexGuard, OnceLock, atomic};

#[cfg(all(test, limitra_loom))]
pub(crate) use loom::sync::{Mutex, MutexGuard, atomic};
#[cfg(all(test, limitra_loom))]
pub(crate) use once_lock::OnceLock;

/// The standard library's, with what its promises say that a model has to try: who finds it made sees all that the maker
/// did, and who does not may find it unmade although it is not.
#[cfg(all(test, limitra_loom))]
mod once_lock {
    use super::Mutex;
    use super::atomic::{AtomicBool, Ordering};

    #[derive(Debug)]
    pub(crate) struct OnceLock<T> {
        made: std::sync::OnceLock<T>,
        is_made: AtomicBool,
        making: Mutex<()>,
    }

    impl<T> OnceLock<T> {
        pub(crate) fn new() -> Self {
            Self { made: std::sync::OnceLock::new(), is_made: AtomicBool::new(false), making: Mutex::new(()) }
        }

        pub(crate) fn get(&self) -> Option<&T> {
            if self.is_made.load(Ordering::Acquire) { self.made.get() } else { None }
        }

        pub(crate) fn get_or_init(&self, make: impl FnOnce() -> T) -> &T {
            if let Some(made) = self.get() {
                return made;
            }
            let _held = self.making.lock();
            let made = self.made.get_or_init(make);
            self.is_made.store(true, Ordering::Release);
            made
        }
    }
}
