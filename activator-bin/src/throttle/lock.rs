//! The one lock of a throttle. Tests of races make every way of locking it a point where another thread may go first.

use parking_lot::{Mutex, MutexGuard};

/// A short lock: nobody waits, wakes or drops foreign values under it.
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
