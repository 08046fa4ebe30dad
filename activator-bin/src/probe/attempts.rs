//! Probes one backend that is not ready, until it is.

use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use reporter_core::RevisionKey;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::evidence::Answer;
use super::exchange::{Ended, Exchange};
use super::known::{Called, Seen};
use super::schedule::{Class, Owner};
use super::{ProbeOutcome, ProbeSettings, Probes};

/// How long a probe with the short timeout runs at least before a waiting first probe may take its place.
const FAIR_SHARE: Duration = Duration::from_millis(40);

/// Runs two kinds of probes side by side, because no single timeout fits: a long one finds a backend behind a slow
/// link, a short one soon retries after a lost packet or a backend that hangs at startup.
pub(super) struct Attempts {
    pub(super) revision: RevisionKey,
    pub(super) owner: Owner,
    pub(super) backend: SocketAddr,
    pub(super) seen: Arc<Mutex<Seen>>,
    /// Notified when it responds in another way than before.
    pub(super) answered: Arc<Notify>,
    pub(super) exchange: Exchange,
    pub(super) settings: ProbeSettings,
    pub(super) probes: Arc<Probes>,
    /// Whether it was never ready before.
    pub(super) is_new: bool,
    /// Since when it has not been ready.
    pub(super) since: Instant,
}

impl Attempts {
    /// Waits until `from`, then probes until the backend passes.
    ///
    /// # Cancel safety
    /// Dropping the future ends the probing, without other effects.
    pub(super) async fn until_ready(&self, from: Instant) {
        let timed_out = Notify::new();
        sleep_until(from).await;
        tokio::select! {
            () = self.quick(&timed_out) => {}
            () = self.patient(&timed_out) => {}
        }
    }

    /// Whether the backend passes one probe.
    ///
    /// # Cancel safety
    /// As above.
    pub(super) async fn passes(&self) -> bool {
        let outcome = self.probe(Class::Repeat, self.settings.timeout).await;
        outcome == Some(ProbeOutcome::Ok)
    }

    /// Probes one after the other with the short timeout.
    async fn quick(&self, timed_out: &Notify) {
        let mut place = self.probes.crowd.join(self.is_new);
        let mut class = Class::First;
        loop {
            let Some(outcome) = self.probe(class, self.settings.timeout).await else {
                // The probe was cut short and did not fail.
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
            self.log_failure(outcome);
            sleep(place.pause(&self.settings, self.since.elapsed())).await;
        }
    }

    fn log_failure(&self, outcome: ProbeOutcome) {
        let line = self.seen.lock().log.on_failure(Instant::now());
        if let Some(failures) = line {
            tracing::info!(
                revision = %self.revision,
                backend = %self.called(),
                outcome = outcome.as_str(),
                failures = Some(failures).filter(|&failures| failures > 1),
                "backend is not ready"
            );
        }
    }

    fn called(&self) -> Called<'_> {
        let socket = match &self.exchange {
            Exchange::Tcp { socket, .. } => socket.as_deref(),
            Exchange::Knative { .. } => None,
        };
        let backend = self.backend;
        Called { backend, socket }
    }

    /// Probes with growing timeouts, each time a quick probe has timed out.
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

    /// Runs one probe. `None` if it was cut short to make room for another.
    async fn probe(&self, class: Class, limit: Duration) -> Option<ProbeOutcome> {
        let lane = self.probes.lanes.enter(self.owner, class).await;
        let probe = self.probes.network.probe(&self.exchange, self.backend);
        let mut probe = pin!(timeout(limit + self.exchange.open_for(), probe));
        let in_time = tokio::select! {
            biased;
            in_time = &mut probe => in_time,
            () = sleep(FAIR_SHARE) => tokio::select! {
                biased;
                in_time = &mut probe => in_time,
                () = lane.needed() => return None,
            }
        };
        let Ended { outcome, answer } = in_time.unwrap_or(ProbeOutcome::Timeout.into());
        (self.probes.on_outcome)(outcome);
        self.note(answer);
        Some(outcome)
    }

    fn note(&self, answer: Answer) {
        let before = self.seen.lock().answer.replace(answer);
        if before != Some(answer) {
            self.answered.notify_one();
        }
    }
}
