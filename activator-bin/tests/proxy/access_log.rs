//! The access log: one line for each request, at its end, however that comes.

use std::sync::mpsc::{Receiver, channel};

use activator_bin::testing::{AccessLog, Activator, Config, Format, Options, Protocol, Template};
use http::Request;
use serde_json::{Value as Json, json};

use crate::begun::begun;
use crate::support::activator::{Ask, PATIENCE, config, hello};
use crate::support::backend::Backend;
use crate::support::http1::{HELLO, OK, get, get_with};
use crate::support::http2::{Http2Client, patiently, read, request};
use crate::support::metrics::until_metric;
use crate::support::upgrade::switched;

/// What most tests log.
const TEMPLATE: &str = "{{.Request.Method}} {{.Request.RequestURI}} {{.Request.Proto}} {{.Request.ContentLength}} \
    {{.Response.Code}} {{.Response.Size}} {{.Revision.Namespace}}/{{.Revision.Name}}/{{.Revision.Service}}";

struct Scene {
    activator: Activator,
    backend: Backend,
    log: AccessLog,
    lines: Receiver<Vec<u8>>,
}

impl Scene {
    async fn start(template: &str) -> Self {
        Self::with(template, |_| {}).await
    }

    async fn with(template: &str, change: impl FnOnce(&mut Config)) -> Self {
        Self::of(Template::parse(template).unwrap().into(), change).await
    }

    async fn of(format: Format, change: impl FnOnce(&mut Config)) -> Self {
        let backend = Backend::bind().await;
        let (sender, lines) = channel();
        let log = AccessLog::to(move |line| sender.send(line).unwrap());
        log.set(Some(format));
        let mut config = config(&[backend.address]);
        change(&mut config);
        let options = Options {
            access_log: log.clone(),
            ..Options::default()
        };
        Self {
            activator: Activator::start(config, options).unwrap(),
            backend,
            log,
            lines,
        }
    }

    /// The next line.
    async fn line(&self) -> String {
        let waiting = async {
            loop {
                match self.lines.try_recv() {
                    Ok(line) => return String::from_utf8(line).unwrap(),
                    Err(_) => tokio::time::sleep(std::time::Duration::from_millis(2)).await,
                }
            }
        };
        let line = tokio::time::timeout(PATIENCE, waiting).await;
        let line = line.expect("there is a line");
        line.strip_suffix('\n').unwrap().to_owned()
    }

    /// The next line, without what differs from time to time.
    async fn object(&self) -> Json {
        let mut object: Json = serde_json::from_str(&self.line().await).unwrap();
        let time = object["time"].as_str().unwrap();
        assert_eq!((time.len(), &time[19..20]), (27, "."), "{time}");
        let latency = object["latency_seconds"].as_f64().unwrap();
        assert!(latency > 0.0, "{object}");
        for field in ["time", "latency_seconds", "remote_address"] {
            object.as_object_mut().unwrap().remove(field);
        }
        object
    }

    /// The only line so far, which has come.
    #[track_caller]
    fn no_more(&self) {
        assert_eq!(self.lines.try_iter().count(), 0);
    }
}

