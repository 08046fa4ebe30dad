//! The runtime of everything that is not on a request's way.

use std::io;
use std::time::Duration;

use tokio::runtime::{self, Runtime};

/// How long a write that blocks may hold up the end.
const CONTROL_STOP: Duration = Duration::from_secs(1);

/// The runtime of everything that is not on a request's way.
pub(super) struct Control(Option<Runtime>);

impl Control {
    pub(super) fn start() -> io::Result<Self> {
        // Two threads, so that a report of very many revisions holds up neither health nor a first request's message.
        let runtime = runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .thread_name("control")
            .enable_all()
            .build()?;
        Ok(Self(Some(runtime)))
    }

    /// Waits until its tasks are gone, and their sockets with them.
    pub(super) async fn stop(mut self) {
        if let Some(runtime) = self.0.take() {
            let stopping = move || runtime.shutdown_timeout(CONTROL_STOP);
            // An error means that the caller's own runtime is going down.
            let _ = tokio::task::spawn_blocking(stopping).await;
        }
    }

    pub(super) fn enter(&self) -> runtime::EnterGuard<'_> {
        self.0
            .as_ref()
            .expect("it is taken only by the drop")
            .enter()
    }
}

impl Drop for Control {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            // Waiting for it is forbidden where other tasks run.
            runtime.shutdown_background();
        }
    }
}
