//! Traces: the context that backends get, and the spans of requests, however these end.

mod ends;

use std::sync::mpsc::{Receiver, channel};

use activator_bin::testing::{
    AccessLog, Activator, AttributeValue, Config, Kind, Options, Protocol, Span, Template, Trace,
    TraceContext, Traces,
};

use crate::support::activator::{Ask, PATIENCE, config};
use crate::support::backend::Backend;
use crate::support::http1::{Message, OK, get, get_with};
use crate::support::http2::{Http2Client, patiently, read, request};

/// What a client sends: its trace, its span, and that the trace is recorded.
const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const PARENT: &str = "00f067aa0ba902b7";

struct Scene {
    activator: Activator,
    backend: Backend,
    traces: Receiver<Trace>,
}

impl Scene {
    /// Tracing this share of the requests whose clients have not decided.
    async fn start(sampling_rate: f64) -> Self {
        Self::with(sampling_rate, AccessLog::default(), |_| {}).await
    }

    async fn with(
        sampling_rate: f64,
        access_log: AccessLog,
        change: impl FnOnce(&mut Config),
    ) -> Self {
        let backend = Backend::bind().await;
        let (sender, received) = channel();
        let traces = Traces::default();
        traces.start(sampling_rate, move |trace| sender.send(trace).unwrap());
        let mut config = config(&[backend.address]);
        change(&mut config);
        let options = Options {
            access_log,
            traces,
            ..Options::default()
        };
        Self {
            activator: Activator::start(config, options).unwrap(),
            backend,
            traces: received,
        }
    }

    /// The spans of the request that ended next. Checks what holds for all.
    async fn trace(&self) -> Trace {
        let waiting = async {
            loop {
                match self.traces.try_recv() {
                    Ok(trace) => return trace,
                    Err(_) => tokio::time::sleep(std::time::Duration::from_millis(2)).await,
                }
            }
        };
        let trace = tokio::time::timeout(PATIENCE, waiting).await;
        let trace = trace.expect("there is a trace");
        let own = &trace.spans[0];
        assert_eq!(own.kind, Kind::Server);
        let mut last_end = own.start;
        for part in &trace.spans[1..] {
            assert_eq!(part.parent, Some(own.id));
            assert!(last_end <= part.start && part.start <= part.end);
            last_end = part.end;
        }
        assert!(last_end <= own.end);
        trace
    }

    #[track_caller]
    fn no_more(&self) {
        assert_eq!(self.traces.try_iter().count(), 0);
    }
}

/// A request with these headers.
fn with(headers: &[&str]) -> String {
    let headers: String = headers.iter().map(|line| format!("{line}\r\n")).collect();
    get_with(&headers)
}

/// Those of a client that traces.
fn traced() -> [String; 2] {
    [
        format!("traceparent: 00-{TRACE}-{PARENT}-01"),
        "tracestate: vendor=1".to_owned(),
    ]
}

fn context(request: &Message) -> TraceContext {
    let parent = request.header("traceparent").expect("there is a context");
    TraceContext::parse(parent.as_bytes()).expect("it is valid")
}

/// The span's kind and name, its status, and what went wrong.
fn outcome(span: &Span) -> String {
    let shown = |name| match span.attribute(name) {
        None => "-".to_owned(),
        Some(AttributeValue::Text(text)) => text.to_string(),
        Some(AttributeValue::Whole(number)) => number.to_string(),
    };
    let status = shown("http.response.status_code");
    let (kind, name, error) = (span.kind, span.name, shown("error.type"));
    format!("{kind:?} {name} {status} {error} {}", span.is_error)
}

fn outcomes(trace: &Trace) -> Vec<String> {
    trace.spans.iter().map(outcome).collect()
}

#[tokio::test]
async fn headers_pass_unchanged_while_tracing_is_off() {
    let scene = Scene::start(1.0).await;
    let off = Activator::start(config(&[scene.backend.address]), Options::default()).unwrap();
    let sent = [
        ("traceparent", "00-zz"),
        ("tracestate", "a=1,,b"),
        ("b3", "80f198ee56343ba864fe8b2a57d3eff7-e457b5a2e4d86bd1-1"),
        ("x-b3-traceid", "80f198ee56343ba864fe8b2a57d3eff7"),
        ("baggage", "key=value"),
    ];
    let lines = sent.map(|(name, value)| format!("{name}: {value}"));
    let mut client = off.connect().await;
    client
        .send(with(&lines.each_ref().map(String::as_str)))
        .await;
    let (_connection, request) = scene.backend.request().await;
    assert_eq!(
        sent.map(|(name, _)| request.header(name)),
        sent.map(|(_, value)| Some(value))
    );

    // Without any, none is made up.
    let mut client = off.connect().await;
    client.send(get("/")).await;
    let (_connection, request) = scene.backend.request().await;
    assert_eq!(sent.map(|(name, _)| request.header(name)), [None; 5]);
    scene.no_more();
}

