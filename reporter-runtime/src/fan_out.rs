//! From one stream of dispatches to any number of sinks, none of which can hold it up.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout_at};

use crate::Dispatch;
use crate::backlog::Backlog;
use crate::sink::{StatSink, Undelivered};

/// Dispatches that may wait in a sink's mailbox; what comes on top is merged.
const MAILBOX: usize = 16;

/// All sinks.
pub(crate) struct FanOut {
    outlets: Vec<Outlet>,
}

/// One sink: its mailbox, and what did not fit in there.
struct Outlet {
    name: String,
    mailbox: mpsc::Sender<Arc<Dispatch>>,
    backlog: Backlog,
    /// The wait for room in the mailbox, while there is a backlog.
    room: Option<Room>,
    /// The sink has returned before it was told to.
    ended: bool,
    task: JoinHandle<Result<(), Undelivered>>,
}

type Room = Pin<Box<dyn Future<Output = Result<Permit, Gone>> + Send>>;
type Permit = mpsc::OwnedPermit<Arc<Dispatch>>;
type Gone = mpsc::error::SendError<()>;

impl FanOut {
    /// Starts a task per sink, on the current tokio runtime.
    pub(crate) fn start(sinks: Vec<Box<dyn StatSink>>) -> Self {
        let start = |sink: Box<dyn StatSink>| {
            let (mailbox, receiver) = mpsc::channel(MAILBOX);
            Outlet {
                name: sink.name(),
                mailbox,
                backlog: Backlog::default(),
                room: None,
                ended: false,
                task: tokio::spawn(sink.run(receiver)),
            }
        };
        Self {
            outlets: sinks.into_iter().map(start).collect(),
        }
    }

    /// Hands `dispatch` to every sink, without waiting for any.
    pub(crate) fn dispatch(&mut self, dispatch: Dispatch) {
        let dispatch = Arc::new(dispatch);
        for outlet in &mut self.outlets {
            outlet.dispatch(&dispatch);
        }
    }

    /// Waits until a sink that fell behind has room again, and gives it what waited. Never ends while none is behind.
    ///
    /// Cancel-safe: a sink's place in the queue for room is kept.
    pub(crate) async fn catch_up(&mut self) {
        poll_fn(|cx| {
            // Every one is polled, or those behind the first would never be woken.
            let caught_up = self.outlets.iter_mut().map(|outlet| outlet.catch_up(cx));
            match caught_up.filter(Poll::is_ready).count() {
                0 => Poll::Pending,
                _ => Poll::Ready(()),
            }
        })
        .await;
    }

    /// Lets every sink flush until `deadline`; answers for each by name how it ended.
    pub(crate) async fn close(self, deadline: Instant) -> Vec<(String, Result<(), Undelivered>)> {
        let closing: Vec<_> = self
            .outlets
            .into_iter()
            .map(|outlet| (outlet.name.clone(), tokio::spawn(outlet.close(deadline))))
            .collect();
        let mut ends = Vec::new();
        for (name, end) in closing {
            let end = end.await.expect("closing an outlet does not panic");
            ends.push((name, end));
        }
        ends
    }
}

impl Outlet {
    fn dispatch(&mut self, dispatch: &Arc<Dispatch>) {
        if self.ended {
            return;
        }
        if self.room.is_some() {
            self.backlog.push(dispatch);
            return;
        }
        match self.mailbox.try_send(Arc::clone(dispatch)) {
            Ok(()) => {}
            Err(mpsc::error::TrySendError::Full(dispatch)) => {
                self.backlog.push(&dispatch);
                self.room = Some(Box::pin(self.mailbox.clone().reserve_owned()));
            }
            Err(mpsc::error::TrySendError::Closed(_)) => self.on_ended(),
        }
    }

    fn catch_up(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(room) = &mut self.room else {
            return Poll::Pending;
        };
        let permit = std::task::ready!(room.as_mut().poll(cx));
        self.room = None;
        match (permit, self.backlog.take()) {
            (Ok(permit), Some(dispatch)) => drop(permit.send(Arc::new(dispatch))),
            (Ok(_), None) => {}
            (Err(_), _) => self.on_ended(),
        }
        Poll::Ready(())
    }

    fn on_ended(&mut self) {
        self.ended = true;
        tracing::error!(
            sink = self.name,
            "the sink has ended, nothing reaches it any more"
        );
    }

    async fn close(mut self, deadline: Instant) -> Result<(), Undelivered> {
        let left = self.backlog.requests();
        let stuck = Undelivered { requests: left };
        if let Some(room) = self.room.take() {
            let Ok(Ok(permit)) = timeout_at(deadline, room).await else {
                self.task.abort();
                return Err(stuck);
            };
            if let Some(dispatch) = self.backlog.take() {
                permit.send(Arc::new(dispatch));
            }
        }
        // The end of its mailbox tells the sink to flush.
        drop(self.mailbox);
        match timeout_at(deadline, &mut self.task).await {
            Ok(Ok(end)) => end,
            Ok(Err(panicked)) => {
                tracing::error!(sink = self.name, error = %panicked, "the sink has failed");
                Err(stuck)
            }
            Err(_) => {
                self.task.abort();
                Err(stuck)
            }
        }
    }
}
