//! Pings a client that is silent for long, and gives up if it stays silent.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use h2::server::Connection;
use h2::{Ping, PingPong};
use tokio::time::{Instant, Sleep, sleep};

use crate::client::Client;
use crate::limits::Limits;

/// Notices when a connection has been silent for too long.
pub(super) struct KeepAlive {
    pings: PingPong,
    /// Until the next check. Input does not reset it, so that input costs nothing.
    timer: Pin<Box<Sleep>>,
    interval: Duration,
    timeout: Duration,
    is_pinged: bool,
}

impl KeepAlive {
    /// May be called once per connection.
    pub(super) fn new<I, B>(connection: &mut Connection<I, B>, limits: &Limits) -> Self
    where
        I: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
        B: bytes::Buf,
    {
        Self {
            pings: connection
                .ping_pong()
                .expect("it has not been taken before"),
            timer: Box::pin(sleep(limits.http2_ping_interval)),
            interval: limits.http2_ping_interval,
            timeout: limits.http2_ping_timeout,
            is_pinged: false,
        }
    }

    /// Ready when the client has sent nothing for too long after a ping.
    pub(super) fn poll_silent(&mut self, cx: &mut Context<'_>, client: &Client) -> Poll<()> {
        loop {
            ready!(self.timer.as_mut().poll(cx));
            let pause = if client.input.was_heard.take() {
                self.is_pinged = false;
                self.interval
            } else if self.is_pinged {
                return Poll::Ready(());
            } else {
                // Fails if an earlier ping is unanswered, which serves as well, or if the connection is closing.
                let _ = self.pings.poll_pong(cx);
                let _ = self.pings.send_ping(Ping::opaque());
                self.is_pinged = true;
                self.timeout
            };
            self.timer.as_mut().reset(Instant::now() + pause);
        }
    }
}
