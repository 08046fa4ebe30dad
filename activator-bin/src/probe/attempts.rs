//! The probes of one backend that is not ready, until it is.

use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use reporter_core::RevisionKey;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep, timeout};

use super::exchange::Exchange;
use super::schedule::{Class, Owner};
use super::{ProbeOutcome, ProbeSettings, Probes};
use crate::logging::health_log::HealthLog;

/// How long a probe with a short time-out runs at least before its room goes to a first one that has none.
const FAIR_SHARE: Duration = Duration::from_millis(40);

/// Two kinds of probes side by side, because no one time-out is right: a long one finds a backend behind a slow
/// link, a short one soon tries anew where a packet was lost or the backend hung at its start.
pub(super) struct Attempts {
    pub(super) revision: RevisionKey,
    pub(super) owner: Owner,
    pub(super) backend: SocketAddr,
    /// What the log was told of it.
    pub(super) told: Arc<Mutex<HealthLog>>,
    pub(super) exchange: Exchange,
    pub(super) settings: ProbeSettings,
    pub(super) probes: Arc<Probes>,
}

impl Attempts {
    /// Waits for `delay`, then probes until the backend is ready.
    ///
    /// # Cancel safety
    /// Dropping the future ends the probing; nothing else comes of it.
    pub(super) async fn until_ready(self, delay: Duration) {
        let timed_out = Notify::new();
        sleep(delay).await;
        tokio::select! {
            () = self.quick(&timed_out) => {}
            () = self.patient(&timed_out) => {}
        }
    }

    /// One after the other with the short time-out.
    async fn quick(&self, timed_out: &Notify) {
        let start = Instant::now();
        let mut class = Class::First;
        loop {
            let Some(outcome) = self.probe(class, self.settings.timeout).await else {
                // It has failed in nothing.
                class = Class::Repeat;
                continue;
            };
            match outcome {
                ProbeOutcome::Ok => return,
                ProbeOutcome::Timeout => timed_out.notify_one(),
                ProbeOutcome::Refused | ProbeOutcome::Status | ProbeOutcome::Body => {}
                ProbeOutcome::OutOfDescriptors => {
                    sleep(self.settings.frequency).await;
                    continue;
                }
            }
            class = Class::Repeat;
            self.tell(outcome);
            sleep(self.settings.pause(start.elapsed())).await;
        }
    }

    fn tell(&self, outcome: ProbeOutcome) {
        let line = self.told.lock().on_failure(Instant::now());
        if let Some(failures) = line {
            tracing::info!(
                revision = %self.revision,
                backend = %self.backend,
                outcome = outcome.as_str(),
                failures = Some(failures).filter(|&failures| failures > 1),
                "backend is not ready"
            );
        }
    }

    /// One whenever a quick one has timed out, with time-outs that grow.
    async fn patient(&self, timed_out: &Notify) {
        let mut limit = self.settings.longer_timeout(self.settings.timeout);
        loop {
            timed_out.notified().await;
            match self.probe(Class::Patient, limit).await {
                Some(ProbeOutcome::Ok) => return,
                Some(ProbeOutcome::Timeout) => limit = self.settings.longer_timeout(limit),
                _ => {}
            }
        }
    }

    /// What came of one probe; none when it was given up for another one.
    async fn probe(&self, class: Class, limit: Duration) -> Option<ProbeOutcome> {
        let lane = self.probes.lanes.enter(self.owner, class).await;
        let probe = self.probes.network.probe(self.exchange, self.backend);
        let mut probe = pin!(timeout(limit + self.exchange.look(), probe));
        let in_time = tokio::select! {
            biased;
            in_time = &mut probe => in_time,
            () = sleep(FAIR_SHARE) => tokio::select! {
                biased;
                in_time = &mut probe => in_time,
                () = lane.needed() => return None,
            }
        };
        let outcome = in_time.unwrap_or(ProbeOutcome::Timeout);
        (self.probes.on_outcome)(outcome);
        Some(outcome)
    }
}
