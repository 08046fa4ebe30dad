//! Instances in a cluster: where probes and requests go.

use std::net::SocketAddr;
use std::sync::Arc;

use activator_bin::testing::{
    Activator, Config, InCluster, Mesh, MeshMode, PrivateService, PrivateServices, Probe, Share,
};
use async_trait::async_trait;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;
use tokio::sync::mpsc;

use crate::support::activator::{Ask, config, start_with};
use crate::support::backend::answering;
use crate::support::directory::Directory;
use crate::support::http1::{Client, Message, OK, get};
use crate::support::metrics::until_line;
use crate::support::tls::{Authority, BACKEND, Certified, reaching};

/// What passes a probe, and what a mesh sends in an instance's place.
const QUEUE: &str = "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nqueue";
const MESH: &str = "HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n";

/// `default/hello` as in a cluster.
fn in_cluster(mut config: Config, tls_port: Option<u16>) -> Config {
    let revision = &mut config.revisions[0];
    revision.probe = Probe::Knative;
    revision.cluster = Some(Arc::new(InCluster {
        private_service: "hello-private".into(),
        tls_port,
        ..InCluster::default()
    }));
    config
}

/// Sets `mesh-compatibility-mode` and `enable-mesh-pod-addressability`.
fn set_mesh(activator: &Activator, mode: MeshMode, pod_addressability: bool) {
    activator.revisions().set_mesh(Mesh {
        mode,
        pod_addressability,
    });
}

/// The private Service of every revision.
struct At(PrivateService);

#[async_trait]
impl PrivateServices for At {
    async fn address(&self, _: &str, name: &str, _: bool) -> Result<PrivateService, String> {
        assert_eq!(name, "hello-private");
        Ok(self.0)
    }
}

/// The revision as `/v1/revisions` has it.
async fn shown(activator: &Activator) -> String {
    let mut client = Client::connect(activator.admin_addr()).await;
    let head = "GET /v1/revisions/default/hello HTTP/1.1\r\nHost: localhost\r\n";
    client.ask(head).await.body
}

/// The path, the Host and the passthrough header of a request.
fn names(request: &Message) -> [&str; 3] {
    let path = request.first_line.split(' ').nth(1).unwrap();
    let header = |name| request.header(name).unwrap_or_default();
    [path, header("host"), header("k-passthrough-lb")]
}

/// A backend that answers everything over TLS.
async fn over_tls(certified: &Certified) -> (SocketAddr, mpsc::UnboundedReceiver<Message>) {
    let acceptor = certified.acceptor();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (sender, requests) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        loop {
            let (socket, _) = listener.accept().await.unwrap();
            let mut connection = Client::new(acceptor.accept(socket).await.unwrap());
            while !connection.is_over().await {
                let _ = sender.send(connection.message().await);
                connection.send(OK).await;
                connection.socket.flush().await.unwrap();
            }
        }
    });
    (address, requests)
}

#[tokio::test]
async fn over_tls_requests_go_to_their_own_port_and_probes_to_the_listed_one() {
    let (directory, authority) = (Directory::new(), Authority::new("ours"));
    let (listed, mut probes) = answering(QUEUE).await;
    let (secured, mut requests) = over_tls(&authority.vouch_for(BACKEND)).await;
    let config = reaching(listed, &directory, &authority, Some(BACKEND));
    let activator = start_with(in_cluster(config, Some(secured.port())));
    let mut client = activator.connect().await;
    for _ in 0..2 {
        assert_eq!(client.get("/").await.body, "ok");
        let request = requests.recv().await.unwrap();
        assert_eq!(names(&request), ["/", &secured.to_string(), ""]);
    }
    let probe = probes.recv().await.unwrap();
    assert_eq!(names(&probe), ["/healthz", &listed.to_string(), ""]);
    assert!(probes.try_recv().is_err(), "it is probed once");
}

#[tokio::test]
async fn where_a_mesh_is_in_the_way_requests_go_through_the_private_service() {
    let (instance, mut probes) = answering(MESH).await;
    let (http, mut requests) = answering(QUEUE).await;
    let activator = start_with(in_cluster(config(&[instance]), None));
    let service = Arc::new(At(PrivateService { http, https: None }));
    activator.revisions().set_private_services(service);
    let mut client = activator.connect().await;
    assert_eq!(client.get("/1").await.body, "queue");
    let probe = probes.recv().await.unwrap();
    assert_eq!(names(&probe), ["/healthz", &instance.to_string(), ""]);
    for path in ["/healthz", "/1"] {
        let request = requests.recv().await.unwrap();
        assert_eq!(names(&request), [path, &http.to_string(), ""]);
    }

    let shown = shown(&activator).await;
    let states =
        r#""states":{"behind_service":1,"probing":0,"ready":0,"set_aside":0,"unassigned":0}"#;
    assert!(shown.contains(states), "{shown}");

    // The mode can be changed at any time.
    set_mesh(&activator, MeshMode::Disabled, false);
    until_line(&activator, r#"activator_backends{state="ready"} 1"#).await;
    assert_eq!(client.get("/2").await.status(), 503);
    set_mesh(&activator, MeshMode::Enabled, false);
    until_line(&activator, r#"activator_backends{state="ready"} 0"#).await;
    assert_eq!(client.get("/3").await.body, "queue");
}

#[tokio::test]
async fn a_mesh_that_takes_requests_for_instances_finds_them_by_their_service() {
    let (instance, mut requests) = answering(QUEUE).await;
    let activator = start_with(in_cluster(config(&[instance]), None));
    set_mesh(&activator, MeshMode::Auto, true);
    let mut client = activator.connect().await;
    assert_eq!(client.get("/1").await.body, "queue");
    for path in ["/healthz", "/1"] {
        let request = requests.recv().await.unwrap();
        assert_eq!(names(&request), [path, "hello-private.default", "true"]);
    }
    // An instance that is ready stays so.
    set_mesh(&activator, MeshMode::Auto, false);
    client.send(get("/2")).await;
    assert_eq!(client.message().await.body, "queue");
    let request = requests.recv().await.unwrap();
    assert_eq!(names(&request), ["/2", &instance.to_string(), ""]);
}

#[tokio::test]
async fn instances_of_other_activators_are_shown() {
    let instances = [answering(QUEUE).await, answering(QUEUE).await];
    let mut config = in_cluster(config(&instances.each_ref().map(|it| it.0)), None);
    let revision = &mut config.revisions[0];
    revision.container_concurrency = 1;
    let mut cluster = InCluster::clone(revision.cluster.as_deref().unwrap());
    cluster.share = Some(Share {
        index: 1,
        activators: 2,
    });
    revision.cluster = Some(Arc::new(cluster));
    let activator = start_with(config);
    let asleep = shown(&activator).await;
    let expected = r#""cluster":{"not_ready":[],"private_service":"hello-private","share":{"activators":2,"index":1}}"#;
    assert!(asleep.contains(expected), "{asleep}");
    let mut client = activator.connect().await;
    assert_eq!(client.get("/").await.body, "queue");
    until_line(&activator, r#"activator_backends{state="ready"} 1"#).await;
    until_line(&activator, r#"activator_backends{state="unassigned"} 1"#).await;
}
