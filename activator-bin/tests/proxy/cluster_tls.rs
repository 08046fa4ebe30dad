//! TLS by objects of the cluster: a listener and backends, while certificates and trust bundles change.

use std::net::SocketAddr;
use std::sync::Arc;

use activator_bin::testing::{Activator, ClusterTls, Config, Options, cluster_tls};
use http::Response;
use reporter_core::RevisionKey;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::server::Acceptor;
use rustls::version::{TLS12, TLS13};
use rustls::{ALL_VERSIONS, SupportedProtocolVersion};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_rustls::client::TlsStream;
use tokio_rustls::{LazyConfigAcceptor, TlsAcceptor};

use crate::support::activator::{Ask, PATIENCE, config, put};
use crate::support::backend::answering;
use crate::support::http1::{Client, HELLO, Message, OK};
use crate::support::http2::Http2Client;
use crate::support::metrics::until_line;
use crate::support::tls::{Authority, Certified};

/// As Knative calls every instance.
const DATA_PLANE: &str = "data-plane.knative.dev";
const OURS: &str = "kn-user-default";

/// An activator whose TLS comes from the cluster.
struct Scene {
    activator: Activator,
    tls: Arc<ClusterTls>,
}

impl Scene {
    fn start(mut config: Config) -> Self {
        config.listen.https = Some("127.0.0.1:0".parse().unwrap());
        let tls = Arc::new(cluster_tls(&config).unwrap());
        let options = Options {
            cluster_tls: Some(Arc::clone(&tls)),
            ..Options::default()
        };
        let activator = Activator::start(config, options).unwrap();
        Self { activator, tls }
    }

    /// In front of a revision in `namespace` with TLS.
    fn in_front_of(backend: SocketAddr, namespace: &str) -> Self {
        let mut config = config(&[backend]);
        config.revisions[0].tls = true;
        config.revisions[0].key = RevisionKey::try_new(namespace, "hello").unwrap();
        Self::start(config)
    }

    /// Sets a Secret with these authorities.
    fn trust(&self, authorities: &[&Authority]) {
        let pems: String = authorities.iter().map(|it| &*it.pem).collect();
        let own = authorities[0].vouch_for(DATA_PLANE);
        self.set(&own, &pems).unwrap();
    }

    fn set(&self, own: &Certified, ca: &str) -> Result<(), String> {
        let (certificate, key) = (own.certificate.as_bytes(), own.key.as_bytes());
        let set = self.tls.set_certificates(certificate, key, ca.as_bytes());
        set.map_err(|problems| problems.to_string())
    }

    fn trust_bundle(&self, name: &str, text: &str) -> Result<(), String> {
        let bundles = vec![(name.to_owned(), text.to_owned())];
        let set = self.tls.set_trust_bundles(bundles);
        set.map_err(|problems| problems.to_string())
    }

    /// A client of the listener over TLS.
    async fn connect(
        &self,
        authority: &Authority,
    ) -> std::io::Result<Client<TlsStream<TcpStream>>> {
        let address = self.activator.https_addr().unwrap();
        let socket = TcpStream::connect(address).await.unwrap();
        let name = ServerName::try_from(DATA_PLANE).unwrap();
        let connector = authority.connector(ALL_VERSIONS);
        let connected = timeout(PATIENCE, connector.connect(name, socket)).await;
        Ok(Client::new(connected.expect("the peer agrees or not")?))
    }

    /// A response on a new connection.
    async fn ask(&self, namespace: &str) -> Message {
        let head = HELLO.replace("default", namespace);
        let mut client = self.activator.connect().await;
        client.ask(&format!("GET / HTTP/1.1\r\n{head}")).await
    }
}

fn shown(client: &Client<TlsStream<TcpStream>>) -> CertificateDer<'static> {
    let certificates = client.socket.get_ref().1.peer_certificates().unwrap();
    certificates[0].clone().into_owned()
}

