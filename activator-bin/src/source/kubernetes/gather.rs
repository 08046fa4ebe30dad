//! When changes are applied: the first one after a pause at once, those that follow it together. Pure.

use std::time::Duration;

use tokio::time::Instant;

/// Changes that wait to be applied together.
#[derive(Debug)]
pub(super) struct Gather {
    window: Duration,
    last: Option<Instant>,
    due: Option<Instant>,
}

impl Gather {
    /// Changes are applied at most once per `window`.
    pub(super) fn new(window: Duration) -> Self {
        Self {
            window,
            last: None,
            due: None,
        }
    }

    /// Something has changed.
    pub(super) fn on_change(&mut self, now: Instant) {
        let next = self.last.map_or(now, |last| now.max(last + self.window));
        self.due.get_or_insert(next);
    }

    /// When the changes are to be applied. `None` if there are none.
    pub(super) fn due(&self) -> Option<Instant> {
        self.due
    }

    /// They are being applied.
    pub(super) fn on_applied(&mut self, now: Instant) {
        self.due = None;
        self.last = Some(now);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MS: Duration = Duration::from_millis(1);

    /// When changes at these times, in ms, are applied.
    fn applied(changes: &[u32]) -> Vec<u32> {
        let start = Instant::now();
        let mut gather = Gather::new(5 * MS);
        let mut times = Vec::new();
        let mut changes = changes.iter().copied().peekable();
        for time in 0..10_000 {
            let now = start + time * MS;
            while changes.next_if_eq(&time).is_some() {
                gather.on_change(now);
            }
            if gather.due().is_some_and(|due| due <= now) {
                times.push(time);
                gather.on_applied(now);
            }
        }
        times
    }

    #[test]
    fn a_change_after_a_pause_is_applied_at_once_and_those_after_it_together() {
        assert!(applied(&[]).is_empty());
        assert_eq!(applied(&[3]), [3]);
        assert_eq!(applied(&[3, 3, 4, 5, 8, 9]), [3, 8, 13]);
        assert_eq!(applied(&[3, 8, 13]), [3, 8, 13]);
        assert_eq!(applied(&[3, 9, 20, 21]), [3, 9, 20, 25]);
    }

    proptest! {
        #[test]
        fn each_change_is_applied_in_time_and_no_two_sets_are_close(
            mut changes in prop::collection::vec(0u32..1_000, 0..200),
        ) {
            changes.sort_unstable();
            let applied = applied(&changes);
            for change in &changes {
                prop_assert!(applied.iter().any(|at| (*change..=change + 5).contains(at)));
            }
            prop_assert!(applied.windows(2).all(|pair| pair[1] - pair[0] >= 5));
            prop_assert!(applied.len() <= changes.len());
        }
    }
}
