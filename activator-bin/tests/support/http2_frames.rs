//! A backend that speaks HTTP/2 frame by frame, and sends what no library would.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::frame::{ACK, END_HEADERS, END_STREAM, Frame, HEADERS, PING, SETTINGS};
use super::http2::patiently;

pub(crate) struct RawBackend {
    pub(crate) address: SocketAddr,
    listener: TcpListener,
}

/// One of its connections.
pub(crate) struct Raw {
    socket: TcpStream,
    bytes: Vec<u8>,
    /// How many of its settings the other side has not acknowledged.
    unsettled: usize,
}

impl RawBackend {
    pub(crate) async fn bind() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        Self { address, listener }
    }

    /// Accepts a connection and allows it `most` concurrent streams.
    pub(crate) async fn accept(&self, most: u32) -> Raw {
        let (socket, _) = patiently(self.listener.accept()).await.unwrap();
        let mut raw = Raw {
            socket,
            bytes: Vec::new(),
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
    pub(crate) async fn send(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
        let frame = Frame {
            kind,
            flags,
            stream,
            payload: payload.to_vec(),
        };
        self.socket.write_all(&frame.bytes()).await.unwrap();
    }

    /// Allows `most` concurrent streams from now on.
    pub(crate) async fn allow(&mut self, most: u32) {
        let setting = [&[0, 3][..], &most.to_be_bytes()].concat();
        self.unsettled += 1;
        self.send(SETTINGS, 0, 0, &setting).await;
    }

    /// A response without a body.
    pub(crate) async fn respond(&mut self, stream: u32) {
        let status_200 = &[0x88];
        self.send(HEADERS, END_HEADERS | END_STREAM, stream, status_200)
            .await;
    }

    /// The next frame, or `None` at the end of the connection. Acknowledges settings and pings.
    pub(crate) async fn frame(&mut self) -> Option<Frame> {
        loop {
            let frame = self.any_frame().await?;
            match (frame.kind, frame.flags) {
                (SETTINGS, 0) => self.send(SETTINGS, ACK, 0, &[]).await,
                (PING, 0) => self.send(PING, ACK, 0, &frame.payload).await,
                (SETTINGS, _) => self.unsettled -= 1,
                (PING, _) => {}
                _ => return Some(frame),
            }
        }
    }

    async fn any_frame(&mut self) -> Option<Frame> {
        loop {
            if let Some(frame) = Frame::take(&mut self.bytes) {
                return Some(frame);
            }
            let read = patiently(self.socket.read_buf(&mut self.bytes)).await;
            read.ok().filter(|&read| read > 0)?;
        }
    }

    /// Waits until the other side has acknowledged all settings. Panics if a request comes first.
    pub(crate) async fn settle(&mut self) {
        while self.unsettled > 0 {
            let frame = self.any_frame().await.expect("the connection is open");
            match (frame.kind, frame.flags) {
                (SETTINGS, ACK) => self.unsettled -= 1,
                (HEADERS, _) => panic!("{frame:?}"),
                _ => {}
            }
        }
    }

    /// The next frame of this kind.
    pub(crate) async fn next(&mut self, kind: u8) -> Frame {
        loop {
            let frame = self.frame().await.expect("the connection is open");
            if frame.kind == kind {
                return frame;
            }
        }
    }
}
