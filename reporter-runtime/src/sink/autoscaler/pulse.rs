//! Pings without a pong, when the next one is due, and when the peer counts as dead.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

/// The pings of one link. Reads no clock.
#[derive(Debug)]
pub(super) struct Pulse {
    ping_interval: Duration,
    pong_timeout: Duration,
    /// Oldest first.
    unanswered: VecDeque<Ping>,
    /// The last frame that was sent; 0 before the first.
    last_sequence: u64,
    /// When the last ping was sent.
    spoke: Instant,
    /// When the last pong came.
    heard: Instant,
}

#[derive(Debug)]
struct Ping {
    sequence: u64,
    sent: Instant,
    /// Whether it follows a frame; a keep-alive confirms nothing of its own.
    frame: bool,
}

/// What the link waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Beat {
    /// A pong, until then.
    Pong(Instant),
    /// The time for a keep-alive.
    Ping(Instant),
}

/// The frames that a pong confirms, oldest first, and how long each took.
pub(super) type Confirmed = Vec<(u64, Duration)>;

impl Pulse {
    pub(super) fn new(ping_interval: Duration, pong_timeout: Duration, now: Instant) -> Self {
        Self {
            ping_interval,
            pong_timeout,
            unanswered: VecDeque::new(),
            last_sequence: 0,
            spoke: now,
            heard: now,
        }
    }

    /// The number of a keep-alive: its pong confirms nothing new.
    pub(super) fn last_sequence(&self) -> u64 {
        self.last_sequence
    }

    /// A frame and the ping behind it were sent.
    pub(super) fn on_frame(&mut self, sequence: u64, now: Instant) {
        self.last_sequence = sequence;
        self.on_ping(sequence, true, now);
    }

    /// A keep-alive was sent.
    pub(super) fn on_keep_alive(&mut self, now: Instant) {
        self.on_ping(self.last_sequence, false, now);
    }

    fn on_ping(&mut self, sequence: u64, frame: bool, now: Instant) {
        self.unanswered.push_back(Ping {
            sequence,
            sent: now,
            frame,
        });
        self.spoke = now;
    }

    /// A pong came; `None` when it belongs to no ping of this link, which is no sign of life.
    pub(super) fn on_pong(&mut self, sequence: u64, now: Instant) -> Option<Confirmed> {
        if sequence > self.last_sequence {
            return None;
        }
        let answered = |ping: &Ping| ping.sequence <= sequence;
        let done = match self.unanswered.partition_point(answered) {
            0 => return None,
            done => self.unanswered.drain(..done),
        };
        self.heard = now;
        let frames = done.filter(|ping| ping.frame);
        Some(
            frames
                .map(|ping| (ping.sequence, now - ping.sent))
                .collect(),
        )
    }

    /// What comes next.
    pub(super) fn next(&self) -> Beat {
        match self.unanswered.front() {
            // A slow peer that makes progress is not dead: the timeout runs from its last pong.
            Some(ping) => Beat::Pong(ping.sent.max(self.heard) + self.pong_timeout),
            None => Beat::Ping(self.spoke + self.ping_interval),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PING: Duration = Duration::from_secs(3);
    const PONG: Duration = Duration::from_secs(10);

    fn pulse() -> (Pulse, impl Fn(u64) -> Instant) {
        let start = Instant::now();
        let at = move |seconds| start + Duration::from_secs(seconds);
        (Pulse::new(PING, PONG, start), at)
    }

    fn confirms(frames: &[(u64, u64)]) -> Option<Confirmed> {
        let frames = frames.iter();
        Some(
            frames
                .map(|&(sequence, s)| (sequence, Duration::from_secs(s)))
                .collect(),
        )
    }

    #[test]
    fn an_idle_link_is_pinged_and_a_pong_moves_the_next_ping() {
        let (mut pulse, at) = pulse();
        assert_eq!(pulse.next(), Beat::Ping(at(3)));
        pulse.on_keep_alive(at(3));
        assert_eq!(pulse.next(), Beat::Pong(at(13)));
        assert_eq!(pulse.on_pong(0, at(4)), confirms(&[]));
        assert_eq!(pulse.next(), Beat::Ping(at(6)));
    }

    #[test]
    fn a_pong_confirms_its_frame_and_all_before() {
        let (mut pulse, at) = pulse();
        for sequence in 5..9 {
            pulse.on_frame(sequence, at(sequence));
        }
        assert_eq!(
            pulse.on_pong(7, at(10)),
            confirms(&[(5, 5), (6, 4), (7, 3)])
        );
        assert_eq!(pulse.on_pong(7, at(10)), None);
        assert_eq!(pulse.on_pong(8, at(10)), confirms(&[(8, 2)]));
    }

    #[test]
    fn a_pong_with_a_number_that_was_never_sent_is_no_sign_of_life() {
        let (mut pulse, at) = pulse();
        pulse.on_frame(5, at(0));
        for sequence in [0, 4, 6, u64::MAX] {
            assert_eq!(pulse.on_pong(sequence, at(9)), None);
        }
        assert_eq!(pulse.next(), Beat::Pong(at(10)));
    }

    #[test]
    fn a_slow_peer_that_makes_progress_is_not_dead() {
        let (mut pulse, at) = pulse();
        pulse.on_frame(1, at(0));
        pulse.on_frame(2, at(0));
        pulse.on_pong(1, at(9));
        assert_eq!(pulse.next(), Beat::Pong(at(19)));
        pulse.on_frame(3, at(18));
        assert_eq!(pulse.next(), Beat::Pong(at(19)));
    }
}
