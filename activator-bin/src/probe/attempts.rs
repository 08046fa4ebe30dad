//! The probes of one backend that is not ready, until it is.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use reporter_core::RevisionKey;
use tokio::sync::{Notify, Semaphore};
use tokio::time::{Instant, sleep, timeout};

use super::exchange::Exchange;
use super::{ProbeOutcome, ProbeSettings, Probes};

/// Two kinds of probes side by side, because no one time-out is right: a long one finds a backend behind a slow
/// link, a short one soon tries anew where a packet was lost or the backend hung at its start.
pub(super) struct Attempts {
    pub(super) revision: RevisionKey,
    pub(super) backend: SocketAddr,
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
        let mut logged = false;
        loop {
            let outcome = self.probe(&self.probes.quick, self.settings.timeout).await;
            match outcome {
                ProbeOutcome::Ok => return,
                ProbeOutcome::Timeout => timed_out.notify_one(),
                ProbeOutcome::Refused | ProbeOutcome::Status | ProbeOutcome::Body => {}
            }
            if !logged {
                logged = true;
                tracing::info!(
                    revision = %self.revision,
                    backend = %self.backend,
                    outcome = outcome.as_str(),
                    "backend is not ready"
                );
            }
            sleep(self.settings.pause(start.elapsed())).await;
        }
    }

    /// One whenever a quick one has timed out, with time-outs that grow.
    async fn patient(&self, timed_out: &Notify) {
        let mut limit = self.settings.longer_timeout(self.settings.timeout);
        loop {
            timed_out.notified().await;
            match self.probe(&self.probes.patient, limit).await {
                ProbeOutcome::Ok => return,
                ProbeOutcome::Timeout => limit = self.settings.longer_timeout(limit),
                ProbeOutcome::Refused | ProbeOutcome::Status | ProbeOutcome::Body => {}
            }
        }
    }

    async fn probe(&self, lane: &Semaphore, limit: Duration) -> ProbeOutcome {
        let _permit = lane.acquire().await.expect("nobody closes it");
        let probe = self.probes.network.probe(self.exchange, self.backend);
        let outcome = timeout(limit, probe).await;
        let outcome = outcome.unwrap_or(ProbeOutcome::Timeout);
        (self.probes.on_outcome)(outcome);
        outcome
    }
}
