//! A sink with confirmed delivery: an outbox over a simulated link that breaks and loses pongs.

use std::collections::VecDeque;
use std::ops::Range;
use std::time::Duration;

use rand::RngExt;
use rand::rngs::SmallRng;
use reporter_core::{Frame, Outbox};
use reporter_runtime::Undelivered;
use tokio::time::Instant;

use crate::sink::Mailbox;
use crate::sinks::FarEnd;

/// Frames that may be on their way.
const WINDOW: usize = 4;
/// Messages in a frame.
const FRAME: usize = 3;

pub(crate) struct Link {
    latency: Range<u64>,
    rng: SmallRng,
    /// When the link changes next: down, up, down, ..
    changes: VecDeque<Instant>,
    up: bool,
    /// In order of time, as on a stream.
    on_the_way: VecDeque<(Instant, OnTheWay)>,
    far_end: FarEnd,
}

enum OnTheWay {
    Frame(Frame),
    Pong(u64),
}

/// What the near end hears.
enum Heard {
    Confirmed(u64),
    Down,
    Up,
}

impl Link {
    pub(crate) fn new(
        start: Instant,
        latency: Range<u64>,
        down: &[Range<Duration>],
        rng: SmallRng,
        far_end: FarEnd,
    ) -> Self {
        let changes = down.iter().flat_map(|down| [down.start, down.end]);
        let mut changes: Vec<_> = changes.map(|at| start + at).collect();
        changes.sort();
        Self {
            latency,
            rng,
            changes: changes.into(),
            up: true,
            on_the_way: VecDeque::new(),
            far_end,
        }
    }

    pub(crate) async fn run(
        mut self,
        mut mailbox: Mailbox,
        give_up_after: Duration,
    ) -> Result<(), Undelivered> {
        let mut outbox = Outbox::new();
        let mut give_up_at = None;
        loop {
            while self.up && outbox.unconfirmed_frames() < WINDOW {
                let Some(frame) = outbox.next_frame(FRAME) else {
                    break;
                };
                self.send(OnTheWay::Frame(frame));
            }
            if give_up_at.is_some() && outbox.is_empty() {
                return Ok(());
            }
            tokio::select! {
                biased;
                heard = self.hear() => match heard {
                    Heard::Confirmed(sequence) => drop(outbox.confirmed(sequence)),
                    Heard::Down => drop(outbox.link_lost()),
                    Heard::Up => {}
                },
                dispatch = mailbox.recv(), if give_up_at.is_none() => match dispatch {
                    Some(dispatch) => outbox.push(&dispatch.batch),
                    None => give_up_at = Some(Instant::now() + give_up_after),
                },
                () = until(give_up_at) => {
                    let requests = outbox.unconfirmed_requests();
                    return Err(Undelivered { requests });
                }
            }
        }
    }

    fn send(&mut self, what: OnTheWay) {
        let latency = Duration::from_millis(self.rng.random_range(self.latency.clone()));
        let before = self.on_the_way.back().map(|(at, _)| *at);
        let at = (Instant::now() + latency).max(before.unwrap_or_else(Instant::now));
        self.on_the_way.push_back((at, what));
    }

    /// Cancel-safe: nothing is taken from the way before its time has come.
    async fn hear(&mut self) -> Heard {
        loop {
            let arrives_at = self.on_the_way.front().map(|(at, _)| *at);
            let changes_at = self.changes.front().copied();
            if changes_at.is_some_and(|at| arrives_at.is_none_or(|arrives| at <= arrives)) {
                until(changes_at).await;
                self.changes.pop_front();
                self.up = !self.up;
                if self.up {
                    return Heard::Up;
                }
                self.lose_what_is_on_the_way();
                return Heard::Down;
            }
            until(arrives_at).await;
            match self.on_the_way.pop_front() {
                Some((_, OnTheWay::Frame(frame))) => {
                    self.far_end.push(&frame.messages);
                    self.send(OnTheWay::Pong(frame.sequence));
                }
                Some((_, OnTheWay::Pong(sequence))) => return Heard::Confirmed(sequence),
                None => {}
            }
        }
    }

    /// The first few frames still get there, but no pong comes back.
    fn lose_what_is_on_the_way(&mut self) {
        let arriving = self.rng.random_range(0..=self.on_the_way.len());
        for (_, what) in self.on_the_way.drain(..).take(arriving) {
            if let OnTheWay::Frame(frame) = what {
                self.far_end.push(&frame.messages);
            }
        }
    }
}

/// Cancel-safe; without a time it waits for ever.
async fn until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}
