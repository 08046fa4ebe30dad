//! A backend that speaks HTTP/2 frame by frame, and says what no library would.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::http2_peers::patiently;

pub(super) const DATA: u8 = 0;
pub(super) const HEADERS: u8 = 1;
pub(super) const RST_STREAM: u8 = 3;
pub(super) const SETTINGS: u8 = 4;
pub(super) const PING: u8 = 6;
pub(super) const GOAWAY: u8 = 7;

pub(super) const END_STREAM: u8 = 1;
pub(super) const END_HEADERS: u8 = 4;

pub(super) struct RawBackend {
    pub(super) address: SocketAddr,
    listener: TcpListener,
}

/// One of its connections.
pub(super) struct Raw {
    socket: TcpStream,
    /// How many of its settings the other side has not acknowledged.
    unsettled: usize,
}

#[derive(Debug)]
pub(super) struct Frame {
    pub(super) kind: u8,
    pub(super) stream: u32,
    pub(super) payload: Vec<u8>,
}

impl RawBackend {
    pub(super) async fn bind() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        Self { address, listener }
    }

    /// The next connection, to which so many requests are allowed.
    pub(super) async fn accept(&self, most: u32) -> Raw {
        let (socket, _) = patiently(self.listener.accept()).await.unwrap();
        let mut raw = Raw {
            socket,
            unsettled: 0,
        };
        patiently(raw.socket.read_exact(&mut [0; 24]))
            .await
            .unwrap();
        raw.allow(most).await;
        raw
    }
}

impl Raw {
    pub(super) async fn send(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
        let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
        let head = [&length[1..], &[kind, flags], &stream.to_be_bytes()].concat();
        self.socket
            .write_all(&[&head, payload].concat())
            .await
            .unwrap();
    }

    /// So many requests at once from now on.
    pub(super) async fn allow(&mut self, most: u32) {
        let setting = [&[0, 3][..], &most.to_be_bytes()].concat();
        self.unsettled += 1;
        self.send(SETTINGS, 0, 0, &setting).await;
    }

    /// A response without a body.
    pub(super) async fn respond(&mut self, stream: u32) {
        let status_200 = &[0x88];
        self.send(HEADERS, END_HEADERS | END_STREAM, stream, status_200)
            .await;
    }

    /// The next frame; none at the connection's end. Settings and pings are replied to.
    pub(super) async fn frame(&mut self) -> Option<Frame> {
        loop {
            let (frame, flags) = self.any_frame().await?;
            match (frame.kind, flags) {
                (SETTINGS, 0) => self.send(SETTINGS, 1, 0, &[]).await,
                (PING, 0) => self.send(PING, 1, 0, &frame.payload).await,
                (SETTINGS, _) => self.unsettled -= 1,
                (PING, _) => {}
                _ => return Some(frame),
            }
        }
    }

    async fn any_frame(&mut self) -> Option<(Frame, u8)> {
        let mut head = [0; 9];
        patiently(self.socket.read_exact(&mut head)).await.ok()?;
        let [l0, l1, l2, kind, flags, stream @ ..] = head;
        let mut payload = vec![0; u32::from_be_bytes([0, l0, l1, l2]) as usize];
        patiently(self.socket.read_exact(&mut payload)).await.ok()?;
        let frame = Frame {
            kind,
            stream: u32::from_be_bytes(stream),
            payload,
        };
        Some((frame, flags))
    }

    /// Waits until the other side goes by what it was allowed. No request comes meanwhile.
    pub(super) async fn settle(&mut self) {
        while self.unsettled > 0 {
            let (frame, flags) = self.any_frame().await.expect("the connection is open");
            match (frame.kind, flags) {
                (SETTINGS, 1) => self.unsettled -= 1,
                (HEADERS, _) => panic!("{frame:?}"),
                _ => {}
            }
        }
    }

    /// The next frame of this kind.
    pub(super) async fn next(&mut self, kind: u8) -> Frame {
        loop {
            let frame = self.frame().await.expect("the connection is open");
            if frame.kind == kind {
                return frame;
            }
        }
    }
}
