//! A long response body, and when it was rendered.

use tokio::time::Instant;

/// A text that is being read.
pub(super) struct Text {
    pub(super) bytes: String,
    pub(super) made: Instant,
}
