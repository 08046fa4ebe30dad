//! The runtime of everything but the requests.

use std::io;
use std::time::Duration;

use tokio::runtime::{self, Handle, Runtime};

/// How long a blocking write may delay the end.
const CONTROL_STOP: Duration = Duration::from_secs(1);

/// The runtime of everything but the requests.
pub(super) struct Control(Option<Runtime>);

impl Control {
    pub(super) fn start() -> io::Result<Self> {
        // Two threads, so that a report of very many revisions delays neither health checks nor the report of a first
        // request.
        let runtime = runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .thread_name("control")
            .enable_all()
            .build()?;
        Ok(Self(Some(runtime)))
    }

    /// Waits until its tasks have ended and their sockets are closed.
    pub(super) async fn stop(mut self) {
        if let Some(runtime) = self.0.take() {
            let stopping = move || runtime.shutdown_timeout(CONTROL_STOP);
            // An error means that the caller's own runtime is shutting down.
            let _ = tokio::task::spawn_blocking(stopping).await;
        }
    }

    pub(super) fn enter(&self) -> runtime::EnterGuard<'_> {
        self.runtime().enter()
    }

    pub(super) fn handle(&self) -> Handle {
        self.runtime().handle().clone()
    }

    fn runtime(&self) -> &Runtime {
        self.0.as_ref().expect("only stop and drop take it")
    }
}

impl Drop for Control {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            // Blocking is not allowed inside another runtime.
            runtime.shutdown_background();
        }
    }
}
