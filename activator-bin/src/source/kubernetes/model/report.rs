//! Revisions as they are reported.

use std::sync::Arc;

use reporter_core::RevisionKey;

use super::entry::Entry;
use super::pods::Instances;
use super::problems::Findings;
use super::{Model, ModelSettings, activators};
use crate::probe::InCluster;
use crate::revision::{Change, RevisionSpec};

/// The port of every instance for requests over TLS.
const TLS_PORT: u16 = 8112;

/// The part that problems with the ports of instances belong to, which nobody knows without the revision.
const PODS: &str = "Pods of";

impl Model {
    /// The change of one revision since it was reported last, if there is one.
    pub(super) fn change(&mut self, key: RevisionKey) -> Option<Change> {
        let entry = self.revisions.get_mut(&key)?;
        entry.is_touched = false;
        let Some(spec) = &entry.spec else {
            let was_reported = entry.reported.take().is_some();
            if entry.slices.is_empty() {
                self.revisions.remove(&key);
            }
            self.problems.found(PODS, &key, 0, Findings::default());
            return was_reported.then_some(Change::Remove(key));
        };
        let mut findings = Findings::default();
        let spec = complete(spec, entry, &self.settings, &mut findings);
        self.problems.found(PODS, &key, 0, findings);
        if let Some(reported) = &entry.reported
            && **reported == spec
        {
            entry.spec = Some(Arc::clone(reported));
            return None;
        }
        let spec = Arc::new(spec);
        entry.spec = Some(Arc::clone(&spec));
        entry.reported = Some(Arc::clone(&spec));
        Some(Change::Put(spec))
    }
}

/// The revision with its instances, and this activator's share of them, as they are now.
fn complete(
    spec: &RevisionSpec,
    entry: &Entry,
    settings: &ModelSettings,
    findings: &mut Findings,
) -> RevisionSpec {
    let cluster = spec.cluster.as_deref().cloned().unwrap_or_default();
    let http2 = cluster.http2;
    for (slice, pods) in entry.pods() {
        if pods.ports.of(http2).is_none() {
            let wanted = if http2 { "http2" } else { "http" };
            let (name, count) = (&slice.name, pods.len());
            findings.add(
                "ports",
                format_args!(
                    "{name} has no port named {wanted:?}: its {count} addresses are not used"
                ),
            );
        }
    }
    let lists = entry.pods();
    let Instances {
        backends,
        not_ready,
    } = Instances::of(
        lists.map(|(slice, pods)| (pods, slice.version, &*slice.name)),
        http2,
        settings.pod_ip.is_none_or(|own| own.is_ipv4()),
    );
    // Without this activator among them: nothing is known that is newer than its last share.
    let share = settings.pod_ip;
    let share = share.and_then(|own| activators::share(entry.activators(), http2, own));
    RevisionSpec {
        tls: settings.internal_tls,
        backends,
        cluster: Some(Arc::new(InCluster {
            not_ready,
            share: share.or(cluster.share),
            tls_port: settings.internal_tls.then_some(TLS_PORT),
            ..cluster
        })),
        ..spec.clone()
    }
}
