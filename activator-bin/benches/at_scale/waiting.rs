//! How long requests wait when the instances of a revision are divided among activators: every queue has only its own.
//!
//! Requests come at random moments to random activators and take random times, exponentially: what one queue in front
//! of all instances makes of that is known (M/M/c), and stands beside it.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

use rand::RngExt;
use rand::rngs::StdRng;

use activator_bin::testing::{Part, Share};

use crate::fleet::SERVICE_SECONDS;

const REQUESTS: usize = 400_000;
const UTILISATION: f64 = 0.7;

/// The limit of each instance, instances, activators.
const CASES: [(u32, usize, usize); 10] = [
    (1, 3, 3),
    (1, 10, 2),
    (1, 10, 10),
    (1, 15, 2),
    (1, 15, 10),
    (1, 100, 10),
    (10, 2, 4),
    (10, 10, 4),
    (10, 10, 10),
    (100, 3, 5),
];

pub(super) fn print(random: &mut StdRng) {
    println!(
        "| container_concurrency | instances | activators | one queue, p50 / p99 | divided, p50 / p99 | of the p99 within the instance |"
    );
    println!("|---|---|---|---|---|---|");
    for (limit, instances, activators) in CASES {
        let one = Divided::new(limit, instances, 1).run(random);
        let divided = Divided::new(limit, instances, activators).run(random);
        println!(
            "| {limit} | {instances} | {activators} | {} / {} ms | {} / {} ms | {} ms |",
            millis(one.p50),
            millis(one.p99),
            millis(divided.p50),
            millis(divided.p99),
            millis(divided.inside_p99),
        );
    }
}

fn millis(seconds: f64) -> String {
    format!("{:.0}", seconds * 1e3)
}

/// Waits, in seconds: in the queues of activators and instances together, and in those of instances alone.
struct Waits {
    p50: f64,
    p99: f64,
    inside_p99: f64,
}

/// Activators with a queue each, and instances with a queue each, for those that several activators send to.
struct Divided {
    limit: u32,
    activators: Vec<Activator>,
    instances: Vec<Instance>,
    ends: BinaryHeap<Reverse<End>>,
    waits: Vec<f64>,
    inside: Vec<f64>,
}

struct Activator {
    own: Vec<usize>,
    /// Requests that it may send before one of its own has ended.
    free: usize,
    queue: VecDeque<f64>,
}

#[derive(Default)]
struct Instance {
    running: u32,
    /// The requests that it has got and not begun: from whom, when they came there, and when to the activator.
    queue: VecDeque<(usize, f64, f64)>,
}

/// In nanoseconds, for an order.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct End {
    at: u64,
    instance: usize,
    activator: usize,
}

impl Divided {
    fn new(limit: u32, instances: usize, activators: usize) -> Self {
        let of = |index| {
            let part = Part::of(instances, limit, Some(Share { index, activators }));
            let own: Vec<usize> = (0..instances).filter(|&it| part.contains(it)).collect();
            Activator {
                free: own.len() * limit as usize,
                own,
                queue: VecDeque::new(),
            }
        };
        Self {
            limit,
            activators: (0..activators).map(of).collect(),
            instances: (0..instances).map(|_| Instance::default()).collect(),
            ends: BinaryHeap::new(),
            waits: Vec::with_capacity(REQUESTS),
            inside: Vec::with_capacity(REQUESTS),
        }
    }

    fn run(mut self, random: &mut StdRng) -> Waits {
        let capacity = f64::from(self.limit) * self.instances.len() as f64;
        let between = SERVICE_SECONDS / (capacity * UTILISATION);
        let mut now = 0.0;
        for _ in 0..REQUESTS {
            now += exponential(between, random);
            self.ends_until(now, random);
            let activator = random.random_range(0..self.activators.len());
            if self.activators[activator].free > 0 {
                self.send(activator, now, now, random);
            } else {
                self.activators[activator].queue.push_back(now);
            }
        }
        let inside_p99 = percentile(&mut self.inside, 0.99);
        Waits {
            p50: percentile(&mut self.waits, 0.5),
            p99: percentile(&mut self.waits, 0.99),
            inside_p99,
        }
    }

    fn ends_until(&mut self, now: f64, random: &mut StdRng) {
        let until = nanos(now);
        while self.ends.peek().is_some_and(|end| end.0.at <= until) {
            let Some(Reverse(end)) = self.ends.pop() else {
                return;
            };
            let at = end.at as f64 / 1e9;
            self.instances[end.instance].running -= 1;
            if let Some((from, sent, came)) = self.instances[end.instance].queue.pop_front() {
                self.begin(end.instance, (from, sent, came), at, random);
            }
            self.activators[end.activator].free += 1;
            if let Some(came) = self.activators[end.activator].queue.pop_front() {
                self.send(end.activator, came, at, random);
            }
        }
    }

    /// To the one of its own instances that has the fewest requests.
    fn send(&mut self, activator: usize, came: f64, now: f64, random: &mut StdRng) {
        self.activators[activator].free -= 1;
        let load =
            |it: &usize| self.instances[*it].running as usize + self.instances[*it].queue.len();
        let Some(&instance) = self.activators[activator]
            .own
            .iter()
            .min_by_key(|it| load(it))
        else {
            return;
        };
        if self.instances[instance].running < self.limit {
            self.begin(instance, (activator, now, came), now, random);
        } else {
            self.instances[instance]
                .queue
                .push_back((activator, now, came));
        }
    }

    fn begin(
        &mut self,
        instance: usize,
        (activator, sent, came): (usize, f64, f64),
        now: f64,
        random: &mut StdRng,
    ) {
        self.instances[instance].running += 1;
        self.waits.push(now - came);
        self.inside.push(now - sent);
        self.ends.push(Reverse(End {
            at: nanos(now + exponential(SERVICE_SECONDS, random)),
            instance,
            activator,
        }));
    }
}

fn exponential(mean: f64, random: &mut StdRng) -> f64 {
    -mean * (1.0 - random.random::<f64>()).ln()
}

fn nanos(seconds: f64) -> u64 {
    (seconds * 1e9) as u64
}

fn percentile(of: &mut [f64], share: f64) -> f64 {
    of.sort_unstable_by(f64::total_cmp);
    of[(of.len() as f64 * share) as usize]
}
