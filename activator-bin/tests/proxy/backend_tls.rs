//! Backends that are reached over TLS.

use std::net::SocketAddr;
use std::time::Duration;

use http::Response;
use reporter_core::RevisionKey;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

use crate::support::activator::{Ask, PATIENCE, change, config, start_with};
use crate::support::backend::Backend;
use crate::support::directory::Directory;
use crate::support::http1::{Client, HELLO, get};
use crate::support::http2::{Http2Client, read};
use crate::support::tls::{Authority, BACKEND, Certified, reaching};

/// As Knative calls the instances of a namespace.
const KNATIVE: &str = "kn-user-{namespace}";

/// A backend that answers everything over TLS; for each connection that agreed, ALPN's choice comes out.
async fn answering(certified: &Certified) -> (SocketAddr, mpsc::UnboundedReceiver<Vec<u8>>) {
    let acceptor: TlsAcceptor = certified.acceptor();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (sender, connections) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        loop {
            let (socket, _) = listener.accept().await.unwrap();
            let (acceptor, sender) = (acceptor.clone(), sender.clone());
            tokio::spawn(async move {
                let Ok(stream) = acceptor.accept(socket).await else {
                    return;
                };
                let protocol = stream.get_ref().1.alpn_protocol();
                let _ = sender.send(protocol.unwrap_or_default().to_vec());
                let mut connection = Client::new(stream);
                while !connection.is_over().await {
                    connection.message().await;
                    let answer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
                    connection.send(answer).await;
                    connection.socket.flush().await.unwrap();
                }
            });
        }
    });
    (address, connections)
}

#[tokio::test]
async fn certificate_must_chain_to_the_ca_and_match_the_name() {
    let (ours, theirs) = (Authority::new("ours"), Authority::new("theirs"));
    let directory = Directory::new();
    let check = async |authority: &Authority, shown, asked, expected: Result<(), &str>| {
        let (backend, mut connections) = answering(&authority.vouch_for(shown)).await;
        let config = reaching(backend, &directory, &ours, asked);
        let activator = start_with(config);
        let mut client = activator.connect().await;
        let answer = client.get("/").await;
        match expected {
            Ok(()) => {
                assert_eq!((answer.status(), &*answer.body), (200, "ok"));
                assert_eq!(connections.recv().await.unwrap(), b"http/1.1");
                // The connection is used again.
                assert_eq!(client.get("/").await.status(), 200);
                assert!(connections.try_recv().is_err());
            }
            Err(why) => {
                let words = format!(
                    "revision default/hello: TLS handshake with backend {backend} failed: {why}"
                );
                assert_eq!(answer.status(), 502);
                assert!(answer.body.starts_with(&words), "{}", answer.body);
            }
        }
    };
    check(&ours, BACKEND, Some(BACKEND), Ok(())).await;
    check(&ours, "127.0.0.1", None, Ok(())).await;
    check(&ours, "kn-user-default", Some(KNATIVE), Ok(())).await;
    let other_namespace =
        "invalid peer certificate: certificate not valid for name \"kn-user-default\"";
    check(&ours, "kn-user-other", Some(KNATIVE), Err(other_namespace)).await;
    let other_name =
        "invalid peer certificate: certificate not valid for name \"data-plane.example\"";
    check(&ours, "other.example", Some(BACKEND), Err(other_name)).await;
    let no_address = "invalid peer certificate: certificate not valid for name \"127.0.0.1\"";
    check(&ours, BACKEND, None, Err(no_address)).await;
    let unknown = "invalid peer certificate: UnknownIssuer";
    check(&theirs, BACKEND, Some(BACKEND), Err(unknown)).await;
}

#[tokio::test]
async fn connections_are_not_shared_across_namespaces() {
    let authority = Authority::new("ours");
    let directory = Directory::new();
    let (backend, _connections) = answering(&authority.vouch_for("kn-user-default")).await;
    let mut config = reaching(backend, &directory, &authority, Some(KNATIVE));
    // So that all of them find the connections of the first.
    config.workers = 1;
    let long = "n".repeat(63);
    for namespace in ["other", &long] {
        let mut revision = config.revisions[0].clone();
        revision.key = RevisionKey::try_new(namespace, "hello").unwrap();
        config.revisions.push(revision);
    }
    let activator = start_with(config);
    let mut client = activator.connect().await;
    for (namespace, expected) in [
        ("default", Ok(())),
        (
            "other",
            Err("certificate not valid for name \"kn-user-other\""),
        ),
        (&long, Err("\" is not a DNS name")),
    ] {
        let head = HELLO.replace("default", namespace);
        let answer = client.ask(&format!("GET / HTTP/1.1\r\n{head}")).await;
        match expected {
            Ok(()) => assert_eq!(answer.status(), 200),
            Err(why) => {
                assert_eq!(answer.status(), 502);
                assert!(answer.body.contains(why), "{}", answer.body);
            }
        }
    }
}