/// A backend that answers one request on each connection, and the names that it was asked for.
async fn backend(acceptor: TlsAcceptor) -> (SocketAddr, mpsc::UnboundedReceiver<Option<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (sender, names) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        loop {
            let (socket, _) = listener.accept().await.unwrap();
            let begun = LazyConfigAcceptor::new(Acceptor::default(), socket).await;
            let begun = begun.unwrap();
            let name = begun.client_hello().server_name().map(str::to_owned);
            sender.send(name).unwrap();
            let Ok(stream) = begun.into_stream(Arc::clone(acceptor.config())).await else {
                continue;
            };
            let mut connection = Client::new(stream);
            connection.message().await;
            let close = OK.replace("OK\r\n", "OK\r\nConnection: close\r\n");
            connection.send(close).await;
        }
    });
    (address, names)
}

#[tokio::test]
async fn the_listener_waits_for_its_certificate_and_follows_it() {
    let (backend, _requests) = answering(OK).await;
    let scene = Scene::start(config(&[backend]));
    let authority = Authority::new("the clients' authority");
    let refused = scene.connect(&authority).await.err().unwrap();
    assert!(refused.to_string().contains("AccessDenied"), "{refused}");
    until_line(&scene.activator, "activator_tls_handshake_failures_total 1").await;

    let (first, second) = (
        authority.vouch_for(DATA_PLANE),
        authority.vouch_for(DATA_PLANE),
    );
    scene.set(&first, "").unwrap();
    let mut old = scene.connect(&authority).await.unwrap();
    assert_eq!(shown(&old), first.der());
    assert_eq!(
        old.ask(&format!("GET / HTTP/1.1\r\n{HELLO}"))
            .await
            .status(),
        200
    );
    until_loaded(&scene, "tls", true).await;

    let mixed = Certified {
        certificate: second.certificate.clone(),
        key: first.key.clone(),
    };
    scene.set(&mixed, "").unwrap_err();
    until_loaded(&scene, "tls", false).await;
    assert_eq!(
        shown(&scene.connect(&authority).await.unwrap()),
        first.der()
    );

    scene.set(&second, "").unwrap();
    until_loaded(&scene, "tls", true).await;
    assert_eq!(
        shown(&scene.connect(&authority).await.unwrap()),
        second.der()
    );
    assert_eq!(
        old.ask(&format!("GET / HTTP/1.1\r\n{HELLO}"))
            .await
            .status(),
        200
    );
}

async fn until_loaded(scene: &Scene, section: &str, good: bool) {
    let metric = "activator_certificate_last_reload_success";
    let line = format!("{metric}{{section=\"{section}\"}} {}", u8::from(good));
    until_line(&scene.activator, &line).await;
}

#[tokio::test]
async fn backends_are_verified_by_both_names() {
    let (ours, theirs) = (Authority::new("ours"), Authority::new("theirs"));
    let check = async |authority: &Authority, names: &[&str], namespace, expected| {
        let (backend, mut asked) = backend(authority.vouch_for_all(names).acceptor()).await;
        let scene = Scene::in_front_of(backend, namespace);
        scene.trust(&[&ours]);
        let answer = scene.ask(namespace).await;
        assert_eq!(asked.recv().await.unwrap().as_deref(), Some(DATA_PLANE));
        match expected {
            Ok(()) => assert_eq!((answer.status(), &*answer.body), (200, "ok")),
            Err(why) => {
                let words = format!(
                    "revision {namespace}/hello: TLS handshake with backend {backend} failed: invalid peer certificate: {why}"
                );
                assert_eq!(answer.status(), 502);
                assert!(answer.body.starts_with(&words), "{}", answer.body);
            }
        }
    };
    check(&ours, &[DATA_PLANE, OURS], "default", Ok(())).await;
    check(
        &ours,
        &[OURS, "other.example", DATA_PLANE],
        "default",
        Ok(()),
    )
    .await;
    let no_user = "certificate not valid for name \"kn-user-default\"";
    check(&ours, &[DATA_PLANE], "default", Err(no_user)).await;
    check(
        &ours,
        &[DATA_PLANE, "kn-user-other"],
        "default",
        Err(no_user),
    )
    .await;
    check(
        &ours,
        &[DATA_PLANE, "kn-user-default2"],
        "default",
        Err(no_user),
    )
    .await;
    check(
        &ours,
        &[DATA_PLANE, "*.kn-user-default"],
        "default",
        Err(no_user),
    )
    .await;
    let no_data_plane = "certificate not valid for name \"data-plane.knative.dev\"";
    check(&ours, &[OURS], "default", Err(no_data_plane)).await;
    check(
        &theirs,
        &[DATA_PLANE, OURS],
        "default",
        Err("UnknownIssuer"),
    )
    .await;
    // The name for it is none in DNS, but Knative's certificates have it.
    let long = "n".repeat(63);
    let user = format!("kn-user-{long}");
    check(&ours, &[DATA_PLANE, &user], &long, Ok(())).await;
    check(
        &ours,
        &[DATA_PLANE, &user[..70]],
        &long,
        Err("NotValidForName"),
    )
    .await;
}

