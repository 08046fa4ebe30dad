//! A world for the machine to act in: instances with their whims, requests, an autoscaler, and events that come late.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use reporter_core::RevisionKey;

use super::super::*;
use super::rules::Rules;
use crate::revision::LaunchSpec;

mod effects;
mod requests;

/// How many requests an instance takes at once.
const LIMIT: usize = 2;
/// How often the autoscaler decides, and a request that waits is told of again.
const PAUSE: Duration = Duration::from_secs(1);

/// What an instance will do, by small numbers.
#[derive(Clone, Copy, Debug)]
pub(super) struct Whim {
    /// 0 to 5: ready after this many seconds; 6: never; 7: ends at once.
    pub(super) start: u8,
    /// 0 to 2: ends after this many seconds; 3: only by SIGKILL; 4: long after that.
    pub(super) stop: u8,
    /// Whether it says that it is busy: the lowest bit for the first time, and so on.
    pub(super) busy: u8,
}

/// One that does what it should.
const GOOD: Whim = Whim {
    start: 1,
    stop: 1,
    busy: 0,
};

struct Instance {
    key: RevisionKey,
    whim: Whim,
    is_up: bool,
    is_admitted: bool,
    is_retired: bool,
    withdrawal: u64,
    /// When each of its requests ends.
    requests: Vec<Duration>,
    is_frozen: bool,
}

#[derive(Default)]
struct Service {
    spec: Option<Arc<LaunchSpec>>,
    /// How long each waiting request will take, and since when it waits.
    queue: VecDeque<(Duration, Duration)>,
    has_failed: bool,
    told_in_use: bool,
    told_wanted: u32,
}

/// What happens later.
#[derive(Clone, Debug)]
enum Later {
    Told(Event),
    /// It becomes ready.
    Up(InstanceId),
    /// It ends by itself.
    End(InstanceId),
    /// Requests may have ended.
    Requests,
    Second,
}

pub(super) struct World {
    pub(super) fleet: Fleet,
    rules: Rules,
    pub(super) now: Duration,
    later: BTreeMap<(Duration, u64), Later>,
    count: u64,
    /// How much has happened at this moment.
    steps: u32,
    services: BTreeMap<RevisionKey, Service>,
    instances: BTreeMap<InstanceId, Instance>,
    /// What the next instances do; good ones follow.
    pub(super) whims: VecDeque<Whim>,
    /// How late the next events come, in milliseconds; none after that.
    pub(super) lags: VecDeque<u16>,
    /// All that was told, and what followed.
    pub(super) history: Vec<(Event, Duration, Vec<Action>)>,
}

impl World {
    pub(super) fn new() -> Self {
        let mut world = Self {
            fleet: Fleet::new(),
            rules: Rules::default(),
            now: Duration::ZERO,
            later: BTreeMap::new(),
            count: 0,
            steps: 0,
            services: BTreeMap::new(),
            instances: BTreeMap::new(),
            whims: VecDeque::new(),
            lags: VecDeque::new(),
            history: Vec::new(),
        };
        world.later(PAUSE, Later::Second);
        world
    }

    fn later(&mut self, after: Duration, later: Later) {
        self.count += 1;
        self.later.insert((self.now + after, self.count), later);
    }

    /// Tells the machine, a bit late.
    fn report(&mut self, event: Event) {
        let lag = self.lags.pop_front().unwrap_or(0);
        let lag = Duration::from_millis(lag.into());
        self.later(lag, Later::Told(event));
    }

    /// Lets time pass until then.
    pub(super) fn run(&mut self, until: Duration) {
        loop {
            let next = self.later.first_key_value().map(|((at, _), _)| *at);
            let due = self.fleet.next();
            let at = next.into_iter().chain(due).min().unwrap_or(until);
            if at > until {
                self.now = until;
                return;
            }
            if at > self.now {
                self.steps = 0;
            }
            self.steps += 1;
            assert!(self.steps < 10_000, "this goes on for ever");
            self.now = self.now.max(at);
            if next.is_some_and(|next| next <= self.now) {
                let (_, later) = self.later.pop_first().unwrap();
                self.happens(later);
            } else if due.is_some() {
                self.tell(Event::Tick);
            } else {
                return;
            }
        }
    }

    fn happens(&mut self, later: Later) {
        match later {
            Later::Told(event) => self.tell(event),
            Later::Up(id) => {
                if let Some(instance) = self.instances.get_mut(&id).filter(|it| !it.is_frozen) {
                    instance.is_up = true;
                    self.report(Event::Ready(id));
                }
            }
            Later::End(id) => self.end(id, "exited with code 0"),
            Later::Requests => self.on_requests(),
            Later::Second => {
                self.on_second();
                self.later(PAUSE, Later::Second);
            }
        }
    }

