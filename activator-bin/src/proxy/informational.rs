//! Relays informational responses (1xx) of a backend to the client.

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
use crate::message::interim::{Interim, OnInterim, Wanted};
use crate::message::request_body::{RequestBody, ResponseOver};
use crate::timeouts::{Deadline, TimeoutLimits};

/// Relays the informational responses to `request` to `client`.
///
/// HTTP/1.0 has none. If the client expects 100 (Continue), keep the returned sender until the response is over.
pub(super) fn relay(
    request: &mut Request<RequestBody>,
    client: &Client,
) -> Option<oneshot::Sender<ResponseOver>> {
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

/// Like [`relay`], for a copy without a body of a request that was passed to it.
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
    let on_interim = OnInterim::new(move |response| {
        to.on_arrival();
        if response.status() == StatusCode::CONTINUE && expects_continue {
            // Hyper sends it when the body is first polled, and only once.
            if let Some(want) = want.lock().take() {
                let _ = want.send(Wanted);
            }
            return;
        }
        let mut headers = response.headers().clone();
        informational_to_client(&mut headers);
        to.send(response.status(), &headers);
    });
    request.extensions_mut().insert(on_interim);
}

/// Counts informational responses as activity of the response, for as long as it is polled.
///
/// Cancel-safe.
pub(super) async fn note_activity(
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

/// Whether the client will get 100 (Continue) when the body is first polled. Over HTTP/1 hyper sends it.
fn expects_continue(request: &Request<RequestBody>) -> bool {
    let expectations = request.headers().get_all(EXPECT);
    let last = expectations.iter().next_back();
    last.is_some_and(|last| last.as_bytes().eq_ignore_ascii_case(b"100-continue"))
        && !request.body().is_end_stream()
}
