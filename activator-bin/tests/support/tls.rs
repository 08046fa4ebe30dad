//! Certificates, and both ends of TLS that use them.

use std::net::SocketAddr;
use std::sync::Arc;

use activator_bin::testing::Config;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use rustls::crypto::ring::default_provider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ALL_VERSIONS, ClientConfig, RootCertStore, ServerConfig, SupportedProtocolVersion};
use tokio_rustls::{TlsAcceptor, TlsConnector};

use super::activator::config;
use super::directory::Directory;

/// The name in a backend's certificate.
pub(crate) const BACKEND: &str = "data-plane.example";

/// A certificate authority.
pub(crate) struct Authority {
    pub(crate) pem: String,
    issuer: Issuer<'static, KeyPair>,
}

/// A certificate and its key, in PEM.
pub(crate) struct Certified {
    pub(crate) certificate: String,
    pub(crate) key: String,
}

impl Authority {
    pub(crate) fn new(name: &str) -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let pem = params.self_signed(&key).unwrap().pem();
        Self {
            pem,
            issuer: Issuer::new(params, key),
        }
    }

    pub(crate) fn vouch_for(&self, name: &str) -> Certified {
        self.vouch_for_all(&[name])
    }

    pub(crate) fn vouch_for_all(&self, names: &[&str]) -> Certified {
        let key = KeyPair::generate().unwrap();
        let names: Vec<_> = names.iter().map(|&name| name.to_owned()).collect();
        let params = CertificateParams::new(names).unwrap();
        Certified {
            certificate: params.signed_by(&key, &self.issuer).unwrap().pem(),
            key: key.serialize_pem(),
        }
    }

    /// A client that trusts this authority, with these TLS versions and HTTP/1.1.
    pub(crate) fn connector(&self, versions: &[&'static SupportedProtocolVersion]) -> TlsConnector {
        self.connector_for(versions, &["http/1.1"])
    }

    /// A client that offers these protocols by ALPN.
    pub(crate) fn connector_for(
        &self,
        versions: &[&'static SupportedProtocolVersion],
        protocols: &[&str],
    ) -> TlsConnector {
        let mut roots = RootCertStore::empty();
        let own = CertificateDer::from_pem_slice(self.pem.as_bytes()).unwrap();
        roots.add(own).unwrap();
        let mut config = ClientConfig::builder_with_provider(Arc::new(default_provider()))
            .with_protocol_versions(versions)
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = protocols.iter().map(|it| it.as_bytes().to_vec()).collect();
        TlsConnector::from(Arc::new(config))
    }
}

impl Certified {
    pub(crate) fn der(&self) -> CertificateDer<'static> {
        CertificateDer::from_pem_slice(self.certificate.as_bytes()).unwrap()
    }

    /// A server with this certificate.
    pub(crate) fn acceptor(&self) -> TlsAcceptor {
        self.acceptor_with(ALL_VERSIONS)
    }

    /// A server with this certificate and these TLS versions.
    pub(crate) fn acceptor_with(
        &self,
        versions: &[&'static SupportedProtocolVersion],
    ) -> TlsAcceptor {
        let key = PrivateKeyDer::from_pem_slice(self.key.as_bytes()).unwrap();
        let mut config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
            .with_protocol_versions(versions)
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![self.der()], key)
            .unwrap();
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        TlsAcceptor::from(Arc::new(config))
    }
}

/// `default/hello` on `backend` over TLS, checked against `authority` and `name`, or its address.
pub(crate) fn reaching(
    backend: SocketAddr,
    directory: &Directory,
    authority: &Authority,
    name: Option<&str>,
) -> Config {
    let mut config = config(&[backend]);
    config.revisions[0].tls = true;
    config.backend_tls.ca_file = Some(directory.write("ca.pem", &authority.pem));
    config.backend_tls.server_name = name.map(str::to_owned);
    config
}
