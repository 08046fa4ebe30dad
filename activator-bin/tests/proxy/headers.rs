//! What a backend sees of a request, and a client of an answer.

use crate::support::activator::{Ask, start};
use crate::support::backend::{Backend, answering};
use crate::support::http1::{HELLO, OK};

/// What every request gets, besides the backend's address as its host.
const ADDED: [&str; 2] = ["k-proxy-request: activator", "x-forwarded-for: 127.0.0.1"];

/// Sends a request line and header lines; compares what the backend saw, without regard to order.
async fn check_request(request: &str, first_line: &str, headers: &[&str]) {
    let (address, mut requests) = answering(OK).await;
    let activator = start(&[address]);
    let mut client = activator.connect().await;
    let answer = client.ask(request).await;
    assert_eq!((answer.status(), &*answer.body), (200, "ok"), "{request}");
    let mut seen = requests.recv().await.unwrap();
    assert_eq!(seen.first_line, first_line, "{request}");
    let host = format!("host: {address}");
    let mut expected = vec![host.as_str()];
    expected.extend(headers);
    expected.extend(ADDED.iter().filter(|added| {
        let name = added.split(':').next().unwrap();
        !headers.iter().any(|header| header.starts_with(name))
    }));
    expected.sort_unstable();
    seen.headers.sort_unstable();
    assert_eq!(seen.headers, expected, "{request}");
}

#[tokio::test]
async fn hop_by_hop_headers_of_requests_are_removed() {
    let get = "GET / HTTP/1.1";
    for (lines, headers) in [
        ("", vec![]),
        (
            "Accept: */*\r\nX-A: 1\r\nX-A: 2\r\n",
            vec!["accept: */*", "x-a: 1", "x-a: 2"],
        ),
        ("User-Agent: curl\r\n", vec!["user-agent: curl"]),
        (
            "Connection: keep-alive\r\nKeep-Alive: timeout=5\r\n",
            vec![],
        ),
        ("Connection: close\r\n", vec![]),
        (
            "Connection: X-Secret, x-other\r\nX-Secret: 1\r\nX-Other: 2\r\nX-Kept: 3\r\n",
            vec!["x-kept: 3"],
        ),
        (
            "Connection: x-a\r\nConnection: x-b\r\nX-A: 1\r\nX-B: 2\r\n",
            vec![],
        ),
        ("Connection: K-Proxy-Request, X-Forwarded-For\r\n", vec![]),
        ("Connection: ,, (bad), \r\n", vec![]),
        (
            "Proxy-Connection: keep-alive\r\nProxy-Authorization: x\r\nProxy-Authenticate: y\r\n",
            vec![],
        ),
        ("TE: trailers, deflate;q=0.5\r\n", vec!["te: trailers"]),
        ("Connection: TE\r\nTE: Trailers\r\n", vec!["te: trailers"]),
        ("TE: deflate\r\n", vec![]),
        ("Trailer: X-Sum\r\n", vec![]),
        (
            "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AA\r\n",
            vec![],
        ),
        (
            "X-Forwarded-For: 10.0.0.1\r\n",
            vec!["x-forwarded-for: 10.0.0.1, 127.0.0.1"],
        ),
        (
            "X-Forwarded-For: 10.0.0.1, 10.0.0.2\r\nX-Forwarded-For: 10.0.0.3\r\n",
            vec!["x-forwarded-for: 10.0.0.1, 10.0.0.2, 10.0.0.3, 127.0.0.1"],
        ),
        (
            "K-Proxy-Request: somebody\r\n",
            vec!["k-proxy-request: activator"],
        ),
        (
            "traceparent: 00-a-b-01\r\nForwarded: for=x\r\n",
            vec!["traceparent: 00-a-b-01", "forwarded: for=x"],
        ),
        ("Content-Length: 0\r\n", vec!["content-length: 0"]),
        (
            "Authorization: secret\r\nCookie: a=b\r\n",
            vec!["authorization: secret", "cookie: a=b"],
        ),
    ] {
        let mut headers = headers;
        headers.push("k-original-host: proxy");
        check_request(&format!("{get}\r\n{HELLO}{lines}"), get, &headers).await;
    }
}

#[tokio::test]
async fn original_host_of_the_client_is_kept() {
    let request = format!("GET / HTTP/1.1\r\n{HELLO}K-Original-Host: first.example\r\n");
    check_request(
        &request,
        "GET / HTTP/1.1",
        &["k-original-host: first.example"],
    )
    .await;
}

#[tokio::test]
async fn request_target_is_kept() {
    for (sent, seen) in [
        ("/", "/"),
        (
            "/a/../b//c/%2e%2E/%41?x=%20&y=a+b&z",
            "/a/../b//c/%2e%2E/%41?x=%20&y=a+b&z",
        ),
        ("/?", "/?"),
        ("/a;b=c@d:e!$&'()*+,~_-.", "/a;b=c@d:e!$&'()*+,~_-."),
        ("http://proxy/a?b", "/a?b"),
        ("http://proxy", "/"),
        ("http://proxy?x=1", "/?x=1"),
        ("*", "*"),
    ] {
        let method = if sent == "*" { "OPTIONS" } else { "GET" };
        let request = format!("{method} {sent} HTTP/1.1\r\n{HELLO}");
        let first_line = format!("{method} {seen} HTTP/1.1");
        check_request(&request, &first_line, &["k-original-host: proxy"]).await;
    }
}

