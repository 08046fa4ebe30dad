//! Whom a `wss://` link trusts.

use std::path::PathBuf;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, pem};
use rustls::{ClientConfig, RootCertStore};

/// The certificates that the autoscaler's is checked against.
#[derive(Debug)]
pub(super) enum Tls {
    /// The system's, read once: there are hundreds.
    System(Arc<ClientConfig>),
    /// A file's, read for each connection: certificate authorities are rotated under running programs.
    File(PathBuf),
}

/// Why there is nobody to trust.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The file of certificates cannot be read, or is not PEM.
    #[error("cannot be read as PEM certificates: {0}")]
    Unreadable(#[from] pem::Error),
    /// There is not a certificate in it.
    #[error("there is no certificate in it")]
    NoCertificate,
    /// A certificate in it is broken.
    #[error("one of its certificates is not valid: {0}")]
    BadCertificate(rustls::Error),
    /// There is no file, and the system has no certificates that can be used.
    #[error("is not set, and this system has no certificates of its own")]
    NoSystemCertificates,
}

impl Tls {
    pub(super) fn try_new(ca_file: Option<PathBuf>) -> Result<Self, TlsError> {
        let tls = match ca_file {
            Some(file) => Self::File(file),
            None => Self::System(system()?),
        };
        tls.client_config().map(|_| tls)
    }

    pub(super) fn client_config(&self) -> Result<Arc<ClientConfig>, TlsError> {
        let file = match self {
            Self::System(config) => return Ok(Arc::clone(config)),
            Self::File(file) => file,
        };
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_file_iter(file)? {
            roots.add(certificate?).map_err(TlsError::BadCertificate)?;
        }
        if roots.is_empty() {
            return Err(TlsError::NoCertificate);
        }
        Ok(trusting(roots))
    }
}

fn system() -> Result<Arc<ClientConfig>, TlsError> {
    let mut roots = RootCertStore::empty();
    let found = rustls_native_certs::load_native_certs().certs;
    // A system's store may hold a few that nobody can parse.
    let (usable, _) = roots.add_parsable_certificates(found);
    match usable {
        0 => Err(TlsError::NoSystemCertificates),
        _ => Ok(trusting(roots)),
    }
}

fn trusting(roots: RootCertStore) -> Arc<ClientConfig> {
    // The provider is named here, so that this works whatever the process has set for everybody.
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("ring has cipher suites for every protocol version")
        .with_root_certificates(roots)
        .with_no_client_auth();
    Arc::new(config)
}
