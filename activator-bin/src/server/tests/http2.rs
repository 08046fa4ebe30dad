//! HTTP/2 peers, each on one connection, that read no bodies.

use std::future::poll_fn;
use std::net::SocketAddr;
use std::sync::mpsc;
use std::thread;

use bytes::Bytes;
use h2::SendStream;
use http::{Request, Response};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Builder, Runtime};
use tokio::time::timeout;

use super::stuck::{COUNT, STILL};

fn runtime() -> Runtime {
    let mut runtime = Builder::new_multi_thread();
    runtime.worker_threads(1).enable_all().build().unwrap()
}

/// Sends until the peer is stuck. Returns how much was sent.
async fn fill(body: &mut SendStream<Bytes>) -> usize {
    let mut sent = 0;
    loop {
        body.reserve_capacity(16 * 1_024);
        match timeout(STILL, poll_fn(|cx| body.poll_capacity(cx))).await {
            Ok(Some(Ok(room))) => {
                sent += room;
                body.send_data(vec![b'x'; room].into(), false).unwrap();
            }
            _ => return sent,
        }
    }
}

/// Requests that share a connection, with endless bodies if they `upload`. Returns how much was sent, and a guard that
/// keeps them open.
pub(super) fn clients(address: SocketAddr, upload: bool) -> (usize, impl Send) {
    let runtime = runtime();
    let (sent, requests) = runtime.block_on(async {
        let socket = TcpStream::connect(address).await.unwrap();
        let (client, connection) = h2::client::handshake(socket).await.unwrap();
        tokio::spawn(connection);
        let mut client = client.ready().await.unwrap();
        let mut requests = Vec::new();
        for _ in 0..COUNT {
            let request = Request::post("http://activator/")
                .header("Knative-Serving-Namespace", "ns")
                .header("Knative-Serving-Revision", "rev");
            let request = request.body(()).unwrap();
            client = client.ready().await.unwrap();
            let (response, mut body) = client.send_request(request, !upload).unwrap();
            requests.push(tokio::spawn(async move {
                if upload {
                    (fill(&mut body).await, Some(body), None)
                } else {
                    (0, None, Some(response.await.unwrap()))
                }
            }));
        }
        let mut sent = 0;
        let mut held = Vec::new();
        for request in requests {
            let (part, body, answer) = request.await.unwrap();
            sent += part;
            held.push((body, answer));
        }
        (sent, (client, held))
    });
    (sent, (runtime, requests))
}

/// A backend that reads no body, and sends endless ones if `answers`. The receiver gets how much of each was sent.
pub(super) fn backend(answers: bool) -> (SocketAddr, mpsc::Receiver<usize>) {
    let (taken, sent) = mpsc::channel();
    let runtime = runtime();
    let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
    let address = listener.local_addr().unwrap();
    let serving = async move {
        let (socket, _) = listener.accept().await.unwrap();
        let mut connection = h2::server::handshake(socket).await.unwrap();
        let mut unread = Vec::new();
        while let Some(Ok((request, mut to))) = connection.accept().await {
            unread.push(request);
            if answers {
                let mut body = to.send_response(Response::new(()), false).unwrap();
                let taken = taken.clone();
                tokio::spawn(async move {
                    taken.send(fill(&mut body).await).unwrap();
                    // It never ends.
                    std::future::pending::<()>().await;
                });
            }
        }
    };
    thread::spawn(move || runtime.block_on(serving));
    (address, sent)
}
