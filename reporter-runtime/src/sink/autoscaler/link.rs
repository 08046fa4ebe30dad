//! One open WebSocket: frames out, pongs in, and the times that both may take.

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
    /// When the write under way began. One at a time: what waits for it waits in the outbox, merged.
    writing: Option<Instant>,
    write_timeout: Duration,
    pong_timeout: Duration,
}

/// What happened on the socket.
#[derive(Debug)]
pub(super) enum LinkEvent {
    /// All that was sent has left.
    Flushed,
    /// The peer has taken in the frame with that number and all before.
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

    /// Whether what was sent before has left, so that more may be sent.
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

    /// Waits for something to happen; writing never keeps it from reading, nor the other way round.
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
            // Reading on also sends the answers to the peer's own pings.
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
                    // The answer to it; the socket is gone either way.
                    let _ = Pin::new(&mut self.socket).poll_flush(cx)?;
                    return Poll::Ready(Err(LinkFailure::closed(frame.as_ref())));
                }
                _ => {}
            }
        }
    }

    /// When [`on_time`](Self::on_time) is to be called, unless something happens before.
    pub(super) fn deadline(&self) -> Instant {
        let written = self.writing.map(|since| since + self.write_timeout);
        match (self.pulse.next(), written) {
            (Beat::Pong(at), Some(written)) => at.min(written),
            (Beat::Pong(at) | Beat::Ping(at), None) => at,
            // What is being written stands for the ping.
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

    /// Says goodbye with code 1000 and waits for the answer until `deadline`.
    ///
    /// Not cancel-safe: the link is gone either way.
    pub(super) async fn close(mut self, deadline: Instant) {
        let goodbye = CloseFrame {
            code: CloseCode::Normal,
            reason: "".into(),
        };
        let sent = self.write(Message::Close(Some(goodbye)), Instant::now());
        let answered = async { while self.event().await.is_ok() {} };
        if sent.is_ok() {
            // Nothing is lost without an answer: everything was confirmed before.
            let _ = timeout_at(deadline, answered).await;
        }
    }
}

fn ping(sequence: u64) -> Message {
    Message::Ping(Bytes::copy_from_slice(&sequence.to_be_bytes()))
}
