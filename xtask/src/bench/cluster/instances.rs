//! The instances of revisions, as long as the controllers run.

use std::time::Duration;

use anyhow::Result;

use crate::e2e::cluster::Cluster;
use crate::e2e::cluster::objects::{Revision, USER, items, text};
use crate::support::process::wait_until;

const SCALED: Duration = Duration::from_secs(120);

/// Waits until so many instances of a revision are ready.
pub(super) fn wait_for_ready(cluster: &Cluster, revision: &Revision, count: usize) -> Result<()> {
    let name = &revision.name;
    let path = format!("/api/v1/namespaces/{USER}/endpoints/{name}-private");
    let what = format!("{name} does not have {count} instances");
    wait_until(&what, SCALED, || {
        let endpoints = cluster.api.get(&path)?;
        let subsets = items(&endpoints, "/subsets").iter();
        let ready: usize = subsets
            .map(|subset| items(subset, "/addresses").len())
            .sum();
        Ok((ready == count).then_some(()))
    })
}

/// Waits until these revisions have scaled to 0, and ends the instances that would be there for another half a minute,
/// until they have drained.
pub(super) fn wait_for_none(cluster: &Cluster, revisions: &[Revision]) -> Result<()> {
    for revision in revisions {
        let name = &revision.name;
        let what = format!("{name} has not scaled to 0");
        wait_until(&what, SCALED, || {
            Ok((cluster.instances(revision)? == 0).then_some(()))
        })?;
    }
    wait_until("there are still instances", SCALED, || {
        let pods = cluster
            .api
            .get(&format!("/api/v1/namespaces/{USER}/pods"))?;
        for pod in items(&pods, "/items") {
            let path = format!(
                "/api/v1/namespaces/{USER}/pods/{}",
                text(pod, "/metadata/name")
            );
            // It may have ended meanwhile.
            let _ = cluster.api.delete(&format!("{path}?gracePeriodSeconds=0"));
        }
        Ok(items(&pods, "/items").is_empty().then_some(()))
    })?;
    // The slices are told of it.
    std::thread::sleep(Duration::from_secs(1));
    Ok(())
}
