//! One question to an instance.

use std::convert::Infallible;
use std::io;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Request, StatusCode, header};
use http_body_util::{BodyExt, Empty, Limited};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::timeout;

use crate::logging::excerpt::Excerpt;
use crate::upstream::place::Place;

/// What instances see as the client.
const USER_AGENT: &str = concat!("activator/", env!("CARGO_PKG_VERSION"));

/// More than the head of a response needs, in bytes.
const MAX_HEAD: usize = 16 * 1024;

/// How much of a response is read after its head, so that the program is not disturbed in writing it.
const MAX_BODY: usize = 1 << 20;

/// How long it may take to send that.
const BODY_PATIENCE: Duration = Duration::from_secs(1);

/// A connection to an instance.
pub(in super::super) trait Connection:
    AsyncRead + AsyncWrite + Send + Unpin
{
}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Connection for T {}

/// Connects to an instance.
///
/// # Errors
/// Says what is wrong.
pub(in super::super) async fn connect(
    place: &Place,
    patience: Duration,
) -> Result<Box<dyn Connection>, String> {
    match timeout(patience, dial(place)).await {
        Ok(connected) => connected.map_err(|error| format!("{}: {error}", name(place))),
        Err(_) => Err(format!("{} does not accept a connection", name(place))),
    }
}

/// The status of a response to a GET.
///
/// # Errors
/// Says why there is none.
pub(in super::super) async fn get(
    place: &Place,
    path: &str,
    patience: Duration,
) -> Result<StatusCode, String> {
    let exchange = async {
        let connection = dial(place).await.map_err(|error| error.to_string())?;
        exchange(connection, request(place, path)?).await
    };
    match timeout(patience, exchange).await {
        Ok(Ok(status)) => Ok(status),
        Ok(Err(why)) => Err(format!("GET {path} at {}: {why}", name(place))),
        Err(_) => Err(format!("GET {path} at {} is not answered", name(place))),
    }
}

async fn dial(place: &Place) -> io::Result<Box<dyn Connection>> {
    Ok(match &place.socket {
        Some(path) => Box::new(UnixStream::connect(path).await?),
        None => {
            let stream = TcpStream::connect(place.address).await?;
            if stream.local_addr()? == place.address {
                // The system has chosen the port that nobody listens on: it is connected to itself.
                return Err(io::ErrorKind::ConnectionRefused.into());
            }
            Box::new(stream)
        }
    })
}

fn name(place: &Place) -> String {
    match &place.socket {
        Some(path) => path.display().to_string(),
        None => place.address.to_string(),
    }
}

fn request(place: &Place, path: &str) -> Result<Request<Empty<Bytes>>, String> {
    let host = match place.socket {
        Some(_) => HeaderValue::from_static("localhost"),
        None => {
            HeaderValue::try_from(place.address.to_string()).expect("an address is visible ASCII")
        }
    };
    Request::get(path)
        .header(header::HOST, host)
        .header(header::USER_AGENT, USER_AGENT)
        .header(header::CONNECTION, "close")
        .body(Empty::new())
        .map_err(|error| error.to_string())
}

async fn exchange(
    connection: Box<dyn Connection>,
    request: Request<Empty<Bytes>>,
) -> Result<StatusCode, String> {
    let failed = |error: hyper::Error| Excerpt(error).to_string();
    let (mut sender, connection) = http1::Builder::new()
        .max_buf_size(MAX_HEAD)
        .handshake(TokioIo::new(connection))
        .await
        .map_err(failed)?;
    let drive = async move {
        // Once the connection has ended, what was read must still be processed.
        let _ = connection.await;
        std::future::pending::<Infallible>().await
    };
    let mut drive = Box::pin(drive);
    let response = tokio::select! {
        response = sender.send_request(request) => response.map_err(failed)?,
        never = &mut drive => match never {},
    };
    let status = response.status();
    tokio::spawn(async move {
        tokio::select! {
            _ = timeout(BODY_PATIENCE, discard(response.into_body())) => {}
            never = &mut drive => match never {},
        }
    });
    Ok(status)
}

async fn discard(body: Incoming) {
    let mut body = Limited::new(body, MAX_BODY);
    while let Some(Ok(_)) = body.frame().await {}
}
