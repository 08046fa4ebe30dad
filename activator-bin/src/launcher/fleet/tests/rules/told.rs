//! What was told of a revision, and what of it matters by the obvious reading.

use std::sync::Arc;
use std::time::Duration;

use super::super::super::*;
use crate::revision::LaunchSpec;
use crate::revision::launch::{PortSpec, Start};

/// What was told of a revision.
pub(super) struct Told {
    pub(super) spec: Arc<LaunchSpec>,
    pub(super) is_removed: bool,
    is_in_use: bool,
    has_demand: bool,
    /// The admin port waits for it.
    is_woken: bool,
    pub(super) used_at: Duration,
    pub(super) wanted: u32,
    pub(super) floor: u32,
    pub(super) awake_until: Duration,
    pub(super) is_asleep: bool,
    pub(super) failed_until: Option<Duration>,
    /// When instances that were current ended by themselves or were given up, and whether they had been ready.
    pub(super) failures: Vec<(Duration, bool)>,
    /// Since when it is used and has no instance.
    pub(super) waits_since: Option<Duration>,
}

impl Told {
    pub(super) fn new(spec: &Arc<LaunchSpec>, now: Duration) -> Self {
        Self {
            spec: Arc::clone(spec),
            is_removed: false,
            is_in_use: false,
            has_demand: false,
            is_woken: false,
            used_at: now,
            wanted: 0,
            floor: spec.scale.min_scale,
            awake_until: Duration::ZERO,
            is_asleep: false,
            failed_until: None,
            failures: Vec::new(),
            waits_since: None,
        }
    }

    pub(super) fn on_event(&mut self, event: &Event, is_ready: bool, now: Duration) {
        match event {
            Event::Specified(_, spec) => {
                if self.spec != *spec {
                    self.failures.clear();
                }
                self.spec = Arc::clone(spec);
                self.floor = spec.scale.min_scale;
                self.is_removed = false;
            }
            Event::Removed(_) => {
                let spec = Arc::clone(&self.spec);
                // That it may be tried again is still to be said.
                let failed_until = self.failed_until;
                *self = Self::new(&spec, now);
                self.is_removed = true;
                self.failed_until = failed_until;
            }
            Event::InUse(_, is_in_use) => {
                self.is_in_use = *is_in_use;
                self.has_demand &= is_in_use;
                self.used_at = now;
            }
            _ if self.is_removed => {}
            Event::Wanted(_, wanted) => self.wanted = *wanted,
            Event::MinScale(_, floor, _) => self.floor = *floor,
            Event::Demand(_) if !is_ready && self.failed_until.is_none_or(|at| at <= now) => {
                self.has_demand = true;
                self.is_asleep = false;
                self.used_at = now;
            }
            Event::Wake(_, period) => {
                self.awake_until = self.awake_until.max(now + *period);
                self.is_asleep = false;
                self.is_woken |= !is_ready;
                self.failures.clear();
            }
            Event::Sleep(_) => {
                self.awake_until = Duration::ZERO;
                self.is_asleep = true;
                self.has_demand = false;
                self.is_woken = false;
            }
            _ => {}
        }
    }

    /// An instance takes requests.
    pub(super) fn on_admit(&mut self, now: Duration) {
        self.has_demand = false;
        self.is_woken = false;
        self.used_at = now;
    }

    pub(super) fn on_fail(&mut self, until: Duration) {
        assert_eq!(self.failed_until.replace(until), None, "it has failed");
        self.has_demand = false;
        self.is_woken = false;
    }

    pub(super) fn is_used(&self) -> bool {
        self.is_in_use || self.has_demand || self.is_woken
    }

    pub(super) fn has_floor(&self, now: Duration) -> bool {
        self.floor > 0 || self.awake_until > now
    }

    /// How many there should be, if none is to be kept for a while.
    pub(super) fn target(&self, is_up: bool, now: Duration) -> usize {
        let mut target = self.floor.max(u32::from(self.awake_until > now));
        if self.is_used() {
            target = target.max(1);
        }
        if self.is_used() || is_up {
            target = target.max(self.wanted);
        }
        match self.is_asleep || self.is_removed || self.failed_until.is_some() {
            true => 0,
            false => target.min(self.max_scale()) as usize,
        }
    }

    pub(super) fn max_scale(&self) -> u32 {
        match self.is_single() {
            true => 1,
            false => self.spec.scale.max_scale,
        }
    }

    /// Whether there is one address for all.
    pub(super) fn is_single(&self) -> bool {
        match &self.spec.start {
            Start::Process(process) => matches!(process.port, PortSpec::Fixed(_)),
            Start::Commands { .. } => true,
        }
    }

    pub(super) fn group(&self) -> Option<&str> {
        self.spec.group.as_ref().map(|it| it.name.as_str())
    }

    /// How many failures are in the window.
    pub(super) fn recent_failures(&self, now: Duration) -> usize {
        let window = self.spec.restarts.window;
        let recent = self.failures.iter().filter(|(at, _)| *at + window > now);
        recent.count()
    }
}
