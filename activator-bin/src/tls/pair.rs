//! The listener's certificate and private key: from files to a TLS server configuration.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::{CertifiedKey, SigningKey, SingleCertAndKey};
use rustls::{Error, InconsistentKeys, ServerConfig};

use super::expiry::not_after;
use super::problem::{TlsProblems, What};
use super::version::TlsVersion;
use super::{ALPN_HTTP1, ALPN_HTTP2, Files, Loaded, provider};
use crate::os::regular_file;

const CERTIFICATE: &str = "tls.certificate";
const KEY: &str = "tls.key";

/// The ALPN protocols, in order of preference.
const PROTOCOLS: &[&[u8]] = &[ALPN_HTTP2, ALPN_HTTP1];

/// A certificate chain and its private key.
pub(crate) struct Pair {
    pub(crate) certificate: PathBuf,
    pub(crate) key: PathBuf,
    pub(crate) min_version: TlsVersion,
    /// Whether HTTP/2 is offered.
    pub(crate) http2: bool,
}

impl Files for Pair {
    type Content = ServerConfig;
    const SECTION: &'static str = "tls";

    fn paths(&self) -> Vec<&Path> {
        vec![&self.certificate, &self.key]
    }

    fn load(&self) -> Result<Loaded<ServerConfig>, TlsProblems> {
        let chain = self
            .chain()
            .map_err(|what| what.of(CERTIFICATE, &self.certificate));
        let key = self.signing_key().map_err(|what| what.of(KEY, &self.key));
        let certified = match (chain, key) {
            (Ok(chain), Ok(key)) => CertifiedKey::new(chain, key),
            (Err(chain), Err(key)) => {
                let mut problems = TlsProblems::from(chain);
                problems.append(key.into());
                return Err(problems);
            }
            (Err(problem), Ok(_)) | (Ok(_), Err(problem)) => return Err(problem.into()),
        };
        match certified.keys_match() {
            // For some keys the public half cannot be determined; that is not an error.
            Ok(()) | Err(Error::InconsistentKeys(InconsistentKeys::Unknown)) => {}
            Err(Error::InconsistentKeys(_)) => {
                let other = What::OtherKey(self.certificate.clone());
                return Err(other.of(KEY, &self.key).into());
            }
            Err(error) => {
                let bad = What::BadCertificate(error);
                return Err(bad.of(CERTIFICATE, &self.certificate).into());
            }
        }
        let not_after = certified.end_entity_cert().ok().and_then(not_after);
        let mut config = ServerConfig::builder_with_provider(provider())
            .with_protocol_versions(self.min_version.and_later())
            .expect("ring has cipher suites for every protocol version")
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(SingleCertAndKey::from(certified)));
        let offered = &PROTOCOLS[usize::from(!self.http2)..];
        config.alpn_protocols = offered.iter().map(|it| it.to_vec()).collect();
        Ok(Loaded {
            content: config,
            not_after,
        })
    }
}

impl Pair {
    fn chain(&self) -> Result<Vec<CertificateDer<'static>>, What> {
        let text = regular_file::read(&self.certificate)?;
        let chain = CertificateDer::pem_slice_iter(&text).collect::<Result<Vec<_>, _>>()?;
        if chain.is_empty() {
            return Err(What::NoCertificate);
        }
        Ok(chain)
    }

    fn signing_key(&self) -> Result<Arc<dyn SigningKey>, What> {
        let text = regular_file::read(&self.key)?;
        let key = PrivateKeyDer::from_pem_slice(&text).map_err(|error| match error {
            pem::Error::NoItemsFound => What::NoKey,
            error => error.into(),
        })?;
        let provider = provider();
        provider
            .key_provider
            .load_private_key(key)
            .map_err(What::BadKey)
    }
}
