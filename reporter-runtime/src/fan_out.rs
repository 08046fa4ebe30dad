//! From one stream of dispatches to any number of sinks, none of which can hold it up.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;

use tokio::time::Instant;

use crate::Dispatch;
use crate::sink::{StatSink, Undelivered};

mod backlog;
mod outlet;

use outlet::Outlet;

/// All sinks.
pub(crate) struct FanOut {
    outlets: Vec<Outlet>,
}

impl FanOut {
    /// Starts a task per sink, on the current tokio runtime.
    pub(crate) fn start(sinks: Vec<Box<dyn StatSink>>) -> Self {
        Self {
            outlets: sinks.into_iter().map(Outlet::start).collect(),
        }
    }

    /// Hands `dispatch` to every sink, without waiting for any.
    pub(crate) fn dispatch(&mut self, dispatch: &Arc<Dispatch>) {
        for outlet in &mut self.outlets {
            outlet.dispatch(dispatch);
        }
    }

    /// Waits until a sink that fell behind has room again, and gives it what waited; or until a sink ends.
    ///
    /// Cancel-safe: a sink's place in the queue for room is kept.
    pub(crate) async fn catch_up(&mut self) {
        poll_fn(|cx| {
            // Every one is polled, or those behind the first would never be woken.
            let changes = self.outlets.iter_mut().map(|outlet| outlet.poll_change(cx));
            match changes.filter(Poll::is_ready).count() {
                0 => Poll::Pending,
                _ => Poll::Ready(()),
            }
        })
        .await;
    }

    /// Lets every sink flush until `deadline`; answers for each by name how it ended.
    ///
    /// Not cancel-safe: what the sinks have not taken yet is lost.
    pub(crate) async fn close(self, deadline: Instant) -> Vec<(String, Result<(), Undelivered>)> {
        let start = |outlet: Outlet| {
            let name = outlet.name().to_owned();
            (name, tokio::spawn(outlet.close(deadline)))
        };
        // All are told before the first is waited for.
        let closing: Vec<_> = self.outlets.into_iter().map(start).collect();
        let mut ends = Vec::new();
        for (name, end) in closing {
            let end = end.await.expect("closing an outlet does not panic");
            ends.push((name, end));
        }
        ends
    }
}
