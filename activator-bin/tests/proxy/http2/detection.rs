//! Which protocol a client speaks: the first bytes tell, however they come.

use std::time::Duration;

use activator_bin::testing::{Config, Limits};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::activator::{Ask, config, echo, start, start_with};
use crate::support::backend::answering;
use crate::support::http1::HELLO;
use crate::support::http2::{Http2Backend, Http2Client, patiently, read, request};

const TRICKLE: Duration = Duration::from_millis(2);

#[tokio::test]
async fn protocol_is_detected_byte_by_byte() {
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
async fn incomplete_preface_times_out() {
    const HEAD_TIMEOUT: Duration = Duration::from_millis(200);
    let limits = Limits {
        header_timeout: HEAD_TIMEOUT,
        ..Limits::default()
    };
    let activator = start_with(Config {
        limits,
        ..config(&[])
    });
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
async fn http1_and_http2_share_a_port() {
    let activator = start_with(echo());
    let mut old = activator.connect().await;
    let new = Http2Client::connect(&activator).await;
    for _ in 0..3 {
        let answer = old.get("/x").await;
        assert_eq!(answer.body, "GET /x\n");
        let mut response = new.get("/x").await;
        assert_eq!(read(response.body_mut()).await.0, "GET /x\n");
    }
}
