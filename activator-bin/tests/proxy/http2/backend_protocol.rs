//! In which version of HTTP a backend gets its requests.

use std::net::SocketAddr;

use activator_bin::testing::{Activator, Config, Protocol};

use crate::support::activator::{Ask, config, start_with};
use crate::support::backend::answering;
use crate::support::http1::{HELLO, OK};
use crate::support::http2::{Http2Backend, Http2Client, patiently, read, request};

fn start(backend: SocketAddr, protocol: Protocol) -> Activator {
    let mut config = Config {
        workers: 1,
        ..config(&[backend])
    };
    config.revisions[0].protocol = protocol;
    start_with(config)
}

#[tokio::test]
async fn auto_falls_back_to_http1_and_remembers() {
    let (address, mut requests) = answering(OK).await;
    let activator = start(address, Protocol::Auto);
    let client = Http2Client::connect(&activator).await;
    for _ in 0..2 {
        let (response, mut upload) = client.send(request("POST", "/path?a"), false).await;
        upload.send_data("body".into(), true).unwrap();
        let mut response = patiently(response).await.unwrap();
        assert_eq!(response.status(), 200);
        assert_eq!(read(response.body_mut()).await.0, "ok");
    }
    let preface = patiently(requests.recv()).await.unwrap();
    assert_eq!(preface.first_line, "PRI * HTTP/2.0");
    let mut seen = Vec::new();
    while seen.len() < 2 {
        let request = patiently(requests.recv()).await.unwrap();
        assert_ne!(request.first_line, "PRI * HTTP/2.0");
        // The rest of the preface is no request.
        if request.first_line.starts_with("POST") {
            seen.push(request);
        }
    }
    for request in seen {
        assert_eq!(request.first_line, "POST /path?a HTTP/1.1");
        assert_eq!(request.header("host"), Some(&*address.to_string()));
        assert_eq!(request.header("transfer-encoding"), Some("chunked"));
        assert_eq!(request.body, "body");
    }
}

#[tokio::test]
async fn http2_request_over_http1() {
    let (address, mut requests) = answering(OK).await;
    let activator = start(address, Protocol::Http1);
    let client = Http2Client::connect(&activator).await;
    let mut head = request("GET", "/");
    for part in ["a=b", "c=d"] {
        head.headers_mut().append("cookie", part.parse().unwrap());
    }
    let (response, _) = client.send(head, true).await;
    assert_eq!(patiently(response).await.unwrap().status(), 200);
    let request = patiently(requests.recv()).await.unwrap();
    assert_eq!(request.first_line, "GET / HTTP/1.1");
    assert_eq!(request.header("cookie"), Some("a=b; c=d"));
}

#[tokio::test]
async fn http1_request_over_http2() {
    let mut backend = Http2Backend::bind().await;
    let activator = start(backend.address, Protocol::H2c);
    let mut client = activator.connect().await;
    let head = format!(
        "POST /path HTTP/1.1\r\n{HELLO}Upgrade: websocket\r\nConnection: Upgrade, TE\r\nTE: trailers\r\n\
         Transfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n"
    );
    client.send(head).await;
    let mut exchange = backend.request().await;
    let address = backend.address.to_string();
    assert_eq!(exchange.request.uri().path(), "/path");
    assert_eq!(exchange.request.uri().authority().unwrap(), &*address);
    let headers = exchange.request.headers();
    assert_eq!(headers["te"], "trailers");
    assert_eq!(headers["k-original-host"], "proxy");
    for absent in ["host", "upgrade", "connection", "transfer-encoding"] {
        assert!(!headers.contains_key(absent), "{absent}");
    }
    assert_eq!(read(exchange.request.body_mut()).await.0, "body");
    exchange.finish("ok");
    let response = client.message().await;
    assert_eq!(response.first_line, "HTTP/1.1 200 OK");
    assert_eq!(response.body, "ok");
}
