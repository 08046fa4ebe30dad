//! The receiver's half of the wire: its own reading of the schema, and raw WebSocket frames.

use prost::Message;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

#[derive(Message)]
pub(crate) struct WireStatMessages {
    #[prost(message, repeated, tag = "1")]
    pub(crate) messages: Vec<WireStatMessage>,
}

#[derive(Message)]
pub(crate) struct WireStatMessage {
    #[prost(string, tag = "1")]
    pub(crate) namespace: String,
    #[prost(string, tag = "2")]
    pub(crate) name: String,
    #[prost(message, optional, tag = "3")]
    pub(crate) stat: Option<Stat>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Stat {
    #[prost(string, tag = "1")]
    pub(crate) pod_name: String,
    #[prost(double, tag = "2")]
    pub(crate) average_concurrent_requests: f64,
    #[prost(double, tag = "3")]
    pub(crate) average_proxied_concurrent_requests: f64,
    #[prost(double, tag = "4")]
    pub(crate) request_count: f64,
    #[prost(double, tag = "5")]
    pub(crate) proxied_request_count: f64,
    #[prost(double, tag = "6")]
    pub(crate) process_uptime: f64,
    #[prost(int64, tag = "7")]
    pub(crate) timestamp: i64,
}

/// What a client can send.
#[derive(Debug, PartialEq)]
pub(crate) enum Frame {
    Binary(Vec<u8>),
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    /// With its code.
    Close(u16),
}

pub(crate) const BINARY: u8 = 0x82;
pub(crate) const CLOSE: u8 = 0x88;
pub(crate) const PING: u8 = 0x89;
pub(crate) const PONG: u8 = 0x8a;

/// Reads one frame as a server does; none at the end of the connection.
pub(crate) async fn read<S: AsyncRead + Unpin>(stream: &mut S) -> Option<Frame> {
    let opcode = stream.read_u8().await.ok()?;
    let length = match stream.read_u8().await.ok()? {
        length if length & 0x80 == 0 => panic!("a client's frame is masked"),
        0xfe => usize::from(stream.read_u16().await.ok()?),
        0xff => usize::try_from(stream.read_u64().await.ok()?).unwrap(),
        length => usize::from(length & 0x7f),
    };
    let mut mask = [0; 4];
    stream.read_exact(&mut mask).await.ok()?;
    let mut payload = vec![0; length];
    stream.read_exact(&mut payload).await.ok()?;
    for (byte, mask) in payload.iter_mut().zip(mask.iter().cycle()) {
        *byte ^= mask;
    }
    Some(match opcode {
        BINARY => Frame::Binary(payload),
        PING => Frame::Ping(payload),
        PONG => Frame::Pong(payload),
        CLOSE => Frame::Close(u16::from_be_bytes(payload[..2].try_into().unwrap())),
        other => panic!("no client sends {other:#x}"),
    })
}

/// Writes one short frame as a server does; false when the client has gone.
pub(crate) async fn write<S: AsyncWrite + Unpin>(
    stream: &mut S,
    opcode: u8,
    payload: &[u8],
) -> bool {
    let mut frame = vec![opcode, u8::try_from(payload.len()).unwrap()];
    assert!(payload.len() < 126);
    frame.extend(payload);
    stream.write_all(&frame).await.is_ok()
}
