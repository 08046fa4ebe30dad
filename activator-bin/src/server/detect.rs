//! Detects a client's version of HTTP.

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use tokio::io::AsyncRead;

use super::end::{End, LAST_HEAD};
use super::http_io::HttpIo;
use super::protocol::ClientProtocol;
use super::timer::Timer;
use crate::client::Client;
use crate::client::leave::Leave;
use crate::drain::Draining;

/// Waits for the first bytes and detects the protocol. `head` starts when they do not arrive at once.
pub(super) async fn detect(
    wire: &mut HttpIo<impl AsyncRead + Unpin>,
    client: &Client,
    draining: &mut Draining,
    head: &mut Timer,
    head_timeout: Duration,
) -> Result<ClientProtocol, End> {
    let mut gone = pin!(client.gone());
    let drain = draining.clone();
    let mut moment = Box::pin(Leave::moment(client, drain.clone()));
    let mut no_more = pin!(async {
        draining.begun().await;
        Box::pin(tokio::time::sleep(LAST_HEAD)).await;
    });
    poll_fn(|cx| {
        if let Poll::Ready(protocol) = wire.poll_protocol(cx) {
            return Poll::Ready(Ok(protocol));
        }
        if gone.as_mut().poll(cx).is_ready() {
            return Poll::Ready(Err(End::ClientGone));
        }
        while let Poll::Ready(why) = moment.as_mut().poll(cx) {
            if client.leaves(why) {
                return Poll::Ready(Err(End::Closed(Ok(()))));
            }
            moment.set(Leave::moment(client, drain.clone()));
        }
        if no_more.as_mut().poll(cx).is_ready() {
            return Poll::Ready(Err(End::Closed(Ok(()))));
        }
        head.poll(cx, head_timeout).map(|()| Err(End::HeadTimeout))
    })
    .await
}
