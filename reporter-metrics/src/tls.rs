//! TLS: whether certificate files could be read, when certificates expire, and failed handshakes.

use std::sync::Arc;
use std::time::SystemTime;

use metrics::{Counter, Gauge};

use crate::names;
use crate::registry::Registry;

/// The certificate files of one section. Clones share the same series.
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

    /// Sets when the certificate in use expires. Without a call there is no series.
    pub fn expires(&self, at: SystemTime) {
        let name = &names::CERTIFICATE_EXPIRATION;
        let since_1970 = at.duration_since(SystemTime::UNIX_EPOCH);
        self.registry
            .gauge(name, &[&*self.section])
            .set(since_1970.unwrap_or_default().as_secs_f64());
    }

    /// The files were read, at the start or again; `good` if they are valid.
    pub fn loaded(&self, good: bool) {
        self.last_reload_success.set(if good { 1.0 } else { 0.0 });
    }
}

/// Counts failed TLS handshakes. Clones share the same series.
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

    /// A client connection ended during the TLS handshake.
    pub fn failed(&self) {
        self.failures.increment(1);
    }
}
