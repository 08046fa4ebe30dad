//! One long text, and when it was made.

use tokio::time::Instant;

/// A text while somebody reads it.
pub(super) struct Text {
    pub(super) bytes: String,
    pub(super) made: Instant,
}
