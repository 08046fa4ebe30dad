//! Requests over TLS.

use std::io;
use std::time::Duration;

use activator_bin::testing::{Activator, Options, TlsVersion};
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::version::{TLS12, TLS13};
use rustls::{ALL_VERSIONS, CipherSuite, NamedGroup};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::client::TlsStream;

use crate::support::activator::{Ask, PATIENCE, config, start_with};
use crate::support::backend::{Backend, answering};
use crate::support::http1::{Client, HELLO, OK, get};
use crate::support::http2::{Http2Backend, Http2Client, patiently, read, request};
use crate::support::https::{Files, NAME};
use crate::support::metrics::{metrics, until_line};

fn shown(client: &Client<TlsStream<TcpStream>>) -> CertificateDer<'static> {
    let certificates = client.socket.get_ref().1.peer_certificates().unwrap();
    certificates[0].clone().into_owned()
}

#[tokio::test]
async fn requests_are_proxied_over_tls() {
    let (backend, mut requests) = answering(OK).await;
    let files = Files::new();
    let activator = start_with(files.listen(config(&[backend])));
    let mut client = files.connect(&activator).await;
    assert_eq!(
        client.socket.get_ref().1.alpn_protocol(),
        Some(&b"http/1.1"[..])
    );
    for path in ["/first", "/second"] {
        let answer = client.get(path).await;
        assert_eq!((answer.status(), &*answer.body), (200, "ok"));
        let request = requests.recv().await.unwrap();
        assert_eq!(request.first_line, format!("GET {path} HTTP/1.1"));
        assert_eq!(request.header("x-forwarded-for"), Some("127.0.0.1"));
    }
    let close = format!("GET / HTTP/1.1\r\n{HELLO}Connection: close\r\n");
    assert_eq!(client.ask(&close).await.status(), 200);
    let (rest, end) = client.rest().await;
    assert_eq!(rest, "");
    end.expect("a goodbye in TLS before that of TCP");
}

#[tokio::test]
async fn protocol_by_alpn_or_first_bytes() {
    let mut backend = Http2Backend::bind().await;
    let files = Files::new();
    let activator = start_with(files.listen(config(&[backend.address])));
    for (offered, agreed) in [
        (&["h2", "http/1.1"][..], Some(&b"h2"[..])),
        (&["h2"], Some(b"h2")),
        (&[], None),
    ] {
        let stream = files.offer(&activator, offered).await;
        assert_eq!(stream.get_ref().1.alpn_protocol(), agreed);
        let client = Http2Client::over(stream).await;
        let (response, mut upload) = client.send(request("POST", "/path"), false).await;
        upload.send_data("ping".into(), true).unwrap();
        let mut exchange = backend.request().await;
        let (body, ended) = read(exchange.request.body_mut()).await;
        assert_eq!((&*body, ended.unwrap()), ("ping", None));
        exchange.finish("pong");
        let mut response = patiently(response).await.unwrap();
        assert_eq!(response.status(), 200);
        let (body, ended) = read(response.body_mut()).await;
        assert_eq!((&*body, ended.unwrap()), ("pong", None));
    }
    let metrics = metrics(&activator).await;
    assert!(metrics.contains("url_scheme=\"https\""), "{metrics}");
}

#[tokio::test]
async fn informational_responses_over_tls() {
    let backend = Backend::bind().await;
    let files = Files::new();
    let activator = start_with(files.listen(config(&[backend.address])));
    let mut client = files.connect(&activator).await;
    client.send(get("/")).await;
    let (mut connection, _) = backend.request().await;
    connection.send("HTTP/1.1 103 Early Hints\r\n\r\n").await;
    assert_eq!(client.head().await.status(), 103);
    connection.send(OK).await;
    assert_eq!(client.message().await.status(), 200);
}

#[tokio::test]
async fn tls_1_2_is_refused_unless_it_is_configured() {
    let files = Files::new();
    let mut config = files.listen(config(&[]));
    let strict = start_with(config.clone());
    assert!(files.try_connect(&strict, &[&TLS13]).await.is_ok());
    let refused = files.try_connect(&strict, &[&TLS12]).await.err().unwrap();
    assert!(refused.to_string().contains("ProtocolVersion"), "{refused}");
    config.tls.min_version = TlsVersion::V1_2;
    let lenient = start_with(config);
    assert!(files.try_connect(&lenient, &[&TLS13]).await.is_ok());
    assert!(files.try_connect(&lenient, &[&TLS12]).await.is_ok());
}

