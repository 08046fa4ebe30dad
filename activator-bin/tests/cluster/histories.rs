//! Any history of a cluster, with any failures of its API server in between: what is known in the end is what there is.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};
use tokio::time::sleep;

use crate::cluster::Cluster;
use crate::fake::{FakeApi, Fault};
use crate::objects::{REVISIONS, SLICES, revision, slice};

const HISTORIES: u64 = 12;
const STEPS: usize = 60;
const NAMES: [&str; 4] = ["a", "b", "c", "d"];
const ADDRESSES: [&str; 3] = ["10.0.0.1", "10.0.0.2", "10.0.0.3"];

/// What there is.
#[derive(Default)]
struct Objects {
    revisions: BTreeSet<&'static str>,
    /// The revision and the addresses of each slice.
    slices: BTreeMap<String, (&'static str, Vec<&'static str>)>,
}

impl Objects {
    /// As [`Cluster::revisions`].
    fn revisions(&self) -> String {
        let revisions = self.revisions.iter().map(|name| {
            let slices = self.slices.values().filter(|(of, _)| of == name);
            let addresses: BTreeSet<_> = slices.flat_map(|(_, addresses)| addresses).collect();
            let addresses = addresses.iter().map(|it| format!("{it}:8012"));
            format!("default/{name}={}", addresses.collect::<Vec<_>>().join(","))
        });
        revisions.collect::<Vec<_>>().join(" ")
    }

    fn change(&mut self, api: &FakeApi, random: &mut StdRng) {
        let name = *NAMES.choose(random).unwrap();
        let slice_name = format!("{name}-{}", random.random_range(0..2));
        match random.random_range(0..6) {
            0 | 1 => {
                api.put(REVISIONS, revision(name));
                self.revisions.insert(name);
            }
            2 => {
                if self.revisions.remove(name) {
                    api.delete(REVISIONS, "default", name);
                }
            }
            3 | 4 => {
                let count = random.random_range(0..=ADDRESSES.len());
                let addresses: Vec<_> = ADDRESSES.sample(random, count).copied().collect();
                api.put(SLICES, slice(&slice_name, name, &addresses));
                self.slices.insert(slice_name, (name, addresses));
            }
            _ => {
                if self.slices.remove(&slice_name).is_some() {
                    api.delete(SLICES, "default", &slice_name);
                }
            }
        }
    }
}

async fn fail(cluster: &mut Cluster, random: &mut StdRng) {
    let resource = *[REVISIONS, SLICES].choose(random).unwrap();
    let fault = match random.random_range(0..10) {
        0 => Fault::Error(410),
        1 => Fault::Error(500),
        2 => Fault::Close,
        3 => Fault::Stall,
        4 => Fault::Status(503, &[]),
        5 => Fault::Line("}".to_owned()),
        6 => Fault::NotInMemory,
        7 => return cluster.api.compact(),
        8 => {
            cluster.api.stop().await;
            return cluster.api.restart().await;
        }
        _ => return cluster.api.heals(),
    };
    cluster.api.fails(resource, fault);
}

async fn history(seed: u64) {
    let mut random = StdRng::seed_from_u64(seed);
    let mut cluster = Cluster::synced(FakeApi::start().await).await;
    let mut objects = Objects::default();
    for _ in 0..STEPS {
        if random.random_ratio(1, 4) {
            fail(&mut cluster, &mut random).await;
        } else {
            objects.change(&cluster.api, &mut random);
        }
        sleep(Duration::from_millis(random.random_range(0..20))).await;
    }
    cluster.api.heals();
    println!("history {seed}");
    cluster.until_revisions(&objects.revisions()).await;
}

#[tokio::test]
async fn nothing_is_lost_or_invented() {
    let histories = (0..HISTORIES).map(history);
    futures_util::future::join_all(histories).await;
}
