//! The plan of a run: all random choices, from the seed alone.

use std::ops::Range;
use std::time::Duration;

use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};
use reporter_core::Accounting;

/// A run.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) accounting: Accounting,
    pub(crate) interval: Duration,
    pub(crate) flush_timeout: Duration,
    pub(crate) shards: usize,
    pub(crate) keys: usize,
    pub(crate) max_tracked_keys: usize,
    /// In order of time.
    pub(crate) actions: Vec<(Duration, Action)>,
    pub(crate) sinks: Vec<SinkPlan>,
    /// When the traffic ends and the faults with it.
    pub(crate) quiet_from: Duration,
    /// Whether it is stopped before that, in the middle of everything.
    pub(crate) stop_at: Option<Duration>,
}

/// What the world outside does.
#[derive(Clone, Debug)]
pub(crate) enum Action {
    /// A request that waits so often and so long while it is in flight.
    Request {
        key: usize,
        waits: Vec<Duration>,
        /// It is cancelled when it has been polled that often.
        cancelled_after: Option<usize>,
    },
    /// Requests that the channel is told of; each is over after that time.
    Events {
        key: usize,
        times: usize,
        over_after: Duration,
        /// Whether a send that has to wait is given up.
        impatient: bool,
    },
    /// The channel is told of the end of a request that never was.
    StrayOut { key: usize },
    /// The clock jumps by that many nanoseconds.
    Jump(i64),
}

/// How a sink behaves.
#[derive(Clone, Debug)]
pub(crate) struct SinkPlan {
    pub(crate) seed: u64,
    pub(crate) kind: SinkKind,
}

#[derive(Clone, Debug)]
pub(crate) enum SinkKind {
    /// Now and then it takes up to that long for a dispatch.
    Slow { stall: Duration },
    /// Ends after that many dispatches.
    Ends { after: usize, how: End },
    /// JSON lines to a file that fails, stalls and takes bits of lines.
    Lines { stall: Duration },
    /// An outbox over a link with that latency, which is down at these times.
    Link {
        latency: Range<u64>,
        down: Vec<Range<Duration>>,
    },
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum End {
    Returns,
    GivesUp,
    Panics,
}

impl Plan {
    pub(crate) fn new(seed: u64) -> Self {
        let rng = &mut SmallRng::seed_from_u64(seed);
        let interval = Duration::from_millis(pick(rng, &[50, 250, 1_000, 1_000, 5_000]));
        let ticks = if rng.random_ratio(1, 8) {
            rng.random_range(20..40)
        } else {
            rng.random_range(2..10)
        };
        let quiet_from = interval * ticks;
        let keys = rng.random_range(1..=6);
        let mut actions = Vec::new();
        for _ in 0..rng.random_range(1..25) {
            actions.push((within(rng, quiet_from), request(rng, keys, interval)));
        }
        for _ in 0..rng.random_range(0..6) {
            actions.push((within(rng, quiet_from), events(rng, keys, interval)));
        }
        for _ in 0..rng.random_range(0..4) {
            actions.push((within(rng, quiet_from), Action::Jump(jump(rng))));
        }
        actions.sort_by_key(|(at, _)| *at);
        let stop_at = rng.random_ratio(1, 3).then(|| within(rng, quiet_from));
        Self {
            accounting: pick(rng, &[Accounting::Snapshot, Accounting::Average]),
            interval,
            flush_timeout: Duration::from_millis(rng.random_range(10..10_000)),
            shards: rng.random_range(1..=4),
            keys,
            max_tracked_keys: if rng.random_ratio(1, 6) {
                rng.random_range(0..keys)
            } else {
                1_000
            },
            actions,
            sinks: (0..rng.random_range(0..4))
                .map(|_| SinkPlan {
                    seed: rng.random(),
                    kind: sink(rng, interval, quiet_from),
                })
                .collect(),
            quiet_from,
            stop_at,
        }
    }
}

/// Whole milliseconds, as tokio's timers go by them.
fn within(rng: &mut SmallRng, time: Duration) -> Duration {
    Duration::from_millis(rng.random_range(0..time.as_millis() as u64))
}

fn pick<T: Copy>(rng: &mut SmallRng, choices: &[T]) -> T {
    choices[rng.random_range(0..choices.len())]
}

fn request(rng: &mut SmallRng, keys: usize, interval: Duration) -> Action {
    let waits: Vec<_> = (0..rng.random_range(0..5))
        .map(|_| {
            if rng.random_ratio(1, 2) {
                Duration::ZERO
            } else {
                within(rng, interval * 2)
            }
        })
        .collect();
    Action::Request {
        key: rng.random_range(0..keys),
        cancelled_after: rng
            .random_ratio(1, 2)
            .then(|| rng.random_range(0..=waits.len())),
        waits,
    }
}

fn events(rng: &mut SmallRng, keys: usize, interval: Duration) -> Action {
    let key = rng.random_range(0..keys);
    if rng.random_ratio(1, 4) {
        return Action::StrayOut { key };
    }
    Action::Events {
        key,
        times: match rng.random_range(0..200) {
            // More than the channel holds.
            0 => 1_200,
            1..10 => 200,
            _ => rng.random_range(1..4),
        },
        over_after: within(rng, interval * 2),
        impatient: rng.random_ratio(1, 3),
    }
}

fn jump(rng: &mut SmallRng) -> i64 {
    const YEAR: i64 = 365 * 86_400 * 1_000_000_000;
    let furthest = pick(rng, &[1_000, 1_000_000_000, 3_600_000_000_000, 10 * YEAR]);
    rng.random_range(-furthest..=furthest)
}

fn sink(rng: &mut SmallRng, interval: Duration, quiet_from: Duration) -> SinkKind {
    match rng.random_range(0..7) {
        0..2 => SinkKind::Slow {
            stall: interval * pick(rng, &[1, 3, 30]),
        },
        2 => SinkKind::Ends {
            after: rng.random_range(0..5),
            how: pick(rng, &[End::Returns, End::GivesUp, End::Panics]),
        },
        3..5 => SinkKind::Lines {
            stall: interval * pick(rng, &[1, 3, 30]),
        },
        _ => SinkKind::Link {
            latency: if rng.random_ratio(1, 4) {
                1..interval.as_millis() as u64 * 3
            } else {
                1..10
            },
            down: (0..rng.random_range(0..3))
                .map(|_| {
                    let times = [within(rng, quiet_from), within(rng, quiet_from)];
                    times[0].min(times[1])..times[0].max(times[1])
                })
                .collect(),
        },
    }
}