#[tokio::test]
async fn host_of_the_target_wins_over_the_header() {
    let request = format!("GET http://target.example:81/ HTTP/1.1\r\n{HELLO}");
    check_request(
        &request,
        "GET / HTTP/1.1",
        &["k-original-host: target.example:81"],
    )
    .await;
}

#[tokio::test]
async fn http_1_0_request_is_forwarded_as_1_1() {
    let choose = HELLO.replace("Host: proxy\r\n", "");
    check_request(
        &format!("GET / HTTP/1.0\r\n{choose}"),
        "GET / HTTP/1.1",
        &[],
    )
    .await;
}

#[tokio::test]
async fn methods_are_kept() {
    for method in ["GET", "DELETE", "PATCH", "PROPFIND", "get", "TRACE"] {
        let first_line = format!("{method} / HTTP/1.1");
        let request = format!("{first_line}\r\n{HELLO}");
        check_request(&request, &first_line, &["k-original-host: proxy"]).await;
    }
}

/// Has a backend answer with `answer` and close; compares what the client gets, but for the date.
async fn check_answer(
    method: &str,
    answer: &'static str,
    first_line: &str,
    headers: &[&str],
    body: &str,
) {
    let backend = Backend::bind().await;
    let activator = start(&[backend.address]);
    let mut client = activator.connect().await;
    client
        .send(format!(
            "{method} / HTTP/1.1\r\n{HELLO}TE: trailers\r\n\r\n"
        ))
        .await;
    let (mut connection, _) = backend.request().await;
    connection.send(answer).await;
    drop(connection);
    let mut seen = match method {
        "HEAD" => client.head().await,
        _ => client.message().await,
    };
    assert_eq!(seen.first_line, first_line, "{answer}");
    seen.headers.retain(|header| !header.starts_with("date: "));
    seen.headers.sort_unstable();
    assert_eq!(seen.headers, headers, "{answer}");
    assert_eq!(seen.body, body, "{answer}");
    // Whatever the backend did to its connection, the client's goes on.
    assert_eq!(
        client
            .ask("GET / HTTP/1.1\r\nHost: nobody\r\n")
            .await
            .status(),
        404,
        "{answer}"
    );
}

#[tokio::test]
async fn hop_by_hop_headers_of_responses_are_removed() {
    const CHUNKED: &str = "transfer-encoding: chunked";
    for (answer, first_line, headers, body) in [
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
            "HTTP/1.1 200 OK",
            vec!["content-length: 2"],
            "ok",
        ),
        (
            "HTTP/1.1 200 OK\r\nConnection: close, X-Secret\r\nX-Secret: 1\r\nX-Kept: 2\r\nKeep-Alive: timeout=5\r\nContent-Length: 2\r\n\r\nok",
            "HTTP/1.1 200 OK",
            vec!["content-length: 2", "x-kept: 2"],
            "ok",
        ),
        (
            "HTTP/1.1 407 No\r\nProxy-Authenticate: Basic\r\nUpgrade: h2c\r\nContent-Length: 0\r\n\r\n",
            "HTTP/1.1 407 No",
            vec!["content-length: 0"],
            "",
        ),
        (
            "HTTP/1.1 299 Quite Fine\r\nContent-Length: 0\r\n\r\n",
            "HTTP/1.1 299 Quite Fine",
            vec!["content-length: 0"],
            "",
        ),
        (
            "HTTP/1.1 200 OK\r\n\r\nto the end",
            "HTTP/1.1 200 OK",
            vec![CHUNKED],
            "to the end",
        ),
        (
            "HTTP/1.0 200 OK\r\n\r\nto the end",
            "HTTP/1.1 200 OK",
            vec![CHUNKED],
            "to the end",
        ),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n",
            "HTTP/1.1 200 OK",
            vec![CHUNKED],
            "abcde",
        ),
        (
            "HTTP/1.1 200 OK\r\nTrailer: X-Sum\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX-Sum: 9\r\n\r\n",
            "HTTP/1.1 200 OK",
            vec!["trailer: X-Sum", CHUNKED],
            "abcx-sum: 9\r\n",
        ),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 99\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
            "HTTP/1.1 200 OK",
            vec![CHUNKED],
            "abc",
        ),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nok",
            "HTTP/1.1 200 OK",
            vec!["content-length: 2"],
            "ok",
        ),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 2, 2\r\n\r\nok",
            "HTTP/1.1 200 OK",
            vec!["content-length: 2"],
            "ok",
        ),
        (
            "HTTP/1.1 204 No Content\r\nX-A: 1\r\n\r\n",
            "HTTP/1.1 204 No Content",
            vec!["x-a: 1"],
            "",
        ),
        (
            "HTTP/1.1 304 Not Modified\r\nETag: \"x\"\r\n\r\n",
            "HTTP/1.1 304 Not Modified",
            vec!["etag: \"x\""],
            "",
        ),
    ] {
        check_answer("GET", answer, first_line, &headers, body).await;
    }
}

#[tokio::test]
async fn response_to_head_keeps_its_length() {
    for (answer, headers) in [
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n",
            vec!["content-length: 99"],
        ),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 99\r\nContent-Length: 99\r\n\r\n",
            vec![],
        ),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
            vec![],
        ),
    ] {
        check_answer("HEAD", answer, "HTTP/1.1 200 OK", &headers, "").await;
    }
}
