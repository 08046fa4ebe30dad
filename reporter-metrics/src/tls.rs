//! TLS: whether the certificates are those in the files, and connections that came to nothing.

use metrics::{Counter, Gauge};

use crate::names;
use crate::registry::Registry;

/// What becomes of a section's certificate files. A clone records into the same series.
#[derive(Clone)]
pub struct CertificateMetrics {
    last_reload_success: Gauge,
}

impl CertificateMetrics {
    pub(crate) fn new(registry: &Registry, section: &str) -> Self {
        let name = &names::CERTIFICATE_LAST_RELOAD_SUCCESS;
        Self {
            last_reload_success: registry.gauge(name, &[section]),
        }
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
