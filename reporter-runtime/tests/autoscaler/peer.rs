//! A peer on loopback with a scripted behaviour per connection.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use prost::Message;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, sleep, timeout};

use crate::wire::{self, CLOSE, Frame, PONG, WireStatMessage, WireStatMessages};

/// What a peer does with a connection.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Behaviour {
    /// Takes frames in and answers pings.
    Good,
    /// The same, until it has taken in that many frames; then it closes with 1012.
    Restarts(usize),
    /// The same, but the connection is gone before that frame's ping is answered.
    BreaksBeforePong(usize),
    /// Speaks HTTP and nothing else.
    HttpOnly,
    /// A first line and headers without end.
    EndlessHeaders,
    /// Bytes that mean nothing.
    Garbage,
    GarbageAfterHandshake,
    /// A frame that claims 2^62 bytes, and begins to send them.
    HugeFrame,
    /// Fragments of a message without end.
    EndlessMessage,
    /// Takes the connection and says nothing.
    Silent,
    /// Reads everything and answers nothing.
    SilentAfterHandshake,
    /// Takes nothing in, and answers pings with numbers that were not asked for.
    WrongPongs,
    ClosesAtOnce,
    ClosesAfterHandshake,
    /// Closes with 1012 after every handshake.
    AlwaysRestarts,
}

#[derive(Clone)]
pub(crate) struct Peer {
    pub(crate) address: SocketAddr,
    seen: Arc<Mutex<Seen>>,
}

struct Seen {
    behaviour: Behaviour,
    connections: usize,
    messages: Vec<WireStatMessage>,
    /// The frames, as the number of messages in each.
    frames: Vec<usize>,
    closes: Vec<u16>,
}