#[tokio::test]
async fn only_what_is_configured_is_negotiated() {
    const SUITE: CipherSuite = CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256;
    let files = Files::new();
    let mut config = files.listen(config(&[]));
    config.tls.curve_preferences = vec![NamedGroup::secp384r1];
    config.tls.cipher_suites = vec![SUITE, CipherSuite::TLS13_CHACHA20_POLY1305_SHA256];
    let new = start_with(config.clone());
    config.tls.min_version = TlsVersion::V1_2;
    config.tls.max_version = TlsVersion::V1_2;
    let old = start_with(config);
    for (activator, version, suite) in [
        (&new, &TLS13, CipherSuite::TLS13_CHACHA20_POLY1305_SHA256),
        (&old, &TLS12, SUITE),
    ] {
        let client = files.try_connect(activator, &[version]).await.unwrap();
        let session = client.socket.get_ref().1;
        assert_eq!(session.negotiated_cipher_suite().unwrap().suite(), suite);
        let curve = session.negotiated_key_exchange_group().unwrap().name();
        assert_eq!(curve, NamedGroup::secp384r1);
    }
    assert!(files.try_connect(&old, &[&TLS13]).await.is_err());
    assert!(files.try_connect(&new, &[&TLS12]).await.is_err());
}

#[tokio::test]
async fn reload_affects_new_connections_only() {
    let (backend, _requests) = answering(OK).await;
    let files = Files::new();
    let activator = start_with(files.listen(config(&[backend])));
    let get = format!("GET / HTTP/1.1\r\n{HELLO}");
    let mut old = files.connect(&activator).await;
    assert_eq!(old.ask(&get).await.status(), 200);
    assert_eq!(shown(&old), files.first.der());

    let second = files.authority.vouch_for(NAME);
    files.write(&second);
    let reload = async {
        // Nobody tells when the files have been read.
        while shown(&files.connect(&activator).await) != second.der() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(PATIENCE, reload).await.expect("they are read");
    assert_eq!(old.ask(&get).await.status(), 200);

    files.directory.write("tls.key", &files.first.key);
    until_loaded(&activator, false).await;
    let mut new = files.connect(&activator).await;
    assert_eq!(shown(&new), second.der());
    assert_eq!(new.ask(&get).await.status(), 200);

    files.directory.write("tls.key", &second.key);
    until_loaded(&activator, true).await;
}

async fn until_loaded(activator: &Activator, good: bool) {
    let metric = "activator_certificate_last_reload_success{section=\"tls\"}";
    until_line(activator, &format!("{metric} {}", u8::from(good))).await;
}

#[tokio::test]
async fn plain_http_gets_an_alert_and_is_counted() {
    let files = Files::new();
    let activator = start_with(files.listen(config(&[])));
    let mut client = Client::connect(activator.https_addr().unwrap()).await;
    client.send(get("/")).await;
    // A fatal alert of TLS, and the end.
    assert_eq!(client.bytes(7).await[..6], [21, 3, 3, 0, 2, 2]);
    let (rest, end) = client.rest().await;
    assert_eq!(rest, "");
    end.expect("no reset, which could overtake the alert");
    until_line(&activator, "activator_tls_handshake_failures_total 1").await;
}

#[tokio::test]
async fn tls_is_refused_on_the_plain_port() {
    let files = Files::new();
    let activator = start_with(files.listen(config(&[])));
    let socket = TcpStream::connect(activator.http_addr()).await.unwrap();
    let name = ServerName::try_from(NAME).unwrap();
    let connecting = files
        .authority
        .connector(ALL_VERSIONS)
        .connect(name, socket);
    let error = timeout(PATIENCE, connecting).await.unwrap().unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::InvalidData, "{error}");
}

