//! Batches to Knative's autoscaler: confirmed, in order, over a WebSocket that reconnects.
//!
//! What must not live here: rules of merging and confirming (they are the outbox's), metrics libraries.

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use async_trait::async_trait;
use tokio::sync::{mpsc, watch};

use self::connect::Connector;
use self::delivery::Delivery;
use self::look_up::LookUp;
use super::{StatSink, Undelivered};
use crate::{Clock, Dispatch, SystemClock};

mod backoff;
mod config;
mod connect;
mod delivery;
mod endpoint;
mod failure;
mod first_reports;
mod link;
mod look_up;
mod observer;
mod pulse;
mod race;
mod tls;
mod wire;

pub use config::{AutoscalerConfig, AutoscalerNumber, InvalidAutoscalerConfig, InvalidField, Slot};
pub use failure::LinkFailure;
pub use observer::LinkObserver;
pub use tls::TlsError;

/// Delivers every count to an autoscaler at least once, and exactly once while no link breaks.
///
/// After each frame goes a ping with the frame's number. The receiver sends the pong once it has
/// processed the frame, which confirms it; frames without a pong when a link breaks are sent again.
/// While there is no link, reports wait merged per key ([`Outbox`](reporter_core::Outbox)).
///
/// The link counts as up from the first pong on: a peer that only accepts connections is not up.
///
/// ```
/// use reporter_runtime::sink::autoscaler::{AutoscalerConfig, AutoscalerSink};
///
/// let config = AutoscalerConfig::new("ws://autoscaler.knative-serving.svc.cluster.local:8080");
/// let sink = AutoscalerSink::try_new("autoscaler", "activator-0", config)?;
/// let link_up = sink.link_up();
/// assert!(!*link_up.borrow());
/// # Ok::<(), reporter_runtime::sink::autoscaler::InvalidAutoscalerConfig>(())
/// ```
pub struct AutoscalerSink {
    name: String,
    pod_name: Arc<str>,
    config: AutoscalerConfig,
    connector: Connector,
    clock: Box<dyn Clock>,
    observer: Box<dyn LinkObserver>,
    up: watch::Sender<bool>,
}

impl AutoscalerSink {
    /// A sink with `name` in logs that reports as the pod `pod_name`. It connects once it runs.
    ///
    /// # Errors
    /// Names every field of `config` that is out of its range.
    pub fn try_new(
        name: impl Into<String>,
        pod_name: impl Into<Arc<str>>,
        config: AutoscalerConfig,
    ) -> Result<Self, InvalidAutoscalerConfig> {
        let (endpoint, tls) = config.parse()?;
        let pod_name = pod_name.into();
        Ok(Self {
            name: name.into(),
            connector: Connector {
                endpoint,
                look_up: LookUp::default(),
                failed: AtomicUsize::new(0),
                tls,
                handshake_timeout: config.handshake_timeout,
                frame_max: Connector::frame_max(&pod_name, config.max_frame_messages),
            },
            pod_name,
            config,
            clock: Box::new(SystemClock::new()),
            observer: Box::new(()),
            up: watch::Sender::new(false),
        })
    }

    /// Passes the link's events to `observer`. `clock` is the reporter's: first requests are timed by it.
    #[must_use]
    pub fn observer(mut self, clock: impl Clock, observer: impl LinkObserver) -> Self {
        self.clock = Box::new(clock);
        self.observer = Box::new(observer);
        self
    }

    /// Whether the link is up, now and from now on.
    #[must_use]
    pub fn link_up(&self) -> watch::Receiver<bool> {
        self.up.subscribe()
    }
}

#[async_trait]
impl StatSink for AutoscalerSink {
    fn name(&self) -> String {
        self.name.clone()
    }

    async fn run(
        self: Box<Self>,
        mailbox: mpsc::Receiver<Arc<Dispatch>>,
    ) -> Result<(), Undelivered> {
        Delivery::new(*self, mailbox).run().await
    }
}
