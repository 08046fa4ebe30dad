//! Brings the throttle's capacity up to date with what is known about the backends.

use reporter_metrics::BackendState;

use super::*;

impl Task {
    /// Changes the capacity: first it is lowered where it has to be, then raised.
    pub(super) fn settle(&mut self) {
        // There may be a newer list than the one processed: removed backends must not come back. While this is
        // borrowed, the owner cannot remove any.
        let latest = self.latest.borrow();
        let mut step = self.assignment.settle(
            self.targets.container_concurrency,
            self.targets.share(),
            |backend| self.targets.has_same(&latest, backend),
        );
        let mut added: Vec<_> = step.added.iter().map(|&backend| (backend, None)).collect();
        let service = self.via.admit(&self.targets);
        step.removed.extend(service.removed);
        added.extend(service.added);
        if !step.removed.is_empty() || !added.is_empty() {
            self.throttle.replace_backends(&step.removed, &added);
        }
        drop(latest);
        self.via.forget_closed();
    }

    /// The first of the backends, each with its state.
    pub(super) fn states(&self) -> Vec<(SocketAddr, BackendState)> {
        let first = self.backends.iter().take(MOST_SHOWN);
        let state = |(&address, known): (&SocketAddr, &Known)| {
            let state = match known.state {
                State::Ready { .. } if self.assignment.is_assigned(address) => BackendState::Ready,
                State::Ready { .. } => BackendState::Unassigned,
                State::Probing {
                    reason: Reason::SetAside,
                    ..
                } => BackendState::SetAside,
                State::Probing { .. } => BackendState::Probing,
            };
            (address, state)
        };
        first.map(state).collect()
    }

    pub(super) fn count(&self) -> BackendCounts {
        let mut counts = BackendCounts {
            ready: self.assignment.assigned(),
            ..BackendCounts::default()
        };
        if self.via.is_open() {
            counts.behind_service = self.targets.called_ready();
        }
        for known in self.backends.values() {
            *match known.state {
                State::Ready { .. } => &mut counts.unassigned,
                State::Probing {
                    reason: Reason::New | Reason::Demoted,
                    ..
                } => &mut counts.probing,
                State::Probing {
                    reason: Reason::SetAside,
                    ..
                } => &mut counts.set_aside,
            } += 1;
        }
        counts.unassigned -= counts.ready.min(counts.unassigned);
        counts
    }
}
