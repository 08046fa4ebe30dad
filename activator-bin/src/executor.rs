//! The executor for what hyper runs beside a connection, over HTTP/2 each request: the thread that the connection is on.

use std::cell::RefCell;
use std::collections::HashSet;
use std::pin::Pin;
use std::task::{Context, Poll};

use hyper::rt::Executor;
use pin_project_lite::pin_project;
use tokio::task::{Id, try_id};

thread_local! {
    /// Tasks of this thread that are to end. No request has to be looked up here as long as there are none.
    static CUT: RefCell<HashSet<Id>> = RefCell::default();
}

/// Runs futures on the current worker's thread.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LocalExecutor;

impl<F> Executor<F> for LocalExecutor
where
    F: Future<Output = ()> + 'static,
{
    fn execute(&self, future: F) {
        tokio::task::spawn_local(Cuttable { future });
    }
}

/// Has a future of this thread's executor dropped when it is polled next and does not end by itself. Hyper has no
/// other way to end a stream whose client takes nothing: it asks the body for nothing then.
pub(crate) fn cut(task: Id) {
    CUT.with_borrow_mut(|cut| cut.insert(task));
}

fn take_cut() -> bool {
    CUT.with_borrow_mut(|cut| !cut.is_empty() && try_id().is_some_and(|task| cut.remove(&task)))
}

pin_project! {
    struct Cuttable<F> {
        #[pin]
        future: F,
    }
}

impl<F: Future<Output = ()>> Future for Cuttable<F> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let polled = self.project().future.poll(cx);
        match take_cut() {
            true => Poll::Ready(()),
            false => polled,
        }
    }
}
