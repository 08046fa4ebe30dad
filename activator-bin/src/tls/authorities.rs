//! Verifies backends: from the CA file to a connection.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::client::Resumption;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::problem::{TlsProblems, What};
use super::version::TlsVersion;
use super::{Current, Files, Loaded, provider};
use crate::os::regular_file;

const CA_FILE: &str = "backend_tls.ca_file";

/// Stands for the revision's namespace in `backend_tls.server_name`.
pub(crate) const NAMESPACE: &str = "{namespace}";

/// The CA certificates that backends are verified against.
pub(crate) struct Authorities {
    pub(crate) ca_file: PathBuf,
    pub(crate) min_version: TlsVersion,
}

impl Files for Authorities {
    type Content = ClientConfig;
    const SECTION: &'static str = "backend_tls";

    fn paths(&self) -> Vec<&Path> {
        vec![&self.ca_file]
    }

    fn load(&self) -> Result<Loaded<ClientConfig>, TlsProblems> {
        let roots = self
            .roots()
            .map_err(|what| what.of(CA_FILE, &self.ca_file))?;
        let mut config = ClientConfig::builder_with_provider(provider())
            .with_protocol_versions(self.min_version.and_later())
            .expect("ring has cipher suites for every protocol version")
            .with_root_certificates(roots)
            .with_no_client_auth();
        // Sessions are stored by name, which many backends share, and none could resume another's.
        config.resumption = Resumption::disabled();
        Ok(Loaded {
            content: config,
            // The expiry of CA certificates is not checked.
            not_after: None,
        })
    }
}

impl Authorities {
    fn roots(&self) -> Result<RootCertStore, What> {
        let mut roots = RootCertStore::empty();
        let text = regular_file::read(&self.ca_file)?;
        for certificate in CertificateDer::pem_slice_iter(&text) {
            roots.add(certificate?).map_err(What::BadCertificate)?;
        }
        if roots.is_empty() {
            Err(What::NoCertificate)
        } else {
            Ok(roots)
        }
    }
}

/// Connects to backends over TLS and verifies them.
pub(crate) struct BackendTls {
    pub(crate) authorities: Arc<Current<Authorities>>,
    /// The name on backends' certificates; [`NAMESPACE`] in it stands for the revision's namespace. `None` means
    /// their IP address.
    pub(crate) server_name: Option<String>,
}

impl BackendTls {
    /// Does the TLS handshake on a new connection to a backend of `namespace`, to speak `protocol` (its ALPN name).
    ///
    /// Has no time limit. Dropping the future closes the connection.
    pub(crate) async fn connect(
        &self,
        socket: TcpStream,
        namespace: &str,
        protocol: &[u8],
    ) -> io::Result<TlsStream<TcpStream>> {
        let name = match &self.server_name {
            Some(template) => name(template, namespace).map_err(io::Error::other)?,
            None => ServerName::from(socket.peer_addr()?.ip()),
        };
        TlsConnector::from(self.authorities.content())
            .with_alpn(vec![protocol.to_vec()])
            .connect(name, socket)
            .await
    }
}

/// The configuration allows only valid names, but the namespace can make one too long.
fn name(template: &str, namespace: &str) -> Result<ServerName<'static>, rustls::Error> {
    let name = template.replace(NAMESPACE, namespace);
    let invalid = format!("{name:?} is not a DNS name");
    ServerName::try_from(name).map_err(|_| rustls::Error::General(invalid))
}