#[tokio::test]
async fn a_trace_goes_on_from_the_client_to_the_backend() {
    // What the client has decided counts.
    let scene = Scene::start(0.0).await;
    let mut client = scene.activator.connect().await;
    let [parent, state] = traced();
    let b3 = "b3: 80f198ee56343ba864fe8b2a57d3eff7-e457b5a2e4d86bd1-1";
    client
        .send(with(&[&parent, &state, b3, "User-Agent: me"]).replacen("/", "/a?secret", 1))
        .await;
    let (mut connection, request) = scene.backend.request().await;
    assert_eq!(request.header("tracestate"), Some("vendor=1"));
    assert_eq!(request.header("b3"), b3.strip_prefix("b3: "));
    let sent = context(&request);
    connection.send(OK).await;
    client.message().await;

    let trace = scene.trace().await;
    assert_eq!(
        (trace.id.to_string(), &*trace.state),
        (TRACE.to_owned(), "vendor=1")
    );
    let [own, attempt] = &trace.spans[..] else {
        panic!("{trace:?}");
    };
    assert_eq!(own.parent.map(|it| it.to_string()).as_deref(), Some(PARENT));
    assert_eq!(
        (sent.trace, sent.span, sent.is_sampled),
        (trace.id, attempt.id, true)
    );
    let shown = |span: &Span| {
        let mut lines = vec![format!("{} {:?}", span.name, span.kind)];
        lines.extend(span.attributes.iter().map(|(name, value)| match value {
            AttributeValue::Text(text) => format!("{name}={text}"),
            AttributeValue::Whole(number) => format!("{name}={number}"),
        }));
        lines
    };
    assert_eq!(
        shown(own),
        [
            "GET Server",
            "http.request.method=GET",
            "url.scheme=http",
            "url.path=/a",
            "server.address=proxy",
            "client.address=127.0.0.1",
            "user_agent.original=me",
            "network.protocol.version=1.1",
            "k8s.namespace.name=default",
            "kn.service.name=hello",
            "kn.configuration.name=hello",
            "kn.revision.name=hello",
            "http.response.status_code=200",
        ]
    );
    let backend = scene.backend.address;
    assert_eq!(
        shown(attempt),
        [
            "GET Client",
            "http.request.method=GET",
            "server.address=127.0.0.1",
            &format!("server.port={}", backend.port()),
            &format!("url.full=http://{backend}/a"),
            "network.protocol.version=1.1",
            "http.response.status_code=200",
        ]
    );
}

#[tokio::test]
async fn what_a_client_does_not_record_is_not_recorded() {
    let scene = Scene::start(1.0).await;
    let mut client = scene.activator.connect().await;
    let parent = format!("00-{TRACE}-{PARENT}-00");
    client
        .send(with(&[
            &format!("traceparent: {parent}"),
            "tracestate: a=1",
        ]))
        .await;
    let (mut connection, request) = scene.backend.request().await;
    assert_eq!(request.header("traceparent"), Some(&*parent));
    assert_eq!(request.header("tracestate"), Some("a=1"));
    connection.send(OK).await;
    client.message().await;
    scene.activator.until_in_flight(0).await;
    scene.no_more();
}

#[tokio::test]
async fn a_trace_begins_where_there_is_no_valid_one() {
    let scene = Scene::start(1.0).await;
    let mut client = scene.activator.connect().await;
    client
        .send(with(&[
            "traceparent: 00-00-00-01",
            "tracestate: a=1",
            "tracestate: b=2",
        ]))
        .await;
    let (mut connection, request) = scene.backend.request().await;
    let sent = context(&request);
    assert_eq!(request.header("tracestate"), None);
    connection.send(OK).await;
    client.message().await;
    let trace = scene.trace().await;
    assert_eq!(
        (trace.id, trace.spans[0].parent, &*trace.state),
        (sent.trace, None, "")
    );

    // Platform probes are no requests.
    let probe = "GET /healthz HTTP/1.1\r\nHost: a\r\nUser-Agent: kube-probe/1.30\r\n";
    assert_eq!(client.ask(probe).await.status(), 200);
    scene.no_more();
}

