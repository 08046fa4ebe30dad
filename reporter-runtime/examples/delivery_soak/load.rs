//! Requests: many keys, some busy, some rare, some in flight all the time.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use reporter_core::RevisionKey;
use reporter_runtime::{ConcurrencyReporter, InFlight};
use tokio::task::JoinSet;

const KEYS: usize = 400;
/// In flight from the start to the end.
const HELD_KEYS: usize = 50;
const CLIENTS: u64 = 64;

pub(crate) struct Load {
    keys: Arc<[(RevisionKey, AtomicU64)]>,
    held: Vec<(RevisionKey, InFlight)>,
    stop: Arc<AtomicBool>,
    clients: JoinSet<()>,
}

/// What was counted in.
pub(crate) struct Counted {
    /// The requests by key.
    pub(crate) requests: BTreeMap<String, u64>,
    /// The keys that were in flight all the time.
    pub(crate) held: Vec<String>,
}

impl Load {
    pub(crate) fn start(reporter: &ConcurrencyReporter, seed: u64) -> Self {
        let key = |text: String| text.parse::<RevisionKey>().unwrap();
        let keys = (0..KEYS).map(|n| (key(format!("default/busy-{n:05}")), AtomicU64::new(0)));
        let held = (0..HELD_KEYS).map(|n| key(format!("default/held-{n:05}")));
        let mut load = Self {
            keys: keys.collect(),
            held: held
                .map(|key| (key.clone(), reporter.track(&key)))
                .collect(),
            stop: Arc::default(),
            clients: JoinSet::new(),
        };
        for client in 0..CLIENTS {
            let (keys, stop) = (Arc::clone(&load.keys), Arc::clone(&load.stop));
            let random = StdRng::seed_from_u64(seed ^ client);
            load.clients
                .spawn(requests(reporter.clone(), keys, stop, random));
        }
        load
    }

    pub(crate) async fn stop(mut self) -> Counted {
        self.stop.store(true, Ordering::Relaxed);
        while let Some(client) = self.clients.join_next().await {
            client.unwrap();
        }
        let busy = self
            .keys
            .iter()
            .map(|(key, count)| (key.to_string(), count.load(Ordering::Relaxed)));
        let held: Vec<_> = self.held.iter().map(|(key, _)| key.to_string()).collect();
        let requests = busy.chain(held.iter().map(|key| (key.clone(), 1)));
        Counted {
            requests: requests.filter(|(_, count)| *count > 0).collect(),
            held,
        }
    }
}

/// One request after the other. Most keys are rare, so that they are forgotten and come again.
async fn requests(
    reporter: ConcurrencyReporter,
    keys: Arc<[(RevisionKey, AtomicU64)]>,
    stop: Arc<AtomicBool>,
    mut random: StdRng,
) {
    while !stop.load(Ordering::Relaxed) {
        let share = random.random::<f64>().powi(6);
        let (key, count) = &keys[(share * keys.len() as f64) as usize];
        count.fetch_add(1, Ordering::Relaxed);
        let request = reporter.track(key);
        tokio::time::sleep(Duration::from_millis(random.random_range(1..20))).await;
        drop(request);
    }
}
