//! Informational answers of a backend (1xx) on their way to the client.

use std::sync::Arc;

use http::header::EXPECT;
use http::{Request, StatusCode, Version};

use super::headers;
use crate::server::client::Client;

/// Has what a backend says to `request` before its final answer passed on to `client`.
///
/// HTTP/1.0 has no such answers, and to a client of HTTP/2 there is no way for them.
pub(super) fn relay<B>(request: &mut Request<B>, client: &Arc<Client>) {
    if request.version() != Version::HTTP_11 {
        return;
    }
    // To whoever expects it, hyper says it when the body is asked for.
    let is_told_to_continue = request.headers().contains_key(EXPECT);
    let client = Arc::downgrade(client);
    hyper::ext::on_informational(request, move |answer| {
        let Some(client) = client.upgrade() else {
            return;
        };
        if answer.status() == StatusCode::CONTINUE && is_told_to_continue {
            return;
        }
        let mut headers = answer.headers().clone();
        headers::informational_to_client(&mut headers);
        client.informational.send(answer.status(), &headers);
    });
}
