//! Tells the service manager that this process works, for as long as it does.

use std::time::Duration;

use tokio::runtime::Handle;
use tokio::time::{MissedTickBehavior, interval, timeout};

use crate::os::service_manager::{WATCHDOG, notify, watchdog};
use crate::server::pulse::{Pulse, WorkerDied};

/// What must turn its loop: the workers, and the runtime of reports, probes and the admin port.
pub(super) struct Loops {
    pub(super) workers: Vec<Pulse>,
    pub(super) control: Handle,
}

impl Loops {
    /// Waits until all have turned.
    async fn turned(&self) -> Result<(), WorkerDied> {
        for worker in &self.workers {
            worker.turned().await?;
        }
        // An error means that it has been shut down.
        let _ = self.control.spawn(async {}).await;
        Ok(())
    }
}

/// Notifies the manager, if it asks for that, each time all `loops` have turned. Ends when that can happen no more.
pub(super) async fn run(loops: Loops) {
    let limit = match watchdog::from_environment() {
        Ok(Some(limit)) => limit,
        Ok(None) => return,
        Err(error) => {
            tracing::warn!("the service manager's watchdog is not notified: {error}");
            return;
        }
    };
    tracing::debug!("the service manager expects to hear from this process every {limit:?}");
    if let Err(error) = keep_notifying(&loops, limit).await {
        tracing::error!("{error}: the service manager's watchdog is not notified any more");
    }
}

async fn keep_notifying(loops: &Loops, limit: Duration) -> Result<(), WorkerDied> {
    let mut ticks = interval(watchdog::pause(limit));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let mut turned = Box::pin(loops.turned());
        match timeout(limit, &mut turned).await {
            Ok(turned) => turned?,
            Err(_) => {
                tracing::error!("a worker or the control runtime is stuck for {limit:?}");
                turned.await?;
            }
        }
        notify(WATCHDOG);
    }
}
