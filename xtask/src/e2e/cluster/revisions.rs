//! Revisions in the cluster: their instances, and when requests can be sent to them.

use std::time::Duration;

use anyhow::Result;
use serde_json::Value;

use super::Cluster;
use super::ingress::addresses_of;
use super::objects::{Revision, USER, is_ready, items, text};
use crate::support::process::wait_until;

/// How long Knative's controller may take for a revision's objects.
const SOON: Duration = Duration::from_secs(60);

impl Cluster {
    /// How many pods a revision has, without those that end.
    pub(crate) fn instances(&self, revision: &Revision) -> Result<usize> {
        Ok(self.pods(revision)?.len())
    }

    /// The names of those pods that are ready, in the order of their addresses as text.
    pub(super) fn instance_names(&self, revision: &Revision) -> Result<Vec<String>> {
        let mut pods = self.pods(revision)?;
        pods.retain(is_ready);
        pods.sort_by_key(|pod| text(pod, "/status/podIP").to_owned());
        let name = |pod: &Value| text(pod, "/metadata/name").to_owned();
        Ok(pods.iter().map(name).collect())
    }

    fn pods(&self, revision: &Revision) -> Result<Vec<Value>> {
        let path = format!(
            "/api/v1/namespaces/{USER}/pods?labelSelector=serving.knative.dev%2Frevision%3D{}",
            revision.name
        );
        let pods = self.api.get(&path)?;
        let stays = |pod: &&Value| pod.pointer("/metadata/deletionTimestamp").is_none();
        Ok(items(&pods, "/items")
            .iter()
            .filter(stays)
            .cloned()
            .collect())
    }

    /// Waits until somebody stands behind a revision's public service.
    pub(crate) fn wait_for_route(&self, revision: &Revision) -> Result<()> {
        let query = format!("fieldSelector=metadata.name%3D{}", revision.name);
        let path = format!("/api/v1/namespaces/{USER}/endpoints?{query}");
        let what = format!("nobody stands in front of {}", revision.name);
        wait_until(&what, SOON, || {
            let endpoints = self.api.get(&path)?;
            let there = items(&endpoints, "/items")
                .iter()
                .any(|one| !addresses_of(one).is_empty());
            Ok(there.then_some(()))
        })
    }
}
