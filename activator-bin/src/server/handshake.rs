//! The TLS handshake with a client.

use std::future::poll_fn;
use std::io;
use std::time::Duration;

use rustls::server::Acceptor;
use tokio::io::AsyncWriteExt;
use tokio::time::sleep;
use tokio_rustls::LazyConfigAcceptor;
use tokio_rustls::server::TlsStream;

use super::end::LAST_HEAD;
use super::socket::Socket;
use super::timer::Timer;
use crate::drain::Draining;
use crate::tls::Certificates;

/// Performs the handshake. Its time counts towards the time for the first request's head: `head` keeps running.
///
/// # Errors
/// The handshake failed. The client got an alert, and the connection is closed.
///
/// Dropping the future closes the connection.
pub(super) async fn accept(
    certificates: &Certificates,
    stream: Socket,
    mut draining: Draining,
    head: &mut Timer,
    limit: Duration,
) -> io::Result<Box<TlsStream<Socket>>> {
    let accepting = Box::pin(shake(certificates, stream));
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
        Err((error, stream)) => {
            if let Some(mut stream) = stream {
                // An orderly shutdown, since a reset may overtake the alert.
                let _ = stream.shutdown().await;
            }
            Err(error)
        }
    }
}

/// A fatal alert `unrecognized_name` (RFC 6066, 3) in a record, as it is sent before anything is encrypted.
const UNRECOGNIZED_NAME: [u8; 7] = [21, 3, 3, 0, 2, 2, 112];

/// Reads what the client asks for, and continues with the certificate for that.
async fn shake(
    certificates: &Certificates,
    stream: Socket,
) -> Result<TlsStream<Socket>, (io::Error, Option<Socket>)> {
    let mut hello = LazyConfigAcceptor::new(Acceptor::default(), stream);
    let mut start = match (&mut hello).await {
        Ok(start) => start,
        Err(error) => return Err((error, hello.take_io())),
    };
    let chosen = certificates.choose(start.client_hello().server_name());
    let Some(chosen) = chosen else {
        let sent = start.io.write_all(&UNRECOGNIZED_NAME).await;
        let why = sent.err().unwrap_or_else(|| {
            let why = "there is no certificate for the name that the client asks for";
            io::Error::new(io::ErrorKind::InvalidData, why)
        });
        return Err((why, Some(start.io)));
    };
    let shaken = start.into_stream(chosen).into_fallible().await;
    shaken.map_err(|(error, stream)| (error, Some(stream)))
}
