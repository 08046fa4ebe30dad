//! The export to collectors on the loopback interface, good and bad ones.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Mutex;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::trace::v1::ResourceSpans;
use prost::Message;
use reporter_core::{Revision, RevisionKey, RevisionLister};
use reporter_metrics::Exporter;
use tokio::io::AsyncReadExt;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_rustls::TlsAcceptor;

use super::*;
use crate::traces::span::{Kind, Span};
use crate::traces::{SpanId, TraceId};

const PATIENCE: Duration = Duration::from_secs(30);

struct NoRevisions;

impl RevisionLister for NoRevisions {
    fn revision(&self, _: &RevisionKey) -> Option<Revision> {
        None
    }
}

/// The metrics of an export, and what shows them.
pub(super) fn metrics() -> (SpanMetrics, Exporter) {
    let exporter = Exporter::new("", Arc::new(NoRevisions));
    (exporter.spans(), exporter)
}

/// The spans of a request, with a text of this length.
pub(super) fn trace(spans: usize, text: usize) -> Trace {
    let span = |id: usize| Span {
        id: SpanId::new(id as u64 + 1).unwrap(),
        parent: SpanId::new(id as u64),
        name: "GET",
        kind: if id == 0 { Kind::Server } else { Kind::Client },
        start: 1,
        end: 2,
        attributes: vec![("http.response.status_code", 200.into())],
        is_error: id > 0,
    };
    Trace {
        id: TraceId::new(spans as u128).unwrap(),
        state: "x".repeat(text),
        spans: (0..spans).map(span).collect(),
    }
}

/// What a collector does with a request.
#[derive(Clone, Copy)]
enum Act {
    Accept,
    /// HTTP's status, and seconds until the next attempt.
    Unavailable(u16, &'static str),
    Garbage,
    Stall,
}

struct Collected {
    address: SocketAddr,
    requests: mpsc::UnboundedReceiver<Vec<ResourceSpans>>,
}

/// A collector that acts like this, the last time again and again; over TLS if there is something to accept it with.
async fn collector(acts: &[Act], tls: Option<TlsAcceptor>) -> Collected {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (sender, requests) = mpsc::unbounded_channel();
    let mut acts = acts.to_vec();
    acts.reverse();
    let acts = Arc::new(Mutex::new(acts));
    let service = move |request: Request<Incoming>| {
        let (acts, sender) = (Arc::clone(&acts), sender.clone());
        async move { Ok::<_, Infallible>(respond(request, &acts, &sender).await) }
    };
    tokio::spawn(async move {
        loop {
            let (socket, _) = listener.accept().await.unwrap();
            let (service, tls) = (service.clone(), tls.clone());
            tokio::spawn(async move {
                let http = auto::Builder::new(TokioExecutor::new());
                let _ = match tls {
                    None => {
                        http.serve_connection(TokioIo::new(socket), service_fn(service))
                            .await
                    }
                    Some(tls) => {
                        let stream = tls.accept(socket).await.unwrap();
                        http.serve_connection(TokioIo::new(stream), service_fn(service))
                            .await
                    }
                };
            });
        }
    });
    Collected { address, requests }
}

type Body = http_body_util::combinators::BoxBody<Bytes, Infallible>;

async fn respond(
    request: Request<Incoming>,
    acts: &Mutex<Vec<Act>>,
    sender: &mpsc::UnboundedSender<Vec<ResourceSpans>>,
) -> Response<Body> {
    let is_grpc = request.headers()["content-type"] == "application/grpc";
    let path = request.uri().path().to_owned();
    let body = request.into_body().collect().await.unwrap().to_bytes();
    let message = match is_grpc {
        true => {
            assert_eq!(
                path,
                "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
            );
            body.slice(5..)
        }
        false => {
            assert_eq!(path, "/v1/traces");
            body
        }
    };
    let message = ExportTraceServiceRequest::decode(message).unwrap();
    let _ = sender.send(message.resource_spans);
    let act = {
        let mut acts = acts.lock().unwrap();
        match acts.len() {
            1 => acts[0],
            _ => acts.pop().unwrap(),
        }
    };
    let response = Response::builder();
    let whole = |text: &'static str| Full::new(Bytes::from_static(text.as_bytes())).boxed();
    match act {
        Act::Accept if is_grpc => {
            let data = Frame::data(Bytes::from_static(&[0; 5]));
            let trailers = [("grpc-status", "0")]
                .map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()));
            let trailers = Frame::trailers(trailers.into_iter().collect());
            let frames = [data, trailers].map(Ok);
            let body = StreamBody::new(futures_util::stream::iter(frames));
            response
                .header("content-type", "application/grpc")
                .body(BodyExt::boxed(body))
        }
        Act::Accept => response.body(whole("")),
        Act::Unavailable(status, after) => response
            .status(status)
            .header("retry-after", after)
            .body(whole("")),
        Act::Garbage => response.body(whole("<html>")),
        Act::Stall => std::future::pending().await,
    }
    .unwrap()
}

