//! Knative's activator and ours in the same cluster, in turns at the same address.
//!
//! The cluster is that of the scenes. What needs its controllers comes first; then they are stopped, so that nothing
//! corrects the objects that are written by hand and copied from then on.

mod addresses;
mod changes;
mod clones;
mod cold_start;
mod instances;
mod many_instances;
mod requests;
mod results;
mod sleeping;
mod stand_in;
mod subject;

use std::time::Instant;

use anyhow::Result;

use super::page;
use crate::e2e::cluster::{Cluster, Extent, with_cluster};
use crate::support::activator;
use clones::{FOREIGN, SLEEPER, Template};
use results::Results;
use stand_in::StandIn;
use subject::Stand;

/// How much is measured.
struct Size {
    rounds: usize,
    /// The same for what takes longest.
    rounds_of_most: usize,
    cold_starts: usize,
    /// Sleeping revisions, one count after the other.
    counts: &'static [usize],
}

const WHOLE: Size = Size {
    rounds: 3,
    rounds_of_most: 2,
    cold_starts: 20,
    counts: &[1_000, 10_000],
};
const SHORT: Size = Size {
    rounds: 1,
    rounds_of_most: 1,
    cold_starts: 5,
    counts: &[1_000],
};

/// `only` those parts whose names contain it; then, and when `short`, nothing is written.
pub(super) fn run(short: bool, only: Option<&str>) -> Result<()> {
    activator::build()?;
    let size = if short { &SHORT } else { &WHOLE };
    let mut results = Results::default();
    with_cluster(Extent::Knative, |cluster| {
        Scene::new(cluster, size, only)?.run(&mut results)
    })?;
    let table = results.table();
    print!("\n{table}");
    if short || only.is_some() {
        return Ok(());
    }
    page::write("cluster", &table)
}

/// What all parts share.
struct Scene<'a> {
    cluster: &'a mut Cluster,
    stand: Stand,
    stand_in: StandIn,
    size: &'a Size,
    only: Option<&'a str>,
    start: Instant,
}

impl<'a> Scene<'a> {
    fn new(cluster: &'a mut Cluster, size: &'a Size, only: Option<&'a str>) -> Result<Self> {
        Ok(Self {
            stand: Stand::new(cluster)?,
            stand_in: StandIn::start(100)?,
            cluster,
            size,
            only,
            start: Instant::now(),
        })
    }

    fn run(&mut self, results: &mut Results) -> Result<()> {
        if self.wants("requests") {
            requests::run(self, results)?;
        }
        if self.wants("cold-starts") {
            cold_start::run(self, results)?;
        }
        let [sleeper, foreign] = self.stop_controllers()?;
        if self.wants("many-instances") {
            many_instances::run(self, results)?;
        }
        let (mut there, mut rounds) = (1, self.size.rounds);
        for &count in self.size.counts {
            sleeper.copy(there, count)?;
            there = count;
            if self.wants(&format!("sleeping-{count}")) {
                let figures = sleeping::run(self, (count, rounds), results)?;
                if count == self.size.counts[0] && self.wants("sleeping-among-others") {
                    sleeping::run_among_others(self, &foreign, &figures, results)?;
                }
            }
            rounds = self.size.rounds_of_most;
        }
        if self.wants("changes") {
            changes::run(self, there, results)?;
        }
        eprintln!("the end after {:.0} s", self.start.elapsed().as_secs_f64());
        Ok(())
    }

    /// Whether a part is asked for, which then begins.
    fn wants(&self, part: &str) -> bool {
        let wanted = self.only.is_none_or(|only| part.contains(only));
        if wanted {
            let seconds = self.start.elapsed().as_secs_f64();
            eprintln!("\n{part} from {seconds:.0} s on");
        }
        wanted
    }

    /// Stops all that would correct what is written from now on. Returns the objects to copy.
    fn stop_controllers(&mut self) -> Result<[Template; 2]> {
        let cluster = &mut *self.cluster;
        let crowded = many_instances::revision();
        cluster.api.apply(&crowded.object())?;
        clones::apply_sleeper(cluster)?;
        clones::apply_foreign(cluster)?;
        for (service, addresses) in [
            (&*crowded.name, 1),
            (&format!("{}-private", crowded.name), 0),
            (SLEEPER, 1),
            (&format!("{SLEEPER}-private"), 0),
            (FOREIGN, 3),
        ] {
            clones::wait_for_slice(cluster, service, addresses)?;
        }
        cluster.knative()?.controller.kill();
        cluster.control_plane.controllers.kill();
        // From now on nobody asks for a revision by its name.
        cluster.stop.set();
        Ok([Template::sleeper(cluster)?, Template::foreign()?])
    }
}
