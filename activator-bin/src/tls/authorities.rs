//! The CA certificates that verify backends: from PEM to a TLS client configuration.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::client::{Resumption, WebPkiServerVerifier};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, TrustAnchor};
use rustls::{ClientConfig, RootCertStore};

use super::negotiation::Negotiation;
use super::problem::{TlsProblems, What};
use super::{BACKEND_SECTION, Files, Loaded};
use crate::os::regular_file;

/// The file of the CA certificates.
pub(crate) struct Authorities {
    pub(crate) ca_file: PathBuf,
    pub(crate) negotiation: Negotiation,
}

impl Files for Authorities {
    type Content = Option<Arc<Trusted>>;

    fn section(&self) -> &str {
        BACKEND_SECTION
    }

    fn paths(&self) -> Vec<&Path> {
        vec![&self.ca_file]
    }

    fn load(&self) -> Result<Loaded<Self::Content>, TlsProblems> {
        let subject = || format!("backend_tls.ca_file: {}", self.ca_file.display());
        let text =
            regular_file::read(&self.ca_file).map_err(|why| What::from(why).of(subject()))?;
        match roots(&text) {
            (roots, None) => Ok(Loaded {
                content: Some(Arc::new(Trusted::new(&self.negotiation, roots))),
                // The expiry of CA certificates is not checked.
                not_after: None,
            }),
            (_, Some(what)) => Err(what.of(subject()).into()),
        }
    }
}

/// How connections to backends begin: the negotiation, and the CA certificates that verify them.
pub(crate) struct Trusted {
    pub(super) config: Arc<ClientConfig>,
    /// The verifier of `config`.
    pub(super) verifier: Arc<WebPkiServerVerifier>,
    roots: Arc<RootCertStore>,
}

impl Trusted {
    /// `roots` must not be empty.
    pub(super) fn new(negotiation: &Negotiation, roots: Vec<TrustAnchor<'static>>) -> Self {
        let roots = Arc::new(RootCertStore { roots });
        let provider = Arc::clone(negotiation.provider());
        let verifier = WebPkiServerVerifier::builder_with_provider(Arc::clone(&roots), provider)
            .build()
            .expect("there are roots, and no revocation lists");
        let mut config = negotiation
            .client()
            .with_webpki_verifier(Arc::clone(&verifier))
            .with_no_client_auth();
        // Sessions are stored by name, which many backends share, and none could resume another's.
        config.resumption = Resumption::disabled();
        Self {
            config: Arc::new(config),
            verifier,
            roots,
        }
    }

    /// What is trusted of the CA certificates.
    pub(super) fn anchors(&self) -> &[TrustAnchor<'static>] {
        &self.roots.roots
    }
}

/// The usable certificates in a text in PEM, and the first problem, which is there when none is usable.
pub(super) fn roots(text: &[u8]) -> (Vec<TrustAnchor<'static>>, Option<What>) {
    let mut roots = RootCertStore::empty();
    let mut problem = None;
    for certificate in CertificateDer::pem_slice_iter(text) {
        let certificate = certificate.map_err(What::from);
        let added = certificate.and_then(|it| roots.add(it).map_err(What::BadCertificate));
        if let Err(what) = added {
            problem.get_or_insert(what);
        }
    }
    if roots.is_empty() {
        problem.get_or_insert(What::NoCertificate);
    }
    (roots.roots, problem)
}
