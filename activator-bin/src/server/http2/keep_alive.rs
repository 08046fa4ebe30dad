//! Signs of life of a client: one that is silent for long is pinged, and has to say something then.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use h2::server::Connection;
use h2::{Ping, PingPong};
use tokio::time::{Instant, Sleep, sleep};

use crate::client::Client;
use crate::limits::Limits;

/// Tells when a connection has been silent for too long.
pub(super) struct KeepAlive {
    pings: PingPong,
    /// Until the next look, so that what comes costs nothing.
    timer: Pin<Box<Sleep>>,
    interval: Duration,
    timeout: Duration,
    is_asked: bool,
}

impl KeepAlive {
    /// For once per connection.
    pub(super) fn new<I, B>(connection: &mut Connection<I, B>, limits: &Limits) -> Self
    where
        I: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
        B: bytes::Buf,
    {
        Self {
            pings: connection
                .ping_pong()
                .expect("the first one to ask for it gets it"),
            timer: Box::pin(sleep(limits.http2_ping_interval)),
            interval: limits.http2_ping_interval,
            timeout: limits.http2_ping_timeout,
            is_asked: false,
        }
    }

    /// Ready when the client has said nothing for too long although it was asked.
    pub(super) fn poll_silent(&mut self, cx: &mut Context<'_>, client: &Client) -> Poll<()> {
        loop {
            ready!(self.timer.as_mut().poll(cx));
            let pause = match client.input.was_heard.take() {
                true => {
                    self.is_asked = false;
                    self.interval
                }
                false if self.is_asked => return Poll::Ready(()),
                false => {
                    // An earlier one that nobody has answered will do. At its end a connection takes none.
                    let _ = self.pings.poll_pong(cx);
                    let _ = self.pings.send_ping(Ping::opaque());
                    self.is_asked = true;
                    self.timeout
                }
            };
            self.timer.as_mut().reset(Instant::now() + pause);
        }
    }
}