#[tokio::test]
async fn backends_are_told_that_a_trace_is_not_recorded() {
    let (sender, lines) = channel();
    let log = AccessLog::to(move |line| sender.send(line).unwrap());
    log.set(Some(Template::parse("{{.TraceID}}").unwrap().into()));
    let scene = Scene::with(0.0, log, |_| {}).await;
    let mut client = scene.activator.connect().await;
    client.send(get("/")).await;
    let (mut connection, request) = scene.backend.request().await;
    let sent = context(&request);
    assert!(!sent.is_sampled);
    connection.send(OK).await;
    client.message().await;
    scene.activator.until_in_flight(0).await;
    scene.no_more();
    // The log has the trace that began here.
    let line = lines.recv().unwrap();
    assert_eq!(
        String::from_utf8(line).unwrap(),
        format!("{}\n", sent.trace)
    );
}

#[tokio::test]
async fn each_attempt_has_a_span_of_its_own() {
    let scene = Scene::start(1.0).await;
    let mut client = scene.activator.connect().await;
    client.send(get("/")).await;
    let (mut connection, _) = scene.backend.request().await;
    connection.send(OK).await;
    client.message().await;
    assert_eq!(
        outcomes(&scene.trace().await),
        ["Server GET 200 - false", "Client GET 200 - false"]
    );
    drop(connection);

    // It closes a new connection on a request that may be sent again.
    client.send(get("/")).await;
    let (connection, first) = scene.backend.request().await;
    drop(connection);
    let (mut connection, second) = scene.backend.request().await;
    connection.send(OK).await;
    client.message().await;
    let trace = scene.trace().await;
    assert_eq!(
        outcomes(&trace),
        [
            "Server GET 200 - false",
            "Client GET - backend_reset true",
            "Client GET 200 - false"
        ]
    );
    let ids = [&first, &second].map(|request| context(request).span);
    assert_eq!(ids, [trace.spans[1].id, trace.spans[2].id]);
    let resent = |span: &Span| span.attribute("http.request.resend_count").cloned();
    assert_eq!(resent(&trace.spans[1]), None);
    assert_eq!(resent(&trace.spans[2]), Some(AttributeValue::Whole(1)));
}

#[tokio::test]
async fn a_wait_in_the_queue_has_a_span() {
    let scene = Scene::with(1.0, AccessLog::default(), |config| {
        config.revisions[0].container_concurrency = 1;
        config.revisions[0].queue_depth = 1;
    })
    .await;
    let mut first = scene.activator.connect().await;
    first.send(get("/1")).await;
    let (mut connection, _) = scene.backend.request().await;
    let mut second = scene.activator.connect().await;
    second.send(get("/2")).await;
    scene.activator.until_in_flight(2).await;
    let mut third = scene.activator.connect().await;
    third.send(get("/3")).await;
    assert_eq!(third.message().await.status(), 503);
    assert_eq!(
        outcomes(&scene.trace().await),
        [
            "Server GET 503 queue_full true",
            "Internal throttler_try - queue_full true"
        ]
    );
    connection.send(OK).await;
    first.message().await;
    assert_eq!(scene.trace().await.spans.len(), 2);
    // Another worker would have a connection of its own.
    drop(connection);
    let (mut connection, _) = scene.backend.request().await;
    connection
        .send("HTTP/1.1 500 Oops\r\ncontent-length: 0\r\n\r\n")
        .await;
    second.message().await;
    assert_eq!(
        outcomes(&scene.trace().await),
        [
            "Server GET 500 500 true",
            "Internal throttler_try - - false",
            "Client GET 500 500 true"
        ]
    );
}

#[tokio::test]
async fn http2_requests_are_traced_too() {
    let one = |config: &mut Config| config.revisions[0].protocol = Protocol::Http1;
    let scene = Scene::with(1.0, AccessLog::default(), one).await;
    let client = Http2Client::connect(&scene.activator).await;
    let mut traced = request("GET", "/a?b");
    let parent = format!("00-{TRACE}-{PARENT}-01").parse().unwrap();
    traced.headers_mut().insert("traceparent", parent);
    let (response, _) = client.send(traced, true).await;
    let (mut connection, _) = scene.backend.request().await;
    connection
        .send("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")
        .await;
    let mut response = patiently(response).await.unwrap();
    assert_eq!(read(response.body_mut()).await.0, "ok");
    let trace = scene.trace().await;
    assert_eq!(trace.id.to_string(), TRACE);
    let version = |span: &Span| span.attribute("network.protocol.version").cloned();
    assert_eq!(version(&trace.spans[0]), Some("2".into()));
    assert_eq!(version(&trace.spans[1]), Some("1.1".into()));

    // A stream that its client resets.
    let (response, mut body) = client.send(request("POST", "/c"), false).await;
    connection.head().await;
    body.send_reset(h2::Reason::CANCEL);
    drop(response);
    assert_eq!(
        outcomes(&scene.trace().await),
        [
            "Server POST - client_gone true",
            "Client POST - client_gone true"
        ]
    );
}
