//! Connections to backends over TLS: whom they must be.

use std::io;
use std::sync::Arc;

use arc_swap::ArcSwapOption;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, Error, SignatureScheme};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::authorities::Trusted;
use super::dns_names::dns_names;

/// Stands for the revision's namespace in `backend_tls.server_name`.
pub(crate) const NAMESPACE: &str = "{namespace}";

/// What Knative asks every instance for, and all of their certificates are valid for.
const DATA_PLANE: &str = "data-plane.knative.dev";

/// What else Knative's certificates list, with the namespace.
const USER: &str = "kn-user-";

/// Connects to backends over TLS and verifies them.
pub(crate) struct BackendTls {
    /// `None` when there are no CA certificates yet.
    pub(crate) trusted: Arc<ArcSwapOption<Trusted>>,
    pub(crate) names: Names,
}

/// The names that a backend's certificate must be valid for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Names {
    /// Its IP address.
    Address,
    /// This one; [`NAMESPACE`] in it stands for the revision's namespace.
    Template(String),
    /// Both that Knative's certificates contain: of its data plane, which is asked for, and of the namespace.
    Knative,
}

impl BackendTls {
    /// For a new connection. `None` when there are no CA certificates yet.
    pub(crate) fn trusted(&self) -> Option<Arc<Trusted>> {
        self.trusted.load_full()
    }

    /// Does the TLS handshake on a new connection to a backend of `namespace`, to speak `protocol` (its ALPN name).
    ///
    /// Has no time limit. Dropping the future closes the connection.
    pub(crate) async fn connect(
        &self,
        trusted: &Trusted,
        socket: TcpStream,
        namespace: &str,
        protocol: &[u8],
    ) -> io::Result<TlsStream<TcpStream>> {
        let config = || Arc::clone(&trusted.config);
        let (name, config) = match &self.names {
            Names::Address => (socket.peer_addr()?.ip().into(), config()),
            Names::Template(template) => {
                let name = name(template, namespace).map_err(io::Error::other)?;
                (name, config())
            }
            Names::Knative => {
                let data_plane = ServerName::try_from(DATA_PLANE);
                let name = data_plane.expect("it is a DNS name");
                (name, trusted.also_for(format!("{USER}{namespace}")))
            }
        };
        TlsConnector::from(config)
            .with_alpn(vec![protocol.to_vec()])
            .connect(name, socket)
            .await
    }
}

/// The configuration allows only valid names, but the namespace can make one too long.
fn name(template: &str, namespace: &str) -> Result<ServerName<'static>, Error> {
    let name = template.replace(NAMESPACE, namespace);
    let invalid = format!("{name:?} is not a DNS name");
    ServerName::try_from(name).map_err(|_| Error::General(invalid))
}

impl Trusted {
    /// The configuration for a backend whose certificate must list `name` as well.
    fn also_for(&self, name: String) -> Arc<ClientConfig> {
        let mut config = ClientConfig::clone(&self.config);
        let verifier = Arc::clone(&self.verifier);
        let also = AlsoFor { verifier, name };
        config.dangerous().set_certificate_verifier(Arc::new(also));
        Arc::new(config)
    }
}

/// Verifies as usual, and that the certificate lists a second name.
#[derive(Debug)]
struct AlsoFor {
    verifier: Arc<WebPkiServerVerifier>,
    name: String,
}

impl ServerCertVerifier for AlsoFor {
    fn verify_server_cert(
        &self,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let usual = &self.verifier;
        let verified =
            usual.verify_server_cert(leaf, intermediates, server_name, ocsp_response, now)?;
        let names = dns_names(leaf);
        if names.contains(&&*self.name) {
            return Ok(verified);
        }
        let presented = names.iter().map(|name| format!("{name:?}")).collect();
        let error = match ServerName::try_from(self.name.clone()) {
            Ok(expected) => CertificateError::NotValidForNameContext {
                expected,
                presented,
            },
            // A long namespace makes a name that is none in DNS.
            Err(_) => CertificateError::NotValidForName,
        };
        Err(error.into())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let usual = &self.verifier;
        usual.verify_tls12_signature(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let usual = &self.verifier;
        usual.verify_tls13_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.verifier.supported_verify_schemes()
    }
}
