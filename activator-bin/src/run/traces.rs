//! Traces of this process: whether and where they go, at the start and as a cluster says.

use std::time::Duration;

use reporter_metrics::Exporter;

use crate::config::{Config, TracingConfig};
use crate::traces::Traces;

/// Why spans cannot be sent.
#[derive(Debug, thiserror::Error)]
pub enum TracingError {
    /// There is nothing to verify the collector with.
    #[cfg(feature = "otlp")]
    #[error(transparent)]
    NoAuthorities(#[from] crate::traces::otlp::NoAuthorities),
    /// This program cannot send spans.
    #[cfg(not(feature = "otlp"))]
    #[error("this program was built without the feature otlp")]
    NotBuilt,
}

#[cfg(feature = "otlp")]
mod exports {
    use std::sync::Arc;

    use parking_lot::Mutex;
    use reporter_metrics::SpanMetrics;

    use super::{Config, Duration, Exporter, Traces, TracingConfig, TracingError};
    use crate::traces::otlp::{Collector, Export};

    /// How long an export that another one follows may take to end.
    const REPLACED: Duration = Duration::from_secs(5);

    /// Traces, and the export of their spans. Clones share it.
    #[derive(Clone)]
    pub(crate) struct Tracing(Arc<Shared>);

    struct Shared {
        traces: Traces,
        resource: [(&'static str, String); 3],
        metrics: SpanMetrics,
        export: Mutex<Option<Export>>,
    }

    impl Tracing {
        pub(crate) fn new(traces: Traces, config: &Config, exporter: &Exporter) -> Self {
            Self(Arc::new(Shared {
                traces,
                resource: [
                    ("service.name", "activator".to_owned()),
                    ("service.version", env!("CARGO_PKG_VERSION").to_owned()),
                    ("service.instance.id", config.pod_name.clone()),
                ],
                metrics: exporter.spans(),
                export: Mutex::default(),
            }))
        }

        /// Traces requests as `config` says, from now on, on the current tokio runtime.
        pub(crate) fn set(&self, config: &TracingConfig) -> Result<(), TracingError> {
            let collector = config.protocol.zip(config.endpoint.clone());
            let start = |(protocol, endpoint)| {
                let collector = Collector { protocol, endpoint };
                Export::start(&collector, &self.0.resource, self.0.metrics.clone())
            };
            let export = collector.map(start).transpose()?;
            match &export {
                Some(export) => self.0.traces.start(config.sampling_rate, export.sender()),
                None => self.0.traces.stop(),
            }
            let before = std::mem::replace(&mut *self.0.export.lock(), export);
            if let Some(before) = before {
                tokio::spawn(before.stop(REPLACED));
            }
            Ok(())
        }

        /// Sends what is left, for at most as long as `limit`.
        pub(crate) async fn stop(&self, limit: Duration) {
            let export = self.0.export.lock().take();
            if let Some(export) = export {
                export.stop(limit).await;
            }
        }
    }
}

#[cfg(feature = "otlp")]
pub(super) use exports::Tracing;

/// Traces that go nowhere.
#[cfg(not(feature = "otlp"))]
#[derive(Clone)]
pub(super) struct Tracing;

#[cfg(not(feature = "otlp"))]
impl Tracing {
    pub(super) fn new(_: Traces, _: &Config, _: &Exporter) -> Self {
        Self
    }

    pub(super) fn set(&self, config: &TracingConfig) -> Result<(), TracingError> {
        match config.protocol {
            None => Ok(()),
            Some(_) => Err(TracingError::NotBuilt),
        }
    }

    pub(super) async fn stop(&self, _: Duration) {}
}
