//! The executor for what hyper runs beside a connection: the thread that the connection is on.

use hyper::rt::Executor;

/// Runs futures on the current worker's thread.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LocalExecutor;

impl<F> Executor<F> for LocalExecutor
where
    F: Future<Output = ()> + 'static,
{
    fn execute(&self, future: F) {
        tokio::task::spawn_local(future);
    }
}