impl Peer {
    pub(crate) async fn start(behaviour: Behaviour) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        Self::listen(listener, behaviour)
    }

    pub(crate) fn listen(listener: TcpListener, behaviour: Behaviour) -> Self {
        let peer = Self {
            address: listener.local_addr().unwrap(),
            seen: Arc::new(Mutex::new(Seen {
                behaviour,
                connections: 0,
                messages: Vec::new(),
                frames: Vec::new(),
                closes: Vec::new(),
            })),
        };
        let acceptor = peer.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let peer = acceptor.clone();
                peer.seen.lock().unwrap().connections += 1;
                tokio::spawn(async move { peer.serve(stream).await });
            }
        });
        peer
    }

    pub(crate) fn url(&self) -> String {
        format!("ws://{}", self.address)
    }

    /// Holds for connections from now on.
    pub(crate) fn turn(&self, behaviour: Behaviour) {
        self.seen.lock().unwrap().behaviour = behaviour;
    }

    fn behaviour(&self) -> Behaviour {
        self.seen.lock().unwrap().behaviour
    }

    pub(crate) fn connections(&self) -> usize {
        self.seen.lock().unwrap().connections
    }

    /// The close codes that clients sent.
    pub(crate) fn closes(&self) -> Vec<u16> {
        self.seen.lock().unwrap().closes.clone()
    }

    /// How many messages each frame held.
    pub(crate) fn frames(&self) -> Vec<usize> {
        self.seen.lock().unwrap().frames.clone()
    }

    /// Every message as `name average/count`, in order.
    pub(crate) fn messages(&self) -> Vec<String> {
        let seen = self.seen.lock().unwrap();
        let text = |message: &WireStatMessage| {
            let stat = message.stat.clone().unwrap();
            let (average, count) = (stat.average_concurrent_requests, stat.request_count);
            format!("{} {average}/{count}", message.name)
        };
        seen.messages.iter().map(text).collect()
    }

    pub(crate) fn stats(&self) -> Vec<wire::Stat> {
        let seen = self.seen.lock().unwrap();
        let stats = seen.messages.iter().map(|message| message.stat.clone());
        stats.map(Option::unwrap).collect()
    }

    /// The requests that it was told of, by name.
    pub(crate) fn sums(&self) -> BTreeMap<String, u64> {
        let seen = self.seen.lock().unwrap();
        let mut sums = BTreeMap::new();
        for message in &seen.messages {
            let count = message.stat.as_ref().unwrap().request_count;
            *sums.entry(message.name.clone()).or_default() += count as u64;
        }
        sums
    }

    async fn serve(&self, stream: TcpStream) {
        let mut stream = stream;
        match self.behaviour() {
            Behaviour::ClosesAtOnce => {}
            Behaviour::Silent => self.while_silent(&mut stream).await,
            Behaviour::Garbage => pour(&mut stream, &[0xa5; 1024]).await,
            Behaviour::HttpOnly => {
                let _ = stream.read(&mut [0; 1024]).await;
                let answer = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n";
                let _ = stream.write_all(answer).await;
            }
            Behaviour::EndlessHeaders => {
                let _ = stream.write_all(b"HTTP/1.1 101 Switching\r\n").await;
                pour(&mut stream, b"X-Header: and so on and on\r\n").await;
            }
            _ => self.serve_websocket(stream).await,
        }
    }

    pub(crate) async fn serve_websocket<S: AsyncRead + AsyncWrite + Unpin>(&self, stream: S) {
        let Ok(socket) = tokio_tungstenite::accept_async(stream).await else {
            return;
        };
        // A client says nothing before it has the answer, so no byte is left in the socket's buffer.
        let mut stream = socket.into_inner();
        match self.behaviour() {
            Behaviour::ClosesAfterHandshake => {}
            Behaviour::AlwaysRestarts => {
                wire::write(&mut stream, CLOSE, &1012u16.to_be_bytes()).await;
                while wire::read(&mut stream).await.is_some() {}
            }
            Behaviour::GarbageAfterHandshake => pour(&mut stream, &[0x5a; 1024]).await,
            Behaviour::HugeFrame => {
                let _ = stream.write_all(&[0x82, 127]).await;
                let _ = stream.write_u64(1 << 62).await;
                pour(&mut stream, &[0; 1024]).await;
            }
            Behaviour::EndlessMessage => {
                let _ = stream.write_all(&[0x02, 1, 0]).await;
                pour(&mut stream, &[0x00, 1, 0]).await;
            }
            Behaviour::SilentAfterHandshake => self.while_silent(&mut stream).await,
            _ => self.take_frames(&mut stream).await,
        }
    }

    async fn while_silent<S: AsyncRead + Unpin>(&self, stream: &mut S) {
        while !matches!(stream.read(&mut [0; 1024]).await, Ok(0) | Err(_)) {}
    }

    async fn take_frames<S: AsyncRead + AsyncWrite + Unpin>(&self, stream: &mut S) {
        let behaviour = self.behaviour();
        let mut frames = 0;
        while let Some(frame) = wire::read(stream).await {
            match frame {
                Frame::Binary(_) if behaviour == Behaviour::WrongPongs => {}
                Frame::Binary(payload) => {
                    frames += 1;
                    if behaviour == Behaviour::BreaksBeforePong(frames) {
                        self.turn(Behaviour::Good);
                        return;
                    }
                    self.take(&payload);
                    if behaviour == Behaviour::Restarts(frames) {
                        self.turn(Behaviour::Good);
                        wire::write(stream, CLOSE, &1012u16.to_be_bytes()).await;
                    }
                }
                Frame::Ping(mut payload) => {
                    if behaviour == Behaviour::WrongPongs {
                        payload[0] ^= 0xff;
                        wire::write(stream, PONG, b"hello").await;
                        wire::write(stream, PONG, b"").await;
                    }
                    wire::write(stream, PONG, &payload).await;
                }
                Frame::Close(code) => {
                    self.seen.lock().unwrap().closes.push(code);
                    wire::write(stream, CLOSE, &code.to_be_bytes()).await;
                    return;
                }
                Frame::Pong(_) => {}
            }
        }
    }

    fn take(&self, payload: &[u8]) {
        let frame = WireStatMessages::decode(payload).unwrap();
        let mut seen = self.seen.lock().unwrap();
        seen.frames.push(frame.messages.len());
        seen.messages.extend(frame.messages);
    }
}

/// Sends the same bytes until the client has gone.
async fn pour<S: AsyncWrite + Unpin>(stream: &mut S, bytes: &[u8]) {
    while stream.write_all(bytes).await.is_ok() {}
}

/// Waits until `condition` holds. The limit is far beyond what any machine needs: what is waited
/// for has no other signal, because it happens on the other side of a socket.
pub(crate) async fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let wait = async {
        while !condition() {
            sleep(Duration::from_millis(2)).await;
        }
    };
    let start = Instant::now();
    if timeout(Duration::from_secs(30), wait).await.is_err() {
        panic!("not {what} within {:?}", start.elapsed());
    }
}
