//! Random disturbances of the receiver.

use std::collections::BTreeMap;
use std::time::Duration;

use rand::RngExt;
use rand::rngs::StdRng;
use tokio::sync::watch;
use tokio::task::block_in_place;
use tokio::time::{sleep, timeout};

use crate::PONG_TIMEOUT;
use crate::receiver::Receiver;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Disturbance {
    /// SIGKILL, and a new process after a while.
    Kill,
    /// SIGSTOP for longer than the pong limit, then SIGCONT.
    Stop,
    /// SIGTERM, which closes with 1012, and a new process on the same port.
    Restart,
    /// Every link closed with 1012 by a process that goes on.
    Close,
}

const ALL: [Disturbance; 4] = [
    Disturbance::Kill,
    Disturbance::Stop,
    Disturbance::Restart,
    Disturbance::Close,
];

pub(crate) struct Disturber {
    pub(crate) receiver: Receiver,
    /// How often each was done.
    pub(crate) done: BTreeMap<Disturbance, usize>,
    link_up: watch::Receiver<bool>,
    random: StdRng,
}

impl Disturber {
    pub(crate) fn new(receiver: Receiver, link_up: watch::Receiver<bool>, random: StdRng) -> Self {
        Self {
            receiver,
            done: BTreeMap::new(),
            link_up,
            random,
        }
    }

    /// So many at random, the last one a kill.
    pub(crate) async fn disturb(&mut self, count: usize) {
        for _ in 1..count {
            self.pause(50..700).await;
            let disturbance = ALL[self.random.random_range(0..ALL.len())];
            self.apply(disturbance).await;
        }
        self.apply(Disturbance::Kill).await;
    }

    async fn apply(&mut self, disturbance: Disturbance) {
        // Most links come up before they break, but not all.
        if self.random.random_bool(0.8) {
            let up = self.link_up.wait_for(|up| *up);
            let up = timeout(Duration::from_secs(10), up).await;
            up.expect("the link comes up again").unwrap();
        }
        match disturbance {
            Disturbance::Kill => {
                self.receiver.kill();
                self.pause(0..400).await;
                block_in_place(|| self.receiver.restart());
            }
            Disturbance::Stop => {
                self.receiver.signal("STOP");
                sleep(PONG_TIMEOUT).await;
                self.pause(100..500).await;
                self.receiver.signal("CONT");
            }
            Disturbance::Restart => {
                block_in_place(|| {
                    self.receiver.terminate();
                    self.receiver.restart();
                });
            }
            Disturbance::Close => self.receiver.signal("USR1"),
        }
        *self.done.entry(disturbance).or_default() += 1;
    }

    async fn pause(&mut self, milliseconds: std::ops::Range<u64>) {
        let pause = self.random.random_range(milliseconds);
        sleep(Duration::from_millis(pause)).await;
    }
}
