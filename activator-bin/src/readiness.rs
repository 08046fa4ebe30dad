//! Whether this process is ready for requests, and why not: for `/readyz` and for probes from outside.

use tokio::sync::watch;

use crate::drain::Draining;

/// What `/readyz` depends on. `/livez` depends on nothing: a process that can answer is alive.
#[derive(Clone)]
pub(crate) struct Readiness {
    pub(crate) draining: Draining,
    /// Links that must be up.
    pub(crate) links: Vec<watch::Receiver<bool>>,
}

impl Readiness {
    /// Says in a line why it is not ready.
    pub(crate) fn check(&self) -> Result<(), &'static str> {
        if self.draining.is_announced() {
            return Err("not ready: shutting down\n");
        }
        match self.links.iter().all(|link| *link.borrow()) {
            true => Ok(()),
            false => Err("not ready: the link to the autoscaler is down\n"),
        }
    }
}
