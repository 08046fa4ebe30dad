//! Informational responses (1xx) of a backend for an HTTP/2 client, where they belong to a stream.
//!
//! What must not live here: those for HTTP/1 clients, which belong to the connection.

use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use http::{HeaderMap, Response, StatusCode};
use parking_lot::Mutex;
use tokio::sync::{Notify, oneshot};

/// Once this many wait, further ones are dropped.
const ENOUGH: usize = 16;

/// What is called with the informational responses of an HTTP/1 backend. A request extension, which must be `Send`.
#[derive(Clone)]
pub(crate) struct OnInterim(Arc<Call>);

type Call = dyn Fn(&Response<()>) + Send + Sync;

impl OnInterim {
    pub(crate) fn new(call: impl Fn(&Response<()>) + Send + Sync + 'static) -> Self {
        Self(Arc::new(call))
    }

    pub(crate) fn call(&self, response: &Response<()>) {
        (self.0)(response);
    }
}

/// The backend sent 100 (Continue).
#[derive(Debug)]
pub(crate) struct Wanted;

/// The unsent informational responses of one request.
///
/// Used by a single thread; a request extension must be `Send`.
#[derive(Debug, Default)]
pub(crate) struct Interim {
    state: Mutex<State>,
    arrived: Notify,
}

#[derive(Debug, Default)]
struct State {
    waiting: Vec<Response<()>>,
    /// Of the task that serves the stream.
    waker: Option<Waker>,
    expectation: Expectation,
}

/// The state of the client's `Expect: 100-continue`.
#[derive(Debug, Default)]
enum Expectation {
    #[default]
    None,
    /// The backend has not asked for the body yet.
    Open(oneshot::Sender<Wanted>),
    /// The backend has asked for the body, or we no longer wait for it to do so.
    Wanted,
    /// It was sent to the client, or never will be.
    Settled,
}

impl Interim {
    /// The client waits for 100 (Continue). [`Wanted`] is sent once the backend sends it.
    pub(crate) fn expect(&self, wanted: oneshot::Sender<Wanted>) {
        self.state.lock().expectation = Expectation::Open(wanted);
    }

    /// The backend sent one; its `headers` are fit for the client.
    pub(crate) fn on_arrival(&self, status: StatusCode, headers: HeaderMap) {
        self.arrived.notify_waiters();
        let mut state = self.state.lock();
        match &mut state.expectation {
            Expectation::None => state.add(status, headers),
            _ if status != StatusCode::CONTINUE => state.add(status, headers),
            expectation @ Expectation::Open(_) => {
                if let Expectation::Open(want) = std::mem::replace(expectation, Expectation::Wanted)
                {
                    // An error means that the body is no longer read.
                    let _ = want.send(Wanted);
                }
            }
            // The client gets it when the body is first polled, and only once.
            Expectation::Wanted | Expectation::Settled => {}
        }
    }

    /// The body is being read: sends 100 (Continue) to a client that waits for it.
    pub(crate) fn send_continue(&self) {
        let mut state = self.state.lock();
        if !matches!(state.expectation, Expectation::None | Expectation::Settled) {
            state.expectation = Expectation::Settled;
            state.add(StatusCode::CONTINUE, HeaderMap::new());
        }
    }

    /// The final response has arrived: a body that was not asked for is not wanted.
    pub(crate) fn end(&self) {
        let mut state = self.state.lock();
        if let Expectation::Open(_) = state.expectation {
            state.expectation = Expectation::Settled;
        }
    }

    /// Waits for the next one to arrive.
    ///
    /// Cancel-safe.
    pub(crate) async fn arrival(&self) {
        self.arrived.notified().await;
    }

    /// Takes the unsent ones. For the task that serves the stream.
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
        // HTTP/2 has no protocol switch (RFC 9113, 8.6).
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
    fn continue_is_sent_once_and_only_when_the_body_is_read() {
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
            interim.send_continue();
        }
        arrive(&interim, 100);
        assert_eq!(next(&interim), [100]);
    }

    #[test]
    fn a_final_response_means_that_the_body_is_not_wanted() {
        let interim = Interim::default();
        let (wanted, mut is_wanted) = oneshot::channel();
        interim.expect(wanted);
        interim.end();
        assert_eq!(
            is_wanted.try_recv().unwrap_err(),
            oneshot::error::TryRecvError::Closed
        );
        interim.send_continue();
        assert_eq!(next(&interim), [0; 0]);
    }

    #[test]
    fn responses_for_a_client_that_does_not_wait_are_bounded() {
        let interim = Interim::default();
        interim.send_continue();
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
