//! The task that runs all instances: tells the machine what happens, and does what it says.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use foldhash::fast::FixedState;
use reporter_core::{Cause as Report, RevisionKey};
use reporter_runtime::{ConcurrencyReporter, Dispatch};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, MissedTickBehavior, interval_at};

use super::fleet::{Action, Event, Fleet, InstanceId};
use super::process::{Processes, Running};
use super::service::Service;
use super::stats::Stats;
use super::status::Statuses;
use crate::os::timer::until;
use crate::revision::{Revisions, ServedRevision};

mod effects;

/// How many events of instances wait at most; whoever has another one waits.
const EVENTS: usize = 256;

/// How many seconds there are from one decision of an autoscaler to the next, as in Knative.
const DECISION: u64 = 2;

/// How much longer than its `stop_timeout` an instance may take to end, killed as it is by then.
const BEYOND: Duration = Duration::from_secs(30);

/// A wish of an operator.
pub(super) enum Command {
    /// An event, and a signal that it was taken.
    Event(Event, oneshot::Sender<()>),
    /// Stop everything; the signal is sent once all instances are gone.
    Shutdown(oneshot::Sender<()>),
}

/// All that is needed.
pub(super) struct Parts {
    pub(super) revisions: Arc<Revisions>,
    pub(super) reporter: ConcurrencyReporter,
    pub(super) processes: Processes,
    pub(super) statuses: Arc<Statuses>,
}

/// The state of the task.
pub(super) struct Task {
    parts: Parts,
    /// Time is counted from here.
    origin: Instant,
    fleet: Fleet,
    services: HashMap<RevisionKey, Service, FixedState>,
    instances: HashMap<InstanceId, Instance, FixedState>,
    sender: mpsc::Sender<Event>,
    /// Reused.
    actions: Vec<Action>,
    /// What has happened while something was done.
    later: VecDeque<Event>,
    stopping: Option<oneshot::Sender<()>>,
}

/// An instance.
struct Instance {
    key: RevisionKey,
    running: Arc<Running>,
    /// What its requests share: that of its start, even if the revision was removed since.
    served: Arc<ServedRevision>,
    /// Whether it takes requests.
    is_admitted: bool,
}

impl Task {
    pub(super) fn new(parts: Parts) -> (Self, mpsc::Receiver<Event>) {
        let (sender, events) = mpsc::channel(EVENTS);
        let task = Self {
            parts,
            origin: Instant::now(),
            fleet: Fleet::new(),
            services: HashMap::default(),
            instances: HashMap::default(),
            sender,
            actions: Vec::new(),
            later: VecDeque::new(),
            stopping: None,
        };
        (task, events)
    }

    /// Runs until a shutdown is complete, or takes too long.
    pub(super) async fn run(
        mut self,
        mut events: mpsc::Receiver<Event>,
        mut stats: Stats,
        mut commands: mpsc::Receiver<Command>,
    ) {
        let revisions = Arc::clone(&self.parts.revisions);
        let middle = self.origin + Duration::from_millis(500);
        let mut second = interval_at(middle, Duration::from_secs(1));
        second.set_missed_tick_behavior(MissedTickBehavior::Skip);
        let mut seconds = 0_u64;
        let mut given_up = None;
        loop {
            let deadline = self.fleet.next().map(|at| self.origin + at);
            tokio::select! {
                changed = revisions.launch_changes() => {
                    for key in changed {
                        self.on_spec(&key);
                    }
                }
                Some(event) = events.recv() => self.on(event),
                dispatch = stats.next() => self.on_stats(&dispatch),
                command = commands.recv() => match command {
                    Some(Command::Event(event, taken)) => {
                        self.on(event);
                        // Whoever asked may have gone.
                        let _ = taken.send(());
                    }
                    Some(Command::Shutdown(done)) => {
                        self.stopping = Some(done);
                        self.on(Event::Shutdown);
                        given_up = Some(Instant::now() + self.longest_stop() + BEYOND);
                    }
                    // Without anybody who could stop the instances they end with the runtime.
                    None => return,
                },
                _ = second.tick() => {
                    self.on_second(seconds);
                    seconds += 1;
                }
                () = until(deadline) => self.on(Event::Tick),
                () = until(given_up) => {
                    let left = self.instances.len();
                    tracing::error!("{left} instances have not ended: leaving them to their supervisors");
                    break;
                }
            }
            if self.stopping.is_some() && self.fleet.is_empty() {
                break;
            }
        }
        if let Some(done) = self.stopping {
            let _ = done.send(());
        }
    }

    /// How long an instance may take to end at most.
    fn longest_stop(&self) -> Duration {
        let stop = |service: &Service| service.launch.stop_timeout;
        self.services.values().map(stop).max().unwrap_or_default()
    }

    fn now(&self) -> Duration {
        self.origin.elapsed()
    }

    /// The specification of a revision may be another.
    fn on_spec(&mut self, key: &RevisionKey) {
        let config = self.parts.revisions.config(key);
        let launch = config.as_ref().and_then(|it| it.launch.clone());
        let now = self.now();
        let (Some(config), Some(launch)) = (config, launch) else {
            if self.services.remove(key).is_some() {
                self.on(Event::Removed(key.clone()));
                self.parts.statuses.remove(key);
            }
            return;
        };
        match self.services.get_mut(key) {
            Some(service) => {
                // What is reached at other addresses is another thing.
                let is_moved = service.config.backends != config.backends;
                service.apply(config, Arc::clone(&launch), now);
                if is_moved {
                    self.on(Event::Removed(key.clone()));
                    // To be told again: what was known of the one that was removed counts no more.
                    if let Some(service) = self.services.get_mut(key) {
                        service.is_in_use = false;
                    }
                }
            }
            None => {
                let service = Service::new(config, Arc::clone(&launch), now);
                self.services.insert(key.clone(), service);
                self.parts.statuses.add(key);
            }
        }
        self.on(Event::Specified(key.clone(), launch));
        self.on_floor(key);
    }

