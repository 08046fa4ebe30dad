//! The bytes of a connection to a backend: over TCP, with or without TLS, or over a unix socket of this machine.

use std::io;
use std::net::SocketAddr;

use tokio::net::{TcpStream, UnixStream};
use tokio_rustls::client::TlsStream;
use tokio_util::either::Either;

use super::line::{self, Line, Stream};
use super::place::Place;
use crate::os::{open_files, unix_socket};

/// A connection.
pub(crate) type Socket = Either<TcpStream, UnixStream>;

/// A connection with or without TLS.
pub(crate) type Far = Either<Socket, Box<TlsStream<TcpStream>>>;

/// Connects. Has no time limit.
pub(super) async fn connect(place: &Place) -> io::Result<Socket> {
    match &place.socket {
        None => over_tcp(place.address).await.map(Either::Left),
        Some(path) => {
            let socket = unix_socket::connect(path).await?;
            Ok(Either::Right(open_files::unreserved(socket)?))
        }
    }
}

impl Stream for Socket {
    fn tcp(&self) -> Option<&TcpStream> {
        match self {
            Self::Left(socket) => Some(socket),
            Self::Right(_) => None,
        }
    }
}

impl Stream for Far {
    fn tcp(&self) -> Option<&TcpStream> {
        match self {
            Self::Left(socket) => socket.tcp(),
            Self::Right(stream) => stream.tcp(),
        }
    }
}

impl Line<Far> {
    /// The connection, if it is one over TCP without TLS.
    pub(crate) fn plain_tcp(&self) -> Option<&TcpStream> {
        match self.stream() {
            Either::Left(socket) => socket.tcp(),
            Either::Right(_) => None,
        }
    }
}

/// Connects over TCP. Has no time limit.
pub(super) async fn over_tcp(address: SocketAddr) -> io::Result<TcpStream> {
    let socket = TcpStream::connect(address).await?;
    let socket = open_files::unreserved(socket)?;
    line::tune(&socket)?;
    Ok(socket)
}
