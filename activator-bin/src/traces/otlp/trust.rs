//! Whom a collector over TLS must be verified by: the system's CA certificates, or those that `SSL_CERT_FILE` names.

use std::sync::Arc;

use rustls::crypto::ring;
use rustls::{ClientConfig, RootCertStore};

/// There is nothing to verify a collector with.
#[derive(Debug, thiserror::Error)]
#[error(
    "this system has no CA certificates to verify the collector with; SSL_CERT_FILE can name a file of them"
)]
pub struct NoAuthorities;

/// Read once: there are hundreds.
pub(super) fn system() -> Result<Arc<ClientConfig>, NoAuthorities> {
    let mut roots = RootCertStore::empty();
    let found = rustls_native_certs::load_native_certs().certs;
    // A system's store may contain a few that cannot be parsed.
    match roots.add_parsable_certificates(found) {
        (0, _) => Err(NoAuthorities),
        _ => Ok(Arc::new(trusting(roots))),
    }
}

pub(super) fn trusting(roots: RootCertStore) -> ClientConfig {
    ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("ring has cipher suites for every protocol version")
        .with_root_certificates(roots)
        .with_no_client_auth()
}