#[tokio::test]
async fn each_request_has_a_line_when_it_has_ended() {
    let scene = Scene::start(TEMPLATE).await;
    let mut client = scene.activator.connect().await;
    client.send(get("/a?b")).await;
    let (mut connection, _) = scene.backend.request().await;
    connection
        .send("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n")
        .await;
    assert_eq!(client.head().await.status(), 200);
    // It has not ended.
    scene.no_more();
    connection.send("hello").await;
    assert_eq!(client.bytes(5).await, b"hello");
    assert_eq!(
        scene.line().await,
        "GET /a?b HTTP/1.1 0 200 5 default/hello/hello"
    );

    // The same connections, with a body of known length each.
    let head = format!("POST /c HTTP/1.1\r\n{HELLO}Content-Length: 3\r\n\r\nabc");
    client.send(head).await;
    assert_eq!(connection.message().await.body, "abc");
    connection
        .send("HTTP/1.1 404 Not Found\r\ncontent-length: 2\r\n\r\nno")
        .await;
    assert_eq!(client.message().await.body, "no");
    assert_eq!(
        scene.line().await,
        "POST /c HTTP/1.1 3 404 2 default/hello/hello"
    );

    // Of unknown length, the other way without a body.
    let head =
        format!("PUT /d HTTP/1.1\r\n{HELLO}Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n");
    client.send(head).await;
    assert_eq!(connection.message().await.body, "x");
    connection.send("HTTP/1.1 204 No Content\r\n\r\n").await;
    assert_eq!(client.head().await.status(), 204);
    assert_eq!(
        scene.line().await,
        "PUT /d HTTP/1.1 -1 204 0 default/hello/hello"
    );

    // The length of a response to HEAD is not that of its body.
    client
        .send(format!("HEAD /e HTTP/1.0\r\n{HELLO}\r\n"))
        .await;
    connection.head().await;
    connection
        .send("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n")
        .await;
    assert_eq!(client.head().await.status(), 200);
    assert_eq!(
        scene.line().await,
        "HEAD /e HTTP/1.0 0 200 0 default/hello/hello"
    );
    scene.no_more();
}

#[tokio::test]
async fn refused_requests_have_a_line_and_platform_probes_have_none() {
    let scene = Scene::start(TEMPLATE).await;
    let mut client = scene.activator.connect().await;
    let unknown = "GET /a HTTP/1.1\r\nHost: other.default.svc.cluster.local\r\n";
    let body = client.ask(unknown).await.body;
    let expected = format!("GET /a HTTP/1.1 0 404 {} //", body.len());
    assert_eq!(scene.line().await, expected);

    for probe in [
        "K-Network-Probe: activator",
        "User-Agent: kube-probe/1.30",
        "K-Kubelet-Probe: a",
    ] {
        let head = format!("GET /healthz HTTP/1.1\r\nHost: a\r\n{probe}\r\n");
        assert_eq!(client.ask(&head).await.status(), 200);
    }
    let ambiguous = format!("GET /b HTTP/1.1\r\n{HELLO}Host: two\r\n");
    let body = client.ask(&ambiguous).await.body;
    let expected = format!("GET /b HTTP/1.1 0 400 {} //", body.len());
    assert_eq!(scene.line().await, expected);
    scene.no_more();
}

#[tokio::test]
async fn a_client_that_disconnects_leaves_a_line() {
    let scene = Scene::start(TEMPLATE).await;
    // Before the response begins.
    let mut client = scene.activator.connect().await;
    client.send(get("/a")).await;
    let (_connection, _) = scene.backend.request().await;
    client.socket.set_zero_linger().unwrap();
    drop(client);
    assert_eq!(
        scene.line().await,
        "GET /a HTTP/1.1 0 499 0 default/hello/hello"
    );

    // In the response: what was sent counts.
    let (client, _connection) = begun(&scene.activator, &scene.backend, "/b").await;
    client.socket.set_zero_linger().unwrap();
    drop(client);
    assert_eq!(
        scene.line().await,
        "GET /b HTTP/1.1 0 200 5 default/hello/hello"
    );
    scene.no_more();
}

#[tokio::test]
async fn failures_have_the_status_that_the_client_got() {
    let scene = Scene::with(TEMPLATE, |config| {
        config.limits.max_request_body = Some(4);
        config.revisions[0].timeouts.response_start = Some(std::time::Duration::from_millis(20));
    })
    .await;
    let mut client = scene.activator.connect().await;
    client.send(get("/slow")).await;
    let (_connection, _) = scene.backend.request().await;
    assert_eq!(client.message().await.status(), 504);
    let line = scene.line().await;
    assert!(line.starts_with("GET /slow HTTP/1.1 0 504 "), "{line}");

    let mut client = scene.activator.connect().await;
    client
        .send(format!(
            "POST /large HTTP/1.1\r\n{HELLO}Content-Length: 5\r\n\r\n"
        ))
        .await;
    assert_eq!(client.message().await.status(), 413);
    let line = scene.line().await;
    assert!(line.starts_with("POST /large HTTP/1.1 5 413 "), "{line}");
    scene.no_more();
}

