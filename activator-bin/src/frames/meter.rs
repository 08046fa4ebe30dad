//! Limits the rate of frames that cost work and carry nothing.

use tokio::time::Instant;

use super::head::{Head, Kind};
use super::sent::Frame;

/// How many are allowed at once. Proxies that multiplex the requests of thousands of clients reset hundreds at once.
const BURST: u32 = 10_000;
/// The sustained rate.
const PER_SECOND: u32 = 1_000;

/// How many of a peer's mistakes are forgiven per second, up to the configured limit.
const MISTAKES_PER_SECOND: u32 = 100;

/// The recipient of a DATA frame may respond with a WINDOW_UPDATE for the stream, one for the connection, and a PING
/// to measure latency.
const PER_DATA: u32 = 3;

/// NO_ERROR, INTERNAL_ERROR and CANCEL: resets that are not the peer's fault.
const OURS: [u32; 3] = [0, 2, 8];
/// STREAM_CLOSED: h2's response to a late frame. All other codes mean that the peer broke the rules or exceeded a
/// limit.
const LATE: u32 = 5;

/// How much a peer may still send.
pub(super) struct Meter {
    /// Unsolicited frames.
    unasked: Bucket,
    /// Frames that may be a response to data.
    responses: Bucket,
    /// Frames that were in error.
    mistakes: Bucket,
}

impl Meter {
    /// `mistakes` overrides how many protocol errors are tolerated at once.
    pub(super) fn new(mistakes: Option<u32>, now: Instant) -> Self {
        Self {
            unasked: Bucket::new(BURST, PER_SECOND, now),
            responses: Bucket::new(BURST, PER_SECOND, now),
            mistakes: match mistakes {
                Some(most) => Bucket::new(most, MISTAKES_PER_SECOND, now),
                None => Bucket::new(BURST, PER_SECOND, now),
            },
        }
    }

    /// False if the frame exceeds the limit.
    pub(super) fn on_received(&mut self, frame: &Head, now: impl FnOnce() -> Instant) -> bool {
        match frame.kind {
            Kind::Data if !frame.is_empty_data() => true,
            Kind::Headers | Kind::PushPromise | Kind::Continuation => true,
            Kind::Ping | Kind::WindowUpdate => self.responses.take(now),
            Kind::Data
            | Kind::Priority
            | Kind::Reset
            | Kind::Settings
            | Kind::GoAway
            | Kind::Unknown => self.unasked.take(now),
        }
    }

    /// False if the peer has made too many mistakes.
    pub(super) fn on_sent(&mut self, frame: Frame, now: impl FnOnce() -> Instant) -> bool {
        match frame.head.kind {
            Kind::Data if frame.head.length > 0 => self.responses.give(PER_DATA),
            Kind::Reset => match frame.code {
                Some(code) if OURS.contains(&code) => {}
                Some(LATE) => return self.unasked.take(now),
                _ => return self.mistakes.take(now),
            },
            _ => {}
        }
        true
    }
}

/// A token bucket. Refilled only when empty, so that the clock is rarely read.
struct Bucket {
    left: u32,
    filled: Instant,
    brim: u32,
    per_second: u32,
}

impl Bucket {
    fn new(brim: u32, per_second: u32, now: Instant) -> Self {
        Self {
            left: brim,
            filled: now,
            brim,
            per_second,
        }
    }

    /// Takes one token, if there is one.
    fn take(&mut self, now: impl FnOnce() -> Instant) -> bool {
        if self.left == 0 {
            let now = now();
            let millis = now.saturating_duration_since(self.filled).as_millis();
            let more = millis * u128::from(self.per_second) / 1_000;
            self.left = u32::try_from(more).map_or(self.brim, |more| more.min(self.brim));
            if self.left == 0 {
                return false;
            }
            self.filled = now;
        }
        self.left -= 1;
        true
    }

    fn give(&mut self, more: u32) {
        self.left = (self.left + more).min(self.brim);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn head(kind: Kind, length: usize) -> Head {
        Head {
            length,
            kind,
            flags: 0,
            stream: 1,
        }
    }

    #[test]
    fn a_flood_exceeds_the_burst_or_the_rate() {
        let begin = Instant::now();
        let mut meter = Meter::new(None, begin);
        let reset = head(Kind::Reset, 4);
        let mut take = |ms| meter.on_received(&reset, || begin + Duration::from_millis(ms));
        assert!((0..10_000).all(|_| take(0)));
        assert!(!take(0));
        assert!((0..1_500).all(|_| take(1_500)));
        assert!(!take(1_500));
        assert!((1_501..10_000).all(&mut take));
        // Idle time never adds up to more than a burst.
        assert!((0..10_000).all(|_| take(10_000_000)));
        assert!(!take(10_000_000));
    }

    #[test]
    fn data_may_be_answered() {
        let now = Instant::now();
        let mut meter = Meter::new(None, now);
        let (data, window) = (head(Kind::Data, 1), head(Kind::WindowUpdate, 4));
        for _ in 0..100_000 {
            let data = Frame {
                head: data,
                code: None,
            };
            for _ in 0..3 {
                assert!(meter.on_received(&window, || now));
            }
            assert!(meter.on_sent(data, || now));
        }
        assert!((0..10_000).all(|_| meter.on_received(&window, || now)));
        assert!(!meter.on_received(&window, || now));
    }

    #[test]
    fn our_own_resets_are_not_a_flood() {
        let now = Instant::now();
        let mut meter = Meter::new(None, now);
        let mut reset = |code| {
            let frame = Frame {
                head: head(Kind::Reset, 4),
                code: Some(code),
            };
            meter.on_sent(frame, || now)
        };
        assert!((0..100_000).all(|_| reset(8) && reset(0)));
        // STREAM_CLOSED.
        assert!((0..10_000).all(|_| reset(5)));
        assert!(!reset(5));
    }

    #[test]
    fn mistakes_are_forgiven_more_slowly() {
        let begin = Instant::now();
        let mut meter = Meter::new(Some(256), begin);
        let mut mistake = |code, ms| {
            let frame = Frame {
                head: head(Kind::Reset, 4),
                code: Some(code),
            };
            meter.on_sent(frame, || begin + Duration::from_millis(ms))
        };
        assert!((0..256).all(|_| mistake(1, 0)));
        assert!(!mistake(7, 0));
        // Late frames on a closed stream are not mistakes.
        assert!(mistake(5, 0));
        assert!((1..20).all(|time| mistake(1, time * 10)));
        assert!(!mistake(1, 190));
    }
}
