//! The largest of the values of the newest slots.

use std::collections::VecDeque;

/// A sliding maximum. Without slots it is the newest value.
#[derive(Debug)]
pub(super) struct SlidingMaximum {
    slots: u64,
    /// Slots and their values that may still become the maximum: later and smaller, one after the other.
    candidates: VecDeque<(u64, u32)>,
}

impl SlidingMaximum {
    pub(super) fn new(slots: u64) -> Self {
        Self {
            slots,
            candidates: VecDeque::new(),
        }
    }

    /// Changes the number of slots. Values that have left already do not come back.
    pub(super) fn resize(&mut self, slots: u64) {
        self.slots = slots;
    }

    /// Records a value and returns the maximum. Of several values in a slot the largest counts. A slot before the
    /// newest one counts as that.
    pub(super) fn record(&mut self, slot: u64, value: u32) -> u32 {
        if self.slots == 0 {
            self.candidates.clear();
            return value;
        }
        let newest = self.candidates.back().map_or(0, |&(newest, _)| newest);
        let slot = slot.max(newest);
        while let Some(&(oldest, _)) = self.candidates.front()
            && slot - oldest >= self.slots
        {
            self.candidates.pop_front();
        }
        while let Some(&(_, smaller)) = self.candidates.back()
            && smaller <= value
        {
            self.candidates.pop_back();
        }
        if self.candidates.back().is_none_or(|&(last, _)| last < slot) {
            self.candidates.push_back((slot, value));
        }
        self.candidates
            .front()
            .map_or(value, |&(_, largest)| largest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Values, one per slot, and the maximum after each.
    fn check(slots: u64, steps: &[(u64, u32, u32)]) {
        let mut maximum = SlidingMaximum::new(slots);
        for &(slot, value, expected) in steps {
            assert_eq!(maximum.record(slot, value), expected, "{value} in {slot}");
            assert!(maximum.candidates.len() as u64 <= slots);
        }
    }

    /// Those of Knative's `max/window_test.go` and `max/timewindow_test.go`.
    #[test]
    fn maxima_are_those_of_knative() {
        let in_turn = |values: &[u32], expected: &[u32]| {
            assert_eq!(values.len(), expected.len());
            let pairs = (0..).zip(values).zip(expected);
            let steps: Vec<_> = pairs
                .map(|((slot, &value), &is)| (slot, value, is))
                .collect();
            check(5, &steps);
        };
        in_turn(&[5, 6, 5, 5, 5, 5, 5], &[5, 6, 6, 6, 6, 6, 5]);
        in_turn(
            &[5, 8, 5, 7, 5, 5, 1, 4, 4, 4, 4, 9, 3, 4, 2, 1, 0],
            &[5, 8, 8, 8, 8, 8, 7, 7, 5, 5, 4, 9, 9, 9, 9, 9, 4],
        );
        check(5, &[(0, 6, 6), (1, 5, 6), (2, 2, 6), (6, 1, 2)]);
        check(5, &[(0, 6, 6), (0, 5, 6), (4, 1, 6), (5, 1, 1)]);
        check(5, &[(0, 5, 5), (0, 6, 6), (4, 1, 6), (5, 1, 1)]);
    }

    #[test]
    fn no_slot_is_not_one_slot() {
        check(1, &[(0, 6, 6), (0, 5, 6), (1, 5, 5)]);
        check(0, &[(0, 6, 6), (0, 5, 5)]);
    }

    #[test]
    fn a_slot_before_the_newest_counts_as_that() {
        check(2, &[(7, 1, 1), (3, 5, 5), (8, 1, 5), (9, 1, 1)]);
        check(2, &[(u64::MAX, 1, 1), (0, 5, 5), (u64::MAX, 1, 5)]);
    }

    #[test]
    fn fewer_slots_hold_fewer_values() {
        let mut maximum = SlidingMaximum::new(5);
        assert_eq!(maximum.record(0, 9), 9);
        assert_eq!(maximum.record(2, 4), 9);
        maximum.resize(2);
        assert_eq!(maximum.record(3, 1), 4);
        maximum.resize(0);
        assert_eq!(maximum.record(3, 1), 1);
        maximum.resize(5);
        assert_eq!(maximum.record(4, 0), 0);
    }
}
