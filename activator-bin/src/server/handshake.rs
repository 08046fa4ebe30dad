//! The TLS handshake with a client.

use std::future::poll_fn;
use std::io;
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::time::sleep;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::end::LAST_HEAD;
use super::socket::Socket;
use super::timer::Timer;
use crate::drain::Draining;

/// Performs the handshake. Its time counts towards the time for the first request's head: `head` keeps running.
///
/// # Errors
/// The handshake failed. The client got an alert, and the connection is closed.
///
/// Dropping the future closes the connection.
pub(super) async fn accept(
    acceptor: &TlsAcceptor,
    stream: Socket,
    mut draining: Draining,
    head: &mut Timer,
    limit: Duration,
) -> io::Result<Box<TlsStream<Socket>>> {
    let accepting = Box::pin(acceptor.accept(stream).into_fallible());
    let drained = async {
        draining.begun().await;
        Box::pin(sleep(LAST_HEAD)).await;
    };
    let accepted = tokio::select! {
        biased;
        accepted = accepting => accepted,
        () = poll_fn(|cx| head.poll(cx, limit)) => return Err(io::ErrorKind::TimedOut.into()),
        () = drained => return Err(io::ErrorKind::TimedOut.into()),
    };
    match accepted {
        Ok(stream) => Ok(Box::new(stream)),
        Err((error, mut stream)) => {
            // An orderly shutdown, since a reset may overtake the alert.
            let _ = stream.shutdown().await;
            Err(error)
        }
    }
}
