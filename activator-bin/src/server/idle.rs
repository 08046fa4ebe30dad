//! Idle HTTP/1 connections, which release their buffers.

use std::future::poll_fn;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::AsyncRead;

use super::http_io::HttpIo;
use super::timer::Timer;
use crate::client::Client;
use crate::client::leave::Leave;
use crate::drain::Draining;

/// How long a connection is idle before it rests; up to twice as long. Short enough that of many connections which ask
/// once a second, most have no buffers; long enough that looking costs busy ones nothing.
pub(super) const LOOK_INTERVAL: Duration = Duration::from_millis(100);

/// Notices when a connection has been idle for long. Checks periodically, so that requests cost nothing.
#[derive(Default)]
pub(super) struct IdleWatch(Timer);

impl IdleWatch {
    /// Ready when the connection, which is idle now, was already idle at the last check.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>, client: &Client) -> Poll<()> {
        while self.0.poll(cx, LOOK_INTERVAL).is_ready() {
            self.0.disarm();
            if !client.input.was_used.take() && client.output.is_quiet() {
                return Poll::Ready(());
            }
        }
        Poll::Pending
    }
}

/// Waits until a resting connection has something to do: bytes or its end. Returns a reason when it is time to close it.
///
/// Cancel-safe.
pub(super) async fn until_needed(
    wire: &mut HttpIo<impl AsyncRead + Unpin>,
    client: &Client,
    draining: &mut Draining,
) -> Option<Leave> {
    tokio::select! {
        biased;
        _ = poll_fn(|cx| wire.poll_more(cx)) => None,
        () = client.asked_to_leave() => Some(Leave::Asked),
        () = draining.moment_or_begun() => Some(Leave::Drain),
    }
}
