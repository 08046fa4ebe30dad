//! Informational responses (1xx) of a backend on their way to a client of HTTP/2, for which they belong to a stream.
//!
//! What must not live here: those to clients of HTTP/1, which belong to the connection.

use std::task::{Context, Poll, Waker};

use http::{HeaderMap, Response, StatusCode};
use parking_lot::Mutex;
use tokio::sync::{Notify, oneshot};

/// Nothing is added while so many wait.
const ENOUGH: usize = 16;

/// The backend has said 100 (Continue).
#[derive(Debug)]
pub(crate) struct Wanted;

/// Those of one request that are not sent yet.
///
/// All who use it are on one thread; only where hyper tells of such responses it has to be `Send`.
#[derive(Debug, Default)]
pub(crate) struct Interim {
    state: Mutex<State>,
    arrived: Notify,
}

#[derive(Debug, Default)]
struct State {
    waiting: Vec<Response<()>>,
    /// Of the stream's task.
    waker: Option<Waker>,
    expectation: Expectation,
}

/// What has become of the client's wish to be told whether to send the body.
#[derive(Debug, Default)]
enum Expectation {
    #[default]
    None,
    /// Nobody has said that the body is wanted.
    Open(oneshot::Sender<Wanted>),
    /// The backend has, or nobody waits for that any more.
    Wanted,
    HealthLog,
}

impl Interim {
    /// The client waits for 100 (Continue). [`Wanted`] is sent when the backend has said it.
    pub(crate) fn expect(&self, wanted: oneshot::Sender<Wanted>) {
        self.state.lock().expectation = Expectation::Open(wanted);
    }

    /// The backend has sent one, with headers that may go to the client.
    pub(crate) fn on_arrival(&self, status: StatusCode, headers: HeaderMap) {
        self.arrived.notify_waiters();
        let mut state = self.state.lock();
        match &mut state.expectation {
            Expectation::None => state.add(status, headers),
            _ if status != StatusCode::CONTINUE => state.add(status, headers),
            expectation @ Expectation::Open(_) => {
                if let Expectation::Open(want) = std::mem::replace(expectation, Expectation::Wanted)
                {
                    // An error means that nobody asks for the body any more.
                    let _ = want.send(Wanted);
                }
            }
            // It is told when the body is asked for, and only once.
            Expectation::Wanted | Expectation::HealthLog => {}
        }
    }

    /// The body is asked for: a client that waits to be told is told.
    pub(crate) fn go_on(&self) {
        let mut state = self.state.lock();
        if !matches!(
            state.expectation,
            Expectation::None | Expectation::HealthLog
        ) {
            state.expectation = Expectation::HealthLog;
            state.add(StatusCode::CONTINUE, HeaderMap::new());
        }
    }

    /// The response has come: a body that nobody has asked for is not wanted.
    pub(crate) fn end(&self) {
        let mut state = self.state.lock();
        if let Expectation::Open(_) = state.expectation {
            state.expectation = Expectation::HealthLog;
        }
    }

    /// Waits for the next one to arrive.
    ///
    /// Cancel-safe.
    pub(crate) async fn arrival(&self) {
        self.arrived.notified().await;
    }

    /// The next one to be sent. For the stream's task.
    pub(crate) fn poll_next(&self, cx: &mut Context<'_>) -> Poll<Vec<Response<()>>> {
        let mut state = self.state.lock();
        if !state.waiting.is_empty() {
            return Poll::Ready(std::mem::take(&mut state.waiting));
        }
        let known = |waker: &Waker| waker.will_wake(cx.waker());
        if !state.waker.as_ref().is_some_and(known) {
            state.waker = Some(cx.waker().clone());
        }
        Poll::Pending
    }
}

impl State {
    fn add(&mut self, status: StatusCode, headers: HeaderMap) {
        // There is no switching to another protocol in HTTP/2 (RFC 9113, 8.6).
        if self.waiting.len() >= ENOUGH || status == StatusCode::SWITCHING_PROTOCOLS {
            return;
        }
        let mut response = Response::new(());
        *response.status_mut() = status;
        *response.headers_mut() = headers;
        self.waiting.push(response);
        if let Some(waker) = &self.waker {
            waker.wake_by_ref();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn next(interim: &Interim) -> Vec<u16> {
        let mut cx = Context::from_waker(Waker::noop());
        match interim.poll_next(&mut cx) {
            Poll::Ready(all) => all.iter().map(|one| one.status().as_u16()).collect(),
            Poll::Pending => Vec::new(),
        }
    }

    fn arrive(interim: &Interim, status: u16) {
        let status = StatusCode::from_u16(status).unwrap();
        interim.on_arrival(status, HeaderMap::new());
    }

    #[test]
    fn who_waits_for_100_is_told_once_and_only_when_the_body_is_asked_for() {
        let interim = Interim::default();
        let (wanted, mut is_wanted) = oneshot::channel();
        interim.expect(wanted);
        arrive(&interim, 103);
        assert_eq!(next(&interim), [103]);
        assert!(is_wanted.try_recv().is_err());
        for _ in 0..2 {
            arrive(&interim, 100);
        }
        assert!(is_wanted.try_recv().is_ok());
        assert_eq!(next(&interim), [0; 0]);
        for _ in 0..2 {
            interim.go_on();
        }
        arrive(&interim, 100);
        assert_eq!(next(&interim), [100]);
    }

    #[test]
    fn who_waits_for_100_hears_that_the_body_is_not_wanted() {
        let interim = Interim::default();
        let (wanted, mut is_wanted) = oneshot::channel();
        interim.expect(wanted);
        interim.end();
        assert_eq!(
            is_wanted.try_recv().unwrap_err(),
            oneshot::error::TryRecvError::Closed
        );
        interim.go_on();
        assert_eq!(next(&interim), [0; 0]);
    }

    #[test]
    fn who_does_not_wait_gets_what_comes_within_bounds() {
        let interim = Interim::default();
        interim.go_on();
        for status in [100, 101, 102] {
            arrive(&interim, status);
        }
        assert_eq!(next(&interim), [100, 102]);
        for _ in 0..100_000 {
            arrive(&interim, 103);
        }
        assert_eq!(next(&interim).len(), ENOUGH);
    }
}
