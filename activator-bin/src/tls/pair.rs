//! The listener's certificate and private key: from PEM to a TLS server configuration.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::{CertifiedKey, SigningKey, SingleCertAndKey};
use rustls::{Error, InconsistentKeys, ServerConfig};

use super::expiry::not_after;
use super::negotiation::Negotiation;
use super::problem::{TlsProblems, What};
use super::{ALPN_HTTP1, ALPN_HTTP2, Files, Loaded};
use crate::host::HostPattern;
use crate::os::regular_file::{self, Unread};

/// The ALPN protocols, in order of preference.
const PROTOCOLS: &[&[u8]] = &[ALPN_HTTP2, ALPN_HTTP1];

/// What clients are offered.
#[derive(Clone)]
pub(crate) struct Offer {
    pub(crate) negotiation: Negotiation,
    /// Whether HTTP/2 is offered.
    pub(crate) http2: bool,
}

/// The files of a certificate chain and its private key.
pub(crate) struct Pair {
    /// The section of the configuration file that names them.
    pub(crate) section: String,
    /// The hosts that they are for; empty for all that no other pair is for.
    pub(crate) hosts: Vec<HostPattern>,
    pub(crate) certificate: PathBuf,
    pub(crate) key: PathBuf,
    pub(crate) offer: Offer,
}

impl Files for Pair {
    type Content = Arc<ServerConfig>;

    fn section(&self) -> &str {
        &self.section
    }

    fn title(&self) -> String {
        match self.hosts.as_slice() {
            [] => format!("[{}]", self.section),
            [host] => format!("{} ({host})", self.section),
            [host, ..] => format!("{} ({host}, ...)", self.section),
        }
    }

    fn paths(&self) -> Vec<&Path> {
        vec![&self.certificate, &self.key]
    }

    fn load(&self) -> Result<Loaded<Arc<ServerConfig>>, TlsProblems> {
        let text = |setting: &str, path: &Path| Text {
            subject: format!("{}.{setting}: {}", self.section, path.display()),
            name: path.display().to_string(),
            content: regular_file::read(path),
        };
        let certificate = text("certificate", &self.certificate);
        self.offer.with(certificate, text("key", &self.key))
    }
}

/// A text in PEM that was read.
pub(super) struct Text {
    /// What it is called in front of a problem.
    pub(super) subject: String,
    /// What it is called in a problem of another text.
    pub(super) name: String,
    pub(super) content: Result<Vec<u8>, Unread>,
}

impl Offer {
    /// The configuration of a listener with this certificate chain and its key.
    pub(super) fn with(
        &self,
        certificate: Text,
        key: Text,
    ) -> Result<Loaded<Arc<ServerConfig>>, TlsProblems> {
        let of_certificate = |what: What| what.of(&*certificate.subject);
        let of_key = |what: What| what.of(&*key.subject);
        let chain = certificate.content.map_err(What::from).and_then(chain);
        let signing = |text| self.signing_key(text);
        let signing = key.content.map_err(What::from).and_then(signing);
        let certified = match (chain.map_err(of_certificate), signing.map_err(of_key)) {
            (Ok(chain), Ok(key)) => CertifiedKey::new(chain, key),
            (Err(chain), Err(key)) => return Err(vec![chain, key].into()),
            (Err(problem), Ok(_)) | (Ok(_), Err(problem)) => return Err(problem.into()),
        };
        match certified.keys_match() {
            // For some keys the public half cannot be determined; that is not an error.
            Ok(()) | Err(Error::InconsistentKeys(InconsistentKeys::Unknown)) => {}
            Err(Error::InconsistentKeys(_)) => {
                return Err(of_key(What::OtherKey(certificate.name)).into());
            }
            Err(error) => return Err(of_certificate(What::BadCertificate(error)).into()),
        }
        if !self.negotiation.suits(&*certified.key) {
            return Err(of_key(What::UnsuitedKey).into());
        }
        let not_after = certified.end_entity_cert().ok().and_then(not_after);
        Ok(Loaded {
            content: self.config(Arc::new(SingleCertAndKey::from(certified))),
            not_after,
        })
    }

    /// The configuration of a listener that has no certificate yet: all handshakes fail.
    pub(super) fn without_certificate(&self) -> Arc<ServerConfig> {
        self.config(Arc::new(NoCertificate))
    }

    fn config(&self, resolver: Arc<dyn ResolvesServerCert>) -> Arc<ServerConfig> {
        let mut config = self
            .negotiation
            .server()
            .with_no_client_auth()
            .with_cert_resolver(resolver);
        let offered = &PROTOCOLS[usize::from(!self.http2)..];
        config.alpn_protocols = offered.iter().map(|it| it.to_vec()).collect();
        Arc::new(config)
    }

    fn signing_key(&self, text: Vec<u8>) -> Result<Arc<dyn SigningKey>, What> {
        let key = PrivateKeyDer::from_pem_slice(&text).map_err(|error| match error {
            pem::Error::NoItemsFound => What::NoKey,
            error => error.into(),
        })?;
        let keys = self.negotiation.provider().key_provider;
        keys.load_private_key(key).map_err(What::BadKey)
    }
}

fn chain(text: Vec<u8>) -> Result<Vec<CertificateDer<'static>>, What> {
    let chain = CertificateDer::pem_slice_iter(&text).collect::<Result<Vec<_>, _>>()?;
    if chain.is_empty() {
        return Err(What::NoCertificate);
    }
    Ok(chain)
}

#[derive(Debug)]
struct NoCertificate;

impl ResolvesServerCert for NoCertificate {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        None
    }
}
