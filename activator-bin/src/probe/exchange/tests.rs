//! Probes of real sockets, with all kinds of responses.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::*;

async fn listener() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    (listener, address)
}

const KNATIVE: Exchange = Exchange::Knative { via: None };

/// Probes a backend that sends `answer` and closes. Returns how that ended and what the backend received.
async fn probed(exchange: &Exchange, answer: &[u8]) -> (Ended, String) {
    let (listener, address) = listener().await;
    let backend = async {
        let (mut stream, _) = listener.accept().await.expect("a connection");
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.expect("the rest of the head"));
        }
        // The prober may be done before everything is written.
        let _ = stream.write_all(answer).await;
        String::from_utf8(head).expect("ASCII")
    };
    let (ended, head) = tokio::join!(Tcp.probe(exchange, address), backend);
    (ended, head.replace(&address.to_string(), "ip:port"))
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
        let (ended, _) = probed(&KNATIVE, answer.as_bytes()).await;
        let start: String = answer.chars().take(80).collect();
        assert_eq!(ended.outcome, expected, "{start:?}");
        let answer = match expected {
            ProbeOutcome::Refused => Answer::Nothing,
            _ if answer.contains("503") => Answer::MeshLike,
            _ => Answer::Own,
        };
        assert_eq!(ended.answer, answer, "{start:?}");
    }
}

#[tokio::test]
async fn a_knative_probe_is_what_the_sidecar_expects() {
    let (_, head) = probed(&KNATIVE, b"").await;
    assert_eq!(
        head,
        "GET /healthz HTTP/1.1\r\n\
         host: ip:port\r\n\
         user-agent: Knative-Activator-Probe\r\n\
         k-network-probe: queue\r\n\r\n"
    );
}

#[tokio::test]
async fn a_probe_of_an_instance_in_a_mesh_names_its_service() {
    let exchange = |name: &str| Exchange::Knative {
        via: Some(name.into()),
    };
    let (_, head) = probed(&exchange("hello-private.default"), b"").await;
    assert_eq!(
        head,
        "GET /healthz HTTP/1.1\r\n\
         host: hello-private.default\r\n\
         user-agent: Knative-Activator-Probe\r\n\
         k-network-probe: queue\r\n\
         k-passthrough-lb: true\r\n\r\n"
    );
    let (_, head) = probed(&exchange("bad\r\nname"), b"").await;
    assert!(head.contains("host: ip:port\r\n"), "{head:?}");
}

/// Longer than any test here takes, unless it waits for this.
const LONG: Exchange = Exchange::Tcp {
    open_for: Duration::from_secs(60),
    socket: None,
};
const SHORT: Exchange = Exchange::Tcp {
    open_for: Duration::from_millis(5),
    socket: None,
};

#[tokio::test]
async fn a_tcp_probe_passes_if_the_connection_stays_open() {
    let (listener, address) = listener().await;
    let probe = async |exchange| Tcp.probe(&exchange, address).await.outcome;
    assert_eq!(probe(SHORT).await, ProbeOutcome::Ok);
    drop(listener);
    for exchange in [SHORT, KNATIVE] {
        assert_eq!(probe(exchange).await, ProbeOutcome::Refused);
    }
}

/// Probes a backend that treats the connection like this.
async fn looked_at(exchange: Exchange, backend: impl AsyncFnOnce(TcpStream)) -> ProbeOutcome {
    let (listener, address) = listener().await;
    let accept = async {
        let (stream, _) = listener.accept().await.expect("a connection");
        backend(stream).await;
    };
    tokio::join!(Tcp.probe(&exchange, address), accept)
        .0
        .outcome
}

#[tokio::test]
async fn a_tcp_probe_fails_if_the_connection_is_closed_or_reset_at_once() {
    let closed = looked_at(LONG, async |stream| drop(stream)).await;
    assert_eq!(closed, ProbeOutcome::Refused);
    let reset = looked_at(LONG, async |stream| {
        let socket = socket2::SockRef::from(&stream);
        socket.set_linger(Some(Duration::ZERO)).expect("a socket");
    });
    assert_eq!(reset.await, ProbeOutcome::Refused);
    let half = looked_at(LONG, async |mut stream| {
        stream.shutdown().await.expect("it is open");
        // Reads until the peer has closed.
        let _ = stream.read(&mut [0]).await;
    });
    assert_eq!(half.await, ProbeOutcome::Refused);
}

#[tokio::test]
async fn unsolicited_bytes_do_not_decide_a_tcp_probe() {
    let speaks_and_closes = looked_at(LONG, async |mut stream| {
        stream.write_all(&[b'x'; 5_000]).await.expect("it is open");
    });
    assert_eq!(speaks_and_closes.await, ProbeOutcome::Refused);
    let speaks_on = looked_at(SHORT, async |mut stream| {
        while stream.write_all(&[b'x'; 5_000]).await.is_ok() {}
    });
    assert_eq!(speaks_on.await, ProbeOutcome::Ok);
}

#[test]
fn a_lack_of_local_resources_does_not_blame_the_backend() {
    for (error, expected) in [
        (Errno::MFILE, true),
        (Errno::NFILE, true),
        (Errno::NOBUFS, true),
        (Errno::ADDRNOTAVAIL, true),
        (Errno::CONNREFUSED, false),
        (Errno::HOSTUNREACH, false),
        (Errno::TIMEDOUT, false),
    ] {
        assert_eq!(is_our_own(&error.into()), expected, "{error}");
    }
    assert!(!is_our_own(&io::ErrorKind::TimedOut.into()));
}
