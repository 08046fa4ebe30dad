//! Where revisions come from while the activator runs, and what is done with what is said of them.
//!
//! What must not live here: the table of revisions, and what single requests to the admin port change in it.

use async_trait::async_trait;
use reporter_metrics::ConfigMetrics;

use crate::config::Problems;
use crate::revision::Changes;

mod feed;
mod file;

pub use feed::{Feed, Said};
pub use file::FileSource;

/// Problems of one file that are logged each; there may be as many as the file has lines.
const PROBLEMS_LOGGED: usize = 100;

/// Says what there is. The activator starts with the set in its configuration.
#[async_trait]
pub trait RevisionSource: Send {
    /// Waits for news. Those that are as before do no harm.
    ///
    /// It may be awaited without a bound: that nothing changes is the normal case.
    ///
    /// # Errors
    /// There are news, and all this is wrong with them. What was there before is kept.
    ///
    /// # Cancel safety
    /// A change that is being read when the future is dropped is lost; those who come later are not.
    async fn changed(&mut self) -> Result<Said, Problems>;
}

/// Has `feed` say what the source says, for as long as the future is polled.
pub(crate) async fn follow(
    mut source: Box<dyn RevisionSource>,
    mut feed: Feed,
    metrics: ConfigMetrics,
) {
    loop {
        let said = source.changed().await;
        metrics.loaded(said.is_ok());
        match said {
            Ok(said) => {
                let is_set = matches!(said, Said::All(_));
                let changes = feed.take(said);
                if is_set {
                    log_changes(&changes);
                }
            }
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

fn log_changes(changes: &Changes) {
    let Changes {
        added,
        changed,
        removed,
        ..
    } = *changes;
    if added + changed + removed > 0 {
        tracing::info!(added, changed, removed, "revisions have changed");
    }
}
