//! HTTP/2 on both sides: what passes, what one connection carries, and what its end means to whom.

use std::time::Duration;

use bytes::Bytes;
use h2::Reason;
use http::{HeaderMap, Method, Request, Response};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use activator_bin::config::{Config, Limits};
use activator_bin::run::{Activator, Options};

use crate::backend::{Backend, answering};
use crate::client::Client;
use crate::harness::{Ask, HELLO, config, start};
use crate::http2_peers::{Http2Backend, Http2Client, patiently, read, request};
use crate::queue::start_with;

mod bodies;
mod drain;

const TRICKLE: Duration = Duration::from_millis(2);

fn trailers(value: &str) -> HeaderMap {
    HeaderMap::from_iter([("x-sum".parse().unwrap(), value.parse().unwrap())])
}

fn with_limits(backend: &Http2Backend, limits: Limits) -> Activator {
    start_with(Config {
        limits,
        ..config(&[backend.address])
    })
}

#[tokio::test]
async fn a_request_of_http2_goes_to_the_backend_as_such_with_body_and_trailers() {
    let mut backend = Http2Backend::bind().await;
    let activator = start(&[backend.address]);
    let client = Http2Client::connect(&activator).await;
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
async fn both_protocols_are_told_apart_however_their_first_bytes_come() {
    let mut backend = Http2Backend::bind().await;
    let activator = start(&[backend.address]);
    // An empty SETTINGS frame, and a GET that h2 would not encode otherwise.
    let mut socket = TcpStream::connect(activator.http_addr()).await.unwrap();
    socket.set_nodelay(true).unwrap();
    let (near, far) = tokio::io::duplex(1 << 16);
    let handshake = tokio::spawn(async move {
        let (mut requests, connection) = h2::client::handshake(near).await.unwrap();
        let (response, _) = requests.send_request(request("GET", "/"), true).unwrap();
        tokio::select! {
            response = response => response.unwrap().status(),
            end = connection => panic!("{end:?}"),
        }
    });
    let (mut read_far, mut write_far) = tokio::io::split(far);
    let (mut read, mut write) = socket.split();
    let drip = async {
        use tokio::io::AsyncReadExt;
        while let Ok(byte) = read_far.read_u8().await {
            write.write_all(&[byte]).await.unwrap();
            tokio::time::sleep(TRICKLE).await;
        }
        // The client has what it wanted.
        std::future::pending().await
    };
    let back = async {
        // Fails when the client has gone by then.
        let _ = tokio::io::copy(&mut read, &mut write_far).await;
        std::future::pending().await
    };
    let answer = async {
        backend.request().await.finish("ok");
        patiently(handshake).await.unwrap()
    };
    let status = tokio::select! {
        status = answer => status,
        never = drip => never,
        never = back => never,
    };
    assert_eq!(status, 200);

    let (address, _requests) = answering("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await;
    let activator = start(&[address]);
    for method in ["P", "PUT", "PRI", "PRIZE", "POST", "GET"] {
        let mut client = activator.connect().await;
        for byte in format!("{method} / HTTP/1.1\r\n{HELLO}\r\n").bytes() {
            client.send([byte]).await;
            tokio::time::sleep(TRICKLE / 4).await;
        }
        assert_eq!(client.message().await.body, "ok", "{method}");
    }
}

#[tokio::test]
async fn what_begins_like_http2_and_goes_no_further_is_closed_in_time() {
    const HEAD_TIMEOUT: Duration = Duration::from_millis(200);
    let backend = Http2Backend::bind().await;
    let limits = Limits {
        header_timeout: HEAD_TIMEOUT,
        ..Limits::default()
    };
    let activator = with_limits(&backend, limits);
    for start in ["P", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r"] {
        let mut client = activator.connect().await;
        client.send(start).await;
        // It may as well be the beginning of a method.
        let answer = client.message().await;
        assert_eq!(answer.status(), 408, "{start:?}");
        assert_eq!(client.rest().await.0, "", "{start:?}");
    }
    assert_eq!(activator.reporter().tracked_keys(), 0);
}

#[tokio::test]
async fn a_request_that_cannot_be_passed_on_is_refused() {
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
async fn a_host_does_in_place_of_an_authority() {
    let mut backend = Http2Backend::bind().await;
    let activator = start(&[backend.address]);
    let client = Http2Client::connect(&activator).await;
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
async fn a_backend_that_speaks_only_http1_is_named_in_the_refusal() {
    let (address, _requests) = answering("HTTP/1.1 400 Bad Request\r\n\r\n").await;
    let activator = start(&[address]);
    let client = Http2Client::connect(&activator).await;
    let mut response = client.get("/").await;
    assert_eq!(response.status(), 502);
    let text = read(response.body_mut()).await.0;
    let expected = format!("backend {address} closed the connection instead of speaking HTTP/2");
    assert!(text.contains(&expected), "{text}");
}

#[tokio::test]
async fn a_request_for_a_backend_that_is_not_there_is_served_by_another_one() {
    let gone = Backend::bind().await.address;
    let mut backend = Http2Backend::bind().await;
    let activator = start(&[gone, backend.address]);
    let client = Http2Client::connect(&activator).await;
    for _ in 0..10 {
        let (response, mut upload) = client.send(request("POST", "/"), false).await;
        upload.send_data("body".into(), true).unwrap();
        let mut exchange = backend.request().await;
        let authority = exchange.request.uri().authority().unwrap().to_string();
        assert_eq!(authority, backend.address.to_string());
        assert_eq!(read(exchange.request.body_mut()).await.0, "body");
        exchange.finish("ok");
        assert_eq!(patiently(response).await.unwrap().status(), 200);
    }
}

#[tokio::test]
async fn requests_share_a_connection_up_to_what_the_backend_allows() {
    let mut settings = h2::server::Builder::new();
    settings.max_concurrent_streams(2);
    let mut backend = Http2Backend::with(settings).await;
    let mut config = config(&[backend.address]);
    config.workers = 1;
    let activator = Activator::start(config, Options::default()).unwrap();
    let client = Http2Client::connect(&activator).await;
    let mut responses = Vec::new();
    for _ in 0..5 {
        responses.push(client.send(request("GET", "/"), true).await.0);
    }
    let mut exchanges = Vec::new();
    for _ in 0..5 {
        exchanges.push(backend.request().await);
    }
    let on = |number| {
        let of = exchanges.iter().filter(|one| one.connection == number);
        of.count()
    };
    assert_eq!((on(0), on(1), on(2)), (2, 2, 1));
    for exchange in &mut exchanges {
        exchange.finish("ok");
    }
    for response in responses {
        let mut response = patiently(response).await.unwrap();
        assert_eq!(read(response.body_mut()).await.0, "ok");
    }
    activator.until_in_flight(0).await;
    // Places that are free again are used.
    let (response, _) = client.send(request("GET", "/"), true).await;
    let mut exchange = backend.request().await;
    assert_eq!(exchange.connection, 0);
    exchange.finish("ok");
    patiently(response).await.unwrap();
}

#[tokio::test]
async fn a_connection_that_said_goodbye_gets_no_further_request_and_ends_those_it_has() {
    let mut backend = Http2Backend::bind().await;
    let mut config = config(&[backend.address]);
    config.workers = 1;
    let activator = Activator::start(config, Options::default()).unwrap();
    let client = Http2Client::connect(&activator).await;
    let (first, _) = client.send(request("GET", "/1"), true).await;
    let mut old = backend.request().await;
    backend.go_away.notify_one();
    // It has been heard of when a request comes over another connection.
    let mut new = loop {
        let (response, _) = client.send(request("GET", "/2"), true).await;
        let mut exchange = backend.request().await;
        if exchange.connection > 0 {
            break (exchange, response);
        }
        exchange.finish("ok");
        patiently(response).await.unwrap();
    };
    new.0.finish("new");
    let mut response = patiently(new.1).await.unwrap();
    assert_eq!(read(response.body_mut()).await.0, "new");
    old.finish("old");
    let mut response = patiently(first).await.unwrap();
    assert_eq!(read(response.body_mut()).await.0, "old");
    activator.until_in_flight(0).await;
}

#[tokio::test]
async fn a_request_that_was_refused_unseen_is_tried_again_unless_a_part_of_it_was_sent() {
    let mut backend = Http2Backend::bind().await;
    let activator = start(&[backend.address]);
    let client = Http2Client::connect(&activator).await;
    let (response, mut upload) = client.send(request("POST", "/"), false).await;
    let mut exchange = backend.request().await;
    exchange.respond.send_reset(Reason::REFUSED_STREAM);
    let mut again = backend.request().await;
    upload.send_data("body".into(), true).unwrap();
    assert_eq!(read(again.request.body_mut()).await.0, "body");
    again.finish("ok");
    assert_eq!(patiently(response).await.unwrap().status(), 200);

    let (response, mut upload) = client.send(request("POST", "/"), false).await;
    let mut exchange = backend.request().await;
    upload.send_data("body".into(), false).unwrap();
    let part = patiently(exchange.request.body_mut().data()).await;
    assert_eq!(part.unwrap().unwrap(), "body");
    exchange.respond.send_reset(Reason::REFUSED_STREAM);
    assert_eq!(patiently(response).await.unwrap().status(), 502);

    // Somebody who refuses everything is not asked for ever.
    let (response, _) = client.send(request("GET", "/"), true).await;
    for _ in 0..3 {
        let mut exchange = backend.request().await;
        exchange.respond.send_reset(Reason::REFUSED_STREAM);
    }
    assert_eq!(patiently(response).await.unwrap().status(), 502);
    activator.until_in_flight(0).await;
}

#[tokio::test]
async fn a_request_that_is_taken_back_ends_alone() {
    let mut backend = Http2Backend::bind().await;
    let activator = start(&[backend.address]);
    let client = Http2Client::connect(&activator).await;
    // While the backend thinks, with an upload under way, and in the middle of the answer.
    for (has_body, is_answered) in [(false, false), (true, false), (false, true), (true, true)] {
        let (staying, _) = client.send(request("GET", "/stays"), true).await;
        let mut stays = backend.request().await;
        let (response, mut upload) = client.send(request("POST", "/"), !has_body).await;
        let mut exchange = backend.request().await;
        if has_body {
            upload.send_data("part".into(), false).unwrap();
            let part = patiently(exchange.request.body_mut().data()).await;
            assert_eq!(part.unwrap().unwrap(), "part");
        }
        let mut answer = None;
        if is_answered {
            let mut sender = exchange.answer(200);
            sender.send_data("some".into(), false).unwrap();
            answer = Some(sender);
        }
        assert_eq!(activator.in_flight(), 2);
        upload.send_reset(Reason::CANCEL);
        drop(response);
        activator.until_in_flight(1).await;
        if has_body {
            // Never as if the upload were complete.
            let (_, end) = read(exchange.request.body_mut()).await;
            assert!(end.is_err());
        }
        let reset = match &mut answer {
            Some(sender) => patiently(std::future::poll_fn(|cx| sender.poll_reset(cx))).await,
            None => {
                let respond = &mut exchange.respond;
                patiently(std::future::poll_fn(|cx| respond.poll_reset(cx))).await
            }
        };
        assert_eq!(reset.unwrap(), Reason::CANCEL);
        stays.finish("ok");
        let mut response = patiently(staying).await.unwrap();
        assert_eq!(read(response.body_mut()).await.0, "ok");
        activator.until_in_flight(0).await;
    }
}

#[tokio::test]
async fn a_client_that_goes_away_takes_all_its_requests_with_it() {
    let mut backend = Http2Backend::bind().await;
    let activator = start(&[backend.address]);
    let client = Http2Client::connect(&activator).await;
    let mut held = Vec::new();
    let mut exchanges = Vec::new();
    for number in 0..4 {
        held.push(client.send(request("POST", "/"), false).await);
        let mut exchange = backend.request().await;
        let sender = (number % 2 == 0).then(|| exchange.answer(200));
        exchanges.push((exchange, sender));
    }
    assert_eq!(activator.in_flight(), 4);
    drop((client, held));
    activator.until_in_flight(0).await;
    for (mut exchange, _sender) in exchanges {
        let (_, end) = read(exchange.request.body_mut()).await;
        assert!(end.is_err());
    }
}

#[tokio::test]
async fn an_answer_that_fails_in_the_middle_never_looks_complete() {
    // What the backend does, and whether other requests of its connection survive that.
    for reset in [Some(Reason::CANCEL), Some(Reason::INTERNAL_ERROR), None] {
        let mut backend = Http2Backend::bind().await;
        let activator = start(&[backend.address]);
        let client = Http2Client::connect(&activator).await;
        let (other, _) = client.send(request("GET", "/other"), true).await;
        let mut others = backend.request().await;
        let (response, _) = client.send(request("GET", "/"), true).await;
        let mut exchange = backend.request().await;
        let mut sender = exchange.answer(200);
        sender.send_data("some".into(), false).unwrap();
        let mut response = patiently(response).await.unwrap();
        let some = patiently(response.body_mut().data()).await;
        assert_eq!(some.unwrap().unwrap(), "some");
        match reset {
            Some(reason) => sender.send_reset(reason),
            None => drop(backend),
        }
        let (rest, end) = read(response.body_mut()).await;
        assert_eq!(rest, "", "{reset:?}");
        assert!(end.unwrap_err().is_reset(), "{reset:?}");
        if reset.is_some() {
            others.finish("ok");
            let mut response = patiently(other).await.unwrap();
            assert_eq!(read(response.body_mut()).await.0, "ok");
        } else {
            assert_eq!(patiently(other).await.unwrap().status(), 502);
        }
        activator.until_in_flight(0).await;
    }
}

#[tokio::test]
async fn an_answer_that_comes_before_the_end_of_the_request_is_complete() {
    let mut backend = Http2Backend::bind().await;
    let activator = start(&[backend.address]);
    let client = Http2Client::connect(&activator).await;
    for has_body in [true, false] {
        let (response, upload) = client.send(request("POST", "/"), false).await;
        let mut exchange = backend.request().await;
        if has_body {
            let mut sender = exchange.answer(413);
            sender.send_data("too much".into(), true).unwrap();
        } else {
            let response = Response::builder().status(413).body(()).unwrap();
            exchange.respond.send_response(response, true).unwrap();
        }
        // To drop it asks for no more of the request.
        drop(exchange);
        let mut response = patiently(response).await.unwrap();
        assert_eq!(response.status(), 413);
        let (body, end) = read(response.body_mut()).await;
        assert_eq!(body, if has_body { "too much" } else { "" });
        assert_eq!(end.unwrap(), None);
        activator.until_in_flight(0).await;
        drop(upload);
    }
}

#[tokio::test]
async fn each_piece_arrives_when_it_is_sent_in_both_directions() {
    let mut backend = Http2Backend::bind().await;
    let activator = start(&[backend.address]);
    let client = Http2Client::connect(&activator).await;
    let (response, mut upload) = client.send(request("POST", "/"), false).await;
    let mut exchange = backend.request().await;
    let mut answer = exchange.answer(200);
    let mut response = patiently(response).await.unwrap();
    for _ in 0..3 {
        upload.send_data("ping".into(), false).unwrap();
        let ping = patiently(exchange.request.body_mut().data()).await;
        assert_eq!(ping.unwrap().unwrap(), "ping");
        answer.send_data("pong".into(), false).unwrap();
        let pong = patiently(response.body_mut().data()).await;
        assert_eq!(pong.unwrap().unwrap(), "pong");
    }
    assert_eq!(activator.in_flight(), 1);
    // Either direction ends for itself.
    upload.send_data(Bytes::new(), true).unwrap();
    assert!(read(exchange.request.body_mut()).await.1.is_ok());
    answer.send_data("end".into(), true).unwrap();
    assert_eq!(read(response.body_mut()).await.0, "end");
    activator.until_in_flight(0).await;
}

#[tokio::test]
async fn who_does_not_read_slows_down_the_other_side_and_nobody_else() {
    let mut backend = Http2Backend::bind().await;
    let activator = start(&[backend.address]);
    let client = Http2Client::connect(&activator).await;
    // More of them than would fit into one connection's window of the default size.
    let mut slow = Vec::new();
    for _ in 0..4 {
        let (response, upload) = client.send(request("POST", "/"), false).await;
        let mut exchange = backend.request().await;
        let answer = exchange.answer(200);
        let response = patiently(response).await.unwrap();
        slow.push((response, upload, exchange, answer));
    }
    let stuck = Duration::from_millis(200);
    let chunk = Bytes::from(vec![b'x'; 16 << 10]);
    for (_, upload, _, answer) in &mut slow {
        for sender in [answer, upload] {
            let mut sent = 0;
            loop {
                sender.reserve_capacity(chunk.len());
                let capacity = std::future::poll_fn(|cx| sender.poll_capacity(cx));
                let Ok(room) = tokio::time::timeout(stuck, capacity).await else {
                    break;
                };
                let room = room.unwrap().unwrap();
                sender
                    .send_data(chunk.slice(..room.min(chunk.len())), false)
                    .unwrap();
                sent += room.min(chunk.len());
                assert!(sent < 1 << 20, "{sent}");
            }
        }
    }
    let other = Http2Client::connect(&activator).await;
    let (response, _) = other.send(request("GET", "/"), true).await;
    backend.request().await.finish("ok");
    let mut response = patiently(response).await.unwrap();
    assert_eq!(read(response.body_mut()).await.0, "ok");
}

#[tokio::test]
async fn a_backend_that_falls_silent_is_noticed() {
    let mut backend = Http2Backend::bind().await;
    let limits = Limits {
        backend_ping_interval: Duration::from_millis(100),
        http2_ping_timeout: Duration::from_millis(300),
        ..Limits::default()
    };
    let activator = with_limits(&backend, limits);
    let client = Http2Client::connect(&activator).await;
    let (response, _) = client.send(request("GET", "/"), true).await;
    let _exchange = backend.request().await;
    backend.freeze.notify_one();
    assert_eq!(patiently(response).await.unwrap().status(), 502);
    activator.until_in_flight(0).await;
}

#[tokio::test]
async fn a_client_that_falls_silent_is_noticed() {
    let mut backend = Http2Backend::bind().await;
    let limits = Limits {
        http2_ping_interval: Duration::from_millis(100),
        http2_ping_timeout: Duration::from_millis(300),
        ..Limits::default()
    };
    let activator = with_limits(&backend, limits);
    let socket = TcpStream::connect(activator.http_addr()).await.unwrap();
    let (mut requests, mut connection) = h2::client::handshake::<_>(socket).await.unwrap();
    let (_response, _) = requests.send_request(request("GET", "/"), true).unwrap();
    let _exchange = tokio::select! {
        exchange = backend.request() => exchange,
        end = &mut connection => panic!("{end:?}"),
    };
    // From here on nobody polls the connection, which stays open.
    activator.until_in_flight(0).await;
}

#[tokio::test]
async fn a_head_that_is_too_long_is_refused() {
    let activator = start(&[]);
    let client = Http2Client::connect(&activator).await;
    let mut long = request("GET", "/");
    let value = "x".repeat(70_000);
    long.headers_mut().insert("x-long", value.parse().unwrap());
    let (response, _) = client.send(long, true).await;
    assert_eq!(patiently(response).await.unwrap().status(), 431);
    assert_eq!(activator.reporter().tracked_keys(), 0);
}

#[tokio::test]
async fn http1_clients_are_served_beside_those_of_http2() {
    let activator = {
        let mut config = config(&[]);
        config.echo = true;
        Activator::start(config, Options::default()).unwrap()
    };
    let mut old: Client = activator.connect().await;
    let new = Http2Client::connect(&activator).await;
    for _ in 0..3 {
        let answer = old.ask(&format!("GET /x HTTP/1.1\r\n{HELLO}")).await;
        assert_eq!(answer.body, "GET /x\n");
        let mut response = new.get("/x").await;
        assert_eq!(read(response.body_mut()).await.0, "GET /x\n");
    }
}