#[tokio::test]
async fn http2_requests_have_lines_too() {
    let template = format!("{TEMPLATE} {{{{.Request.Host}}}}");
    let one = |config: &mut Config| config.revisions[0].protocol = Protocol::Http1;
    let scene = Scene::with(&template, one).await;
    let client = Http2Client::connect(&scene.activator).await;
    let (response, _) = client.send(request("GET", "/a?b"), true).await;
    let (mut connection, _) = scene.backend.request().await;
    connection
        .send("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")
        .await;
    let mut response = patiently(response).await.unwrap();
    assert_eq!(read(response.body_mut()).await.0, "ok");
    let expected = "GET /a?b HTTP/2.0 0 200 2 default/hello/hello proxy";
    assert_eq!(scene.line().await, expected);

    let unknown = Request::get("http://other/a").body(()).unwrap();
    let (response, _) = client.send(unknown, true).await;
    let mut response = patiently(response).await.unwrap();
    let body = read(response.body_mut()).await.0;
    let expected = format!("GET /a HTTP/2.0 0 404 {} // other", body.len());
    assert_eq!(scene.line().await, expected);

    // A stream that its client resets.
    let (response, mut body) = client.send(request("POST", "/c"), false).await;
    connection.head().await;
    body.send_reset(h2::Reason::CANCEL);
    drop(response);
    let expected = "POST /c HTTP/2.0 -1 499 0 default/hello/hello proxy";
    assert_eq!(scene.line().await, expected);
    scene.no_more();
}

#[tokio::test]
async fn an_upgraded_connection_has_one_line_at_its_end() {
    let scene = Scene::start(TEMPLATE).await;
    let (mut client, mut connection) = switched(&scene.activator, &scene.backend).await;
    client.send("up").await;
    assert_eq!(connection.bytes(2).await, b"up");
    scene.no_more();
    drop(client);
    drop(connection);
    // What follows the switch is not a body.
    assert_eq!(
        scene.line().await,
        "GET / HTTP/1.1 0 101 0 default/hello/hello"
    );
    scene.no_more();
}

#[tokio::test]
async fn a_line_tells_of_the_request_as_its_client_sent_it() {
    let template = "{{.Request.Host}} {{.Request.UserAgent}} {{.Request.Header.Get \"Connection\"}} \
        {{.Request.Header}} {{.Request.RemoteAddr}} {{.TraceID}}";
    let scene = Scene::start(template).await;
    let mut client = scene.activator.connect().await;
    let address = client.socket.local_addr().unwrap();
    let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
    let headers = format!(
        "user-agent: a\r\nConnection: X-Hop\r\nX-Hop: b\r\nTraceparent: 00-{trace}-00f067aa0ba902b7-01\r\n"
    );
    client.send(get_with(&headers)).await;
    let (mut connection, _) = scene.backend.request().await;
    connection.send(OK).await;
    client.message().await;
    let expected = format!(
        "proxy a X-Hop map[Connection:[X-Hop] Knative-Serving-Namespace:[default] Knative-Serving-Revision:[hello] \
         Traceparent:[00-{trace}-00f067aa0ba902b7-01] User-Agent:[a] X-Hop:[b]] {address} {trace}"
    );
    assert_eq!(scene.line().await, expected);
}

