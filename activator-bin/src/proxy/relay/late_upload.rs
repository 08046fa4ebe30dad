//! Requests whose response is complete while the upload continues: they end with the upload.

use std::future::poll_fn;

use super::Relay;
use crate::timeouts::Deadline;

/// Sends the rest of the upload to the backend and keeps what the request holds until then. If a timeout fires, the
/// client disconnects or the upload fails, the rest is no longer read, which ends the client's connection (over
/// HTTP/2 its stream).
pub(super) fn finish(mut relay: Box<Relay>, deadline: Deadline<Box<Relay>>) {
    let gone = relay.held.on_response_end();
    tokio::task::spawn_local(async move {
        tokio::select! {
            biased;
            () = poll_fn(|cx| relay.lease.poll_uploaded(cx)) => relay.lease.give_back(),
            // While the backend reads nothing, the body is not polled and cannot report a disconnect.
            () = gone => {}
            kind = deadline.until_met() => relay.held.fail(kind.into()),
        }
    });
}
