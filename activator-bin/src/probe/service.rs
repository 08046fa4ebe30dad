//! The private Service of a revision: how its address is found, and when it can take requests.
//!
//! What must not live here: the client of the API server, and when requests go through the Service.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::attempts::Attempts;
use super::exchange::Exchange;
use super::in_cluster::InCluster;

/// The addresses of a private Service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PrivateService {
    /// For requests without TLS, and for probes.
    pub http: SocketAddr,
    /// For requests over TLS, if the Service has a port for them.
    pub https: Option<SocketAddr>,
}

/// Finds the private Services of revisions.
#[async_trait]
pub trait PrivateServices: Send + Sync {
    /// The current addresses of a Service: its ClusterIP, with the port named `http`, or `http2` if that is meant, and
    /// with the port named `https`.
    ///
    /// # Errors
    /// A sentence for the log.
    ///
    /// # Cancel safety
    /// May be dropped at any time.
    async fn address(
        &self,
        namespace: &str,
        service: &str,
        http2: bool,
    ) -> Result<PrivateService, String>;
}

/// The longest that an address is waited for.
const FIND_TIMEOUT: Duration = Duration::from_secs(10);
/// The longest pause after one was not found.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// How long an address that passes no probe is believed.
const BELIEVED_FOR: Duration = Duration::from_secs(30);

/// Looks for a Service that passes a probe.
pub(super) struct Search {
    /// How it is probed, once it has an address.
    pub(super) attempts: Attempts,
    pub(super) cluster: Arc<InCluster>,
}

impl Search {
    /// Waits until `from`, then looks for the Service until it passes a probe.
    ///
    /// # Cancel safety
    /// Dropping the future ends the search, without other effects.
    pub(super) async fn until_found(mut self, from: Instant) -> PrivateService {
        sleep_until(from).await;
        let mut pause = self.attempts.settings.frequency;
        loop {
            match self.find().await {
                Ok(service) => {
                    pause = self.attempts.settings.frequency;
                    self.attempts.backend = service.http;
                    let ready = self.attempts.until_ready(Instant::now());
                    if timeout(BELIEVED_FOR, ready).await.is_ok() {
                        return service;
                    }
                }
                Err(error) => {
                    self.log(&error);
                    sleep(pause).await;
                    pause = pause.saturating_mul(2).min(LONGEST_PAUSE.max(pause));
                }
            }
        }
    }

    async fn find(&self) -> Result<PrivateService, String> {
        let probes = &self.attempts.probes;
        let services = probes.services.get().ok_or("there is no API server")?;
        let _room = probes.searches.acquire().await;
        let namespace = self.attempts.revision.namespace();
        let InCluster {
            private_service,
            http2,
            ..
        } = &*self.cluster;
        timeout(
            FIND_TIMEOUT,
            services.address(namespace, private_service, *http2),
        )
        .await
        .unwrap_or_else(|_| Err(format!("no response within {FIND_TIMEOUT:?}")))
    }

    fn log(&self, error: &str) {
        let line = self.attempts.seen.lock().log.on_failure(Instant::now());
        if line.is_some() {
            let (revision, service) = (&self.attempts.revision, &self.cluster.private_service);
            tracing::warn!(%revision, %service, error, "the address of the private Service is unknown");
        }
    }
}

impl Exchange {
    /// A probe of a Service.
    pub(super) const OF_SERVICE: Self = Self::Knative { via: None };
}
