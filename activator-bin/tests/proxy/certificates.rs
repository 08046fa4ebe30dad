//! Certificates for some hosts, beside that for all others.

use std::io;
use std::time::Duration;

use activator_bin::testing::{Activator, CertificateConfig, Config, HostPattern, Options};
use rustls::ALL_VERSIONS;
use rustls::pki_types::{CertificateDer, ServerName};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::support::activator::{PATIENCE, config, start_with};
use crate::support::backend::answering;
use crate::support::http1::{Client, OK};
use crate::support::http2::Http2Client;
use crate::support::https::Files;
use crate::support::metrics::{metrics, until_line};
use crate::support::tls::Certified;

/// All names that the tests ask for, so that a client takes whatever it is shown. Without a name it asks for the address.
const NAMES: [&str; 9] = [
    "app.example.org",
    "x.apps.example.org",
    "x.y.apps.example.org",
    "deep.apps.example.org",
    "other.example.org",
    "example.org",
    "elsewhere.example",
    "proxy.example",
    "127.0.0.1",
];

/// The files of the listener, and those of two sections.
struct Scene {
    files: Files,
    named: [Certified; 2],
}

impl Scene {
    fn new() -> Self {
        let files = Files::new();
        let certified = || files.authority.vouch_for_all(&NAMES);
        let scene = Self {
            named: [certified(), certified()],
            files,
        };
        scene
            .files
            .write(&scene.files.authority.vouch_for_all(&NAMES));
        for (index, named) in scene.named.iter().enumerate() {
            scene.write(index, named);
        }
        scene
    }

    fn write(&self, index: usize, certified: &Certified) {
        let directory = &self.files.directory;
        directory.write(&format!("{index}.crt"), &certified.certificate);
        directory.write(&format!("{index}.key"), &certified.key);
    }

    fn config(&self, config: Config) -> Config {
        let section = |index: usize, hosts: &[&str]| CertificateConfig {
            hosts: hosts
                .iter()
                .map(|it| HostPattern::parse(it).unwrap())
                .collect(),
            certificate: self.files.directory.path(&format!("{index}.crt")),
            key: self.files.directory.path(&format!("{index}.key")),
        };
        let mut config = self.files.listen(config);
        config.certificates = vec![
            section(0, &["app.example.org", "*.apps.example.org"]),
            section(1, &["deep.apps.example.org", "*.example.org"]),
        ];
        config
    }

    /// What a client is shown that asks for this name, or for an address, which is not sent.
    async fn shown(
        &self,
        activator: &Activator,
        name: &'static str,
    ) -> io::Result<CertificateDer<'static>> {
        let socket = TcpStream::connect(activator.https_addr().unwrap()).await?;
        let connector = self.files.authority.connector(ALL_VERSIONS);
        let connecting = connector.connect(ServerName::try_from(name).unwrap(), socket);
        let connected = timeout(PATIENCE, connecting).await.expect("in time")?;
        let certificates = connected.get_ref().1.peer_certificates().unwrap();
        Ok(certificates[0].clone().into_owned())
    }

    /// Which of the sections' certificates that is; `None` for another.
    async fn section(&self, activator: &Activator, name: &'static str) -> Option<usize> {
        let shown = self.shown(activator, name).await.unwrap();
        self.named.iter().position(|it| it.der() == shown)
    }
}

