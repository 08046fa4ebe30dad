//! A connection to a backend below HTTP: whether the backend has sent anything, and when the kernel gives up on it.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use parking_lot::Mutex;
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
    traffic: Arc<Traffic>,
    /// Whether requests share it. What the backend sends for one then shows that it reads what is sent for all.
    is_shared: bool,
    is_watched: bool,
}

/// What was transferred since the current request began. Used by a single thread; hyper requires `Send`, hence the
/// atomics.
#[derive(Default)]
pub(super) struct Traffic {
    has_response: AtomicBool,
    sent: AtomicUsize,
    is_recorded: AtomicBool,
    /// Everything sent before the first byte was received.
    record: Mutex<Vec<u8>>,
}

/// The most capacity that the record keeps between requests.
const RECORD: usize = 2 * 1024;

impl Traffic {
    /// The next request begins; everything sent before it has been read by the backend. `is_recorded` records what is
    /// sent, until the first byte is received. Only for requests without a body.
    pub(super) fn begin(&self, is_recorded: bool) {
        if self.is_recorded.load(Ordering::Relaxed) {
            let mut record = self.record.lock();
            record.clear();
            record.shrink_to(RECORD);
        }
        self.is_recorded.store(is_recorded, Ordering::Relaxed);
        self.has_response.store(false, Ordering::Relaxed);
        self.sent.store(0, Ordering::Relaxed);
    }

    /// Calls `read` with what was recorded.
    pub(super) fn recorded<T>(&self, read: impl FnOnce(&[u8]) -> T) -> T {
        read(&self.record.lock())
    }

    /// Whether a byte was received since the request began.
    pub(super) fn has_response(&self) -> bool {
        self.has_response.load(Ordering::Relaxed)
    }
}

impl<S: Stream> Line<S> {
    /// For one request at a time.
    pub(super) fn new(stream: S) -> Self {
        Self {
            stream,
            traffic: Arc::default(),
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

    pub(super) fn tcp(&self) -> Option<&TcpStream> {
        self.stream.tcp()
    }

    pub(super) fn traffic(&self) -> Arc<Traffic> {
        Arc::clone(&self.traffic)
    }

    fn on_sent<'a>(&mut self, parts: impl IntoIterator<Item = &'a [u8]>, bytes: usize) {
        let sent = self.traffic.sent.load(Ordering::Relaxed);
        if self.traffic.is_recorded.load(Ordering::Relaxed) && !self.traffic.has_response() {
            let mut record = self.traffic.record.lock();
            let mut left = bytes;
            for part in parts {
                let part = &part[..part.len().min(left)];
                record.extend_from_slice(part);
                left -= part.len();
            }
        }
        let sent = sent.saturating_add(bytes);
        self.traffic.sent.store(sent, Ordering::Relaxed);
        if self.is_watched != (sent <= WATCHED) {
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
        if buf.filled().len() > before {
            self.traffic.has_response.store(true, Ordering::Relaxed);
            if self.is_shared {
                self.traffic.sent.store(0, Ordering::Relaxed);
            }
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
        self.on_sent([bytes], sent);
        Poll::Ready(Ok(sent))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let sent = ready!(Pin::new(&mut self.stream).poll_write_vectored(cx, parts))?;
        self.on_sent(parts.iter().map(|part| &**part), sent);
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
        let socket = SockRef::from(line.tcp().unwrap());
        socket.tcp_user_timeout().unwrap()
    }

    #[tokio::test]
    async fn the_kernel_gives_up_on_a_silent_host_after_about_ten_seconds() {
        let (line, _backend) = line().await;
        let socket = SockRef::from(line.tcp().unwrap());
        assert_eq!(user_timeout(&line), Some(VANISHED));
        assert!(socket.keepalive().unwrap());
        let patience = socket.tcp_keepalive_time().unwrap()
            + socket.tcp_keepalive_interval().unwrap() * socket.tcp_keepalive_retries().unwrap();
        assert!(patience <= Duration::from_secs(12), "{patience:?}");
    }

    #[tokio::test]
    async fn a_backend_slow_to_read_a_large_upload_is_not_given_up() {
        let (mut line, mut backend) = line().await;
        let traffic = line.traffic();
        line.write_all(&[b'x'; WATCHED]).await.unwrap();
        assert_eq!(user_timeout(&line), Some(VANISHED));
        line.write_all(b"x").await.unwrap();
        assert_eq!(user_timeout(&line), None);
        // Even if a response arrives before the upload was read: only the next request resets the count.
        backend.write_all(b"x").await.unwrap();
        line.read_u8().await.unwrap();
        line.write_all(b"x").await.unwrap();
        assert_eq!(user_timeout(&line), None);
        traffic.begin(false);
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

    #[tokio::test]
    async fn a_request_is_recorded_on_demand_until_a_response_begins() {
        let (mut line, mut backend) = line().await;
        let traffic = line.traffic();
        let record = || traffic.recorded(|bytes| bytes.to_vec());
        for (is_recorded, first, expected) in [
            (true, "abc", "abcmore"),
            (false, "d", ""),
            (true, "e", "emore"),
        ] {
            traffic.begin(is_recorded);
            line.write_all(first.as_bytes()).await.unwrap();
            line.write_all(b"more").await.unwrap();
            assert_eq!(record(), expected.as_bytes());
        }
        traffic.begin(true);
        let parts = [IoSlice::new(b"ab"), IoSlice::new(b"cd")];
        assert_eq!(line.write_vectored(&parts).await.unwrap(), 4);
        assert_eq!(record(), b"abcd");
        backend.write_all(b"x").await.unwrap();
        line.read_u8().await.unwrap();
        line.write_all(b"e").await.unwrap();
        assert_eq!(record(), b"abcd");
    }

    #[tokio::test]
    async fn a_byte_of_a_response_is_noticed_and_an_end_does_not_count() {
        let (mut line, mut backend) = line().await;
        let traffic = line.traffic();
        traffic.begin(false);
        backend.write_all(b"x").await.unwrap();
        line.read_u8().await.unwrap();
        assert!(traffic.has_response());
        traffic.begin(false);
        drop(backend);
        assert!(line.read_u8().await.is_err());
        assert!(!traffic.has_response());
    }
}