#[tokio::test]
async fn an_old_version_is_refused() {
    let authority = Authority::new("ours");
    let check = async |versions: &[&'static SupportedProtocolVersion]| {
        let certified = authority.vouch_for_all(&[DATA_PLANE, OURS]);
        let (backend, _asked) = backend(certified.acceptor_with(versions)).await;
        let scene = Scene::in_front_of(backend, "default");
        scene.trust(&[&authority]);
        scene.ask("default").await
    };
    assert_eq!(check(&[&TLS13]).await.status(), 200);
    let refused = check(&[&TLS12]).await;
    assert_eq!(refused.status(), 502);
    assert!(refused.body.contains("ProtocolVersion"), "{}", refused.body);
}

#[tokio::test]
async fn authorities_are_replaced_while_requests_come() {
    let [old, new, bundled] = ["old", "new", "bundled"].map(Authority::new);
    let certified = |it: &Authority| it.vouch_for_all(&[DATA_PLANE, OURS]).acceptor();
    let (backend_of_old, _asked) = backend(certified(&old)).await;
    let (backend_of_new, _asked) = backend(certified(&new)).await;
    let (backend_of_bundle, _asked) = backend(certified(&bundled)).await;
    let scene = Scene::in_front_of(backend_of_old, "default");
    let check = async |expected: [u16; 3]| {
        let mut found = Vec::new();
        for backend in [backend_of_old, backend_of_new, backend_of_bundle] {
            put(&scene.activator, &[backend]);
            found.push(scene.ask("default").await.status());
        }
        assert_eq!(found, expected);
    };

    let missing = scene.ask("default").await;
    let words = format!(
        "revision default/hello: cannot reach backend {backend_of_old} over TLS: there are no CA certificates, neither in ca.crt of the Secret routing-serving-certs nor in a trust bundle\n"
    );
    assert_eq!((missing.status(), missing.body), (502, words));

    scene.trust(&[&old]);
    check([200, 502, 502]).await;
    // During a rotation there are both.
    scene.trust(&[&new, &old]);
    check([200, 200, 502]).await;
    scene.trust_bundle("a map: its key", &bundled.pem).unwrap();
    check([200, 200, 200]).await;
    scene.trust(&[&new]);
    check([502, 200, 200]).await;

    let problem = scene.trust_bundle("a map: its key", "none").unwrap_err();
    assert!(
        problem.starts_with("a map: its key contains no certificate"),
        "{problem}"
    );
    until_loaded(&scene, "backend_tls", false).await;
    check([502, 200, 200]).await;
    scene.tls.set_trust_bundles(Vec::new()).unwrap();
    until_loaded(&scene, "backend_tls", true).await;
    check([502, 200, 502]).await;
}

#[tokio::test]
async fn http2_is_agreed_with_instances_that_offer_it() {
    let authority = Authority::new("ours");
    let acceptor = authority.vouch_for_all(&[DATA_PLANE, OURS]).acceptor();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let scene = Scene::in_front_of(listener.local_addr().unwrap(), "default");
    scene.trust(&[&authority]);
    let client = Http2Client::connect(&scene.activator).await;
    let serving = async {
        let (socket, _) = listener.accept().await.unwrap();
        let stream = acceptor.accept(socket).await.unwrap();
        assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
        let mut connection = h2::server::handshake(stream).await.unwrap();
        let (_, mut respond) = connection.accept().await.unwrap().unwrap();
        respond.send_response(Response::new(()), true).unwrap();
        connection.accept().await.is_none()
    };
    tokio::select! {
        answer = client.get("/") => assert_eq!(answer.status(), 200),
        _ = timeout(PATIENCE, serving) => panic!("the connection ends before its answer"),
    }
}
