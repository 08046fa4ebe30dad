//! TLS: whether the certificates are those in the files, when they expire, and connections that came to nothing.

use std::sync::Arc;
use std::time::SystemTime;

use metrics::{Counter, Gauge};

use crate::names;
use crate::registry::Registry;

/// What becomes of a section's certificate files. A clone records into the same series.
#[derive(Clone)]
pub struct CertificateMetrics {
    registry: Arc<Registry>,
    section: Arc<str>,
    last_reload_success: Gauge,
}

impl CertificateMetrics {
    pub(crate) fn new(registry: &Arc<Registry>, section: &str) -> Self {
        let name = &names::CERTIFICATE_LAST_RELOAD_SUCCESS;
        Self {
            last_reload_success: registry.gauge(name, &[section]),
            registry: Arc::clone(registry),
            section: section.into(),
        }
    }

    /// The certificate that is in use expires then. A section that has none is never asked, and shows none.
    pub fn expires(&self, at: SystemTime) {
        let name = &names::CERTIFICATE_EXPIRATION;
        let since_1970 = at.duration_since(SystemTime::UNIX_EPOCH);
        self.registry
            .gauge(name, &[&*self.section])
            .set(since_1970.unwrap_or_default().as_secs_f64());
    }

    /// The files were read, at the start or again, and they were good or not.
    pub fn loaded(&self, good: bool) {
        self.last_reload_success.set(if good { 1.0 } else { 0.0 });
    }
}

/// Counts handshakes. A clone records into the same series.
#[derive(Clone)]
pub struct HandshakeMetrics {
    failures: Counter,
}

impl HandshakeMetrics {
    pub(crate) fn new(registry: &Registry) -> Self {
        Self {
            failures: registry.counter(&names::HANDSHAKE_FAILURES, &[]),
        }
    }

    /// A client's connection ended before TLS was agreed on.
    pub fn failed(&self) {
        self.failures.increment(1);
    }
}
