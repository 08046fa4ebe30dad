//! The wait of one request for its slot, as a future.

use std::mem;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

use super::breaker::{Grant, NotQueued, Ticket, Turn};
use super::complaint::Complaint;
use super::error::{QueueBound, ThrottleError};
use super::shared::{Shared, Waiter};
use super::slot::Slot;

/// Dropping it early leaves the queue. A slot already granted goes to the next waiter.
pub(super) struct Acquire<'a> {
    shared: &'a Arc<Shared>,
    /// Whether it waits only while a backend is ready.
    only_while_ready: bool,
    state: State,
}

enum State {
    /// A new request.
    Arriving,
    /// It had a slot on a backend that failed it.
    Retrying(Grant, Complaint),
    Waiting(Ticket),
    Done,
}

type Outcome = Poll<Result<Slot, ThrottleError>>;

impl From<NotQueued> for ThrottleError {
    fn from(why: NotQueued) -> Self {
        match why {
            NotQueued::QueueFull => Self::QueueFull(QueueBound::QueueDepth),
            NotQueued::Closed => Self::RevisionGone,
            NotQueued::Failed(failure) => Self::StartFailed(failure),
            NotQueued::NotReady => Self::NotReady,
        }
    }
}

impl<'a> Acquire<'a> {
    pub(super) fn arriving(shared: &'a Arc<Shared>) -> Self {
        Self {
            shared,
            only_while_ready: false,
            state: State::Arriving,
        }
    }

    /// A new request that waits only while a backend is ready.
    pub(super) fn arriving_while_ready(shared: &'a Arc<Shared>) -> Self {
        Self {
            shared,
            only_while_ready: true,
            state: State::Arriving,
        }
    }

    /// The backend is set aside, so that another one is chosen.
    pub(super) fn retrying(shared: &'a Arc<Shared>, grant: Grant, complaint: Complaint) -> Self {
        Self {
            shared,
            only_while_ready: false,
            state: State::Retrying(grant, complaint),
        }
    }

    fn arrive(&mut self, cx: &mut Context<'_>) -> Outcome {
        let mut breaker = self.shared.breaker.lock();
        if let Some(grant) = breaker.try_acquire(rand::random) {
            return Poll::Ready(Ok(Slot::new(self.shared, grant)));
        }
        let may_wait = if self.only_while_ready {
            breaker.may_wait_while_ready()
        } else {
            breaker.may_wait(Instant::now)
        };
        if let Err(why) = may_wait {
            return Poll::Ready(Err(why.into()));
        }
        let Some(permit) = self.shared.budget.permit() else {
            let bound = QueueBound::MaxQueuedRequests;
            return Poll::Ready(Err(ThrottleError::QueueFull(bound)));
        };
        let waiter = Waiter::new(cx.waker().clone(), permit);
        let ticket = if self.only_while_ready {
            breaker.enqueue_while_ready(waiter)
        } else {
            breaker.enqueue(waiter)
        };
        let is_reached = breaker.take_reached();
        drop(breaker);
        self.state = State::Waiting(ticket);
        self.shared.tell(is_reached);
        Poll::Pending
    }

    fn retry(&mut self, grant: Grant, complaint: Complaint, cx: &mut Context<'_>) -> Outcome {
        let waiter = Waiter::new(cx.waker().clone(), self.shared.budget.permit_beyond_limit());
        let mut breaker = self.shared.breaker.lock();
        let is_aside = breaker.set_aside(&grant, complaint);
        let retried = breaker.retry(grant, waiter, Instant::now).map(|ticket| {
            let next = breaker.grant_next(rand::random);
            let grant = match breaker.turn(ticket) {
                Turn::Granted(grant) => Some(grant),
                Turn::Waiting(_) | Turn::Refused(_) => None,
            };
            (ticket, grant, next)
        });
        let (dismissed, is_reached) = (breaker.take_dismissed(), breaker.take_reached());
        drop(breaker);
        dismissed.into_iter().for_each(Waiter::wake);
        if is_aside {
            self.shared.set_aside.notify_one();
        }
        self.shared.tell(is_reached);
        match retried {
            Err((_waiter, why)) => Poll::Ready(Err(why.into())),
            // At most one waiter was granted, so `next` is this request, which need not be woken.
            Ok((_, Some(grant), _)) => Poll::Ready(Ok(Slot::new(self.shared, grant))),
            Ok((ticket, None, next)) => {
                self.state = State::Waiting(ticket);
                if let Some(waiter) = next {
                    waiter.wake();
                }
                Poll::Pending
            }
        }
    }

    fn wait(&mut self, ticket: Ticket, cx: &mut Context<'_>) -> Outcome {
        // Declared before the guard, so that it is dropped after the lock is released.
        let _stale_waker;
        let mut breaker = self.shared.breaker.lock();
        match breaker.turn(ticket) {
            Turn::Granted(grant) => Poll::Ready(Ok(Slot::new(self.shared, grant))),
            // The last failure has nothing to do with it.
            Turn::Refused(NotQueued::Failed(_)) if self.only_while_ready => {
                Poll::Ready(Err(ThrottleError::NotReady))
            }
            Turn::Refused(why) => Poll::Ready(Err(why.into())),
            Turn::Waiting(waiter) => {
                if !waiter.waker.will_wake(cx.waker()) {
                    _stale_waker = mem::replace(&mut waiter.waker, cx.waker().clone());
                }
                self.state = State::Waiting(ticket);
                Poll::Pending
            }
        }
    }
}

impl Slot {
    /// Sets the backend aside until a probe passes, and waits for another one in the request's original position.
    ///
    /// Only for a request that may be sent again. It stays ahead of all later arrivals, and no queue limit applies.
    /// If the backend became ready again since this slot was granted, it is not set aside and may be chosen again.
    ///
    /// # Errors
    /// If the revision was removed, or its instances failed to start.
    ///
    /// # Cancel safety
    /// Dropping the future leaves the queue. A slot already granted goes to the next waiter.
    pub async fn retry_elsewhere(mut self, complaint: Complaint) -> Result<Slot, ThrottleError> {
        let grant = self.take();
        Acquire::retrying(&self.shared, grant, complaint).await
    }
}

impl Future for Acquire<'_> {
    type Output = Result<Slot, ThrottleError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Outcome {
        match mem::replace(&mut self.state, State::Done) {
            State::Arriving => self.arrive(cx),
            State::Retrying(grant, complaint) => self.retry(grant, complaint, cx),
            State::Waiting(ticket) => self.wait(ticket, cx),
            State::Done => {
                unreachable!("an async fn awaits it and never polls it after completion")
            }
        }
    }
}

impl Drop for Acquire<'_> {
    fn drop(&mut self) {
        match mem::replace(&mut self.state, State::Done) {
            State::Arriving | State::Done => {}
            State::Retrying(grant, _) => self.shared.release(grant),
            State::Waiting(ticket) => self.shared.cancel(ticket),
        }
    }
}
