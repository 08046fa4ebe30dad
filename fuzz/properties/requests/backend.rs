//! The backend's response, and the requests that it has seen.

use super::reading::{self, Request};
use super::recorder::Recorder;
use super::strict;

/// Marked, because the activator itself also responds with 200 to some requests.
pub(crate) const RESPONSE: &[u8] =
    b"HTTP/1.1 200 OK\r\nFrom: backend\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok";

/// The complete requests since the last call, once all connections are closed.
pub(crate) fn requests(backend: &Recorder) -> Vec<Request> {
    let saw = backend.saw();
    saw.iter().filter_map(|bytes| request(bytes)).collect()
}

/// `None` if it was cut short.
fn request(bytes: &[u8]) -> Option<Request> {
    let text = bytes.escape_ascii();
    let length = match strict::length(bytes) {
        Ok(length) => length?,
        Err(why) => panic!("the backend got what is ambiguous, {why}: {text}"),
    };
    assert_eq!(
        length,
        bytes.len(),
        "the backend got more than a request: {text}"
    );
    reading::read(bytes).requests.pop()
}
