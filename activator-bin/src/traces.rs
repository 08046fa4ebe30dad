//! Traces: which requests are traced, the context that their backends get, and the spans that are recorded of them.
//!
//! Contexts are those of W3C Trace Context. While tracing is off, headers pass unchanged and nothing is done.
//! Whoever takes spans must not block; `otlp` sends them to a collector.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use arc_swap::ArcSwapOption;
use http::Request;
use tokio::time::Instant;

mod attributes;
mod config;
mod context;
#[cfg(feature = "otlp")]
pub(crate) mod otlp;
mod request;
mod sampling;
mod span;

pub(crate) use attributes::{Destination, Origin};
pub(crate) use config::EXPECTED as ENDPOINT_EXPECTED;
pub use config::{Endpoint, ExportProtocol, TracingConfig};
pub use context::{SpanId, TraceContext, TraceId};
pub(crate) use request::RequestTrace;
pub use span::{Attribute, Kind, Span, Trace, Value};

use sampling::Sampler;

/// Whether and how requests are traced. Clones share that, and it can change at any time.
#[derive(Clone, Default)]
pub struct Traces(Arc<Shared>);

#[derive(Default)]
struct Shared {
    /// Whether there is a tracer.
    is_on: AtomicBool,
    tracer: ArcSwapOption<Tracer>,
}

struct Tracer {
    sampler: Sampler,
    to: Box<TakeTrace>,
}

/// Takes the spans of a request; must not block.
type TakeTrace = dyn Fn(Trace) + Send + Sync;

impl Traces {
    /// Traces the requests that begin from now on: those whose clients have decided so, and this share of the others.
    pub fn start(&self, sampling_rate: f64, to: impl Fn(Trace) + Send + Sync + 'static) {
        let tracer = Tracer {
            sampler: Sampler::new(sampling_rate),
            to: Box::new(to),
        };
        self.0.tracer.store(Some(Arc::new(tracer)));
        self.0.is_on.store(true, Ordering::Relaxed);
    }

    /// Traces no more requests. The spans of those in flight are lost.
    pub fn stop(&self) {
        self.0.is_on.store(false, Ordering::Relaxed);
        self.0.tracer.store(None);
    }

    /// A request has arrived.
    ///
    /// Costs a load and nothing else while tracing is off.
    #[inline]
    pub(crate) fn begin<B>(
        &self,
        request: &Request<B>,
        client: Origin<'_>,
        begin: Instant,
    ) -> Option<Box<RequestTrace>> {
        if !self.0.is_on.load(Ordering::Relaxed) {
            return None;
        }
        let tracer = self.0.tracer.load();
        let sampler = tracer.as_ref()?.sampler;
        RequestTrace::new(self, sampler, request, client, begin).map(Box::new)
    }

    /// A traced request has ended.
    fn take(&self, trace: Trace) {
        if let Some(tracer) = &*self.0.tracer.load() {
            (tracer.to)(trace);
        }
    }
}
