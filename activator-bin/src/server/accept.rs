//! One listening socket of a worker: accepts until a drain begins.

use std::io;
use std::rc::Rc;

use tokio::net::{TcpListener, TcpStream};
use tokio::time::sleep;

use super::{ACCEPT_PAUSE, Connections};
use crate::drain::Draining;

/// A socket that listens, and what a worker has to know of it.
pub(crate) struct Listener {
    /// The name of its port, as in `[listen]`.
    pub(crate) port: &'static str,
    /// Not blocking.
    pub(crate) socket: std::net::TcpListener,
}

/// Has `connections` serve whoever connects to `listener`, until a drain begins.
pub(super) async fn accept(
    port: &'static str,
    listener: TcpListener,
    connections: Rc<Connections>,
    mut draining: Draining,
) {
    let mut failing = false;
    loop {
        let accepted = tokio::select! {
            biased;
            _ = draining.begun() => break,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((socket, peer)) => {
                failing = false;
                connections.serve(socket, peer);
            }
            // It was closed again before anybody looked.
            Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
            Err(error) => {
                if !std::mem::replace(&mut failing, true) {
                    tracing::error!(port, %error, "cannot accept connections, trying again");
                }
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    if let Err(error) = accept_rest(listener, &connections) {
        tracing::error!(port, %error, "cannot accept the last connections");
    }
}

/// The kernel has told these clients that they are connected; to close now would reset them.
fn accept_rest(listener: TcpListener, connections: &Connections) -> io::Result<()> {
    let listener = listener.into_std()?;
    while let Ok((socket, peer)) = listener.accept() {
        socket.set_nonblocking(true)?;
        connections.serve(TcpStream::from_std(socket)?, peer);
    }
    Ok(())
}
