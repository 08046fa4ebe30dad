//! Sources of revisions while the activator runs.
//!
//! What must not live here: the table of revisions, and changes through the admin port.

use async_trait::async_trait;

use crate::config::Problems;
use crate::revision::Changes;

pub(crate) mod config_maps;
mod feed;
mod file;
mod kubernetes;

pub use feed::{Feed, Update};
pub use file::FileSource;
pub(crate) use kubernetes::check;
pub use kubernetes::{
    ApiAccess, Certificate, ClusterError, ClusterLimits, ClusterStatus, Kubernetes,
    KubernetesOptions, Started, SystemObject, WatchStatus,
};

/// The most problems logged for one file; there may be as many as the file has lines.
const PROBLEMS_LOGGED: usize = 100;

/// A source of revisions. The activator starts with the set in its configuration.
#[async_trait]
pub trait RevisionSource: Send {
    /// Waits for changes. They may equal the current state.
    ///
    /// May wait without bound: normally nothing changes.
    ///
    /// # Errors
    /// The changes are invalid; the current state is kept.
    ///
    /// # Cancel safety
    /// A change that is being read when the future is dropped is lost; later ones are not.
    async fn changed(&mut self) -> Result<Update, Problems>;
}

/// Applies the source's changes through `feed`, for as long as the future is polled. Calls `on_update` each time, with
/// whether they are valid.
pub(crate) async fn follow(
    mut source: Box<dyn RevisionSource>,
    mut feed: Feed,
    on_update: impl Fn(bool),
) {
    loop {
        let update = source.changed().await;
        on_update(update.is_ok());
        match update {
            Ok(update) => {
                let is_set = matches!(update, Update::All(_));
                let changes = feed.take(update);
                if is_set {
                    log_changes(&changes);
                }
            }
            Err(problems) => {
                tracing::error!("the new configuration is invalid; keeping the previous one");
                let problems = problems.as_slice();
                for problem in problems.iter().take(PROBLEMS_LOGGED) {
                    tracing::error!("{problem}");
                }
                if let more @ 1.. = problems.len().saturating_sub(PROBLEMS_LOGGED) {
                    tracing::error!("and {more} more; `activator check` shows all");
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
        tracing::info!(added, changed, removed, "revisions changed");
    }
}
