//! The revisions of a cluster: puts together what is heard, and reports what has changed.

use std::time::Duration;

use reporter_metrics::ClusterMetrics;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until, timeout};

use super::addresses::AddressesHeard;
use super::gather::Gather;
use super::limits::ClusterLimits;
use super::model::{Event, Model, ModelSettings};
use super::object::Revision;
use super::watching::Heard;
use crate::revision::Change;

/// The most problems logged at once; there may be as many as the cluster has objects.
const PROBLEMS_LOGGED: usize = 100;

/// What is heard of revisions and their addresses.
#[derive(Debug)]
pub(super) enum RevisionsHeard {
    Revisions(Heard<Revision>),
    Addresses(AddressesHeard),
}

/// The revisions of a cluster, once both they and their addresses have been listed.
pub(super) struct ClusterRevisions {
    heard: mpsc::Receiver<RevisionsHeard>,
    model: Model,
    gather: Gather,
    /// Whether instances are reached over TLS; `None` while that is not known.
    internal_tls: watch::Receiver<Option<bool>>,
    first: First,
    synced: watch::Sender<bool>,
    metrics: ClusterMetrics,
}

/// What the first update waits for.
struct First {
    revisions: bool,
    addresses: bool,
    /// Until when it waits for `internal_tls`.
    settings: Duration,
    state: FirstState,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum FirstState {
    Waiting,
    /// It has been reported, and is being applied.
    Reported,
    Applied,
}

impl ClusterRevisions {
    pub(super) fn new(
        heard: mpsc::Receiver<RevisionsHeard>,
        settings: ModelSettings,
        limits: &ClusterLimits,
        internal_tls: watch::Receiver<Option<bool>>,
        synced: watch::Sender<bool>,
        metrics: ClusterMetrics,
    ) -> Self {
        Self {
            heard,
            model: Model::new(settings),
            gather: Gather::new(limits.window),
            internal_tls,
            first: First {
                revisions: false,
                addresses: false,
                settings: limits.settings,
                state: FirstState::Waiting,
            },
            synced,
            metrics,
        }
    }

    /// Waits for changes. The first time these are all revisions.
    ///
    /// Cancel-safe.
    pub(super) async fn changed(&mut self) -> Vec<Change> {
        if self.first.state == FirstState::Waiting {
            let all = self.first().await;
            self.first.state = FirstState::Reported;
            self.gather.on_applied(Instant::now());
            return all;
        }
        if self.first.state == FirstState::Reported {
            // Whoever asks again has applied them.
            self.first.state = FirstState::Applied;
            self.synced.send_replace(true);
        }
        self.next().await
    }

    fn take(&mut self, heard: RevisionsHeard) {
        match heard {
            RevisionsHeard::Revisions(Heard::Events(events)) => {
                for event in events {
                    self.first.revisions |= matches!(event, Event::ListEnds);
                    self.model.on_revision(event);
                }
            }
            RevisionsHeard::Addresses(AddressesHeard::Slices(Heard::Events(events))) => {
                for event in events {
                    self.first.addresses |= matches!(event, Event::ListEnds);
                    self.model.on_slice(event);
                }
            }
            RevisionsHeard::Addresses(AddressesHeard::Endpoints(Heard::Events(events))) => {
                for event in events {
                    self.first.addresses |= matches!(event, Event::ListEnds);
                    self.model.on_endpoints(event);
                }
            }
            // What was known before still counts.
            RevisionsHeard::Revisions(Heard::Refused)
            | RevisionsHeard::Addresses(
                AddressesHeard::Slices(Heard::Refused) | AddressesHeard::Endpoints(Heard::Refused),
            ) => {}
        }
        self.gather.on_change(Instant::now());
    }

    /// Waits until all has been listed and it is known how instances are reached. Returns all revisions.
    async fn first(&mut self) -> Vec<Change> {
        while !(self.first.revisions && self.first.addresses) {
            match self.heard.recv().await {
                Some(heard) => self.take(heard),
                None => std::future::pending().await,
            }
        }
        let known = self.internal_tls.wait_for(Option::is_some);
        let tls = timeout(self.first.settings, known).await;
        let tls = tls.is_ok_and(|it| it.is_ok_and(|it| *it == Some(true)));
        self.model.set_internal_tls(tls);
        let changes = self.changes();
        tracing::info!("the cluster has {} revisions", changes.len());
        changes
    }

    /// Waits until changes are due.
    async fn next(&mut self) -> Vec<Change> {
        loop {
            let due = self.gather.due();
            tokio::select! {
                biased;
                () = sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => {
                    self.gather.on_applied(Instant::now());
                    let changes = self.changes();
                    if !changes.is_empty() {
                        return changes;
                    }
                }
                heard = self.heard.recv() => match heard {
                    Some(heard) => self.take(heard),
                    // The runtime is shutting down.
                    None => std::future::pending().await,
                },
                Ok(()) = self.internal_tls.changed() => {
                    let tls = *self.internal_tls.borrow_and_update() == Some(true);
                    self.model.set_internal_tls(tls);
                    self.gather.on_change(Instant::now());
                }
            }
        }
    }

    /// What has changed. What turned out to be wrong is logged.
    fn changes(&mut self) -> Vec<Change> {
        let changes = self.model.changes();
        let problems = self.model.problems();
        for problem in problems.named.iter().take(PROBLEMS_LOGGED) {
            tracing::warn!("{problem}");
        }
        let left_out = problems.named.len().saturating_sub(PROBLEMS_LOGGED) as u64;
        if let more @ 1.. = left_out + problems.others {
            tracing::warn!("and {more} more problems with objects of the cluster");
        }
        self.metrics.bad_objects(self.model.bad_objects());
        changes
    }
}
