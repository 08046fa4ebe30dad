//! Informational answers of a backend (1xx) on their way to the client.

use std::convert::Infallible;
use std::future::pending;
use std::sync::Arc;

use http::header::EXPECT;
use http::{Request, StatusCode, Version};
use http_body::Body as _;
use parking_lot::Mutex;

use super::headers;
use crate::body::{Held, Relay};
use crate::server::client::Client;
use crate::timeouts::{Deadline, TimeoutLimits};
use crate::upload::{Upload, Wanted};

/// Has what a backend says to `request` before its final answer passed on to `client`.
///
/// HTTP/1.0 has no such answers, and to a client of HTTP/2 there is no way for them.
pub(super) fn relay(request: &mut Request<Upload>, client: &Arc<Client>, held: &mut Held) {
    if request.version() != Version::HTTP_11 {
        return;
    }
    let expects_continue = expects_continue(request);
    let want = Mutex::new(None);
    if expects_continue {
        let (wanted, answering) = request.body_mut().close_gate();
        *want.lock() = Some(wanted);
        held.announce_end(answering);
    }
    let client = Arc::downgrade(client);
    hyper::ext::on_informational(request, move |answer| {
        let Some(client) = client.upgrade() else {
            return;
        };
        client.informational.on_arrival();
        if answer.status() == StatusCode::CONTINUE && expects_continue {
            // Hyper passes it on when the body is asked for, and only once.
            if let Some(want) = want.lock().take() {
                let _ = want.send(Wanted);
            }
            return;
        }
        let mut headers = answer.headers().clone();
        headers::informational_to_client(&mut headers);
        client.informational.send(answer.status(), &headers);
    });
}

/// Notes informational answers to a request with these limits as signs of its answer, for ever.
///
/// Cancel-safe.
pub(super) async fn heed(
    client: &Client,
    limits: &TimeoutLimits,
    deadline: &Deadline<Box<Relay>>,
) -> Infallible {
    if limits.response_start.is_none() && limits.idle.is_none() {
        return pending().await;
    }
    loop {
        client.informational.arrival().await;
        deadline.on_start();
    }
}

/// Whether hyper will say 100 (Continue) to the client when the body is asked for.
fn expects_continue(request: &Request<Upload>) -> bool {
    let expectations = request.headers().get_all(EXPECT);
    let last = expectations.iter().next_back();
    last.is_some_and(|last| last.as_bytes().eq_ignore_ascii_case(b"100-continue"))
        && !request.body().is_end_stream()
}
