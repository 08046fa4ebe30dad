//! Probes of real sockets that answer anything.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::*;

async fn listener() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    (listener, address)
}

/// Probes a backend that answers with these bytes and closes; what came of it, and what the backend was sent.
async fn probed(answer: &[u8]) -> (ProbeOutcome, String) {
    let (listener, address) = listener().await;
    let backend = async {
        let (mut stream, _) = listener.accept().await.expect("a connection");
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.expect("the rest of the head"));
        }
        // The prober may have seen enough before all of it is written.
        let _ = stream.write_all(answer).await;
        String::from_utf8(head).expect("ASCII")
    };
    let (outcome, head) = tokio::join!(Tcp.probe(Exchange::Knative, address), backend);
    (outcome, head.replace(&address.to_string(), "ip:port"))
}

#[tokio::test]
async fn the_answer_decides() {
    let long_head = format!("HTTP/1.1 200 OK\r\nX: {}\r\n\r\nqueue", "x".repeat(100_000));
    let long_body = format!("HTTP/1.1 200 OK\r\n\r\n{}", "queue".repeat(100_000));
    for (answer, expected) in [
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nqueue",
            ProbeOutcome::Ok,
        ),
        (
            "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nqueue",
            ProbeOutcome::Ok,
        ),
        ("HTTP/1.0 200 OK\r\n\r\nqueue", ProbeOutcome::Ok),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nqu\r\n3\r\neue\r\n0\r\n\r\n",
            ProbeOutcome::Ok,
        ),
        (
            "HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nqueue",
            ProbeOutcome::Ok,
        ),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
            ProbeOutcome::Body,
        ),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nqueue\n",
            ProbeOutcome::Body,
        ),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nQUEUE",
            ProbeOutcome::Body,
        ),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nqueue",
            ProbeOutcome::Body,
        ),
        (&long_body, ProbeOutcome::Body),
        ("HTTP/1.1 204 No Content\r\n\r\n", ProbeOutcome::Status),
        (
            "HTTP/1.1 404 Not Found\r\nContent-Length: 5\r\n\r\nqueue",
            ProbeOutcome::Status,
        ),
        (
            "HTTP/1.1 503 Service Unavailable\r\n\r\n",
            ProbeOutcome::Status,
        ),
        (
            "HTTP/1.1 301 Moved\r\nLocation: /queue\r\nContent-Length: 0\r\n\r\n",
            ProbeOutcome::Status,
        ),
        ("", ProbeOutcome::Refused),
        ("HTTP/1.1 200", ProbeOutcome::Refused),
        ("SSH-2.0-OpenSSH_9.9\r\n", ProbeOutcome::Refused),
        (&long_head, ProbeOutcome::Refused),
    ] {
        let (outcome, _) = probed(answer.as_bytes()).await;
        let start: String = answer.chars().take(80).collect();
        assert_eq!(outcome, expected, "{start:?}");
    }
}

#[tokio::test]
async fn a_knative_probe_is_what_the_sidecar_expects() {
    let (_, head) = probed(b"").await;
    assert_eq!(
        head,
        "GET /healthz HTTP/1.1\r\n\
         host: ip:port\r\n\
         user-agent: Knative-Activator-Probe\r\n\
         k-network-probe: queue\r\n\r\n"
    );
}

#[tokio::test]
async fn a_connection_is_all_that_a_tcp_probe_wants() {
    let (listener, address) = listener().await;
    assert_eq!(Tcp.probe(Exchange::Tcp, address).await, ProbeOutcome::Ok);
    drop(listener);
    for exchange in [Exchange::Tcp, Exchange::Knative] {
        assert_eq!(Tcp.probe(exchange, address).await, ProbeOutcome::Refused);
    }
}