    fn on_floor(&mut self, key: &RevisionKey) {
        let service = self.services.get_mut(key);
        if let Some((floor, cause)) = service.and_then(Service::floor_changed) {
            self.on(Event::MinScale(key.clone(), floor, cause));
        }
    }

    fn on_stats(&mut self, dispatch: &Dispatch) {
        let now = self.now();
        for message in &dispatch.batch.messages {
            let Some(service) = self.services.get_mut(&message.key) else {
                continue;
            };
            match dispatch.batch.cause {
                Report::FirstRequest => {
                    service.on_first_request(&message.stat, now);
                    self.on_first_request(&message.key);
                }
                Report::Tick => {
                    if service.on_report(&message.stat) {
                        self.on_requests(&message.key);
                    }
                }
            }
        }
    }

    /// There were requests since the last report.
    fn on_requests(&mut self, key: &RevisionKey) {
        match self.services.get(key) {
            // Answered already, by the page for browsers: nothing waits, and still it is wanted.
            Some(service) if service.instances == 0 => self.on_first_request(key),
            // It is idle again, since just now.
            Some(service) if !service.is_in_use => {
                for is_in_use in [true, false] {
                    self.on(Event::InUse(key.clone(), is_in_use));
                }
            }
            _ => {}
        }
    }

    /// The first request for a while. It may have been answered already, by the page for browsers.
    fn on_first_request(&mut self, key: &RevisionKey) {
        self.hold(key);
        if self.services.get(key).is_some_and(|it| it.ready == 0) {
            self.on(Event::Demand(key.clone()));
        }
        self.decide(key);
    }

    /// Holds what the requests of a revision share, and watches it.
    fn hold(&mut self, key: &RevisionKey) {
        if let Some(service) = self.services.get_mut(key) {
            if service.served.is_none() {
                service.served = self.parts.revisions.launched(key);
            }
            service.watch_starving(&self.sender);
        }
    }

    /// Asks the autoscaler of a revision.
    fn decide(&mut self, key: &RevisionKey) {
        let now = self.now();
        let Some(service) = self.services.get_mut(key) else {
            return;
        };
        let wanted = service.decide(now);
        // Its average is 0 once the window has passed; a request in flight is one whatever the average.
        if wanted == 0 && has_requests(&self.parts.reporter, key) {
            return;
        }
        self.parts.statuses.wanted(key, wanted);
        self.on(Event::Wanted(key.clone(), wanted));
    }

    fn on_second(&mut self, seconds: u64) {
        let decides = seconds.is_multiple_of(DECISION);
        let now = self.now();
        let not_asleep = self.services.iter().filter(|(_, it)| !it.is_asleep());
        let keys: Vec<RevisionKey> = not_asleep.map(|(key, _)| key.clone()).collect();
        for key in keys {
            self.on_floor(&key);
            let Some(service) = self.services.get_mut(&key) else {
                continue;
            };
            let in_flight = self.parts.reporter.in_flight(&key);
            service.on_second(in_flight.unwrap_or(0), now);
            service.watch_starving(&self.sender);
            if decides {
                self.decide(&key);
            }
            self.let_go(&key);
            let next_stop = self.fleet.next_stop(&key);
            self.parts.statuses.next_stop(&key, next_stop, now);
        }
        self.on(Event::Tick);
    }

    /// Lets go of what the requests of a revision share, if it has none and no instances, and its next one will be
    /// reported as the first one.
    fn let_go(&mut self, key: &RevisionKey) {
        let is_tracked = self.parts.reporter.in_flight(key).is_some();
        if let Some(service) = self.services.get_mut(key)
            && service.instances == 0
            && !service.is_busy()
            && !is_tracked
        {
            service.let_go();
        }
    }

    /// Tells the machine what has happened, after all that it must know by then, and does what it says.
    fn on(&mut self, event: Event) {
        self.tell_use();
        let now = self.now();
        if let Event::Demand(key) = &event
            && let Some(service) = self.services.get_mut(key)
        {
            service.waits_since.get_or_insert(now);
        }
        self.tell(event);
    }

    /// Which revisions have requests is looked at before each decision, so that none rests on what was.
    fn tell_use(&mut self) {
        let mut changed = Vec::new();
        let reporter = &self.parts.reporter;
        for (key, service) in &mut self.services {
            // Those that are ignored are not counted.
            let is_in_use = service.served.is_some() && has_requests(reporter, key);
            if service.is_in_use != is_in_use {
                service.is_in_use = is_in_use;
                changed.push(Event::InUse(key.clone(), is_in_use));
            }
            if is_in_use && service.launch.group.is_some() {
                service.watch_idle(&self.sender);
            }
        }
        for event in changed {
            self.tell(event);
        }
    }

    fn tell(&mut self, event: Event) {
        self.later.push_back(event);
        while let Some(event) = self.later.pop_front() {
            let now = self.now();
            let mut actions = std::mem::take(&mut self.actions);
            self.fleet.on(event, now, &mut actions);
            for action in actions.drain(..) {
                self.act(action);
            }
            self.actions = actions;
        }
    }
}

/// Whether it has requests, in flight or queued, at this moment.
fn has_requests(reporter: &ConcurrencyReporter, key: &RevisionKey) -> bool {
    reporter.in_flight(key).is_some_and(|count| count > 0)
}
