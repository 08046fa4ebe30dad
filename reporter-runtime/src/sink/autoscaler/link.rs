//! One open WebSocket: frames out, pongs in, and the timeouts of both.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures_util::{Sink, Stream};
use tokio::time::{Instant, timeout_at};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

use super::connect::Socket;
use super::pulse::{Beat, Confirmed, Pulse};
use super::{AutoscalerConfig, LinkFailure};

/// Owned by one task, so that frames keep their order.
pub(super) struct Link {
    socket: Socket,
    pulse: Pulse,
    /// When the current write began. There is one at a time: the rest waits in the outbox, merged.
    writing: Option<Instant>,
    write_timeout: Duration,
    pong_timeout: Duration,
}

/// What happened on the socket.
#[derive(Debug)]
pub(super) enum LinkEvent {
    /// All that was sent is written to the socket.
    Flushed,
    /// The peer has processed the frame with that number and all before.
    Pong(u64, Confirmed),
}

impl Link {
    pub(super) fn new(socket: Socket, config: &AutoscalerConfig) -> Self {
        let now = Instant::now();
        Self {
            socket,
            pulse: Pulse::new(config.ping_interval, config.pong_timeout, now),
            writing: None,
            write_timeout: config.write_timeout,
            pong_timeout: config.pong_timeout,
        }
    }

    /// Whether the last write is complete, so that more may be sent.
    pub(super) fn is_ready(&self) -> bool {
        self.writing.is_none()
    }

    /// Sends a frame, and the ping whose pong will confirm it. Only when the link is ready.
    pub(super) fn send(&mut self, sequence: u64, payload: Bytes) -> Result<(), LinkFailure> {
        let now = Instant::now();
        self.write(Message::Binary(payload), now)?;
        self.write(ping(sequence), now)?;
        self.pulse.on_frame(sequence, now);
        Ok(())
    }

    /// Sends a ping that follows no frame. Only when the link is ready.
    pub(super) fn keep_alive(&mut self) -> Result<(), LinkFailure> {
        let now = Instant::now();
        self.write(ping(self.pulse.last_sequence()), now)?;
        self.pulse.on_keep_alive(now);
        Ok(())
    }

    fn write(&mut self, message: Message, now: Instant) -> Result<(), LinkFailure> {
        self.writing = Some(now);
        Ok(Pin::new(&mut self.socket).start_send(message)?)
    }

    /// Waits for an event. Reading and writing never block each other.
    ///
    /// Cancel-safe.
    pub(super) async fn event(&mut self) -> Result<LinkEvent, LinkFailure> {
        poll_fn(|cx| self.poll_event(cx)).await
    }

    fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<Result<LinkEvent, LinkFailure>> {
        if self.writing.is_some() && Pin::new(&mut self.socket).poll_flush(cx)?.is_ready() {
            self.writing = None;
            return Poll::Ready(Ok(LinkEvent::Flushed));
        }
        loop {
            // Reading also sends the pongs to the peer's own pings.
            let message = match std::task::ready!(Pin::new(&mut self.socket).poll_next(cx)?) {
                None => return Poll::Ready(Err(LinkFailure::closed(None))),
                Some(message) => message,
            };
            match message {
                Message::Pong(payload) => {
                    if let Ok(number) = payload.as_ref().try_into() {
                        let sequence = u64::from_be_bytes(number);
                        if let Some(frames) = self.pulse.on_pong(sequence, Instant::now()) {
                            return Poll::Ready(Ok(LinkEvent::Pong(sequence, frames)));
                        }
                    }
                }
                Message::Close(frame) => {
                    // Sends the close frame; the link is over either way.
                    let _ = Pin::new(&mut self.socket).poll_flush(cx)?;
                    return Poll::Ready(Err(LinkFailure::closed(frame.as_ref())));
                }
                _ => {}
            }
        }
    }

    /// When [`on_time`](Self::on_time) is to be called, unless there is an event before.
    pub(super) fn deadline(&self) -> Instant {
        let written = self.writing.map(|since| since + self.write_timeout);
        match (self.pulse.next(), written) {
            (Beat::Pong(at), Some(written)) => at.min(written),
            (Beat::Pong(at) | Beat::Ping(at), None) => at,
            // No ping is needed during a write.
            (Beat::Ping(_), Some(written)) => written,
        }
    }

    /// Sends the ping that is due, or finds that the link is dead.
    pub(super) fn on_time(&mut self) -> Result<(), LinkFailure> {
        let now = Instant::now();
        if self
            .writing
            .is_some_and(|since| now >= since + self.write_timeout)
        {
            let limit = self.write_timeout;
            return Err(LinkFailure::Stalled { limit });
        }
        match self.pulse.next() {
            Beat::Pong(at) if now >= at => {
                let limit = self.pong_timeout;
                Err(LinkFailure::Silent { limit })
            }
            Beat::Ping(at) if now >= at && self.is_ready() => self.keep_alive(),
            _ => Ok(()),
        }
    }

    /// Closes the link with code 1000 and waits for the peer's close frame until `deadline`.
    ///
    /// Not cancel-safe: the link is over either way.
    pub(super) async fn close(mut self, deadline: Instant) {
        let close = CloseFrame {
            code: CloseCode::Normal,
            reason: "".into(),
        };
        let sent = self.write(Message::Close(Some(close)), Instant::now());
        let closed = async { while self.event().await.is_ok() {} };
        if sent.is_ok() {
            // Without it nothing is lost: everything was confirmed before.
            let _ = timeout_at(deadline, closed).await;
        }
    }
}

fn ping(sequence: u64) -> Message {
    Message::Ping(Bytes::copy_from_slice(&sequence.to_be_bytes()))
}