/// An export to this address, and its metrics.
fn export(
    protocol: ExportProtocol,
    address: SocketAddr,
    roots: Option<rustls::RootCertStore>,
) -> (Export, Exporter) {
    let scheme = if roots.is_some() { "https" } else { "http" };
    let endpoint = Endpoint::parse(&format!("{scheme}://localhost:{}", address.port())).unwrap();
    let collector = Collector { protocol, endpoint };
    let tls = roots.map(|roots| Arc::new(trust::trusting(roots)));
    let caller = Caller::new(collector, tls);
    let encoder = Encoder::new(&[("service.name", "activator".to_owned())]);
    let (metrics, exporter) = metrics();
    (Export::with(caller, encoder, metrics), exporter)
}

/// How many spans were exported, and dropped for each reason.
fn counts(exporter: &Exporter) -> BTreeSet<String> {
    let text = exporter.render([]);
    let lines = text
        .lines()
        .filter_map(|line| line.strip_prefix("activator_spans_"));
    lines
        .filter(|line| !line.ends_with(" 0"))
        .map(str::to_owned)
        .collect()
}

async fn next(collected: &mut Collected) -> Vec<ResourceSpans> {
    let next = timeout(PATIENCE, collected.requests.recv()).await;
    next.expect("there is a request").unwrap()
}

#[tokio::test]
async fn spans_arrive_over_both_protocols() {
    for protocol in [ExportProtocol::Grpc, ExportProtocol::HttpProtobuf] {
        let mut collected = collector(&[Act::Accept], None).await;
        let (export, exporter) = export(protocol, collected.address, None);
        export.sender()(trace(2, 3));
        let [resource] = &next(&mut collected).await[..] else {
            panic!("all are of one resource");
        };
        let attributes = &resource.resource.as_ref().unwrap().attributes;
        assert_eq!(attributes[0].key, "service.name");
        let [own, part] = &resource.scope_spans[0].spans[..] else {
            panic!("there are two spans");
        };
        assert_eq!(
            (own.trace_id[15], own.span_id[7], &*own.trace_state),
            (2, 1, "xxx")
        );
        // The kinds are those of the server and of the client.
        assert_eq!(
            (own.parent_span_id.len(), own.kind, own.status.is_none()),
            (0, 2, true)
        );
        assert_eq!((&part.parent_span_id, part.kind), (&own.span_id, 3));
        assert_eq!(part.status.as_ref().map(|status| status.code), Some(2));
        assert_eq!((own.start_time_unix_nano, own.end_time_unix_nano), (1, 2));
        // What is left is sent at the end, in one piece.
        for _ in 0..3 {
            export.sender()(trace(1, 0));
        }
        export.stop(PATIENCE).await;
        assert_eq!(next(&mut collected).await[0].scope_spans[0].spans.len(), 3);
        assert_eq!(
            counts(&exporter),
            BTreeSet::from(["exported_total 5".to_owned()])
        );
    }
}

