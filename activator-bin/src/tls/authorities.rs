//! Whom backends are verified with, from the file to a connection.

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

/// What stands for the revision's namespace in `backend_tls.server_name`.
pub(crate) const NAMESPACE: &str = "{namespace}";

/// The certificates that a backend's is checked against.
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
        let roots = self.roots();
        let roots = roots.map_err(|what| what.of(CA_FILE, &self.ca_file))?;
        let mut config = ClientConfig::builder_with_provider(provider())
            .with_protocol_versions(self.min_version.and_later())
            .expect("ring has cipher suites for every protocol version")
            .with_root_certificates(roots)
            .with_no_client_auth();
        // Sessions are kept by name, and one name stands for many backends, none of which could
        // resume another's.
        config.resumption = Resumption::disabled();
        Ok(Loaded {
            content: config,
            // The dates of authorities are not kept: one whose own time is over still vouches.
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
        match roots.is_empty() {
            true => Err(What::NoCertificate),
            false => Ok(roots),
        }
    }
}

/// Makes connections to backends private, and sure of whom they lead to.
pub(crate) struct BackendTls {
    pub(crate) authorities: Arc<Current<Authorities>>,
    /// The name that they show, with [`NAMESPACE`] where that of their revision stands; each shows
    /// its address where there is none.
    pub(crate) server_name: Option<String>,
}

impl BackendTls {
    /// Agrees on TLS over a fresh connection with an instance of `namespace`, to speak `protocol`, as
    /// ALPN calls it.
    ///
    /// It has no bound in time of its own, and can be dropped at any moment, the connection with it.
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
        let connector = TlsConnector::from(self.authorities.content());
        let connector = connector.with_alpn(vec![protocol.to_vec()]);
        connector.connect(name, socket).await
    }
}

/// The configuration takes no other names, but a namespace can make one too long.
fn name(template: &str, namespace: &str) -> Result<ServerName<'static>, rustls::Error> {
    let name = template.replace(NAMESPACE, namespace);
    let invalid = format!("{name:?} is no DNS name");
    ServerName::try_from(name).map_err(|_| rustls::Error::General(invalid))
}