#[tokio::test]
async fn a_client_gets_the_certificate_for_the_name_that_it_asks_for() {
    let scene = Scene::new();
    let with_default = start_with(scene.config(config(&[])));
    let mut alone = scene.config(config(&[]));
    (alone.tls.certificate, alone.tls.key) = (None, None);
    let alone = start_with(alone);
    let mut refused = 0;
    for (name, expected) in [
        ("app.example.org", Some(0)),
        ("App.Example.Org", Some(0)),
        ("x.apps.example.org", Some(0)),
        ("x.y.apps.example.org", Some(0)),
        ("deep.apps.example.org", Some(1)),
        ("other.example.org", Some(1)),
        ("example.org", None),
        ("elsewhere.example", None),
        ("127.0.0.1", None),
    ] {
        assert_eq!(scene.section(&with_default, name).await, expected, "{name}");
        let shown = scene.shown(&alone, name).await;
        match expected {
            Some(index) => assert_eq!(shown.unwrap(), scene.named[index].der(), "{name}"),
            None => {
                let error = shown.unwrap_err().to_string();
                assert!(error.contains("UnrecognisedName"), "{name}: {error}");
                refused += 1;
            }
        }
    }
    let failures = format!("activator_tls_handshake_failures_total {refused}");
    until_line(&alone, &failures).await;
    let none = "activator_tls_handshake_failures_total 0";
    until_line(&with_default, none).await;
}

#[tokio::test]
async fn requests_are_served_with_any_certificate_over_both_protocols() {
    let (backend, _requests) = answering(OK).await;
    let scene = Scene::new();
    let activator = start_with(scene.config(config(&[backend])));
    let connect = async |protocol| {
        let address = activator.https_addr().unwrap();
        let socket = TcpStream::connect(address).await.unwrap();
        let authority = &scene.files.authority;
        let connector = authority.connector_for(ALL_VERSIONS, &[protocol]);
        let name = ServerName::try_from("app.example.org").unwrap();
        connector.connect(name, socket).await.unwrap()
    };
    let mut client = Client::new(connect("http/1.1").await);
    assert_eq!(client.get("/").await.status(), 200);
    let client = Http2Client::over(connect("h2").await).await;
    assert_eq!(client.get("/").await.status(), 200);
}

#[tokio::test]
async fn each_certificate_is_reloaded_by_itself_and_a_bad_one_changes_nothing() {
    let mut scene = Scene::new();
    let activator = start_with(scene.config(config(&[])));
    let loaded = async |section: &str, good: bool| {
        let metric = "activator_certificate_last_reload_success";
        let line = format!("{metric}{{section=\"{section}\"}} {}", u8::from(good));
        until_line(&activator, &line).await;
    };
    loaded("certificate[0]", true).await;
    loaded("certificate[1]", true).await;
    let (name, other) = ("app.example.org", "other.example.org");
    let second = scene.files.authority.vouch_for_all(&NAMES);
    scene.write(0, &second);
    let reload = async {
        // Nobody tells when the files have been read.
        while scene.shown(&activator, name).await.unwrap() != second.der() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(PATIENCE, reload).await.expect("they are read");
    scene.named[0] = second;
    assert_eq!(scene.section(&activator, other).await, Some(1));

    scene.files.directory.write("0.key", "no key");
    loaded("certificate[0]", false).await;
    loaded("certificate[1]", true).await;
    loaded("tls", true).await;
    assert_eq!(scene.section(&activator, name).await, Some(0));
    let expires = "activator_certificate_expiration_timestamp_seconds{section=\"certificate[0]\"} ";
    assert!(metrics(&activator).await.contains(expires));
    scene.files.directory.write("0.key", &scene.named[0].key);
    loaded("certificate[0]", true).await;
}

#[tokio::test]
async fn bad_files_of_all_sections_are_named_at_the_start() {
    let scene = Scene::new();
    let key = scene.files.directory.write("0.key", "no key");
    let certificate = scene.files.directory.write("1.crt", "no certificate");
    let config = scene.config(config(&[]));
    let error = Activator::start(config, Options::default()).err().unwrap();
    let expected = [
        "the TLS files are invalid".to_owned(),
        format!(
            "certificate[0].key: {} contains no private key; a PEM file with -----BEGIN PRIVATE KEY-----, without a password, is expected",
            key.display()
        ),
        format!(
            "certificate[1].certificate: {} contains no certificate; a PEM file with -----BEGIN CERTIFICATE----- is expected",
            certificate.display()
        ),
    ];
    assert_eq!(error.to_string(), expected.join("\n"));
}
