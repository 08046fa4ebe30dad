//! The guard: its request is in flight while it lives.

use std::sync::Arc;

use reporter_core::{RevisionKey, Ticket};

use crate::shards::{Shard, Shards};

/// A request in flight. It is counted out when this is dropped, wherever that happens.
///
/// Move it into whatever lives as long as the request: the response body, the upgraded connection.
///
/// ```
/// use reporter_core::Accounting;
/// use reporter_runtime::ConcurrencyReporter;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let (reporter, _task) = ConcurrencyReporter::builder(Accounting::Average).spawn();
/// let hello = "default/hello".parse()?;
///
/// let in_flight = reporter.track(&hello);
/// let response = tokio::spawn(async {
///     let _in_flight = in_flight;
///     std::future::pending().await
/// });
/// assert_eq!(reporter.in_flight(&hello), Some(1));
///
/// // The client disconnects, and the server drops what it was doing for it.
/// response.abort();
/// let cancelled: Result<(), _> = response.await;
/// assert!(cancelled.is_err());
/// assert_eq!(reporter.in_flight(&hello), Some(0));
/// # Ok(())
/// # }
/// ```
#[must_use = "the request is counted out as soon as this is dropped"]
pub struct InFlight {
    shard: Arc<Shard>,
    /// Its ticket and its number in a recording. `None` when the request is not counted.
    counted: Option<(Ticket, u64)>,
}

impl InFlight {
    pub(crate) fn start(shards: &Shards, key: &RevisionKey) -> Self {
        let key = key.hashed();
        let shard = Arc::clone(shards.shard(key));
        Self {
            counted: shard.on_in(key),
            shard,
        }
    }

    /// Whether the request is counted: false when the key limit was reached.
    #[must_use]
    pub fn is_counted(&self) -> bool {
        self.counted.is_some()
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        if let Some((ticket, id)) = self.counted.take() {
            self.shard.on_out(ticket, id);
        }
    }
}

impl std::fmt::Debug for InFlight {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("InFlight")
            .field("counted", &self.is_counted())
            .finish()
    }
}
