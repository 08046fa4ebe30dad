//! The checks at the end, and their report.

use std::collections::BTreeMap;
use std::time::Duration;

use reporter_runtime::Stopped;

use crate::INTERVAL;
use crate::disturb::Disturbance;
use crate::load::Counted;
use crate::receiver::Report;
use crate::watch::Told;

pub(crate) struct Verdict {
    pub(crate) took: Duration,
    pub(crate) disturbances: BTreeMap<Disturbance, usize>,
    pub(crate) counted: Counted,
    pub(crate) untracked: u64,
    pub(crate) told: Told,
    pub(crate) stopped: Stopped,
    /// In KiB, over the whole run.
    pub(crate) memory: Vec<u64>,
    pub(crate) report: Report,
}

impl Verdict {
    pub(crate) fn print(&self) {
        let Self { told, report, .. } = self;
        println!("took {:.1} s", self.took.as_secs_f64());
        println!("disturbances {:?}", self.disturbances);
        println!(
            "receiver runs {}, torn lines {}",
            report.runs, report.torn_lines
        );
        println!(
            "links up {}, breaks {:?}, failed tries {}",
            told.ups, told.downs, told.failed_tries
        );
        let (counted, delivered) = (self.requests(), self.delivered());
        println!("requests counted {counted}, delivered {delivered}");
        println!(
            "frames taken in {}, of these delivered more than once {}; requests delivered more than once {}",
            report.frames,
            report.unconfirmed_frames,
            delivered.saturating_sub(counted),
        );
        println!(
            "frames requeued {}, most keys pending {}",
            told.requeued_frames, told.most_pending_keys
        );
        print_latencies("frame sent to pong", &told.confirm_latencies);
        print_latencies(
            "first request to socket (outages included)",
            &told.first_reports,
        );
        match self.last_known() {
            Some(after) => println!("all keys in flight known {after:?} after the last restart"),
            None => println!("not all keys in flight were known after the last restart"),
        }
        println!("resident memory in KiB {:?}", self.memory);
    }

    /// What does not hold that must.
    pub(crate) fn failures(&self) -> Vec<String> {
        let report = &self.report;
        let mut failures = Vec::new();
        let mut check = |holds: bool, what: String| {
            if !holds {
                failures.push(what);
            }
        };
        for (key, &counted) in &self.counted.requests {
            let sum = |sums: &BTreeMap<String, f64>| sums.get(key).copied().unwrap_or(0.0);
            let (delivered, confirmed) = (sum(&report.sums), sum(&report.confirmed_sums));
            let lost = format!("{key}: {counted} counted, {delivered} delivered");
            check(delivered >= counted as f64, lost);
            let wrong = format!("{key}: {counted} counted, {confirmed} in confirmed frames");
            check(confirmed == counted as f64, wrong);
        }
        let unknown = report
            .sums
            .keys()
            .find(|key| !self.counted.requests.contains_key(*key));
        check(
            unknown.is_none(),
            format!("a key that never had a request: {unknown:?}"),
        );
        check(
            self.untracked == 0,
            format!("{} requests untracked", self.untracked),
        );
        for (sink, end) in &self.stopped.sinks {
            check(end.is_ok(), format!("{sink}: {end:?}"));
        }
        let missing = report.confirmed_but_not_here;
        check(
            missing == 0,
            format!("{missing} frames confirmed but not in the record"),
        );
        let repeated = report.repeated_sequences;
        check(
            repeated == 0,
            format!("{repeated} frame numbers came twice"),
        );
        check(
            report.in_order,
            "frames of one link came out of order".into(),
        );
        let (twice, requeued) = (report.unconfirmed_frames, self.told.requeued_frames);
        check(
            twice <= requeued,
            format!("{twice} frames twice, {requeued} requeued"),
        );
        let known = self.last_known();
        check(
            known.is_some_and(|after| after <= INTERVAL),
            format!("keys in flight known after {known:?}"),
        );
        check(self.is_memory_flat(), "the memory is not flat".into());
        failures
    }

    fn requests(&self) -> u64 {
        self.counted.requests.values().sum()
    }

    fn delivered(&self) -> u64 {
        self.report.sums.values().sum::<f64>() as u64
    }

    /// When the last of the keys in flight was known to the last run of the receiver.
    fn last_known(&self) -> Option<Duration> {
        let known = &self.report.known_after_ns;
        let after = self.counted.held.iter().map(|key| known.get(key).copied());
        let last = after.collect::<Option<Vec<_>>>()?.into_iter().max();
        last.map(Duration::from_nanos)
    }

    /// The last third is not above the middle one. The first is for buffers to reach their size. This
    /// program keeps 40 bytes per frame for its own books; they and the allocator's rounding get 1 MiB.
    fn is_memory_flat(&self) -> bool {
        let third = self.memory.len() / 3;
        let peak = |samples: &[u64]| samples.iter().max().copied();
        let (middle, last) = (
            peak(&self.memory[third..2 * third]),
            peak(&self.memory[2 * third..]),
        );
        matches!((middle, last), (Some(middle), Some(last)) if last <= middle + 1_024)
    }
}

fn print_latencies(what: &str, latencies: &[Duration]) {
    let mut sorted = latencies.to_vec();
    sorted.sort_unstable();
    let at = |share: f64| {
        let index = (sorted.len() as f64 * share) as usize;
        sorted.get(index).copied().unwrap_or_default()
    };
    println!(
        "{what}: {} times, p50 {:?}, p99 {:?}, max {:?}",
        sorted.len(),
        at(0.5),
        at(0.99),
        sorted.last()
    );
}
