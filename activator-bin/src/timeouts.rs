//! Request timeouts: the limits of a revision, and the deadlines of all requests of one worker.
//!
//! What must not live here: what a request is, and the response to its client.
//!
//! One task per worker sleeps until the first deadline; requests have no timers of their own. It wakes at most once
//! per [`RESOLUTION`], so a timeout may fire that much late, but never early.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use reporter_metrics::ErrorReason;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

mod queue;
#[cfg(test)]
mod tests;

use crate::settings::settings;
use queue::Queue;

/// The shortest interval between two checks of the deadlines.
const RESOLUTION: Duration = Duration::from_millis(10);

settings! {
    /// How long the requests of a revision may take, waiting for capacity included.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct TimeoutLimits in "" {
        /// How long a request may take, from its head to the end of the response, time in the queue included; 24h when
        /// unset if the instances are started here.
        total as "timeout": Duration = "5m", duration("10ms"..="365d");
        /// How long until the head of the response, or of an informational one (1xx), has arrived; only timeout applies
        /// when unset.
        response_start as "response_start_timeout": Option<Duration> = None, duration("10ms"..="365d");
        /// How long the response, or an upgraded connection in both directions, may be silent; no limit when unset.
        // Activity is: the arrival of the request, informational responses, the head of the response, each piece of
        // its body, and bytes on an upgraded connection in either direction. The client's upload does not count.
        idle as "idle_timeout": Option<Duration> = None, duration("10ms"..="365d");
    }
}

/// The limit that a request exceeded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum TimeoutKind {
    Total,
    ResponseStart,
    Idle,
}

impl TimeoutKind {
    const ALL: [Self; Self::COUNT] = [Self::Total, Self::ResponseStart, Self::Idle];
    const COUNT: usize = 3;
}

impl From<TimeoutKind> for ErrorReason {
    fn from(kind: TimeoutKind) -> Self {
        match kind {
            TimeoutKind::Total => Self::Timeout,
            TimeoutKind::ResponseStart => Self::ResponseStartTimeout,
            TimeoutKind::Idle => Self::IdleTimeout,
        }
    }
}

/// The deadlines of one worker's requests. A `T` is what a request gives up when it times out.
pub(crate) struct Timeouts<T> {
    requests: RefCell<Queue<Request<T>>>,
    /// When the task wakes next. The deadline may have been disarmed by then: waking the task for every request that
    /// ends would cost more than one spurious check per limit.
    next_check: Cell<Option<Instant>>,
    sooner: Notify,
    give_up: fn(T, TimeoutKind),
}

struct Request<T> {
    met: Option<TimeoutKind>,
    waker: Option<Waker>,
    held: Option<T>,
}

impl<T> Timeouts<T> {
    /// `give_up` is called with what a request holds when it times out.
    pub(crate) fn new(give_up: fn(T, TimeoutKind)) -> Self {
        Self {
            requests: RefCell::new(Queue::new()),
            next_check: Cell::new(None),
            sooner: Notify::new(),
            give_up,
        }
    }

    /// Starts the timeouts of a request that arrived at `now`.
    ///
    /// Does not allocate, unless there are more requests than ever before, or none has had this limit recently.
    pub(crate) fn begin(self: &Rc<Self>, limits: &TimeoutLimits, now: Instant) -> Deadline<T> {
        let key = self.requests.borrow_mut().insert(Request {
            met: None,
            waker: None,
            held: None,
        });
        self.arm(key, TimeoutKind::Total, limits.total, now);
        if let Some(limit) = limits.response_start {
            self.arm(key, TimeoutKind::ResponseStart, limit, now);
        }
        if let Some(limit) = limits.idle {
            self.arm(key, TimeoutKind::Idle, limit, now);
        }
        Deadline {
            timeouts: Rc::clone(self),
            key,
            idle: limits.idle,
        }
    }

    fn arm(&self, key: usize, kind: TimeoutKind, limit: Duration, now: Instant) {
        let deadline = self.requests.borrow_mut().arm(key, kind, limit, now);
        if self.next_check.get().is_none_or(|at| deadline < at) {
            self.next_check.set(Some(deadline));
            self.sooner.notify_one();
        }
    }

