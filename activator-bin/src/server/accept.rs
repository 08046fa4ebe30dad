//! Accepts connections on one listening socket until a drain begins.

use std::io;
use std::os::fd::AsFd;
use std::rc::Rc;
use std::sync::Arc;

use tokio::net::{TcpListener, TcpStream};

use super::connections::Connections;
use crate::drain::Draining;
use crate::os::open_files;
use crate::tls::Certificates;

/// A listening socket of a worker.
pub(crate) struct Listener<S = std::net::TcpListener> {
    /// The name of its port, as in `[listen]`.
    pub(crate) port: &'static str,
    /// The certificates, if the port uses TLS.
    pub(crate) tls: Option<Arc<Certificates>>,
    /// Non-blocking.
    pub(crate) socket: S,
    /// Whether the socket outlives this process.
    pub(crate) handed_over: bool,
}

/// Accepts and serves connections until a drain begins.
pub(super) async fn accept(
    Listener {
        port,
        tls,
        socket,
        handed_over,
    }: Listener<TcpListener>,
    connections: Rc<Connections>,
    mut draining: Draining,
) {
    loop {
        let accepted = tokio::select! {
            biased;
            _ = draining.begun() => break,
            accepted = socket.accept() => accepted,
        };
        match accepted {
            Ok((stream, peer)) => {
                let moved = if open_files::is_reserved(&stream) {
                    tokio::select! {
                        biased;
                        moved = unreserved(&stream, port, &connections) => Some(moved),
                        _ = draining.begun() => None,
                    }
                } else {
                    None
                };
                let stream = moved.unwrap_or(stream);
                let permit = tokio::select! {
                    biased;
                    permit = connections.connection_limit.wait() => permit,
                    _ = draining.begun() => connections.connection_limit.beyond(),
                };
                connections.serve(stream, peer, permit, tls.as_ref());
            }
            // It was closed before it was accepted.
            Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
            Err(error) => {
                if open_files::is_scarcity(&error) {
                    connections.proxy.on_scarcity();
                }
                connections.connection_limit.on_scarcity(port, &error).await;
            }
        }
    }
    if handed_over {
        // The next process accepts what is in its queue.
        return;
    }
    if let Err(error) = accept_rest(socket, tls.as_ref(), &connections) {
        tracing::error!(port, %error, "cannot accept the last connections");
    }
}

/// Moves a connection to a descriptor that is not reserved; waits until there is one.
async fn unreserved(stream: &TcpStream, port: &str, connections: &Connections) -> TcpStream {
    loop {
        let again = stream.as_fd().try_clone_to_owned();
        let again = again.and_then(open_files::unreserved);
        match again.and_then(|again| TcpStream::from_std(again.into())) {
            Ok(stream) => return stream,
            Err(error) => {
                connections.proxy.on_scarcity();
                connections.connection_limit.on_scarcity(port, &error).await;
            }
        }
    }
}

impl Listener {
    /// Registers it with the current runtime.
    pub(super) fn watched(self) -> io::Result<Listener<TcpListener>> {
        Ok(Listener {
            port: self.port,
            tls: self.tls,
            socket: TcpListener::from_std(self.socket)?,
            handed_over: self.handed_over,
        })
    }
}

/// Accepts what is in the queue: these clients are connected, and closing the socket would reset them.
fn accept_rest(
    listener: TcpListener,
    tls: Option<&Arc<Certificates>>,
    connections: &Connections,
) -> io::Result<()> {
    let listener = listener.into_std()?;
    loop {
        match listener.accept() {
            Ok((socket, peer)) => {
                socket.set_nonblocking(true)?;
                let permit = connections.connection_limit.beyond();
                connections.serve(TcpStream::from_std(socket)?, peer, permit, tls);
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
            Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
            Err(error) => return Err(error),
        }
    }
}
