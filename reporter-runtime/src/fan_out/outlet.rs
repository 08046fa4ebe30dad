//! One sink as the fan-out sees it: its mailbox, the backlog beyond it, and how it ended.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tokio::sync::mpsc;
use tokio::task::{JoinError, JoinHandle};
use tokio::time::{Instant, timeout_at};

use super::backlog::Backlog;
use crate::Dispatch;
use crate::sink::{StatSink, Undelivered};

/// Dispatches that may wait in a sink's mailbox; further ones are merged.
const MAILBOX: usize = 16;

/// One sink.
pub(super) struct Outlet {
    name: String,
    /// `None` once the sink has ended by itself.
    running: Option<Running>,
    backlog: Backlog,
    /// The wait for room in the mailbox, while there is a backlog.
    room: Option<Room>,
    /// The requests in each of the newest dispatches in the mailbox and in the one before, oldest first.
    handed: VecDeque<u64>,
    /// What the sink will not deliver.
    lost: Option<Undelivered>,
}

struct Running {
    mailbox: mpsc::Sender<Arc<Dispatch>>,
    task: JoinHandle<Result<(), Undelivered>>,
}

type Room = Pin<Box<dyn Future<Output = Result<Permit, Gone>> + Send>>;
type Permit = mpsc::OwnedPermit<Arc<Dispatch>>;
type Gone = mpsc::error::SendError<()>;

impl Outlet {
    pub(super) fn start(sink: Box<dyn StatSink>) -> Self {
        let (mailbox, receiver) = mpsc::channel(MAILBOX);
        Self {
            name: sink.name(),
            running: Some(Running {
                mailbox,
                task: tokio::spawn(sink.run(receiver)),
            }),
            backlog: Backlog::default(),
            room: None,
            handed: VecDeque::new(),
            lost: None,
        }
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Hands the dispatch over, or keeps it until there is room.
    pub(super) fn dispatch(&mut self, dispatch: &Arc<Dispatch>) {
        if self.room.is_some() {
            self.backlog.push(dispatch);
            return;
        }
        let Some(Running { mailbox, .. }) = &self.running else {
            self.lose(dispatch.requests());
            return;
        };
        match mailbox.try_send(Arc::clone(dispatch)) {
            Ok(()) => {
                let unread = unread(mailbox);
                self.on_handed(dispatch.requests(), unread);
            }
            Err(mpsc::error::TrySendError::Full(_)) => {
                self.room = Some(Box::pin(mailbox.clone().reserve_owned()));
                self.backlog.push(dispatch);
            }
            Err(mpsc::error::TrySendError::Closed(_)) => self.lose(dispatch.requests()),
        }
    }

    /// Ready when the backlog was handed over, and when the sink has ended.
    pub(super) fn poll_change(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if let Some(Running { task, .. }) = &mut self.running
            && let Poll::Ready(end) = Pin::new(task).poll(cx)
        {
            self.on_early_end(end);
            return Poll::Ready(());
        }
        let Some(room) = &mut self.room else {
            return Poll::Pending;
        };
        let permit = ready!(room.as_mut().poll(cx));
        self.room = None;
        self.hand_over_backlog(permit);
        Poll::Ready(())
    }

    fn hand_over_backlog(&mut self, permit: Result<Permit, Gone>) {
        let Some(dispatch) = self.backlog.take() else {
            return;
        };
        let requests = dispatch.requests();
        match permit {
            Ok(permit) => {
                let mailbox = permit.send(Arc::new(dispatch));
                self.on_handed(requests, unread(&mailbox));
            }
            Err(_) => self.lose(requests),
        }
    }

    fn on_handed(&mut self, requests: u64, unread: usize) {
        self.handed.push_back(requests);
        let done = self.handed.len().saturating_sub(unread + 1);
        self.handed.drain(..done);
    }

    fn on_early_end(&mut self, end: Result<Result<(), Undelivered>, JoinError>) {
        let reason = self.on_end(&end);
        tracing::error!(
            sink = self.name,
            reason,
            "the sink has ended, nothing reaches it any more"
        );
        self.running = None;
        self.room = None;
        if let Some(dispatch) = self.backlog.take() {
            self.lose(dispatch.requests());
        }
    }

    /// Adds what a sink that ended like this did not deliver of what it had taken, as far as can be
    /// known; returns the reason for the log.
    fn on_end(&mut self, end: &Result<Result<(), Undelivered>, JoinError>) -> String {
        match end {
            Ok(Ok(())) => "it returned".to_owned(),
            Ok(Err(undelivered)) => {
                self.lose(undelivered.requests);
                undelivered.to_string()
            }
            Err(error) => {
                self.lose(self.handed.iter().sum());
                error.to_string()
            }
        }
    }

    fn lose(&mut self, requests: u64) {
        let lost = self.lost.get_or_insert(Undelivered { requests: 0 });
        lost.requests += requests;
    }

    /// Hands over what waits and lets the sink flush, until `deadline`.
    ///
    /// Not cancel-safe: what the sink has not taken yet is lost.
    pub(super) async fn close(mut self, deadline: Instant) -> Result<(), Undelivered> {
        let mut reason = "it had ended before".to_owned();
        let mut reported = None;
        if let Some(Running { mailbox, mut task }) = self.running.take() {
            let flush = async {
                if let Some(room) = self.room.take() {
                    self.hand_over_backlog(room.await);
                }
                // The sink flushes when its mailbox ends.
                drop(mailbox);
                (&mut task).await
            };
            match timeout_at(deadline, flush).await {
                Ok(end) => {
                    reason = self.on_end(&end);
                    reported = end.ok().and_then(Result::err);
                }
                Err(_) => {
                    task.abort();
                    reason = "it has not flushed in time".to_owned();
                    self.lose(self.backlog.requests() + self.handed.iter().sum::<u64>());
                }
            }
        }
        let Some(undelivered) = self.lost else {
            return Ok(());
        };
        // A sink that knows what it lost has logged it.
        if reported != Some(undelivered) {
            let requests = undelivered.requests;
            tracing::error!(
                sink = self.name,
                requests,
                reason,
                "the counts of these requests were not delivered"
            );
        }
        Err(undelivered)
    }
}

fn unread(mailbox: &mpsc::Sender<Arc<Dispatch>>) -> usize {
    mailbox.max_capacity() - mailbox.capacity()
}