#[tokio::test]
async fn the_template_can_change_while_requests_are_served() {
    let scene = Scene::start("first {{.Request.RequestURI}}").await;
    let mut client = scene.activator.connect().await;
    client.send(get("/a")).await;
    let (mut connection, _) = scene.backend.request().await;
    // A request keeps the template that it began with.
    scene.log.set(Some(
        Template::parse("second {{.Request.RequestURI}}")
            .unwrap()
            .into(),
    ));
    connection.send(OK).await;
    client.message().await;
    assert_eq!(scene.line().await, "first /a");
    let mut again = async |path: &str| {
        client.send(get(path)).await;
        connection.message().await;
        connection.send(OK).await;
        client.message().await;
        scene.activator.until_in_flight(0).await;
    };
    again("/b").await;
    assert_eq!(scene.line().await, "second /b");
    scene.log.set(None);
    again("/c").await;
    scene.log.set(Some(
        Template::parse("third {{.Request.RequestURI}}")
            .unwrap()
            .into(),
    ));
    again("/d").await;
    assert_eq!(scene.line().await, "third /d");
    scene.no_more();
    assert_eq!(
        scene.activator.reporter().in_flight(&hello()).unwrap_or(0),
        0
    );
}

#[tokio::test]
async fn a_line_of_json_tells_what_became_of_the_request() {
    let scene = Scene::of(Format::Json, |config| {
        config.workers = 1;
        config.revisions[0].container_concurrency = 1;
    })
    .await;
    let mut first = scene.activator.connect().await;
    first.send(get("/a")).await;
    let (mut connection, _) = scene.backend.request().await;
    let mut second = scene.activator.connect().await;
    let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
    let parent = format!("00-{trace}-00f067aa0ba902b7-01");
    let headers = format!("User-Agent: \"a\"\r\nReferer: b\r\nTraceparent: {parent}\r\n");
    second.send(get_with(&headers)).await;
    until_metric(&scene.activator, "queued", 1).await;
    connection
        .send("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")
        .await;
    first.message().await;
    let expected = json!({
        "method": "GET", "uri": "/a", "protocol": "HTTP/1.1", "host": "proxy",
        "status": 200, "error": null, "request_bytes": 0, "response_bytes": 2, "queue_seconds": 0.0,
        "user_agent": null, "referer": null,
        "namespace": "default", "revision": "hello", "service": "hello", "configuration": "hello",
        "backend": scene.backend.address.to_string(), "trace_id": null, "traceparent": null,
    });
    assert_eq!(scene.object().await, expected);

    // The other one has waited.
    connection.head().await;
    connection
        .send("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")
        .await;
    second.message().await;
    let line = scene.object().await;
    assert!(line["queue_seconds"].as_f64().unwrap() > 0.0, "{line}");
    let told = ["user_agent", "referer", "trace_id", "traceparent"].map(|it| &line[it]);
    assert_eq!(told, ["\"a\"", "b", trace, &parent]);

    // One that leaves the queue again was sent to nobody.
    first.send(get("/b")).await;
    connection.head().await;
    second.send(get("/c")).await;
    until_metric(&scene.activator, "queued", 1).await;
    second.socket.set_zero_linger().unwrap();
    drop(second);
    let line = scene.object().await;
    assert!(line["queue_seconds"].as_f64().unwrap() > 0.0, "{line}");
    let told = ["status", "error", "backend"].map(|it| &line[it]);
    assert_eq!(told, [&json!(499), &json!("client_gone"), &Json::Null]);

    let mut unknown = scene.activator.connect().await;
    unknown.send("GET /d HTTP/1.1\r\nHost: other\r\n\r\n").await;
    assert_eq!(unknown.message().await.status(), 404);
    let line = scene.object().await;
    let told = ["status", "error", "revision", "host"].map(|it| &line[it]);
    assert_eq!(
        told,
        [
            &json!(404),
            &json!("revision_unknown"),
            &Json::Null,
            &json!("other")
        ]
    );
    scene.no_more();
}
