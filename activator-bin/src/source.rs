//! Where the set of revisions comes from while the activator runs, and what is done with each new one.
//!
//! What must not live here: the table of revisions, and what single requests to the admin port change in it.

use std::sync::Arc;

use async_trait::async_trait;
use reporter_metrics::ConfigMetrics;

use crate::config::Problems;
use crate::revision::{Changes, RevisionSpec, Revisions};

mod file;

pub use file::FileSource;

/// Problems of one file that are logged each; there may be as many as the file has lines.
const PROBLEMS_LOGGED: usize = 100;

/// Keeps a set of revisions. The activator starts with the set in its configuration.
#[async_trait]
pub trait RevisionSource: Send {
    /// Waits for a new set and answers the whole of it. One that is as before does no harm.
    ///
    /// It may be awaited without a bound: that nothing changes is the normal case.
    ///
    /// # Errors
    /// There is a new set, and all this is wrong with it. What was there before is kept.
    ///
    /// # Cancel safety
    /// A change that is being read when the future is dropped is lost; those who come later are not.
    async fn changed(&mut self) -> Result<Vec<RevisionSpec>, Problems>;
}

/// Has `revisions` follow the source, for as long as the future is polled.
pub(crate) async fn follow(
    mut source: Box<dyn RevisionSource>,
    revisions: Arc<Revisions>,
    metrics: ConfigMetrics,
) {
    loop {
        let set = source.changed().await;
        metrics.loaded(set.is_ok());
        match set {
            Ok(set) => log_changes(revisions.replace(set)),
            Err(problems) => {
                tracing::error!("the new configuration is bad, the one before stays");
                let problems = problems.as_slice();
                for problem in problems.iter().take(PROBLEMS_LOGGED) {
                    tracing::error!("{problem}");
                }
                if let more @ 1.. = problems.len().saturating_sub(PROBLEMS_LOGGED) {
                    tracing::error!("and {more} more; --check shows all");
                }
            }
        }
    }
}

fn log_changes(changes: Changes) {
    let Changes {
        added,
        changed,
        removed,
    } = changes;
    if changes != Changes::default() {
        tracing::info!(added, changed, removed, "revisions have changed");
    }
}
