//! One revision whose instances are started here: its autoscaler, and what its requests are doing.

use std::sync::{Arc, Once};
use std::time::Duration;

use reporter_core::Stat;
use tokio::sync::mpsc;
use tokio::task::AbortHandle;

use super::fleet::{Event, StartCause};
use super::schedule;
use crate::autoscaler::Autoscaler;
use crate::revision::{LaunchSpec, RevisionSpec, ServedRevision};

/// What a report of a request counts for at least, however short it was: the smallest target. An average is rounded, and
/// must not become 0.
const LEAST: f64 = 0.01;

/// Said once: it concerns all schedules.
static NO_ZONE: Once = Once::new();

/// One revision.
pub(super) struct Service {
    pub(super) config: Arc<RevisionSpec>,
    pub(super) launch: Arc<LaunchSpec>,
    autoscaler: Autoscaler,
    /// What the reports of this second say.
    reported: Reported,
    /// The number of its instances that are ready.
    pub(super) ready: u32,
    /// Whether one was ready since the last report that is not any longer.
    pub(super) was_ready: bool,
    /// The number of its instances in any state.
    pub(super) instances: u32,
    pub(super) wanted: u32,
    /// Since when a request waits for an instance.
    pub(super) waits_since: Option<Duration>,
    pub(super) is_in_use: bool,
    /// Held while it has requests or instances, so that it stays the same object.
    pub(super) served: Option<Arc<ServedRevision>>,
    starving: Watch,
    idle: Watch,
    floor: (u32, StartCause),
}

impl Service {
    pub(super) fn new(config: Arc<RevisionSpec>, launch: Arc<LaunchSpec>, now: Duration) -> Self {
        let limit = config.container_concurrency;
        Self {
            autoscaler: Autoscaler::new(&launch.scale, limit, 0, now),
            reported: Reported::default(),
            ready: 0,
            was_ready: false,
            instances: 0,
            wanted: 0,
            waits_since: None,
            is_in_use: false,
            served: None,
            starving: Watch::default(),
            idle: Watch::default(),
            floor: (0, StartCause::MinScale),
            config,
            launch,
        }
    }

    /// Applies a changed specification.
    pub(super) fn apply(
        &mut self,
        config: Arc<RevisionSpec>,
        launch: Arc<LaunchSpec>,
        now: Duration,
    ) {
        let limit = config.container_concurrency;
        self.autoscaler.set_settings(&launch.scale, limit, now);
        self.config = config;
        self.launch = launch;
        self.floor = (0, StartCause::MinScale);
    }

    /// Takes a report of its first request for a while, which the next one leaves out.
    pub(super) fn on_first_request(&mut self, stat: &Stat, now: Duration) {
        self.reported.on_first_request(stat);
        self.autoscaler
            .record(stat.average_concurrent_requests, now);
    }

    /// Takes a report of a period. Returns whether there were requests, unless no instance is ready now and one was: it may
    /// have responded to them, and they ask for no other.
    pub(super) fn on_report(&mut self, stat: &Stat) -> bool {
        self.reported.on_report(stat);
        let was_ready = std::mem::take(&mut self.was_ready);
        stat.request_count > 0 && (self.ready > 0 || !was_ready)
    }

    /// A second is over: to be called in the middle of seconds, so that none has two.
    pub(super) fn on_second(&mut self, in_flight: u64, now: Duration) {
        let concurrency = self.reported.take(in_flight);
        self.autoscaler.record(concurrency, now);
    }

    /// Decides how many instances are wanted.
    pub(super) fn decide(&mut self, now: Duration) -> u32 {
        self.wanted = self.autoscaler.tick(self.ready, now);
        self.wanted
    }

    /// The fewest instances by now, if that has changed, and whether the schedule says so.
    pub(super) fn floor_changed(&mut self) -> Option<(u32, StartCause)> {
        let own = self.launch.scale.min_scale;
        let scheduled = match self.launch.schedule.as_slice() {
            [] => None,
            entries => {
                let now = schedule::local_time();
                if !now.zone_found {
                    NO_ZONE.call_once(|| {
                        tracing::warn!(
                            "this machine has no time zone: schedules are by UTC; set TZ, or install a time zone database"
                        );
                    });
                }
                schedule::min_scale_at(entries, now.weekday, now.minute)
            }
        };
        let floor = match scheduled {
            Some(scheduled) if scheduled > own => (scheduled, StartCause::Schedule),
            _ => (own, StartCause::MinScale),
        };
        if floor == self.floor {
            return None;
        }
        self.floor = floor;
        self.autoscaler.set_min_scale(floor.0);
        Some(floor)
    }

    /// Whether there is nothing to decide until its next request.
    pub(super) fn is_asleep(&self) -> bool {
        let is_quiet = self.served.is_none() && self.instances == 0 && self.wanted == 0;
        is_quiet && self.launch.schedule.is_empty()
    }

