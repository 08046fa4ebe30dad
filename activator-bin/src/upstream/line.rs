//! A connection to a backend below HTTP: when the kernel gives up on it.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

/// How long sent data may stay unacknowledged before the host is considered gone.
const VANISHED: Duration = Duration::from_secs(10);

/// How long a connection is silent before the kernel probes it. The host then has [`VANISHED`] to respond.
const KEEPALIVE: Duration = Duration::from_secs(5);
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(2);
const KEEPALIVE_RETRIES: u32 = 3;

/// Fits into the receive buffer of any host that has read what came before. Only this much is watched: beyond it, a
/// backend that is busy elsewhere leaves bytes unacknowledged here, and the kernel would take a full buffer for a
/// vanished host.
const WATCHED: usize = 16 * 1024;

/// A stream on top of a connection.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Unpin {
    /// The connection, if it is one over TCP.
    fn tcp(&self) -> Option<&TcpStream>;
}

impl Stream for TlsStream<TcpStream> {
    fn tcp(&self) -> Option<&TcpStream> {
        Some(self.get_ref().0)
    }
}

/// A connection to a backend.
pub(crate) struct Line<S> {
    stream: S,
    /// What was sent since the current request began.
    sent: usize,
    /// Whether requests share it. What the backend sends for one then shows that it reads what is sent for all.
    is_shared: bool,
    is_watched: bool,
}

impl<S: Stream> Line<S> {
    /// For one request at a time.
    pub(super) fn new(stream: S) -> Self {
        Self {
            stream,
            sent: 0,
            is_shared: false,
            is_watched: true,
        }
    }

    /// For many requests at once.
    pub(super) fn shared(stream: S) -> Self {
        Self {
            is_shared: true,
            ..Self::new(stream)
        }
    }

    pub(super) fn stream(&self) -> &S {
        &self.stream
    }

    /// The next request begins; everything sent before it has been read by the backend.
    pub(super) fn begin(&mut self) {
        self.sent = 0;
    }

    fn on_sent(&mut self, bytes: usize) {
        self.sent = self.sent.saturating_add(bytes);
        if self.is_watched != (self.sent <= WATCHED) {
            self.is_watched = !self.is_watched;
            if let Some(socket) = self.stream.tcp() {
                // An error means that the connection is closed, which its user will find out.
                let _ = watch(socket, self.is_watched);
            }
        }
    }
}

/// Sets the socket options of every backend connection over TCP.
pub(super) fn tune(socket: &TcpStream) -> io::Result<()> {
    let keepalive = TcpKeepalive::new()
        .with_time(KEEPALIVE)
        .with_interval(KEEPALIVE_INTERVAL)
        .with_retries(KEEPALIVE_RETRIES);
    socket.set_nodelay(true)?;
    SockRef::from(socket).set_tcp_keepalive(&keepalive)?;
    watch(socket, true)
}

/// Sets whether the kernel closes the connection if the host acknowledges nothing for [`VANISHED`].
#[cfg(target_os = "linux")]
fn watch(socket: &TcpStream, is_watched: bool) -> io::Result<()> {
    SockRef::from(socket).set_tcp_user_timeout(is_watched.then_some(VANISHED))
}

#[cfg(not(target_os = "linux"))]
fn watch(_socket: &TcpStream, _is_watched: bool) -> io::Result<()> {
    Ok(())
}

impl<S: Stream> AsyncRead for Line<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buf))?;
        if self.is_shared && buf.filled().len() > before {
            self.sent = 0;
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: Stream> AsyncWrite for Line<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let sent = ready!(Pin::new(&mut self.stream).poll_write(cx, bytes))?;
        self.on_sent(sent);
        Poll::Ready(Ok(sent))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let sent = ready!(Pin::new(&mut self.stream).poll_write_vectored(cx, parts))?;
        self.on_sent(sent);
        Poll::Ready(Ok(sent))
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;

    impl Stream for TcpStream {
        fn tcp(&self) -> Option<&TcpStream> {
            Some(self)
        }
    }

    async fn line() -> (Line<TcpStream>, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let socket = TcpStream::connect(listener.local_addr().unwrap()).await;
        let socket = socket.unwrap();
        tune(&socket).unwrap();
        (Line::new(socket), listener.accept().await.unwrap().0)
    }

    fn user_timeout(line: &Line<TcpStream>) -> Option<Duration> {
        let socket = SockRef::from(line.stream.tcp().unwrap());
        socket.tcp_user_timeout().unwrap()
    }

    #[tokio::test]
    async fn the_kernel_gives_up_on_a_silent_host_after_about_ten_seconds() {
        let (line, _backend) = line().await;
        let socket = SockRef::from(line.stream.tcp().unwrap());
        assert_eq!(user_timeout(&line), Some(VANISHED));
        assert!(socket.keepalive().unwrap());
        let patience = socket.tcp_keepalive_time().unwrap()
            + socket.tcp_keepalive_interval().unwrap() * socket.tcp_keepalive_retries().unwrap();
        assert!(patience <= Duration::from_secs(12), "{patience:?}");
    }

    #[tokio::test]
    async fn a_backend_slow_to_read_a_large_upload_is_not_given_up() {
        let (mut line, mut backend) = line().await;
        line.write_all(&[b'x'; WATCHED]).await.unwrap();
        assert_eq!(user_timeout(&line), Some(VANISHED));
        line.write_all(b"x").await.unwrap();
        assert_eq!(user_timeout(&line), None);
        // Even if a response arrives before the upload was read: only the next request resets the count.
        backend.write_all(b"x").await.unwrap();
        line.read_u8().await.unwrap();
        line.write_all(b"x").await.unwrap();
        assert_eq!(user_timeout(&line), None);
        line.begin();
        line.write_all(b"x").await.unwrap();
        assert_eq!(user_timeout(&line), Some(VANISHED));
    }

    #[tokio::test]
    async fn on_a_shared_connection_anything_received_resets_the_count() {
        let (line, mut backend) = line().await;
        let mut line = Line::shared(line.stream);
        line.write_all(&[b'x'; WATCHED + 1]).await.unwrap();
        assert_eq!(user_timeout(&line), None);
        backend.write_all(b"x").await.unwrap();
        line.read_u8().await.unwrap();
        line.write_all(b"x").await.unwrap();
        assert_eq!(user_timeout(&line), Some(VANISHED));
    }
}
