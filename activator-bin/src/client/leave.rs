//! When an idle connection is to close: to make room, after being idle for too long, or at its moment during a drain.

use super::Client;
use crate::drain::Draining;

/// Why it is to close. If it is not idle then, it stays and waits for the next moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Leave {
    /// It was asked to.
    Asked,
    /// A drain is announced.
    Drain,
}

impl Leave {
    /// Waits for the next moment.
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
