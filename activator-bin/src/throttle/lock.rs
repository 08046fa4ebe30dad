//! The lock of a throttle. In model-checked tests, each time it is locked another thread may run first.

use parking_lot::{Mutex, MutexGuard};

/// A lock held briefly: nothing waits, wakes or drops foreign values under it.
#[derive(Debug)]
pub(super) struct Lock<T>(Mutex<T>);

impl<T> Lock<T> {
    pub(super) fn new(value: T) -> Self {
        Self(Mutex::new(value))
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, T> {
        #[cfg(test)]
        super::races::another_thread_may_go_first();
        self.0.lock()
    }
}