#[tokio::test]
async fn handshake_timeout_closes_the_connection() {
    let files = Files::new();
    let mut config = files.listen(config(&[]));
    config.limits.header_timeout = Duration::from_millis(50);
    let activator = start_with(config);
    let mut silent = Client::connect(activator.https_addr().unwrap()).await;
    assert!(silent.is_over().await);
    let mut slow = Client::connect(activator.https_addr().unwrap()).await;
    // The begin of a record that is announced as longer.
    slow.send([22, 3, 1, 1, 0, 1]).await;
    assert!(slow.is_over().await);
    until_line(&activator, "activator_tls_handshake_failures_total 2").await;
}

#[tokio::test]
async fn client_disconnect_ends_the_request() {
    let backend = Backend::bind().await;
    let files = Files::new();
    let activator = start_with(files.listen(config(&[backend.address])));
    let mut client = files.connect(&activator).await;
    client.send(get("/")).await;
    let (mut connection, _) = backend.request().await;
    activator.until_in_flight(1).await;
    drop(client);
    assert!(connection.is_over().await);
    activator.until_in_flight(0).await;
}

#[tokio::test]
async fn truncated_response_ends_without_close_notify() {
    let backend = Backend::bind().await;
    let files = Files::new();
    let activator = start_with(files.listen(config(&[backend.address])));
    for complete in [true, false] {
        let mut client = files.connect(&activator).await;
        // Its answer ends with the connection.
        client.send(format!("GET / HTTP/1.0\r\n{HELLO}\r\n")).await;
        let (mut connection, _) = backend.request().await;
        let answer = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n";
        connection.send(answer).await;
        client.head().await;
        assert_eq!(client.bytes(2).await, b"ok");
        if complete {
            connection.send("0\r\n\r\n").await;
        }
        drop(connection);
        let (rest, end) = client.rest().await;
        assert_eq!((&*rest, end.is_ok()), ("", complete), "{end:?}");
    }
}

#[tokio::test]
async fn timed_out_response_ends_without_close_notify() {
    let backend = Backend::bind().await;
    let files = Files::new();
    let mut config = files.listen(config(&[backend.address]));
    // Nothing that comes before takes longer.
    config.revisions[0].timeouts.total = Duration::from_secs(2);
    let activator = start_with(config);
    let mut client = files.connect(&activator).await;
    client.send(format!("GET / HTTP/1.0\r\n{HELLO}\r\n")).await;
    let (mut connection, _) = backend.request().await;
    connection.send("HTTP/1.1 200 OK\r\n\r\nok").await;
    client.head().await;
    let (rest, end) = client.rest().await;
    assert_eq!((&*rest, end.is_err()), ("ok", true));
    assert_eq!(connection.rest().await.0, "");
    activator.until_in_flight(0).await;
}

#[tokio::test]
async fn drain_ends_idle_connections_with_close_notify() {
    let (backend, _requests) = answering(OK).await;
    let files = Files::new();
    let activator = start_with(files.listen(config(&[backend])));
    let mut client = files.connect(&activator).await;
    let get = format!("GET / HTTP/1.1\r\n{HELLO}");
    assert_eq!(client.ask(&get).await.status(), 200);
    let ((rest, end), _) = tokio::join!(client.rest(), activator.stop());
    assert_eq!(rest, "");
    end.expect("a goodbye in TLS before that of TCP");
}

#[tokio::test]
async fn bad_files_at_startup_are_all_named() {
    let files = Files::new();
    let directory = &files.directory;
    let certificate = directory.write("tls.crt", "no certificate");
    let key = directory.write("tls.key", "no key");
    let mut config = files.listen(config(&[]));
    let ca_file = directory.path("nowhere");
    config.backend_tls.ca_file = Some(ca_file.clone());
    let error = Activator::start(config, Options::default()).err().unwrap();
    let expected = [
        "the TLS files are invalid".to_owned(),
        format!(
            "tls.certificate: {} contains no certificate; a PEM file with -----BEGIN CERTIFICATE----- is expected",
            certificate.display()
        ),
        format!(
            "tls.key: {} contains no private key; a PEM file with -----BEGIN PRIVATE KEY-----, without a password, is expected",
            key.display()
        ),
        format!(
            "backend_tls.ca_file: {} cannot be read: No such file or directory (os error 2)",
            ca_file.display()
        ),
    ];
    assert_eq!(error.to_string(), expected.join("\n"));
}
