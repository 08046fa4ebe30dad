//! Informational answers of a backend (1xx) on their way to the client.

use std::convert::Infallible;
use std::future::pending;
use std::sync::Arc;

use http::header::EXPECT;
use http::{Request, StatusCode, Version};
use http_body::Body as _;
use parking_lot::Mutex;
use tokio::sync::oneshot;

use super::relay::Relay;
use crate::client::Client;
use crate::message::hop_by_hop::informational_to_client;
use crate::message::interim::{Interim, Wanted};
use crate::message::request_body::{AnswerOver, RequestBody};
use crate::timeouts::{Deadline, TimeoutLimits};

/// Has what a backend says to `request` before its final answer passed on to `client`.
///
/// HTTP/1.0 has no such answers. Where the client waits to be told to send the body, what is returned is to be kept
/// until the answer is over.
pub(super) fn relay(
    request: &mut Request<RequestBody>,
    client: &Client,
) -> Option<oneshot::Sender<AnswerOver>> {
    let interim = request.body().interim().cloned();
    if interim.is_none() && request.version() != Version::HTTP_11 {
        return None;
    }
    let gate = expects_continue(request).then(|| request.body_mut().close_gate());
    let (want, over) = gate.unzip();
    match (interim, want) {
        (Some(interim), Some(want)) => interim.expect(want),
        (Some(_), None) => {}
        (None, want) => relay_http1(request, client, want),
    }
    over
}

/// As [`relay`] does it, for a copy without a body of a request that it was called with.
pub(super) fn relay_again(copy: &mut Request<RequestBody>, client: &Client) {
    if copy.body().interim().is_none() && copy.version() == Version::HTTP_11 {
        relay_http1(copy, client, None);
    }
}

fn relay_http1(
    request: &mut Request<RequestBody>,
    client: &Client,
    want: Option<oneshot::Sender<Wanted>>,
) {
    let expects_continue = want.is_some();
    let want = Mutex::new(want);
    let to = Arc::clone(&client.informational);
    hyper::ext::on_informational(request, move |answer| {
        to.on_arrival();
        if answer.status() == StatusCode::CONTINUE && expects_continue {
            // Hyper passes it on when the body is asked for, and only once.
            if let Some(want) = want.lock().take() {
                let _ = want.send(Wanted);
            }
            return;
        }
        let mut headers = answer.headers().clone();
        informational_to_client(&mut headers);
        to.send(answer.status(), &headers);
    });
}

/// Notes informational answers to a request with these limits as signs of its answer, for ever.
///
/// Cancel-safe.
pub(super) async fn heed(
    client: &Client,
    interim: Option<Arc<Interim>>,
    limits: &TimeoutLimits,
    deadline: &Deadline<Box<Relay>>,
) -> Infallible {
    if limits.response_start.is_none() && limits.idle.is_none() {
        return pending().await;
    }
    loop {
        match &interim {
            Some(interim) => interim.arrival().await,
            None => client.informational.arrival().await,
        }
        deadline.on_start();
    }
}

/// Whether the client will be told 100 (Continue) when the body is asked for: over HTTP/1 by hyper.
fn expects_continue(request: &Request<RequestBody>) -> bool {
    let expectations = request.headers().get_all(EXPECT);
    let last = expectations.iter().next_back();
    last.is_some_and(|last| last.as_bytes().eq_ignore_ascii_case(b"100-continue"))
        && !request.body().is_end_stream()
}
