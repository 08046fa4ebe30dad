//! HTTP/1 backends whose every step a test decides.

use std::net::SocketAddr;
use std::task::{Context, Waker};
use std::time::Duration;

use socket2::{Domain, Socket, Type};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::activator::PATIENCE;
use super::http1::{Client, Message};

/// A backend whose connections the test serves itself, in order of accepting.
pub(crate) struct Backend {
    pub(crate) address: SocketAddr,
    listener: TcpListener,
}

impl Backend {
    pub(crate) async fn bind() -> Self {
        Self::bind_to(([127, 0, 0, 1], 0).into()).await
    }

    pub(crate) async fn bind_to(address: SocketAddr) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        Self {
            address: listener.local_addr().unwrap(),
            listener,
        }
    }

    pub(crate) async fn accept(&self) -> Client {
        let accepted = timeout(PATIENCE, self.listener.accept()).await;
        Client::new(accepted.expect("the proxy connects").unwrap().0)
    }

    /// Whether no connection is pending. Does not wait.
    pub(crate) fn is_silent(&self) -> bool {
        let mut accept = std::pin::pin!(self.listener.accept());
        let mut cx = Context::from_waker(Waker::noop());
        accept.as_mut().poll(&mut cx).is_pending()
    }

    /// Accepts a connection and reads one request from it.
    pub(crate) async fn request(&self) -> (Client, Message) {
        let mut connection = self.accept().await;
        let message = connection.message().await;
        (connection, message)
    }
}

/// A backend that sends `answer` to every request. The receiver yields the requests.
pub(crate) async fn answering(
    answer: &'static str,
) -> (SocketAddr, mpsc::UnboundedReceiver<Message>) {
    let backend = Backend::bind().await;
    let address = backend.address;
    let (sender, requests) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        loop {
            let (socket, _) = backend.listener.accept().await.unwrap();
            let sender = sender.clone();
            tokio::spawn(async move {
                let mut connection = Client::new(socket);
                while !connection.is_over().await {
                    let _ = sender.send(connection.message().await);
                    connection.send(answer).await;
                }
            });
        }
    });
    (address, requests)
}

/// A listener with a full queue: further connection attempts hang.
pub(crate) struct FullListener {
    pub(crate) address: SocketAddr,
    _listener: Socket,
    _queue: Vec<std::net::TcpStream>,
}

impl FullListener {
    pub(crate) async fn new() -> Self {
        let listener = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        let any: SocketAddr = "127.0.0.1:0".parse().unwrap();
        listener.bind(&any.into()).unwrap();
        listener.listen(0).unwrap();
        let address = listener.local_addr().unwrap().as_socket().unwrap();
        let mut queue = Vec::new();
        let soon = Duration::from_millis(200);
        while let Ok(socket) = std::net::TcpStream::connect_timeout(&address, soon) {
            queue.push(socket);
            assert!(
                queue.len() < 100,
                "the kernel takes any number of connections"
            );
        }
        Self {
            address,
            _listener: listener,
            _queue: queue,
        }
    }
}
