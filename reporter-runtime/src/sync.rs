//! The lock and atomics that threads share. In this crate's unit tests they are loom's, so those
//! tests are models that run under every order of threads; tests with real threads are in `tests/`.
//!
//! What must not live here: anything that needs no model, such as tokio's channels.

#[cfg(test)]
pub(crate) use loom::sync::atomic;
#[cfg(not(test))]
pub(crate) use std::sync::atomic;

#[cfg(test)]
pub(crate) use model::Mutex;
#[cfg(not(test))]
pub(crate) use parking_lot::Mutex;

#[cfg(test)]
mod model {
    /// loom's lock with `parking_lot`'s interface.
    pub(crate) struct Mutex<T>(loom::sync::Mutex<T>);

    impl<T> Mutex<T> {
        pub(crate) fn new(value: T) -> Self {
            Self(loom::sync::Mutex::new(value))
        }

        pub(crate) fn lock(&self) -> loom::sync::MutexGuard<'_, T> {
            self.0.lock().unwrap()
        }
    }
}
