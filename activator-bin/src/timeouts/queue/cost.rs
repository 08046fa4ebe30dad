//! The cost of a deadline, compared with tokio-util's timing wheel: the figures at the head of the queue.

use rand::seq::SliceRandom;
use tokio_util::time::{DelayQueue, delay_queue};

use super::*;

const LIMIT: Duration = Duration::from_secs(300);

trait Deadlines {
    type Key;
    fn insert(&mut self, now: Instant) -> Self::Key;
    fn reset(&mut self, key: &Self::Key, now: Instant);
    fn remove(&mut self, key: &Self::Key);
}

impl Deadlines for Queue<()> {
    type Key = usize;

    fn insert(&mut self, now: Instant) -> usize {
        let key = Queue::insert(self, ());
        self.arm(key, TimeoutKind::Total, LIMIT, now);
        key
    }

    fn reset(&mut self, key: &usize, now: Instant) {
        self.arm(*key, TimeoutKind::Total, LIMIT, now);
    }

    fn remove(&mut self, key: &usize) {
        Queue::remove(self, *key);
    }
}

impl Deadlines for DelayQueue<()> {
    type Key = delay_queue::Key;

    fn insert(&mut self, now: Instant) -> delay_queue::Key {
        self.insert_at((), now + LIMIT)
    }

    fn reset(&mut self, key: &delay_queue::Key, now: Instant) {
        self.reset_at(key, now + LIMIT);
    }

    fn remove(&mut self, key: &delay_queue::Key) {
        DelayQueue::remove(self, key);
    }
}

/// The time to insert, reset and remove a deadline in random order while `armed` are armed, in nanoseconds.
fn measure<D: Deadlines>(mut deadlines: D, armed: usize) -> [f64; 3] {
    const OPERATIONS: usize = 2_000_000;
    let begin = Instant::now();
    let mut micros = 0;
    let mut now = || {
        micros += 1;
        begin + Duration::from_micros(micros)
    };
    let mut keys: Vec<_> = (0..armed).map(|_| deadlines.insert(now())).collect();
    let mut costs = [Duration::ZERO; 3];
    let rounds = OPERATIONS / armed;
    for _ in 0..rounds {
        keys.shuffle(&mut rand::rng());
        let start = std::time::Instant::now();
        for key in &keys {
            deadlines.reset(key, now());
        }
        costs[1] += start.elapsed();
        let removed = keys.split_off(armed / 2);
        let start = std::time::Instant::now();
        for key in &removed {
            deadlines.remove(key);
        }
        costs[2] += start.elapsed();
        let start = std::time::Instant::now();
        keys.extend(removed.iter().map(|_| deadlines.insert(now())));
        costs[0] += start.elapsed();
    }
    let [insert, reset, remove] = costs.map(|cost| cost.as_nanos() as f64 / rounds as f64);
    let (all, half) = (armed as f64, (armed - armed / 2) as f64);
    [insert / half, reset / all, remove / half]
}

#[tokio::test]
#[ignore = "a measurement: its figures and command are at the head of the queue"]
async fn of_a_deadline() {
    for armed in [1_000, 100_000] {
        let own = measure(Queue::new(), armed);
        let wheel = measure(DelayQueue::new(), armed);
        println!("{armed} armed, ns to insert, reset, remove: {own:.0?}, DelayQueue {wheel:.0?}");
    }
}
