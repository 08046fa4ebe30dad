//! Requests whose response is complete while their upload goes on: they are over when that is, too.

use std::future::poll_fn;

use super::Relay;
use crate::timeouts::Deadline;

/// Lets the rest of the upload be sent to the backend, which holds all that the request holds until then.
/// When a time-out is met first, the client disconnects or the upload cannot go on, the rest of it is not read any more: that ends
/// the client's connection, over HTTP/2 its stream.
pub(super) fn go_on(mut relay: Box<Relay>, deadline: Deadline<Box<Relay>>) {
    let gone = relay.held.on_response_end();
    tokio::task::spawn_local(async move {
        tokio::select! {
            biased;
            () = poll_fn(|cx| relay.lease.poll_uploaded(cx)) => relay.lease.give_back(),
            // While the backend takes nothing, nothing is read of the body that could tell.
            () = gone => {}
            kind = deadline.until_met() => relay.held.fail(kind.into()),
        }
    });
}