    /// The autoscaler decides by what is there; requests that wait are told of.
    fn on_second(&mut self) {
        let keys: Vec<_> = self.services.keys().cloned().collect();
        for key in keys {
            let wanted = u32::try_from(self.load(&key).div_ceil(LIMIT)).unwrap();
            self.want(&key, wanted);
            self.demand(&key);
        }
    }

    pub(super) fn want(&mut self, key: &RevisionKey, wanted: u32) {
        if let Some(service) = self.services.get_mut(key)
            && std::mem::replace(&mut service.told_wanted, wanted) != wanted
        {
            self.tell(Event::Wanted(key.clone(), wanted));
        }
    }

    /// An instance ends, whatever it does.
    fn end(&mut self, id: InstanceId, how: &str) {
        if let Some(instance) = self.instances.get_mut(&id).filter(|it| !it.is_frozen) {
            instance.requests.clear();
            instance.is_up = false;
            let how = how.to_owned();
            self.report(Event::Ended(id, Ended { how }));
        }
    }

    /// One of those that are there crashes.
    pub(super) fn crash(&mut self, which: usize) {
        let ids: Vec<_> = self.instances.keys().copied().collect();
        if let Some(id) = ids.get(which % ids.len().max(1)) {
            self.instances.get_mut(id).unwrap().is_frozen = false;
            self.end(*id, "killed by SIGSEGV");
        }
    }

    /// The file says this of a revision from now on.
    pub(super) fn specify(&mut self, key: &RevisionKey, spec: Option<LaunchSpec>) {
        let spec = spec.map(Arc::new);
        let service = self.services.entry(key.clone()).or_default();
        service.spec.clone_from(&spec);
        let event = match spec {
            Some(spec) => Event::Specified(key.clone(), spec),
            None => {
                *service = Service::default();
                Event::Removed(key.clone())
            }
        };
        self.tell(event);
    }

    pub(super) fn tell(&mut self, event: Event) {
        self.tell_use();
        self.tell_this(event);
    }

    /// Tells which revisions are in use.
    fn tell_use(&mut self) {
        let keys: Vec<_> = self.services.keys().cloned().collect();
        for key in keys {
            let is_in_use = self.load(&key) > 0;
            let service = self.services.get_mut(&key).unwrap();
            if service.spec.is_some() && service.told_in_use != is_in_use {
                service.told_in_use = is_in_use;
                self.tell_this(Event::InUse(key, is_in_use));
            }
        }
    }

    fn tell_this(&mut self, event: Event) {
        if self.fleet.next().is_none_or(|next| next > self.now) {
            let mut actions = Vec::new();
            self.fleet.clone().on(Event::Tick, self.now, &mut actions);
            assert_eq!(actions, [], "nothing was due");
        }
        if let Event::Removed(key) = &event {
            for instance in self.instances.values_mut().filter(|it| it.key == *key) {
                instance.is_retired = true;
            }
        }
        self.rules.on_event(&event, self.now);
        let mut actions = Vec::new();
        self.fleet.on(event.clone(), self.now, &mut actions);
        for action in &actions {
            self.rules.on_action(action, self.now);
            self.act(action);
        }
        self.rules.on_rest(&self.fleet, self.now);
        self.history.push((event, self.now, actions));
    }

    /// Lets time pass until something holds, or so many seconds are over.
    pub(super) fn run_until(&mut self, limit: u64, holds: impl Fn(&Self) -> bool) {
        let limit = self.now + Duration::from_secs(limit);
        while self.now < limit && !holds(self) {
            self.run(self.now + PAUSE);
        }
    }

    /// All instances do what they should from now on, and nothing comes late.
    pub(super) fn calm(&mut self) {
        self.whims.clear();
        self.lags.clear();
        for instance in self.instances.values_mut() {
            instance.whim = GOOD;
        }
    }

    /// Tells something that is old or was never asked, unless it would be a lie.
    pub(super) fn tell_stale(&mut self, event: Event) {
        self.tell_use();
        let is_lie = match &event {
            Event::Ready(id) => self.instances.get(id).is_some_and(|it| !it.is_up),
            Event::Ended(id, _) => self.instances.contains_key(id),
            Event::Drained(id, number) => {
                let instance = self.instances.get(id);
                instance.is_some_and(|it| it.withdrawal == *number && !it.requests.is_empty())
            }
            _ => false,
        };
        if !is_lie {
            self.tell_this(event);
        }
    }
}
