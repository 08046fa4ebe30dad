//! One end of an HTTP/1 connection: sends exactly the given bytes, and parses messages for both sides.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::activator::PATIENCE;

/// A peer that has read nothing for this long has stopped reading.
const STUCK: Duration = Duration::from_millis(300);

/// The headers that select `default/hello`.
pub(crate) const HELLO: &str =
    "Host: proxy\r\nKnative-Serving-Namespace: default\r\nKnative-Serving-Revision: hello\r\n";

pub(crate) const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
/// The last response on a connection.
pub(crate) const LAST: &str = "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok";

/// A GET request.
pub(crate) fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\n{HELLO}\r\n")
}

/// A GET request with further header lines.
pub(crate) fn get_with(headers: &str) -> String {
    format!("GET / HTTP/1.1\r\n{HELLO}{headers}\r\n")
}

/// One end of a connection.
pub(crate) struct Client<S = TcpStream> {
    pub(crate) socket: S,
    buffer: Vec<u8>,
}

/// A message's head, and its body when it was read.
#[derive(Debug, Default)]
pub(crate) struct Message {
    pub(crate) first_line: String,
    /// In their order, names in lower case.
    pub(crate) headers: Vec<String>,
    pub(crate) body: String,
}

impl Message {
    /// The value of a header. Panics if it occurs twice.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut values = self.headers.iter().filter_map(|line| {
            let (found, value) = line.split_once(": ")?;
            (found == name).then_some(value)
        });
        let value = values.next();
        assert!(values.next().is_none(), "{name} comes twice in {self:?}");
        value
    }

    pub(crate) fn status(&self) -> u16 {
        let status = self.first_line.split(' ').nth(1);
        status.and_then(|status| status.parse().ok()).unwrap()
    }
}

impl Client {
    pub(crate) async fn connect(address: SocketAddr) -> Self {
        Self::new(TcpStream::connect(address).await.unwrap())
    }

    /// Whether the peer has closed. Does not wait.
    pub(crate) fn is_closed(&mut self) -> bool {
        !matches!(self.socket.try_read_buf(&mut self.buffer), Err(error) if error.kind() == io::ErrorKind::WouldBlock)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Client<S> {
    pub(crate) fn new(socket: S) -> Self {
        Self {
            socket,
            buffer: Vec::new(),
        }
    }

    pub(crate) async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        let sent = timeout(PATIENCE, self.socket.write_all(bytes.as_ref())).await;
        sent.expect("the peer reads").unwrap();
    }

    /// Writes until every buffer on the way is full; returns how many bytes were taken.
    pub(crate) async fn fill_buffers(&mut self) -> usize {
        let chunk = vec![b'x'; 1 << 16];
        let mut written = 0;
        while let Ok(more) = timeout(STUCK, self.socket.write(&chunk)).await {
            written += more.unwrap();
            assert!(written < 64 << 20, "any amount is taken");
        }
        written
    }

    /// Sends a request with `head` (its lines, without the empty one) and reads the response.
    pub(crate) async fn ask(&mut self, head: &str) -> Message {
        self.send(format!("{head}\r\n")).await;
        self.message().await
    }

    /// Sends a GET request and reads the response.
    pub(crate) async fn get(&mut self, path: &str) -> Message {
        self.send(get(path)).await;
        self.message().await
    }

    /// Reads one message: its head, and a body of the announced length.
    pub(crate) async fn message(&mut self) -> Message {
        let mut message = self.head().await;
        if let Some(length) = message.header("content-length") {
            let length = length.parse().unwrap();
            message.body = String::from_utf8(self.bytes(length).await).unwrap();
        } else if message.header("transfer-encoding") == Some("chunked") {
            message.body = self.chunks().await;
        }
        message
    }

    /// Reads a head only.
    pub(crate) async fn head(&mut self) -> Message {
        let head = self.until(b"\r\n\r\n").await;
        let text = String::from_utf8(head).unwrap();
        let mut lines = text.trim_end().split("\r\n");
        Message {
            first_line: lines.next().unwrap().into(),
            headers: lines
                .map(|line| match line.split_once(':') {
                    Some((name, value)) => format!("{}:{value}", name.to_lowercase()),
                    None => line.into(),
                })
                .collect(),
            body: String::new(),
        }
    }

    /// Reads a chunked body; the trailers, if any, stay at its end.
    async fn chunks(&mut self) -> String {
        let mut body = Vec::new();
        loop {
            let size = String::from_utf8(self.until(b"\r\n").await).unwrap();
            let size = usize::from_str_radix(size.trim_end(), 16).unwrap();
            if size == 0 {
                break;
            }
            body.extend(self.bytes(size).await);
            assert_eq!(self.bytes(2).await, b"\r\n");
        }
        loop {
            let line = self.until(b"\r\n").await;
            if line == b"\r\n" {
                return String::from_utf8(body).unwrap();
            }
            body.extend(line);
        }
    }

    /// Reads up to and including `end`.
    pub(crate) async fn until(&mut self, end: &[u8]) -> Vec<u8> {
        loop {
            let found = self.buffer.windows(end.len()).position(|part| part == end);
            if let Some(found) = found {
                return self.buffer.drain(..found + end.len()).collect();
            }
            let read = self.fill().await.unwrap();
            assert!(read > 0, "the peer closed after {:?}", self.text());
        }
    }

    /// Reads exactly `count` bytes.
    pub(crate) async fn bytes(&mut self, count: usize) -> Vec<u8> {
        while self.buffer.len() < count {
            let read = self.fill().await.unwrap();
            assert!(read > 0, "the peer closed after {:?}", self.text());
        }
        self.buffer.drain(..count).collect()
    }

    /// Waits for more to read, or for the peer to close; true when it closed.
    pub(crate) async fn is_over(&mut self) -> bool {
        self.buffer.is_empty() && !matches!(self.fill().await, Ok(1..))
    }

    /// Reads until the peer closes; returns what came, and how it ended.
    pub(crate) async fn rest(&mut self) -> (String, io::Result<()>) {
        loop {
            match self.fill().await {
                Ok(0) => return (self.text(), Ok(())),
                Ok(_) => {}
                Err(error) => return (self.text(), Err(error)),
            }
        }
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.buffer).into()
    }

    async fn fill(&mut self) -> io::Result<usize> {
        let read = timeout(PATIENCE, self.socket.read_buf(&mut self.buffer)).await;
        read.expect("the peer says something or closes")
    }
}
