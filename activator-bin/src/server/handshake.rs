//! The agreement on TLS with a client, before the first byte of HTTP.

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

/// Waits for the client to agree, for as long as the first request's head may take; `head` runs on
/// for what is left of that.
///
/// # Errors
/// There is no agreement. The client was told why, and the connection is closed.
///
/// Dropping the future closes the connection.
pub(super) async fn accept(
    acceptor: &TlsAcceptor,
    stream: Socket,
    mut draining: Draining,
    head: &mut Timer,
    limit: Duration,
) -> io::Result<Box<TlsStream<Socket>>> {
    // On the heap, so that connections without TLS need no room for it.
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
            // In an orderly way, or a reset may overtake the alert that says why.
            let _ = stream.shutdown().await;
            Err(error)
        }
    }
}
