//! The average of what was recorded within a window, in slots of equal length.

/// A window over the newest slots. The average is over the part of it that was really seen: it neither counts the
/// slots before the first value nor those since the last one.
#[derive(Debug)]
pub(super) struct Window {
    /// What each slot has got, at its number modulo their count. Those outside the window are 0.
    sums: Box<[f64]>,
    seen: Option<Seen>,
}

/// The first and the last slot with a value, without gaps as long as the window between them.
#[derive(Clone, Copy, Debug)]
struct Seen {
    first: u64,
    last: u64,
}

impl Window {
    /// An empty window of this many slots, at least 1.
    pub(super) fn new(slots: u64) -> Self {
        let slots = usize::try_from(slots.max(1)).unwrap_or(usize::MAX);
        Self {
            sums: vec![0.0; slots].into(),
            seen: None,
        }
    }

    /// Adds a value to a slot. Has no effect when the slot is older than the window.
    pub(super) fn record(&mut self, slot: u64, value: f64) {
        let Seen { first, last } = self.seen.unwrap_or(Seen {
            first: slot,
            last: slot,
        });
        let mut first = first.min(slot);
        if last.saturating_sub(slot) >= self.slots() {
            return;
        }
        let gap = slot.saturating_sub(last);
        if gap >= self.slots() {
            self.sums.fill(0.0);
            first = slot;
        } else {
            for before in last..last + gap {
                *self.sum_mut(before + 1) = 0.0;
            }
        }
        *self.sum_mut(slot) += value;
        self.seen = Some(Seen {
            first,
            last: last.max(slot),
        });
    }

    /// The average at this slot, with six decimals; 0 when nothing was recorded within the window.
    ///
    /// The sum is made anew each time: one that is kept would keep the rounding errors of all that was ever in it, and
    /// might never be 0 again.
    pub(super) fn average(&self, slot: u64) -> f64 {
        let Some(Seen { first, last }) = self.seen else {
            return 0.0;
        };
        let since = slot.saturating_sub(last);
        if since >= self.slots() {
            return 0.0;
        }
        let all: f64 = self.sums.iter().sum();
        // Slots that have left since are where the new ones would be.
        let left: f64 = (last..last + since)
            .map(|before| self.sum(before + 1))
            .sum();
        let seen = (last - first).saturating_add(1).min(self.slots() - since);
        ((all - left) / seen as f64 * 1e6).round() / 1e6
    }

    /// Changes the number of slots and keeps the newest.
    pub(super) fn resize(&mut self, slots: u64, now: u64) {
        if slots.max(1) == self.slots() {
            return;
        }
        let mut resized = Self::new(slots);
        if let Some(Seen { first, last }) = self.seen
            && now.saturating_sub(last) < self.slots()
        {
            let oldest = first.max(last.saturating_sub(self.slots() - 1));
            for slot in oldest..=last {
                resized.record(slot, self.sum(slot));
            }
            resized.seen = Some(Seen {
                first: oldest,
                last,
            });
        }
        *self = resized;
    }

    fn slots(&self) -> u64 {
        self.sums.len() as u64
    }

    fn sum(&self, slot: u64) -> f64 {
        self.sums[(slot % self.slots()) as usize]
    }

    fn sum_mut(&mut self, slot: u64) -> &mut f64 {
        &mut self.sums[(slot % self.slots()) as usize]
    }
}

#[cfg(test)]
mod tests;
