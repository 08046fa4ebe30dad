//! Who holds which revisions, how many requests and which capacity, and how many stats the autoscaler gets.

use rand::rngs::StdRng;
use rand::seq::index::sample;
use rand::{Rng, RngExt};

use activator_bin::testing::{Part, Share};

const ACTIVATORS: usize = 10;
const REVISIONS: usize = 10_000;
const REQUESTS_PER_SECOND: f64 = 100_000.0;
/// How long an instance takes for a request, on average.
pub(super) const SERVICE_SECONDS: f64 = 0.05;

/// `container-concurrency-target-percentage`.
const TARGET: f64 = 0.7;
/// `container-concurrency-target-default`, for revisions without a limit.
const DEFAULT_TOTAL: f64 = 100.0;

/// What Knative's ConfigMap `config-autoscaler` says.
struct Settings {
    name: &'static str,
    /// `target-burst-capacity`: with -1, which adds nothing, the activators are always in the path.
    burst: f64,
    /// `activator-capacity`.
    capacity: f64,
}

const SETTINGS: [Settings; 3] = [
    Settings {
        name: "defaults",
        burst: 211.0,
        capacity: 100.0,
    },
    Settings {
        name: "target-burst-capacity -1",
        burst: 0.0,
        capacity: 100.0,
    },
    Settings {
        name: "activator-capacity 1000",
        burst: 211.0,
        capacity: 1000.0,
    },
];

/// Limits of revisions, and how many in a hundred have them. 0 is no limit, Knative's default.
const LIMITS: [(u32, u32); 4] = [(0, 50), (100, 20), (10, 20), (1, 10)];

struct Revision {
    rate: f64,
    container_concurrency: u32,
    instances: usize,
    /// Those that it is sent to, in the order of their addresses.
    activators: Vec<usize>,
}

impl Revision {
    fn new(rate: f64, settings: &Settings, random: &mut StdRng) -> Self {
        let container_concurrency = limit(random.random_range(0..100));
        let total = match container_concurrency {
            0 => DEFAULT_TOTAL,
            limit => f64::from(limit),
        };
        let instances = (rate * SERVICE_SECONDS / (TARGET * total)).ceil().max(1.0);
        // Knative: at least two, and enough for the load that its instances can take, and the burst.
        let wanted = ((instances * total + settings.burst) / settings.capacity).ceil();
        let wanted = (wanted as usize).clamp(2, ACTIVATORS);
        // Knative takes them by a consistent hash of the name, which spreads like chance.
        let mut activators = sample(random, ACTIVATORS, wanted).into_vec();
        activators.sort_unstable();
        Self {
            rate,
            container_concurrency,
            instances: instances as usize,
            activators,
        }
    }

    /// The part of the requests that each of its activators gets: an ingress has no favourite.
    fn rate_of_each(&self) -> f64 {
        self.rate / self.activators.len() as f64
    }

    /// How many instances the activator at this position sends to.
    fn held(&self, index: usize) -> usize {
        let activators = self.activators.len();
        let part = Part::of(
            self.instances,
            self.container_concurrency,
            Some(Share { index, activators }),
        );
        (0..self.instances).filter(|&it| part.contains(it)).count()
    }
}

fn limit(mut percent: u32) -> u32 {
    for (limit, share) in LIMITS {
        if percent < share {
            return limit;
        }
        percent -= share;
    }
    0
}

/// The popularity of the nth revision falls as 1/n.
fn revisions(settings: &Settings, random: &mut StdRng) -> Vec<Revision> {
    let all: f64 = (1..=REVISIONS).map(|it| 1.0 / it as f64).sum();
    (1..=REVISIONS)
        .map(|it| REQUESTS_PER_SECOND / all / it as f64)
        .map(|rate| Revision::new(rate, settings, random))
        .collect()
}

pub(super) fn print(random: &mut StdRng) {
    let names = SETTINGS.map(|it| it.name).join(" | ");
    println!("| | {names} |");
    println!("|---{}|", "|---".repeat(SETTINGS.len()));
    let columns = SETTINGS.map(|settings| figures(&revisions(&settings, random), random));
    for row in 0..columns[0].len() {
        let values = columns.each_ref().map(|column| column[row].1.clone());
        println!("| {} | {} |", columns[0][row].0, values.join(" | "));
    }
}

