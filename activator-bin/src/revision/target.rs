//! A revision that is served: one object for as long as it is, whatever changes about it.

use std::sync::Arc;

use arc_swap::ArcSwap;
use reporter_core::RevisionKey;

use super::backend::Backends;
use crate::config::RevisionConfig;

/// A revision that is served. Requests hold on to it, so that what they share outlives every change.
pub(crate) struct Target {
    pub(crate) key: RevisionKey,
    pub(crate) backends: Backends,
    config: ArcSwap<RevisionConfig>,
}

impl Target {
    pub(super) fn new(config: &Arc<RevisionConfig>) -> Self {
        Self {
            key: config.key.clone(),
            backends: Backends::new(&config.backends),
            config: ArcSwap::new(Arc::clone(config)),
        }
    }

    /// What it was told last.
    pub(super) fn config(&self) -> Arc<RevisionConfig> {
        self.config.load_full()
    }

    /// Becomes what `config` says, of the same key; false when it is that already.
    ///
    /// For one caller at a time.
    pub(super) fn apply(&self, config: &Arc<RevisionConfig>) -> bool {
        let before = self.config.swap(Arc::clone(config));
        if before.backends != config.backends {
            self.backends.set(&config.backends);
        }
        before != *config
    }
}