    /// Expires deadlines for as long as it is polled. For a single task.
    ///
    /// Cancel-safe.
    pub(crate) async fn run(&self) {
        let mut due = Vec::new();
        loop {
            let Some(at) = self.next_check.get() else {
                self.sooner.notified().await;
                continue;
            };
            tokio::select! {
                () = sleep_until(at) => self.expire(Instant::now(), &mut due),
                () = self.sooner.notified() => {}
            }
        }
    }

    fn expire(&self, now: Instant, due: &mut Vec<(usize, TimeoutKind)>) {
        let mut requests = self.requests.borrow_mut();
        let next = requests.expire(now, due);
        self.next_check
            .set(next.map(|next| next.max(now + RESOLUTION)));
        let ended = due.drain(..).map(|(key, kind)| {
            let request = requests.at(key);
            request.met.get_or_insert(kind);
            let held = request.held.take();
            (held.map(|held| (held, kind)), request.waker.take())
        });
        let ended: Vec<_> = ended.collect();
        // What is dropped or woken here may access its deadline.
        drop(requests);
        for (held, waker) in ended {
            if let Some((held, kind)) = held {
                (self.give_up)(held, kind);
            }
            if let Some(waker) = waker {
                waker.wake();
            }
        }
    }
}

/// The deadlines of one request. Dropping it disarms them and drops what it holds.
pub(crate) struct Deadline<T> {
    timeouts: Rc<Timeouts<T>>,
    key: usize,
    idle: Option<Duration>,
}

impl<T> Deadline<T> {
    fn with<R>(&self, read: impl FnOnce(&mut Request<T>) -> R) -> R {
        read(self.timeouts.requests.borrow_mut().at(self.key))
    }

    /// The response has begun. Counts as activity.
    pub(crate) fn on_start(&self) {
        let mut requests = self.timeouts.requests.borrow_mut();
        requests.disarm(self.key, TimeoutKind::ResponseStart);
        drop(requests);
        self.on_activity();
    }

    /// Records activity of the response. Costs nothing without an idle limit.
    pub(crate) fn on_activity(&self) {
        if let Some(limit) = self.idle
            && self.met().is_none()
        {
            self.timeouts
                .arm(self.key, TimeoutKind::Idle, limit, Instant::now());
        }
    }

    /// The limit that was exceeded first, if any.
    pub(crate) fn met(&self) -> Option<TimeoutKind> {
        self.with(|request| request.met)
    }

    /// Waits until a limit is exceeded. Wakes only the task that polled last.
    pub(crate) fn poll_met(&self, cx: &mut Context<'_>) -> Poll<TimeoutKind> {
        // Declared first, so that it is dropped after the borrow ends.
        let mut _stale = None;
        self.with(|request| {
            if let Some(kind) = request.met {
                return Poll::Ready(kind);
            }
            let known = |waker: &Waker| waker.will_wake(cx.waker());
            if !request.waker.as_ref().is_some_and(known) {
                _stale = request.waker.replace(cx.waker().clone());
            }
            Poll::Pending
        })
    }

    /// Waits until a limit is exceeded.
    ///
    /// Cancel-safe.
    pub(crate) async fn until_met(&self) -> TimeoutKind {
        poll_fn(|cx| self.poll_met(cx)).await
    }

    /// Holds a value that is given up the moment a limit is exceeded, whatever else is waiting; at once if that has
    /// already happened.
    pub(crate) fn hold(&self, held: T) {
        let refused = self.with(|request| match request.met {
            None => {
                request.held = Some(held);
                None
            }
            Some(kind) => Some((held, kind)),
        });
        if let Some((held, kind)) = refused {
            (self.timeouts.give_up)(held, kind);
        }
    }

    /// Inspects the held value.
    pub(crate) fn held<R>(&self, read: impl FnOnce(&T) -> R) -> Option<R> {
        self.with(|request| request.held.as_ref().map(read))
    }

    /// Takes the held value out, to use it and hold it again: using it may access the deadline.
    pub(crate) fn take(&self) -> Option<T> {
        self.with(|request| request.held.take())
    }
}

impl<T> Drop for Deadline<T> {
    fn drop(&mut self) {
        let request = self.timeouts.requests.borrow_mut().remove(self.key);
        // Only after the borrow: what it holds may access the deadline.
        drop(request);
    }
}
