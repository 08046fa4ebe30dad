//! HTTP/2 clients and backends whose every step a test decides, on the h2 crate.

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use h2::client::{ResponseFuture, SendRequest};
use h2::server::{Builder, SendResponse};
use h2::{RecvStream, SendStream};
use http::{HeaderMap, Request, Response};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use activator_bin::testing::Activator;

use super::activator::PATIENCE;

/// A client's connection.
pub(crate) struct Http2Client {
    requests: SendRequest<Bytes>,
    /// Runs the connection, until the client is dropped.
    pub(crate) driver: JoinHandle<Result<(), h2::Error>>,
}

impl Drop for Http2Client {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

/// A request for `default/hello`, without a body yet.
pub(crate) fn request(method: &str, path: &str) -> Request<()> {
    Request::builder()
        .method(method)
        .uri(format!("http://proxy{path}"))
        .header("knative-serving-namespace", "default")
        .header("knative-serving-revision", "hello")
        .body(())
        .unwrap()
}

impl Http2Client {
    pub(crate) async fn connect(activator: &Activator) -> Self {
        Self::over(TcpStream::connect(activator.http_addr()).await.unwrap()).await
    }

    pub(crate) async fn over(socket: impl AsyncRead + AsyncWrite + Send + Unpin + 'static) -> Self {
        let (requests, connection) = h2::client::handshake(socket).await.unwrap();
        Self {
            requests,
            driver: tokio::spawn(connection),
        }
    }

    /// Sends the head of a request, with a body to come unless it `is_last`.
    pub(crate) async fn send(
        &self,
        request: Request<()>,
        is_last: bool,
    ) -> (ResponseFuture, SendStream<Bytes>) {
        let ready = patiently(self.requests.clone().ready()).await;
        ready.unwrap().send_request(request, is_last).unwrap()
    }

    /// Sends a GET request and waits for the response.
    pub(crate) async fn get(&self, path: &str) -> Response<RecvStream> {
        let (response, _) = self.send(request("GET", path), true).await;
        patiently(response).await.unwrap()
    }
}

/// A request at a backend.
pub(crate) struct Exchange {
    /// Which of the backend's connections it came over.
    pub(crate) connection: usize,
    pub(crate) request: Request<RecvStream>,
    pub(crate) respond: SendResponse<Bytes>,
}

impl Exchange {
    pub(crate) fn answer(&mut self, status: u16) -> SendStream<Bytes> {
        let response = Response::builder().status(status).body(()).unwrap();
        self.respond.send_response(response, false).unwrap()
    }

    /// Sends a complete response.
    pub(crate) fn finish(&mut self, body: &'static str) {
        let mut sender = self.answer(200);
        sender.send_data(body.into(), true).unwrap();
    }
}

/// A backend whose requests the test serves itself, in order of arrival.
pub(crate) struct Http2Backend {
    pub(crate) address: SocketAddr,
    exchanges: mpsc::UnboundedReceiver<Exchange>,
    /// Makes a connection send GOAWAY.
    pub(crate) go_away: Arc<Notify>,
    /// Makes a connection fall silent, but stay open.
    pub(crate) freeze: Arc<Notify>,
    /// Notified when a connection was closed.
    closed: Arc<Notify>,
    _accepting: AbortOnDrop,
}

struct AbortOnDrop(JoinHandle<()>);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Http2Backend {
    pub(crate) async fn bind() -> Self {
        Self::with(Builder::new()).await
    }

    pub(crate) async fn with(settings: Builder) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (sender, exchanges) = mpsc::unbounded_channel();
        let (go_away, freeze) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let closed = Arc::new(Notify::new());
        let accepting = {
            let closed = Arc::clone(&closed);
            let (go_away, freeze) = (Arc::clone(&go_away), Arc::clone(&freeze));
            tokio::spawn(async move {
                let mut connections = tokio::task::JoinSet::new();
                for number in 0.. {
                    let (socket, _) = listener.accept().await.unwrap();
                    let (settings, sender) = (settings.clone(), sender.clone());
                    let (go_away, freeze) = (Arc::clone(&go_away), Arc::clone(&freeze));
                    let closed = Arc::clone(&closed);
                    connections.spawn(async move {
                        let Ok(mut connection) = settings.handshake::<_, Bytes>(socket).await
                        else {
                            return;
                        };
                        loop {
                            let accepted = tokio::select! {
                                accepted = connection.accept() => accepted,
                                () = go_away.notified() => {
                                    connection.graceful_shutdown();
                                    continue;
                                }
                                () = freeze.notified() => std::future::pending().await,
                            };
                            let Some(Ok((request, respond))) = accepted else {
                                closed.notify_one();
                                return;
                            };
                            let _ = sender.send(Exchange {
                                connection: number,
                                request,
                                respond,
                            });
                        }
                    });
                }
            })
        };
        Self {
            address,
            exchanges,
            go_away,
            freeze,
            closed,
            _accepting: AbortOnDrop(accepting),
        }
    }

    /// Waits until a connection is closed.
    pub(crate) async fn until_closed(&self) {
        patiently(self.closed.notified()).await;
    }

    pub(crate) async fn request(&mut self) -> Exchange {
        patiently(self.exchanges.recv()).await.unwrap()
    }
}

pub(crate) async fn patiently<F: Future>(future: F) -> F::Output {
    timeout(PATIENCE, future).await.expect("it happens in time")
}

/// Reads a body to its end: what came, the trailers, and whether it ended well.
pub(crate) async fn read(body: &mut RecvStream) -> (String, Result<Option<HeaderMap>, h2::Error>) {
    let mut text = String::new();
    while let Some(data) = patiently(body.data()).await {
        match data {
            Ok(data) => {
                let _ = body.flow_control().release_capacity(data.len());
                text.push_str(str::from_utf8(&data).unwrap());
            }
            Err(error) => return (text, Err(error)),
        }
    }
    let trailers = patiently(body.trailers()).await;
    (text, trailers)
}