fn figures(revisions: &[Revision], random: &mut StdRng) -> Vec<(&'static str, String)> {
    let mut rates = [0.0; ACTIVATORS];
    let mut known = [0_usize; ACTIVATORS];
    let mut capacity = [0_usize; ACTIVATORS];
    let (mut limited, mut overlapping, mut excess, mut worst) = (0, 0, 0, 1.0_f64);
    let (mut stats, mut firsts) = (0.0, 0.0);
    for revision in revisions {
        let held: Vec<usize> = (0..revision.activators.len())
            .map(|index| revision.held(index))
            .collect();
        for (&activator, &held) in revision.activators.iter().zip(&held) {
            rates[activator] += revision.rate_of_each();
            known[activator] += 1;
            capacity[activator] += held * revision.container_concurrency as usize;
        }
        if revision.container_concurrency > 0 && revision.instances > 1 {
            limited += 1;
            let sum: usize = held.iter().sum();
            overlapping += usize::from(sum > revision.instances);
            excess += usize::from(revision.activators.len() > revision.instances);
            let fair = revision.instances as f64 / revision.activators.len() as f64;
            let least = held.iter().copied().min().unwrap_or(0) as f64;
            worst = worst.min(least / fair);
        }
        // A stat is sent for a second in which a request came or was in flight, and at once for the first one.
        let rate = revision.rate_of_each();
        let idle = (-rate * (1.0 + SERVICE_SECONDS)).exp();
        let activators = revision.activators.len() as f64;
        stats += activators * (1.0 - idle);
        firsts += activators * rate * idle;
    }
    let (least, most) = ends(&rates);
    let total: f64 = rates.iter().sum();
    let (fewest, greatest) = ends(&known.map(|it| it as f64));
    let (low, high) = ends(&capacity.map(|it| it as f64));
    let failed = without_one(revisions, random);
    let bytes = stats * f64::from(STAT_BYTES);
    vec![
        ("activators of a revision, mean", mean_activators(revisions)),
        (
            "revisions that an activator serves",
            format!("{fewest:.0} to {greatest:.0}"),
        ),
        (
            "requests/s of an activator",
            format!(
                "{least:.0} to {most:.0} ({:.0} on average)",
                total / ACTIVATORS as f64
            ),
        ),
        (
            "the same with one of them gone, at most",
            format!("{failed:.0}"),
        ),
        (
            "capacity of an activator, requests at once at revisions with a limit",
            format!("{low:.0} to {high:.0}"),
        ),
        (
            "revisions with a limit and several instances",
            limited.to_string(),
        ),
        (
            "of these with fewer instances than activators",
            excess.to_string(),
        ),
        (
            "of these with an instance that several activators fill",
            overlapping.to_string(),
        ),
        (
            "the least that an activator holds, of an even share",
            format!("{:.0} %", worst * 100.0),
        ),
        ("stats/s that the autoscaler gets", format!("{stats:.0}")),
        (
            "of these at once, for a first request",
            format!("{firsts:.0}"),
        ),
        ("bytes/s", format!("{:.1} MB", bytes / 1e6)),
    ]
}

/// A stat on the wire: a namespace of 16 bytes, a revision of 28, a pod name of 32, two numbers, and their tags.
const STAT_BYTES: u32 = 2 + (2 + 16) + (2 + 28) + 2 + (2 + 32) + 9 + 9;

fn mean_activators(revisions: &[Revision]) -> String {
    let all: usize = revisions.iter().map(|it| it.activators.len()).sum();
    format!("{:.1}", all as f64 / revisions.len() as f64)
}

/// The most requests of an activator when a random one is gone, and those that it had got go to the other activators
/// of each revision.
fn without_one(revisions: &[Revision], random: &mut impl Rng) -> f64 {
    let gone = random.random_range(0..ACTIVATORS);
    let mut rates = [0.0; ACTIVATORS];
    for revision in revisions {
        let left = revision.activators.iter().filter(|&&it| it != gone);
        let each = revision.rate / left.clone().count() as f64;
        left.for_each(|&it| rates[it] += each);
    }
    ends(&rates).1
}

fn ends(of: &[f64]) -> (f64, f64) {
    let least = of.iter().copied().fold(f64::INFINITY, f64::min);
    (least, of.iter().copied().fold(0.0, f64::max))
}
