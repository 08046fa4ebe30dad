//! The traffic: requests and events as planned, and their numbers.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::Duration;

use reporter_core::{ReqEvent, RevisionKey};
use reporter_runtime::ConcurrencyReporter;
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::clock::TestClock;
use crate::plan::Action;

/// What the reporter was told, by the count of those who told it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ledger {
    /// Requests per key that a guard counted.
    pub(crate) guards: Vec<u64>,
    /// Requests whose guard was not counted.
    pub(crate) uncounted_guards: u64,
    /// Arrivals per key that the channel took.
    pub(crate) events_in: Vec<u64>,
    /// Ends that the channel took.
    pub(crate) events_out: u64,
}

/// Those who send requests.
#[derive(Clone)]
pub(crate) struct Traffic {
    pub(crate) start: Instant,
    pub(crate) reporter: ConcurrencyReporter,
    pub(crate) clock: TestClock,
    pub(crate) keys: Arc<[RevisionKey]>,
    pub(crate) ledger: Arc<Mutex<Ledger>>,
}

impl Traffic {
    /// Does what is planned, and ends when all requests have.
    pub(crate) async fn run(self, actions: Vec<(Duration, Action)>) {
        let mut requests = JoinSet::new();
        for (at, action) in actions {
            tokio::time::sleep_until(self.start + at).await;
            let traffic = self.clone();
            match action {
                Action::Jump(nanos) => self.clock.jump(nanos),
                Action::Request {
                    key,
                    waits,
                    cancelled_after,
                } => {
                    let request = traffic.request(key, waits);
                    requests.spawn(cut_after(cancelled_after, request));
                }
                Action::Events {
                    key,
                    times,
                    over_after,
                    impatient,
                } => {
                    requests.spawn(traffic.events(key, times, over_after, impatient));
                }
                Action::StrayOut { key } => {
                    requests.spawn(async move {
                        traffic.send_out(key).await;
                        Some(())
                    });
                }
            }
        }
        while let Some(end) = requests.join_next().await {
            end.unwrap();
        }
    }

    async fn request(self, key: usize, waits: Vec<Duration>) {
        let guard = self.reporter.track(&self.keys[key]);
        if guard.is_counted() {
            self.ledger.lock().unwrap().guards[key] += 1;
        } else {
            self.ledger.lock().unwrap().uncounted_guards += 1;
        }
        for wait in waits {
            if wait.is_zero() {
                tokio::task::yield_now().await;
            } else {
                tokio::time::sleep(wait).await;
            }
        }
        drop(guard);
    }

    async fn events(
        self,
        key: usize,
        times: usize,
        over_after: Duration,
        impatient: bool,
    ) -> Option<()> {
        let events = self.reporter.events();
        let mut sent = 0;
        for _ in 0..times {
            let event = ReqEvent::req_in(self.keys[key].clone());
            let polls = impatient.then_some(1);
            if let Some(Ok(())) = cut_after(polls, events.send(event)).await {
                self.ledger.lock().unwrap().events_in[key] += 1;
                sent += 1;
            }
        }
        tokio::time::sleep(over_after).await;
        for _ in 0..sent {
            self.send_out(key).await;
        }
        Some(())
    }

    async fn send_out(&self, key: usize) {
        let event = ReqEvent::req_out(self.keys[key].clone());
        if self.reporter.events().send(event).await.is_ok() {
            self.ledger.lock().unwrap().events_out += 1;
        }
    }
}

/// Drops `future` when it has been polled that often without an end.
async fn cut_after<F: Future>(polls: Option<usize>, future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    let mut left = polls.unwrap_or(usize::MAX);
    poll_fn(|cx| {
        if left == 0 {
            return Poll::Ready(None);
        }
        left -= 1;
        match future.as_mut().poll(cx) {
            Poll::Pending if left == 0 => Poll::Ready(None),
            polled => polled.map(Some),
        }
    })
    .await
}
