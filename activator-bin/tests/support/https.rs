//! The TLS listener: its files, and clients that trust them.

use std::io;

use activator_bin::testing::{Activator, Config, TlsConfig};
use rustls::pki_types::ServerName;
use rustls::{ALL_VERSIONS, SupportedProtocolVersion};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::client::TlsStream;

use super::activator::PATIENCE;
use super::directory::Directory;
use super::http1::Client;
use super::http2::{Http2Client, patiently};
use super::tls::{Authority, Certified};

pub(crate) const NAME: &str = "proxy.example";

/// The certificate files of an activator, and their authority.
pub(crate) struct Files {
    pub(crate) directory: Directory,
    pub(crate) authority: Authority,
    pub(crate) first: Certified,
}

impl Files {
    pub(crate) fn new() -> Self {
        let authority = Authority::new("the clients' authority");
        let first = authority.vouch_for(NAME);
        let files = Self {
            directory: Directory::new(),
            authority,
            first,
        };
        files.write(&files.first);
        files
    }

    pub(crate) fn write(&self, certified: &Certified) {
        self.directory.write("tls.crt", &certified.certificate);
        self.directory.write("tls.key", &certified.key);
    }

    /// `config` with a TLS listener that uses them.
    pub(crate) fn listen(&self, mut config: Config) -> Config {
        config.listen.https = Some("127.0.0.1:0".parse().unwrap());
        config.tls = TlsConfig {
            certificate: Some(self.directory.path("tls.crt")),
            key: Some(self.directory.path("tls.key")),
            ..TlsConfig::default()
        };
        config
    }

    pub(crate) async fn try_connect(
        &self,
        activator: &Activator,
        versions: &[&'static SupportedProtocolVersion],
    ) -> io::Result<Client<TlsStream<TcpStream>>> {
        let socket = TcpStream::connect(activator.https_addr().unwrap()).await?;
        let name = ServerName::try_from(NAME).unwrap();
        let connecting = self.authority.connector(versions).connect(name, socket);
        let connected = timeout(PATIENCE, connecting).await;
        Ok(Client::new(connected.expect("the peer agrees or not")?))
    }

    pub(crate) async fn connect(&self, activator: &Activator) -> Client<TlsStream<TcpStream>> {
        self.try_connect(activator, ALL_VERSIONS).await.unwrap()
    }

    /// A connection that offers these protocols by ALPN.
    pub(crate) async fn offer(
        &self,
        activator: &Activator,
        protocols: &[&str],
    ) -> TlsStream<TcpStream> {
        let address = activator.https_addr().unwrap();
        let socket = TcpStream::connect(address).await.unwrap();
        let connector = self.authority.connector_for(ALL_VERSIONS, protocols);
        let name = ServerName::try_from(NAME).unwrap();
        patiently(connector.connect(name, socket)).await.unwrap()
    }

    pub(crate) async fn connect_http2(&self, activator: &Activator) -> Http2Client {
        Http2Client::over(self.offer(activator, &["h2"]).await).await
    }
}
