//! Distributes dispatches to any number of sinks, without waiting for any.

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

    /// Hands `dispatch` to every sink.
    pub(crate) fn dispatch(&mut self, dispatch: &Arc<Dispatch>) {
        for outlet in &mut self.outlets {
            outlet.dispatch(dispatch);
        }
    }

    /// Waits until a sink that fell behind has room again, and hands it what waited; or until a sink ends.
    ///
    /// Cancel-safe: the wait for room goes on with the next call.
    pub(crate) async fn catch_up(&mut self) {
        poll_fn(|cx| {
            // All are polled, so that all wakers are registered.
            let changes = self.outlets.iter_mut().map(|outlet| outlet.poll_change(cx));
            match changes.filter(Poll::is_ready).count() {
                0 => Poll::Pending,
                _ => Poll::Ready(()),
            }
        })
        .await;
    }

    /// Lets every sink flush until `deadline`; returns each by name with its outcome.
    ///
    /// Not cancel-safe: what the sinks have not taken yet is lost.
    pub(crate) async fn close(self, deadline: Instant) -> Vec<(String, Result<(), Undelivered>)> {
        let start = |outlet: Outlet| {
            let name = outlet.name().to_owned();
            (name, tokio::spawn(outlet.close(deadline)))
        };
        // All begin before the first is waited for.
        let closing: Vec<_> = self.outlets.into_iter().map(start).collect();
        let mut ends = Vec::new();
        for (name, end) in closing {
            let end = end.await.expect("closing an outlet does not panic");
            ends.push((name, end));
        }
        ends
    }
}
