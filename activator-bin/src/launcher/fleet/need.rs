//! How many instances a revision needs: by its load, its floor, its requests, and what the admin port says.

use std::time::Duration;

use super::state::StartCause;
use super::step::{Step, Wait};

/// What asks for instances of one revision.
#[derive(Clone, Debug)]
pub(super) struct Need {
    /// For the load.
    pub(super) wanted: u32,
    /// The fewest, and who says so.
    floor: (u32, StartCause),
    /// At least one until then.
    awake_until: Duration,
    /// Stopped by the admin port, until it is asked for again.
    pub(super) is_asleep: bool,
    is_in_use: bool,
    /// Somebody waits for the first instance.
    demand: Option<StartCause>,
    /// When it was in use last, or became ready for that.
    pub(super) used_at: Duration,
    /// Waits for its first instance.
    pub(super) wait: Option<Wait>,
}

impl Need {
    pub(super) fn new(min_scale: u32, now: Duration) -> Self {
        Self {
            wanted: 0,
            floor: (min_scale, StartCause::MinScale),
            awake_until: Duration::ZERO,
            is_asleep: false,
            is_in_use: false,
            demand: None,
            used_at: now,
            wait: None,
        }
    }

    pub(super) fn set_floor(&mut self, floor: u32, cause: StartCause) {
        self.floor = (floor, cause);
    }

    pub(super) fn on_demand(&mut self, now: Duration) {
        self.is_asleep = false;
        self.used_at = now;
        self.demand.get_or_insert(StartCause::FirstRequest);
    }

    pub(super) fn on_use(&mut self, is_in_use: bool, now: Duration) {
        self.used_at = now;
        self.is_in_use = is_in_use;
        self.demand
            .take_if(|cause| *cause == StartCause::FirstRequest);
    }

    pub(super) fn on_wake(&mut self, until: Duration, is_ready: bool) {
        self.is_asleep = false;
        self.awake_until = self.awake_until.max(until);
        if !is_ready {
            self.demand = Some(StartCause::Admin);
        }
    }

    pub(super) fn on_sleep(&mut self) {
        self.is_asleep = true;
        self.awake_until = Duration::ZERO;
        self.demand = None;
    }

    /// An instance takes requests.
    pub(super) fn on_admit(&mut self, now: Duration) {
        self.demand = None;
        self.used_at = now;
    }

    /// Whoever waited has been refused.
    pub(super) fn on_refused(&mut self) {
        self.demand = None;
    }

    /// Whether somebody has a request or waits for an instance.
    pub(super) fn is_used(&self) -> bool {
        self.is_in_use || self.demand.is_some()
    }

    /// The fewest instances, used or not.
    fn floor(&self, now: Duration) -> u32 {
        self.floor.0.max(u32::from(now < self.awake_until))
    }

    /// How many instances there should be, with or without one that is starting or ready, and whatever the most are.
    ///
    /// `wanted` follows the load with a delay. By itself it wakes nothing.
    pub(super) fn target(&self, has_any: bool, window: Duration, now: Duration) -> u32 {
        if self.is_asleep {
            return 0;
        }
        let floor = self.floor(now);
        if self.is_used() {
            return floor.max(self.wanted).max(1);
        }
        if !has_any {
            return floor;
        }
        let is_kept = now < self.used_at.saturating_add(window);
        floor.max(self.wanted).max(u32::from(is_kept))
    }

    /// Why another instance is started beside this many.
    pub(super) fn cause(&self, others: u32, now: Duration) -> StartCause {
        match self.demand {
            Some(cause) if others == 0 => cause,
            _ if others == 0 && self.is_in_use => StartCause::FirstRequest,
            _ if others < self.floor.0 => self.floor.1,
            _ if others == 0 && now < self.awake_until => StartCause::Admin,
            _ => StartCause::Load,
        }
    }

    /// Begins or ends to wait for the first instance.
    pub(super) fn wait_unless(&mut self, has_any: bool, step: &mut Step<'_>) {
        self.wait = match self.wait {
            _ if has_any || !self.is_used() || self.is_asleep => None,
            wait => wait.or_else(|| Some(step.wait())),
        };
    }

    /// Until when at least one instance is kept without any request from now on; `None` if that has no end, or nothing
    /// is known of it while there are requests.
    pub(super) fn kept_until(&self, window: Duration) -> Option<Duration> {
        let may_end = !self.is_asleep && !self.is_used() && self.floor.0 == 0;
        may_end.then(|| self.awake_until.max(self.used_at.saturating_add(window)))
    }

    /// When it changes by itself.
    pub(super) fn deadlines(&self, window: Duration) -> [Duration; 2] {
        [self.used_at.saturating_add(window), self.awake_until]
    }
}