    /// Whether a request has a slot or waits for one, be it one that does not count.
    pub(super) fn is_busy(&self) -> bool {
        let served = self.served.as_ref();
        served.is_some_and(|it| it.throttle.queued() + it.throttle.active() > 0)
    }

    /// Has `events` told when a request waits while no instance is ready, unless that is being watched.
    pub(super) fn watch_starving(&mut self, events: &mpsc::Sender<Event>) {
        if let Some(served) = &self.served {
            self.starving.begin(|| {
                let (served, events) = (Arc::clone(served), events.clone());
                async move {
                    served.throttle.starving().await;
                    // The launcher is gone if nobody takes it.
                    let _ = events.send(Event::Demand(served.key.clone())).await;
                }
            });
        }
    }

    /// Has `events` told when it has no requests, unless that is being watched.
    pub(super) fn watch_idle(&mut self, events: &mpsc::Sender<Event>) {
        if let Some(served) = &self.served {
            self.idle.begin(|| {
                let (served, events) = (Arc::clone(served), events.clone());
                async move {
                    served.throttle.idle().await;
                    let _ = events.send(Event::Tick).await;
                }
            });
        }
    }

    /// Lets the object go that its requests share. Until the next request nothing is watched.
    pub(super) fn let_go(&mut self) {
        self.starving = Watch::default();
        self.idle = Watch::default();
        self.served = None;
    }
}

/// What reports say of the requests since the last second. Their periods may be shorter or longer than that.
#[derive(Debug, Default)]
struct Reported {
    /// The sum of their averages.
    sum: f64,
    reports: u32,
    /// What was reported of a first request, and is left out of the next report.
    credit: f64,
    /// What of this second was recorded at the first request.
    recorded: f64,
}

impl Reported {
    fn on_first_request(&mut self, stat: &Stat) {
        self.credit += stat.average_concurrent_requests;
        self.recorded += stat.average_concurrent_requests;
    }

    fn on_report(&mut self, stat: &Stat) {
        let least = if stat.request_count > 0 { LEAST } else { 0.0 };
        self.sum +=
            (stat.average_concurrent_requests + std::mem::take(&mut self.credit)).max(least);
        self.reports += 1;
    }

    /// What is still to be recorded of this second: the average of its reports, or what is in flight if there was none.
    fn take(&mut self, in_flight: u64) -> f64 {
        let average = match self.reports {
            0 => in_flight as f64,
            reports => self.sum / f64::from(reports),
        };
        let rest = (average - self.recorded).max(0.0);
        (self.sum, self.reports, self.recorded) = (0.0, 0, 0.0);
        rest
    }
}

/// A task that waits for something once. It ends when this is dropped.
#[derive(Default)]
struct Watch(Option<AbortHandle>);

impl Watch {
    /// Begins anew unless it still waits.
    fn begin<F: Future<Output = ()> + Send + 'static>(&mut self, wait: impl FnOnce() -> F) {
        let waits = self.0.as_ref().is_some_and(|task| !task.is_finished());
        if !waits {
            self.0 = Some(tokio::spawn(wait()).abort_handle());
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        if let Some(task) = &self.0 {
            task.abort();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `first` and `report` with an average and a count, `second` with what is in flight and what is to be recorded.
    #[track_caller]
    fn check(history: &str) {
        let mut reported = Reported::default();
        for step in history.split(", ") {
            let words: Vec<&str> = step.split(' ').collect();
            let number = |index: usize| words[index].parse::<f64>().unwrap();
            let stat = || Stat {
                average_concurrent_requests: number(1),
                request_count: number(2) as u64,
            };
            match words[0] {
                "first" => reported.on_first_request(&stat()),
                "report" => reported.on_report(&stat()),
                _ => {
                    let rest = reported.take(number(1) as u64);
                    assert!((rest - number(2)).abs() < 1e-9, "{step}: {rest}");
                }
            }
        }
    }

    #[test]
    fn one_request_is_one_whenever_it_is_reported() {
        check("second 0 0");
        // It lasts. The report that follows leaves out what was said of it.
        check("first 1 1, report 0 0, second 1 0, report 1 0, second 1 1");
        check("first 1 1, second 1 0, report 0 0, second 1 1");
        // Reports every 250 ms.
        check("first 1 1, report 0 0, report 1 0, report 1 0, second 1 0");
        // Reports every ten seconds.
        check("first 1 1, second 1 0, second 1 1, second 1 1, report 0 0, second 1 1");
    }

    #[test]
    fn reports_of_one_second_are_averaged_and_bursts_add_up() {
        check("first 1 1, report 499 499, second 500 499");
        check("report 2 0, report 4 0, second 4 3");
        check("report 0 0, second 3 0");
    }

    #[test]
    fn a_short_request_is_not_nothing() {
        check("report 0.0000001 1, second 0 0.01");
    }
}
