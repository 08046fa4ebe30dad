//! The wait for a time that may not be there.

use tokio::time::{Instant, sleep_until};

/// Waits until this time; for ever if there is none.
///
/// Cancel-safe.
pub(crate) async fn until(time: Option<Instant>) {
    match time {
        Some(time) => sleep_until(time).await,
        None => std::future::pending().await,
    }
}
