//! How long requests may take: the limits of a revision, and one worker's deadlines of all its requests.
//!
//! What must not live here: what a request is, and what its client is told.
//!
//! One task per worker sleeps until the first deadline; no request has a timer of its own. It looks
//! at most once per [`RESOLUTION`], so a request may get that much more time than its limit, never less.

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

/// The shortest pause between two looks at the deadlines.
const RESOLUTION: Duration = Duration::from_millis(10);

settings! {
    /// How long the requests of a revision may take, waiting for capacity included.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct TimeoutLimits in "" {
        /// How long a request may take, from its head to the end of the response, time in the queue included.
        total as "timeout": Duration = "5m", duration("10ms"..="365d");
        /// How long until the head of the response, or of an informational one (1xx), has arrived; only timeout applies
        /// when unset.
        response_start as "response_start_timeout": Option<Duration> = None, duration("10ms"..="365d");
        /// How long the response, or an upgraded connection in both directions, may be silent; no limit when unset.
        // Signs of the response are the request's arrival, informational responses, the response's head, each piece of
        // its body, and what an upgraded connection carries in either direction. What the client uploads is none.
        idle as "idle_timeout": Option<Duration> = None, duration("10ms"..="365d");
    }
}

/// The limit that a request has met.
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

/// The deadlines of one worker's requests. `T` is what a request gives up when it is due.
pub(crate) struct Timeouts<T> {
    requests: RefCell<Queue<Request<T>>>,
    /// When the task looks next. It may find that whoever it was set for is gone: to wake the task
    /// for every request that ends would cost more than one look in vain per limit.
    looks_at: Cell<Option<Instant>>,
    sooner: Notify,
    give_up: fn(T, TimeoutKind),
}

struct Request<T> {
    met: Option<TimeoutKind>,
    waker: Option<Waker>,
    held: Option<T>,
}

impl<T> Timeouts<T> {
    /// `give_up` is called with what a request holds when it has met a limit.
    pub(crate) fn new(give_up: fn(T, TimeoutKind)) -> Self {
        Self {
            requests: RefCell::new(Queue::new()),
            looks_at: Cell::new(None),
            sooner: Notify::new(),
            give_up,
        }
    }

    /// A request's time begins `now`.
    ///
    /// It costs no allocation unless more requests are there than ever before, or none had this
    /// limit lately.
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
        if self.looks_at.get().is_none_or(|at| deadline < at) {
            self.looks_at.set(Some(deadline));
            self.sooner.notify_one();
        }
    }

    /// Ends the requests that are due, for ever. For one task.
    ///
    /// Cancel-safe.
    pub(crate) async fn run(&self) {
        let mut due = Vec::new();
        loop {
            let Some(at) = self.looks_at.get() else {
                self.sooner.notified().await;
                continue;
            };
            tokio::select! {
                () = sleep_until(at) => self.look(Instant::now(), &mut due),
                () = self.sooner.notified() => {}
            }
        }
    }

    fn look(&self, now: Instant, due: &mut Vec<(usize, TimeoutKind)>) {
        let mut requests = self.requests.borrow_mut();
        let next = requests.expire(now, due);
        self.looks_at
            .set(next.map(|next| next.max(now + RESOLUTION)));
        let ended = due.drain(..).map(|(key, kind)| {
            let request = requests.at(key);
            request.met.get_or_insert(kind);
            let held = request.held.take();
            (held.map(|held| (held, kind)), request.waker.take())
        });
        let ended: Vec<_> = ended.collect();
        // What is dropped or woken here may come back for its deadline.
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

/// A request's own deadlines. Dropping it disarms them, and drops what it holds.
pub(crate) struct Deadline<T> {
    timeouts: Rc<Timeouts<T>>,
    key: usize,
    idle: Option<Duration>,
}

impl<T> Deadline<T> {
    fn with<R>(&self, look: impl FnOnce(&mut Request<T>) -> R) -> R {
        look(self.timeouts.requests.borrow_mut().at(self.key))
    }

    /// The answer has begun. It is a sign of the answer, too.
    pub(crate) fn on_start(&self) {
        let mut requests = self.timeouts.requests.borrow_mut();
        requests.disarm(self.key, TimeoutKind::ResponseStart);
        drop(requests);
        self.on_activity();
    }

    /// There was a sign of the answer. Costs nothing without a limit on idle requests.
    pub(crate) fn on_activity(&self) {
        if let Some(limit) = self.idle
            && self.met().is_none()
        {
            self.timeouts
                .arm(self.key, TimeoutKind::Idle, limit, Instant::now());
        }
    }

    /// The limit that was met first, if any.
    pub(crate) fn met(&self) -> Option<TimeoutKind> {
        self.with(|request| request.met)
    }

    /// Waits until a limit is met. Of several tasks the one that asked last is woken.
    pub(crate) fn poll_met(&self, cx: &mut Context<'_>) -> Poll<TimeoutKind> {
        // Declared first, so that it is dropped when nothing is borrowed.
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

    /// Waits until a limit is met.
    ///
    /// Cancel-safe.
    pub(crate) async fn until_met(&self) -> TimeoutKind {
        poll_fn(|cx| self.poll_met(cx)).await
    }

    /// From now on `held` is given up at the very moment when a limit is met, whoever else waits for
    /// what; at once when that has happened.
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

    /// What is held, to be looked at.
    pub(crate) fn held<R>(&self, look: impl FnOnce(&T) -> R) -> Option<R> {
        self.with(|request| request.held.as_ref().map(look))
    }

    /// What is held, to be used and held again: using it may come back for a deadline.
    pub(crate) fn take(&self) -> Option<T> {
        self.with(|request| request.held.take())
    }
}

impl<T> Drop for Deadline<T> {
    fn drop(&mut self) {
        let request = self.timeouts.requests.borrow_mut().remove(self.key);
        // Only now: what it holds may come back for a deadline.
        drop(request);
    }
}
