//! `wss://`: the certificates that the sink trusts.

use std::path::PathBuf;
use std::sync::Arc;

use reporter_runtime::sink::autoscaler::AutoscalerConfig;
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use crate::peer::{Behaviour, Peer, eventually};
use crate::rig::{CLOSED, DOWN, Rig, UP, config};

struct Authority {
    certificate: rcgen::Certificate,
    issuer: rcgen::Issuer<'static, rcgen::KeyPair>,
}

impl Authority {
    fn new(name: &str) -> Self {
        let key = rcgen::KeyPair::generate().unwrap();
        let mut params = rcgen::CertificateParams::default();
        let common_name = rcgen::DnType::CommonName;
        params.distinguished_name.push(common_name, name);
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let certificate = params.self_signed(&key).unwrap();
        Self {
            certificate,
            issuer: rcgen::Issuer::new(params, key),
        }
    }

    /// A peer that this authority vouches for as `localhost`.
    async fn peer(&self) -> (Peer, String) {
        let key = rcgen::KeyPair::generate().unwrap();
        let params = rcgen::CertificateParams::new(["localhost".to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(
                vec![certificate.der().clone()],
                PrivateKeyDer::Pkcs8(key.serialize_der().into()),
            )
            .unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        // Only its record of what came is used: the connections come through TLS.
        let peer = Peer::start(Behaviour::Good).await;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("wss://localhost:{}", listener.local_addr().unwrap().port());
        let server = peer.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                if let Ok(stream) = acceptor.accept(stream).await {
                    server.serve_websocket(stream).await;
                }
            }
        });
        (peer, url)
    }
}

/// A file that is gone with the test.
struct CaFile(PathBuf);

impl CaFile {
    fn new(name: &str, authority: &Authority) -> Self {
        let file = format!("autoscaler-{}-{name}.pem", std::process::id());
        let file = Self(std::env::temp_dir().join(file));
        file.write(authority);
        file
    }

    fn write(&self, authority: &Authority) {
        std::fs::write(&self.0, authority.certificate.pem()).unwrap();
    }
}

impl Drop for CaFile {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

#[tokio::test]
async fn a_peer_with_a_certificate_of_the_ca_file_is_trusted() {
    let authority = Authority::new("own");
    let (peer, url) = authority.peer().await;
    let file = CaFile::new("own", &authority);
    let rig = Rig::start(AutoscalerConfig {
        ca_file: Some(file.0.clone()),
        ..config(url)
    });
    rig.tick(&[("a", 1.0, 4)]).await;
    let (end, log, _) = rig.stop().await;
    assert_eq!(end, Ok(()));
    assert_eq!(peer.messages(), ["a 1/4"]);
    assert_eq!(log.lines(), [UP, CLOSED]);
}

#[tokio::test]
async fn the_ca_file_is_read_for_each_connection() {
    let (known, other) = (Authority::new("known"), Authority::new("other"));
    let (peer, url) = other.peer().await;
    let file = CaFile::new("rotated", &known);
    let rig = Rig::start(AutoscalerConfig {
        ca_file: Some(file.0.clone()),
        ..config(url)
    });
    rig.tick(&[("a", 1.0, 4)]).await;
    eventually("refused twice", || rig.observer.told().failures.len() >= 2).await;
    let told = rig.observer.told();
    assert_eq!(
        told.failures[0],
        "TLS handshake: invalid peer certificate: UnknownIssuer"
    );
    assert_eq!((told.ups, peer.messages().len()), (0, 0));
    assert_eq!(rig.log.lines(), [DOWN]);
    file.write(&other);
    let (end, log, _) = rig.stop().await;
    assert_eq!(end, Ok(()));
    assert_eq!(peer.messages(), ["a 1/4"]);
    assert_eq!(log.lines(), [DOWN, UP, CLOSED]);
}

#[tokio::test]
async fn a_peer_that_is_not_in_the_systems_store_is_refused() {
    let (_, url) = Authority::new("own").peer().await;
    let rig = Rig::start(config(url));
    eventually("refused", || !rig.observer.told().failures.is_empty()).await;
    let told = rig.observer.told();
    assert_eq!(
        told.failures[0],
        "TLS handshake: invalid peer certificate: UnknownIssuer"
    );
}

#[tokio::test]
async fn a_peer_without_tls_is_refused() {
    let peer = Peer::start(Behaviour::HttpOnly).await;
    let file = CaFile::new("plain", &Authority::new("own"));
    let rig = Rig::start(AutoscalerConfig {
        ca_file: Some(file.0.clone()),
        ..config(format!("wss://{}", peer.address))
    });
    eventually("refused", || !rig.observer.told().failures.is_empty()).await;
    let told = rig.observer.told();
    assert!(told.failures[0].starts_with("TLS handshake: "), "{told:?}");
}
