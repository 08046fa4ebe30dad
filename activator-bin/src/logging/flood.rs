//! Limits floods of log lines: some of each kind are written, the rest are counted.
//!
//! Many peers at once can cause many lines. A kind of line is the place in the code that logs it, so that a flood of one
//! kind does not suppress another.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tracing::callsite::Identifier;
use tracing::{Event, Level, Metadata};
use tracing_subscriber::layer::{Context, Filter};

use super::queue::Queue;

/// The most lines of a kind written at once.
const BURST: u32 = 200;
/// Modules that log what operators do, not what peers do, without a limit; and one that has limits of its own.
const EXEMPT: [&str; 6] = [
    "activator_bin::cli",
    "activator_bin::launcher::process::output",
    "activator_bin::logging",
    "activator_bin::run",
    "activator_bin::source",
    "activator_bin::tls",
];
/// The time after which one more is allowed.
const PAUSE: Duration = Duration::from_millis(100);

/// Passes lines of each kind up to their allowance, and all debug lines.
pub(super) struct Flood {
    queue: &'static Queue,
    /// One for each place in the code that logs, so their number is bounded.
    kinds: Mutex<HashMap<Identifier, Allowance>>,
}

impl Flood {
    pub(super) fn new(queue: &'static Queue) -> Self {
        Self {
            queue,
            kinds: Mutex::default(),
        }
    }
}

impl<S> Filter<S> for Flood {
    fn enabled(&self, _: &Metadata<'_>, _: &Context<'_, S>) -> bool {
        true
    }

    fn event_enabled(&self, event: &Event<'_>, _: &Context<'_, S>) -> bool {
        let metadata = event.metadata();
        let is_exempt = EXEMPT.iter().any(|own| metadata.target().starts_with(own));
        if is_exempt || *metadata.level() > Level::INFO {
            return true;
        }
        let now = Instant::now();
        let mut kinds = self.kinds.lock();
        let kind = kinds.entry(metadata.callsite());
        let is_allowed = kind.or_insert_with(|| Allowance::new(now)).take(now);
        drop(kinds);
        if !is_allowed {
            self.queue.leave_out();
        }
        is_allowed
    }
}

/// How many lines of one kind are allowed.
#[derive(Debug)]
struct Allowance {
    left: u32,
    /// As of when `left` is known.
    at: Instant,
}

impl Allowance {
    fn new(now: Instant) -> Self {
        Self {
            left: BURST,
            at: now,
        }
    }

    /// Whether one more line is allowed.
    fn take(&mut self, now: Instant) -> bool {
        let pauses = now.saturating_duration_since(self.at).as_nanos() / PAUSE.as_nanos();
        let more = u32::try_from(pauses).unwrap_or(u32::MAX);
        if self.left.saturating_add(more) >= BURST {
            (self.left, self.at) = (BURST, now);
        } else {
            self.left += more;
            self.at += PAUSE * more;
        }
        let is_allowed = self.left > 0;
        self.left = self.left.saturating_sub(1);
        is_allowed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_is_cut_to_a_burst_and_then_ten_lines_a_second() {
        let start = Instant::now();
        let mut allowance = Allowance::new(start);
        // A line per ms, for ten seconds.
        let allowed = (0..10_000_u32).filter(|ms| allowance.take(start + *ms * PAUSE / 100));
        assert_eq!(allowed.count(), BURST as usize + 99);
    }

    #[test]
    fn occasional_lines_are_written() {
        let start = Instant::now();
        let mut allowance = Allowance::new(start);
        assert!((0..10_000).all(|line| allowance.take(start + line * PAUSE)));
        // After a flood there is as much room as before.
        while allowance.take(start + 10_000 * PAUSE) {}
        let later = start + 20_000 * PAUSE;
        assert!((0..BURST).all(|_| allowance.take(later)));
        assert!(!allowance.take(later));
    }

    #[test]
    fn a_clock_that_stands_still_or_goes_back_allows_nothing_more() {
        let start = Instant::now();
        let mut allowance = Allowance::new(start + PAUSE);
        assert!((0..BURST).all(|_| allowance.take(start)));
        assert!(!allowance.take(start));
    }
}