#[tokio::test]
async fn http2_reaches_the_backend_over_tls() {
    let authority = Authority::new("ours");
    let directory = Directory::new();
    let acceptor = authority.vouch_for(BACKEND).acceptor();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let backend = listener.local_addr().unwrap();
    let config = reaching(backend, &directory, &authority, Some(BACKEND));
    let activator = start_with(config);
    let client = Http2Client::connect(&activator).await;
    let serving = async {
        let (socket, _) = listener.accept().await.unwrap();
        let stream = acceptor.accept(socket).await.unwrap();
        assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
        let mut connection = h2::server::handshake(stream).await.unwrap();
        // Both come over this connection.
        for path in ["/first", "/second"] {
            let (request, mut respond) = connection.accept().await.unwrap().unwrap();
            assert_eq!(
                request.uri().to_string(),
                format!("https://{backend}{path}")
            );
            respond.send_response(Response::new(()), true).unwrap();
        }
        connection.accept().await.is_none()
    };
    let asking = async {
        for path in ["/first", "/second"] {
            assert_eq!(client.get(path).await.status(), 200);
        }
    };
    tokio::select! {
        () = asking => {}
        _ = timeout(PATIENCE, serving) => panic!("the connection ends before its answers"),
    }
}

#[tokio::test]
async fn http2_request_gets_502_for_a_bad_certificate() {
    let (ours, theirs) = (Authority::new("ours"), Authority::new("theirs"));
    let directory = Directory::new();
    let (backend, _connections) = answering(&theirs.vouch_for(BACKEND)).await;
    let config = reaching(backend, &directory, &ours, Some(BACKEND));
    let activator = start_with(config);
    let client = Http2Client::connect(&activator).await;
    let mut answer = client.get("/").await;
    assert_eq!(answer.status(), 502);
    let (body, _) = read(answer.body_mut()).await;
    let words = format!(
        "revision default/hello: TLS handshake with backend {backend} failed: invalid peer certificate: UnknownIssuer"
    );
    assert!(body.starts_with(&words), "{body}");
}

#[tokio::test]
async fn backend_without_tls_is_named() {
    let authority = Authority::new("ours");
    let directory = Directory::new();
    let (backend, _requests) = {
        let backend = Backend::bind().await;
        let address = backend.address;
        let serving = tokio::spawn(async move {
            let mut connection = backend.accept().await;
            connection.send("HTTP/1.1 400 Bad Request\r\n\r\n").await;
            connection.rest().await
        });
        (address, serving)
    };
    let config = reaching(backend, &directory, &authority, Some(BACKEND));
    let activator = start_with(config);
    let answer = activator.connect().await.get("/").await;
    let words = format!(
        "revision default/hello: TLS handshake with backend {backend} failed: its response is not TLS\n"
    );
    assert_eq!((answer.status(), answer.body), (502, words));
}

#[tokio::test]
async fn new_authority_in_the_file_is_trusted() {
    let (old, new) = (Authority::new("old"), Authority::new("new"));
    let directory = Directory::new();
    let (backend, _connections) = answering(&new.vouch_for(BACKEND)).await;
    let config = reaching(backend, &directory, &old, Some(BACKEND));
    let activator = start_with(config);
    let mut client = activator.connect().await;
    assert_eq!(client.get("/").await.status(), 502);
    directory.write("ca.pem", &format!("{}{}", old.pem, new.pem));
    let trusted = async {
        // Nobody tells when the file has been read.
        while client.get("/").await.status() != 200 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(PATIENCE, trusted).await.expect("it is read");
}

#[tokio::test]
async fn tls_and_plain_connections_are_not_mixed() {
    let authority = Authority::new("ours");
    let directory = Directory::new();
    let certified = authority.vouch_for(BACKEND);
    let backend = Backend::bind().await;
    let mut config = reaching(backend.address, &directory, &authority, Some(BACKEND));
    config.workers = 1;
    let activator = start_with(config);
    let mut client = activator.connect().await;
    let answer = "HTTP/1.1 204 No Content\r\n\r\n";
    let plain = |tls| change(&activator, |config| config.tls = tls);

    client.send(get("/")).await;
    let private = async || {
        let connection = backend.accept().await;
        let accepted = certified.acceptor().accept(connection.socket);
        let mut private = Client::new(timeout(PATIENCE, accepted).await.unwrap().unwrap());
        private.message().await;
        private.send(answer).await;
        private
    };
    let mut first = private().await;
    assert_eq!(client.message().await.status(), 204);

    plain(false);
    assert!(first.is_over().await);
    client.send(get("/")).await;
    let (mut open, _) = backend.request().await;
    open.send(answer).await;
    assert_eq!(client.message().await.status(), 204);

    plain(true);
    assert!(open.is_over().await);
    client.send(get("/")).await;
    private().await;
    assert_eq!(client.message().await.status(), 204);
}

#[tokio::test]
async fn tls_without_a_ca_file_is_refused() {
    let backend = Backend::bind().await;
    let mut config = config(&[backend.address]);
    config.revisions[0].tls = true;
    let activator = start_with(config);
    let answer = activator.connect().await.get("/").await;
    let words = format!(
        "revision default/hello: cannot reach backend {} over TLS: [backend_tls].ca_file was not set at startup\n",
        backend.address
    );
    assert_eq!((answer.status(), answer.body), (502, words));
    assert!(backend.is_silent());
}
