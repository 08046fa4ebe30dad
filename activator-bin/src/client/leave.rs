//! When an idle connection is to leave: when its place is needed, when it has been idle for too long, or at a
//! moment of its own once a drain is announced.

use super::Client;
use crate::drain::Draining;

/// Why it is to leave. If it is not idle it stays, and waits for another moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Leave {
    /// It was asked to.
    Asked,
    /// A drain is announced.
    Drain,
}

impl Leave {
    /// Waits for the moment.
    ///
    /// Cancel-safe.
    pub(crate) async fn moment(client: &Client, mut draining: Draining) -> Self {
        tokio::select! {
            biased;
            () = client.asked_to_leave() => Self::Asked,
            () = draining.moment() => Self::Drain,
        }
    }
}
