//! Whether this process is ready for requests, for `/readyz` and platform probes.

use tokio::sync::watch;

use crate::drain::Draining;

/// What `/readyz` depends on. `/livez` depends on nothing: a process that can respond is alive.
#[derive(Clone)]
pub(crate) struct Readiness {
    pub(crate) draining: Draining,
    /// Links that must be up.
    pub(crate) links: Vec<watch::Receiver<bool>>,
}

impl Readiness {
    /// Whether it is ready.
    ///
    /// # Errors
    /// Why it is not, as a line.
    pub(crate) fn check(&self) -> Result<(), &'static str> {
        if self.draining.is_announced() {
            return Err("not ready: shutting down\n");
        }
        if self.links.iter().all(|link| *link.borrow()) {
            Ok(())
        } else {
            Err("not ready: the link to the autoscaler is down\n")
        }
    }
}