#[tokio::test]
async fn spans_arrive_over_tls() {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let mut roots = rustls::RootCertStore::empty();
    roots.add(made.cert.der().clone()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![made.cert.der().clone()],
            made.signing_key.serialize_der().try_into().unwrap(),
        )
        .unwrap();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let acceptor = TlsAcceptor::from(Arc::new(config));
    for protocol in [ExportProtocol::Grpc, ExportProtocol::HttpProtobuf] {
        let mut collected = collector(&[Act::Accept], Some(acceptor.clone())).await;
        let (export, exporter) = export(protocol, collected.address, Some(roots.clone()));
        export.sender()(trace(1, 0));
        next(&mut collected).await;
        export.stop(PATIENCE).await;
        assert_eq!(
            counts(&exporter),
            BTreeSet::from(["exported_total 1".to_owned()])
        );
    }
}

#[tokio::test]
async fn a_batch_is_sent_again_if_the_collector_may_take_it() {
    let acts = [Act::Unavailable(503, "1"), Act::Accept];
    let mut collected = collector(&acts, None).await;
    let (export, exporter) = export(ExportProtocol::HttpProtobuf, collected.address, None);
    export.sender()(trace(1, 0));
    let first = next(&mut collected).await;
    assert_eq!(next(&mut collected).await, first);
    export.stop(PATIENCE).await;
    assert_eq!(
        counts(&exporter),
        BTreeSet::from(["exported_total 1".to_owned()])
    );
}

#[tokio::test]
async fn what_the_collector_does_not_want_is_dropped() {
    for act in [Act::Garbage, Act::Unavailable(400, "1")] {
        let mut collected = collector(&[act, Act::Accept], None).await;
        let (export, exporter) = export(ExportProtocol::HttpProtobuf, collected.address, None);
        export.sender()(trace(2, 0));
        next(&mut collected).await;
        export.sender()(trace(1, 0));
        next(&mut collected).await;
        export.stop(PATIENCE).await;
        let expected = ["exported_total 1", "dropped_total{reason=\"rejected\"} 2"];
        assert_eq!(
            counts(&exporter),
            BTreeSet::from(expected.map(str::to_owned))
        );
    }
}

#[tokio::test]
async fn a_collector_that_says_nothing_holds_up_nobody() {
    let mut collected = collector(&[Act::Stall], None).await;
    let (export, exporter) = export(ExportProtocol::HttpProtobuf, collected.address, None);
    let send = export.sender();
    send(trace(1, 0));
    next(&mut collected).await;
    for _ in 0..queue::MAX_SPANS {
        send(trace(1, 0));
    }
    assert_eq!(export.queue.len(), queue::MAX_SPANS);
    export.stop(Duration::from_millis(1)).await;
    let expected = [
        "dropped_total{reason=\"queue_full\"} 1".to_owned(),
        format!("dropped_total{{reason=\"stopped\"}} {}", queue::MAX_SPANS),
    ];
    assert_eq!(counts(&exporter), BTreeSet::from(expected));
    // From now on there is nobody to send it.
    send(trace(1, 0));
    let stopped = format!(
        "dropped_total{{reason=\"stopped\"}} {}",
        queue::MAX_SPANS + 1
    );
    assert!(counts(&exporter).contains(&stopped));
}

#[tokio::test]
async fn the_end_does_not_wait_for_a_collector_that_is_away() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let (export, exporter) = export(ExportProtocol::Grpc, address, None);
    for _ in 0..1_000 {
        export.sender()(trace(1, 0));
    }
    export.stop(PATIENCE).await;
    let expected = "dropped_total{reason=\"stopped\"} 1000".to_owned();
    assert_eq!(counts(&exporter), BTreeSet::from([expected]));
}

#[tokio::test]
async fn a_connection_that_was_closed_while_idle_is_no_failure() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (export, exporter) = export(ExportProtocol::HttpProtobuf, address, None);
    for _ in 0..2 {
        export.sender()(trace(1, 0));
        let (mut socket, _) = listener.accept().await.unwrap();
        let mut read = Vec::new();
        while !read.windows(4).any(|end| end == b"\r\n\r\n") {
            assert!(socket.read_buf(&mut read).await.unwrap() > 0);
        }
        let response = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
        tokio::io::AsyncWriteExt::write_all(&mut socket, response)
            .await
            .unwrap();
        // Closes it, which the other side need not have noticed when it sends the next request.
    }
    export.stop(PATIENCE).await;
    assert_eq!(
        counts(&exporter),
        BTreeSet::from(["exported_total 2".to_owned()])
    );
}
