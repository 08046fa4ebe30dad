//! How the names of headers are written over HTTP/1: as they came, and our own in canonical case.

use tokio::net::TcpStream;

use crate::support::activator::start;
use crate::support::backend::Backend;
use crate::support::http1::{Client, HELLO};

async fn lines(client: &mut Client<TcpStream>) -> Vec<String> {
    let head = String::from_utf8(client.until(b"\r\n\r\n").await).unwrap();
    head.trim_end().split("\r\n").map(str::to_owned).collect()
}

/// The names in `lines`, in order of the alphabet.
fn names(lines: &[String]) -> Vec<&str> {
    let names = lines[1..]
        .iter()
        .map(|line| line.split_once(": ").unwrap().0);
    let mut names: Vec<_> = names.collect();
    names.sort_unstable();
    names
}

#[tokio::test]
async fn header_case_is_kept_in_both_directions() {
    let backend = Backend::bind().await;
    let activator = start(&[backend.address]);
    let mut client = Client::connect(activator.http_addr()).await;
    let mut connection = None;
    for (sent, response) in [
        (
            ["sec-ch-ua", "DNT", "SOAPAction", "X-API-KEY", "x-aPi-kEy"],
            [
                "ETag",
                "WWW-Authenticate",
                "x-lower",
                "X-Mixed-cAse",
                "X-mixed-case",
            ],
        ),
        (
            [
                "Accept",
                "accept-encoding",
                "TRACEPARENT",
                "Cookie",
                "User-Agent",
            ],
            ["Server", "date", "Set-Cookie", "set-cookie", "CONTENT-TYPE"],
        ),
    ] {
        let head: String = sent.iter().map(|name| format!("{name}: 1\r\n")).collect();
        client
            .send(format!("GET / HTTP/1.1\r\n{HELLO}{head}\r\n"))
            .await;
        let backend = match &mut connection {
            Some(connection) => connection,
            None => connection.insert(backend.accept().await),
        };
        let seen = lines(backend).await;
        let mut expected = sent.to_vec();
        expected.extend([
            "Host",
            "K-Original-Host",
            "K-Proxy-Request",
            "X-Forwarded-For",
        ]);
        expected.sort_unstable();
        assert_eq!(names(&seen), expected);

        let head: String = response
            .iter()
            .map(|name| format!("{name}: 1\r\n"))
            .collect();
        let hints = "HTTP/1.1 103 Early Hints\r\nlink: a\r\n\r\n";
        let body = "content-LENGTH: 9\r\n\r\nx-a: b\r\n\n";
        backend
            .send(format!("{hints}HTTP/1.1 200 OK\r\n{head}{body}"))
            .await;
        assert_eq!(names(&lines(&mut client).await), ["Link"]);
        let mut expected = response.to_vec();
        expected.push("content-LENGTH");
        if !response.contains(&"date") {
            expected.push("Date");
        }
        expected.sort_unstable();
        assert_eq!(names(&lines(&mut client).await), expected);
        assert_eq!(client.bytes(9).await, b"x-a: b\r\n\n");
    }
}

#[tokio::test]
async fn own_headers_are_in_canonical_case() {
    let backend = Backend::bind().await;
    let activator = start(&[backend.address]);
    for (request, expected) in [
        (
            "GET / HTTP/1.1\r\nHost: nobody\r\n\r\n",
            &[
                "Content-Length",
                "Content-Type",
                "Date",
                "X-Content-Type-Options",
            ][..],
        ),
        (
            "GET /#a HTTP/1.1\r\n",
            &[
                "Connection",
                "Content-Length",
                "Content-Type",
                "X-Content-Type-Options",
            ],
        ),
    ] {
        let mut client = Client::connect(activator.http_addr()).await;
        client.send(request).await;
        assert_eq!(names(&lines(&mut client).await), expected);
    }
}

#[tokio::test]
async fn header_case_is_kept_for_pipelined_and_split_heads() {
    let backend = Backend::bind().await;
    let activator = start(&[backend.address]);
    let mut client = Client::connect(activator.http_addr()).await;
    client.socket.set_nodelay(true).unwrap();
    let mut all = String::new();
    for name in ["X-ONE", "x-two", "x-Three"] {
        all += &format!("POST / HTTP/1.1\r\n{HELLO}{name}: 1\r\nContent-Length: 2\r\n\r\na:");
    }
    for piece in all.as_bytes().chunks(11) {
        client.send(piece).await;
    }
    let mut connection = backend.accept().await;
    for name in ["X-ONE", "x-two", "x-Three"] {
        let seen = lines(&mut connection).await;
        assert!(names(&seen).contains(&name), "{seen:?}");
        assert_eq!(connection.bytes(2).await, b"a:");
        for byte in format!("HTTP/1.1 200 OK\r\n{name}: 1\r\nContent-Length: 0\r\n\r\n").bytes() {
            connection.send([byte]).await;
        }
        let seen = lines(&mut client).await;
        assert!(names(&seen).contains(&name), "{seen:?}");
    }
}
