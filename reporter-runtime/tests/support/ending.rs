//! All items of a channel up to its end, with a bound on the wait.

use std::sync::Arc;
use std::time::Duration;

use reporter_runtime::{Dispatch, History, HistoryRecord};
use tokio::sync::mpsc;
use tokio::time::timeout;

/// In virtual time no wait at all.
const AT_MOST: Duration = Duration::from_secs(60);

/// All records of a history that ends.
///
/// # Panics
/// When it does not end.
pub(crate) async fn records(mut history: History) -> Vec<HistoryRecord> {
    let mut records = Vec::new();
    while let Some(next) = timeout(AT_MOST, history.recv())
        .await
        .expect("the history ends")
    {
        records.push(next);
    }
    records
}

/// All that a sink sees until it ends.
///
/// # Panics
/// When it does not end.
pub(crate) async fn dispatches(
    mut seen: mpsc::UnboundedReceiver<Arc<Dispatch>>,
) -> Vec<Arc<Dispatch>> {
    let mut dispatches = Vec::new();
    while let Some(next) = timeout(AT_MOST, seen.recv()).await.expect("the sink ends") {
        dispatches.push(next);
    }
    dispatches
}
