//! What is heard of a Kubernetes cluster.

use std::sync::Arc;
use std::time::Duration;

use metrics::{Counter, Gauge};

use crate::label::label_values;
use crate::names;
use crate::registry::Registry;

label_values! {
    /// What is watched.
    pub enum WatchKind {
        /// Revisions.
        Revisions = "revisions",
        /// EndpointSlices, or Endpoints where those may not be read.
        EndpointSlices = "endpointslices",
        /// ConfigMaps.
        ConfigMaps = "configmaps",
        /// Secrets.
        Secrets = "secrets",
    }
}

/// What is heard of a cluster. Clones share the same series.
#[derive(Clone)]
pub struct ClusterMetrics {
    registry: Arc<Registry>,
    bad_objects: Gauge,
    skipped: [Counter; WatchKind::ALL.len()],
}

impl ClusterMetrics {
    pub(crate) fn new(registry: &Arc<Registry>) -> Self {
        Self {
            registry: Arc::clone(registry),
            bad_objects: registry.gauge(&names::BAD_OBJECTS, &[]),
            skipped: WatchKind::ALL
                .map(|kind| registry.counter(&names::SKIPPED_OBJECTS, &[kind.as_str()])),
        }
    }

    /// How long ago the API server was heard on the watches of a kind: that of which it is longest. Without a call there
    /// is no series.
    pub fn watch_age(&self, kind: WatchKind, age: Duration) {
        self.registry
            .gauge(&names::WATCH_AGE, &[kind.as_str()])
            .set(age.as_secs_f64());
    }

    /// Sets how many objects have something wrong in them.
    pub fn bad_objects(&self, objects: usize) {
        self.bad_objects.set(objects as f64);
    }

    /// An object or event could not be read.
    pub fn skipped(&self, kind: WatchKind) {
        self.skipped[kind as usize].increment(1);
    }
}
