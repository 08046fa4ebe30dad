//! What passes over HTTP/2 of requests and answers, and what is refused.

use http::{HeaderMap, Method, Request};

use super::scene;
use crate::support::activator::{Ask, start};
use crate::support::http2::{Http2Client, patiently, read, request};

fn trailers(value: &str) -> HeaderMap {
    HeaderMap::from_iter([("x-sum".parse().unwrap(), value.parse().unwrap())])
}

#[tokio::test]
async fn request_is_forwarded_with_body_and_trailers() {
    let (mut backend, activator, client) = scene().await;
    let mut post = request("POST", "/path?query=1");
    for (name, value) in [
        ("te", "trailers"),
        ("proxy-authorization", "secret"),
        ("cookie", "a=1"),
        ("cookie", "b=2"),
        ("x-forwarded-for", "10.0.0.1"),
        ("traceparent", "00-1-2-03"),
    ] {
        let headers = post.headers_mut();
        headers.append(name, value.parse().unwrap());
    }
    let (response, mut upload) = client.send(post, false).await;
    upload.send_data("ping".into(), false).unwrap();
    upload.send_trailers(trailers("up")).unwrap();

    let mut exchange = backend.request().await;
    assert_eq!(activator.in_flight(), 1);
    let asked = &exchange.request;
    assert_eq!(asked.method(), "POST");
    let target = format!("http://{}/path?query=1", backend.address);
    assert_eq!(asked.uri().to_string(), target);
    let all = |name: &str| {
        let values = asked.headers().get_all(name).iter();
        values
            .map(|value| value.to_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    for (name, expected) in [
        ("host", vec![]),
        ("connection", vec![]),
        ("transfer-encoding", vec![]),
        ("proxy-authorization", vec![]),
        ("knative-serving-namespace", vec![]),
        ("knative-serving-revision", vec![]),
        ("user-agent", vec![]),
        ("te", vec!["trailers"]),
        ("cookie", vec!["a=1", "b=2"]),
        ("k-original-host", vec!["proxy"]),
        ("k-proxy-request", vec!["activator"]),
        ("x-forwarded-for", vec!["10.0.0.1, 127.0.0.1"]),
        ("traceparent", vec!["00-1-2-03"]),
    ] {
        assert_eq!(all(name), expected, "{name}");
    }
    let (body, ended) = read(exchange.request.body_mut()).await;
    assert_eq!((&*body, ended.unwrap()), ("ping", Some(trailers("up"))));
    let mut answer = exchange.answer(201);
    answer.send_data("pong".into(), false).unwrap();
    answer.send_trailers(trailers("down")).unwrap();

    let mut response = patiently(response).await.unwrap();
    assert_eq!(response.status(), 201);
    let (body, ended) = read(response.body_mut()).await;
    assert_eq!((&*body, ended.unwrap()), ("pong", Some(trailers("down"))));
    activator.until_in_flight(0).await;
}

#[tokio::test]
async fn forbidden_trailers_are_dropped() {
    let (mut backend, activator, client) = scene().await;
    let forbidden = [
        "content-length",
        "host",
        "k-original-host",
        "knative-serving-revision",
        "proxy-authorization",
        "trailer",
        "x-forwarded-for",
    ];
    for left in [trailers("9"), HeaderMap::new()] {
        let mut sent = left.clone();
        sent.extend(forbidden.map(|name| (Some(name.parse().unwrap()), "9".parse().unwrap())));
        let (response, mut upload) = client.send(request("POST", "/"), false).await;
        upload.send_trailers(sent.clone()).unwrap();
        let mut exchange = backend.request().await;
        let (_, received) = read(exchange.request.body_mut()).await;
        assert_eq!(received.unwrap().unwrap_or_default(), left);
        exchange.answer(200).send_trailers(sent).unwrap();
        let mut response = patiently(response).await.unwrap();
        let (_, received) = read(response.body_mut()).await;
        assert_eq!(received.unwrap().unwrap_or_default(), left);
    }
    activator.until_in_flight(0).await;
}

#[tokio::test]
async fn host_replaces_a_missing_authority() {
    let (mut backend, _activator, client) = scene().await;
    let request = Request::builder()
        .uri("/")
        .header("host", "hello.default.svc.cluster.local");
    let (response, _) = client.send(request.body(()).unwrap(), true).await;
    let mut exchange = backend.request().await;
    let headers = exchange.request.headers();
    assert_eq!(
        headers["k-original-host"],
        "hello.default.svc.cluster.local"
    );
    assert!(!headers.contains_key("host"));
    exchange.finish("ok");
    assert_eq!(patiently(response).await.unwrap().status(), 200);
}

#[tokio::test]
async fn unforwardable_request_is_refused() {
    let activator = start(&[]);
    let client = Http2Client::connect(&activator).await;
    let connect = Request::builder()
        .method(Method::CONNECT)
        .uri("example.com:443");
    let (response, _) = client.send(connect.body(()).unwrap(), true).await;
    assert_eq!(patiently(response).await.unwrap().status(), 502);
    // Without an authority; nor is there a Host.
    let nowhere = Request::builder().uri("/").body(()).unwrap();
    let (response, _) = client.send(nowhere, true).await;
    assert_eq!(patiently(response).await.unwrap().status(), 400);
    let unknown = Request::builder().uri("http://nobody/").body(()).unwrap();
    let (response, _) = client.send(unknown, true).await;
    let mut response = patiently(response).await.unwrap();
    assert_eq!(response.status(), 404);
    assert_eq!(response.headers()["x-content-type-options"], "nosniff");
    assert!(!read(response.body_mut()).await.0.is_empty());
    assert_eq!(activator.reporter().tracked_keys(), 0);
}

#[tokio::test]
async fn refusal_of_head_has_no_body() {
    let activator = start(&[]);
    let client = Http2Client::connect(&activator).await;
    let nobody = Request::head("http://nobody/").body(()).unwrap();
    let (response, _) = client.send(nobody, true).await;
    let mut response = patiently(response).await.unwrap();
    assert_eq!(response.status(), 404);
    assert!(response.headers().contains_key("date"));
    let (text, end) = read(response.body_mut()).await;
    assert_eq!((&*text, end.unwrap()), ("", None));
}

#[tokio::test]
async fn too_long_head_is_refused() {
    let activator = start(&[]);
    let client = Http2Client::connect(&activator).await;
    let mut long = request("GET", "/");
    let value = "x".repeat(70_000);
    long.headers_mut().insert("x-long", value.parse().unwrap());
    let (response, _) = client.send(long, true).await;
    let mut response = patiently(response).await.unwrap();
    assert_eq!(response.status(), 431);
    let text = read(response.body_mut()).await.0;
    let expected = "the request head is larger than 65536 bytes\n";
    assert_eq!(text, expected);
    assert_eq!(activator.reporter().tracked_keys(), 0);
}
