//! Whether this process is ready for requests, for `/readyz` and platform probes.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use crate::drain::Draining;

/// What `/readyz` depends on. `/livez` depends on nothing: a process that can respond is alive.
#[derive(Clone)]
pub(crate) struct Readiness {
    pub(crate) draining: Draining,
    /// Links that must be up.
    pub(crate) links: Vec<watch::Receiver<bool>>,
    /// `None` when the revisions are known from the start.
    pub(crate) first_lists: Option<FirstLists>,
}

/// The first lists of a cluster: before they are complete, a revision that is not known may exist.
#[derive(Clone)]
pub struct FirstLists {
    are_complete: watch::Receiver<bool>,
    patience: Duration,
    until: Instant,
}

impl Readiness {
    /// Whether it is ready.
    ///
    /// # Errors
    /// Why it is not, as a line.
    pub(crate) fn check(&self) -> Result<(), &'static str> {
        self.check_platform()?;
        match &self.first_lists {
            Some(lists) if !lists.are_complete() => Err(NO_LISTS),
            _ => Ok(()),
        }
    }

    /// Whether it is ready as far as a probe on the data port is concerned: one that may have the process restarted,
    /// which brings no list any sooner. So it does not wait for the first lists without end.
    ///
    /// # Errors
    /// Why it is not, as a line.
    pub(crate) fn check_platform(&self) -> Result<(), &'static str> {
        if self.draining.is_announced() {
            return Err("not ready: shutting down\n");
        }
        if !self.links.iter().all(|link| *link.borrow()) {
            return Err("not ready: the link to the autoscaler is down\n");
        }
        match &self.first_lists {
            Some(lists) if !lists.are_complete() && Instant::now() < lists.until => Err(NO_LISTS),
            _ => Ok(()),
        }
    }
}

const NO_LISTS: &str = "not ready: the cluster has not been listed yet\n";

impl FirstLists {
    /// `are_complete` turns true once. From now on, probes of the platform wait for that for at most `patience`, and
    /// so does each request for a revision that is not known.
    #[must_use]
    pub fn new(are_complete: watch::Receiver<bool>, patience: Duration) -> Self {
        Self {
            are_complete,
            patience,
            until: Instant::now() + patience,
        }
    }

    /// Whether they are complete.
    pub(crate) fn are_complete(&self) -> bool {
        *self.are_complete.borrow()
    }

    /// Waits until they are complete, for at most the patience from now. Returns whether they are.
    ///
    /// Cancel-safe.
    pub(crate) async fn completed(&self) -> bool {
        let mut are_complete = self.are_complete.clone();
        let completed = are_complete.wait_for(|are_complete| *are_complete);
        let completed = tokio::time::timeout(self.patience, completed);
        completed.await.is_ok_and(|completed| completed.is_ok())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::drain::Drain;

    #[tokio::test(start_paused = true)]
    async fn probes_of_the_platform_wait_for_the_first_lists_with_a_bound() {
        let (complete, are_complete) = watch::channel(false);
        let patience = Duration::from_secs(60);
        let (drain, draining) = Drain::new();
        let readiness = Readiness {
            draining,
            links: Vec::new(),
            first_lists: Some(FirstLists::new(are_complete, patience)),
        };
        let check = |ready, platform_ready| {
            let found = (readiness.check(), readiness.check_platform());
            let expected = |is_ready| if is_ready { Ok(()) } else { Err(NO_LISTS) };
            assert_eq!(found, (expected(ready), expected(platform_ready)));
        };
        check(false, false);
        tokio::time::advance(Duration::from_secs(59)).await;
        check(false, false);
        tokio::time::advance(Duration::from_secs(1)).await;
        check(false, true);
        complete.send_replace(true);
        check(true, true);
        drain.announce(Duration::ZERO);
        assert_eq!(readiness.check(), Err("not ready: shutting down\n"));
    }
}
