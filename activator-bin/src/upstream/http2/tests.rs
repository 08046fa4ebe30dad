use std::net::SocketAddr;
use std::time::Duration;

use http::Version;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

use super::*;

/// A request without a body, as the proxy would send it.
async fn request(backend: SocketAddr) -> Request<RequestBody> {
    let (mut client, server) = tokio::io::duplex(1_024);
    client.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
    let (sender, mut requests) = mpsc::unbounded_channel();
    let service = service_fn(move |request: Request<Incoming>| {
        sender.send(request).unwrap();
        std::future::pending::<hyper::Result<Response<String>>>()
    });
    let serving =
        hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(server), service);
    let mut request = tokio::select! {
        request = requests.recv() => request.unwrap(),
        _ = serving => unreachable!("the service never answers"),
    };
    *request.version_mut() = Version::HTTP_2;
    *request.uri_mut() = format!("http://{backend}/").parse().unwrap();
    request.map(RequestBody::from)
}

/// Answers every request on one connection until it ends.
async fn serve(socket: TcpStream) {
    let mut connection = h2::server::handshake(socket).await.unwrap();
    while let Some(Ok((_, mut respond))) = connection.accept().await {
        let _ = respond.send_response(Response::new(()), true);
    }
}

#[test]
fn a_connection_is_closed_when_idle_for_too_long_but_not_in_use() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build_local(Default::default())
        .unwrap();
    runtime.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let backend = listener.local_addr().unwrap();
        let serving = tokio::task::spawn_local(async move {
            serve(listener.accept().await.unwrap().0).await;
        });
        let limits = Limits {
            backend_idle_timeout: Pool::SWEEP * 3,
            ..Limits::default()
        };
        let http2 = Http2::new(limits, None, Recall::new(1));
        let endpoint = Endpoint {
            place: backend.into(),
            tls: None,
        };
        let called = Arc::new(Backend::new(endpoint, None));
        let send = async || {
            http2
                .send(&called, Box::new(request(backend).await))
                .await
                .unwrap()
        };
        let (_, stream) = send().await;
        for _ in 0..10 {
            http2.sweep(1);
        }
        drop(stream);
        // Each use restarts the idle time.
        for _ in 0..3 {
            http2.sweep(1);
            http2.sweep(1);
            drop(send().await);
        }
        for _ in 0..3 {
            http2.sweep(1);
        }
        assert!(!http2.backends.borrow().is_empty());
        http2.sweep(1);
        assert!(http2.backends.borrow().is_empty());
        let closed = timeout(Duration::from_secs(10), serving);
        closed.await.expect("the backend hears of it").unwrap();
    });
}
