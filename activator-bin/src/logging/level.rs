//! Which filter is in force: that of the configuration, of an operator, or debug by SIGUSR1. Pure.
//!
//! The last word counts: SIGUSR1 switches to debug whatever is in force, and back; a filter that is set ends that. A
//! change of the configuration waits until what was set has ended.

use std::time::Duration;

use tokio::time::Instant;
use tracing_subscriber::filter::LevelFilter;

use super::filter::Filter;

#[cfg(test)]
mod properties;

/// The configuration, and what is in force instead.
#[derive(Debug)]
pub(super) struct Level {
    /// Of the file, a variable or a flag.
    configured: Option<Filter>,
    /// Of the cluster; holds if nothing is configured.
    cluster: Option<Filter>,
    set: Option<Set>,
    is_debug: bool,
}

/// What an operator has set.
#[derive(Clone, Debug, PartialEq)]
struct Set {
    filter: Filter,
    /// Until when; `None` until further notice.
    until: Option<Instant>,
}

/// What happens.
#[derive(Clone, Debug)]
pub(crate) enum Event {
    /// The file, a variable or a flag says this; `None` if none of them does.
    Configured(Option<Filter>),
    /// The cluster says this.
    Cluster(Filter),
    /// An operator sets a filter, for a time or until further notice.
    Set(Filter, Option<Duration>),
    /// An operator returns to the configuration.
    Reset,
    /// SIGUSR1.
    Signal,
    /// Time has passed.
    Tick,
}

/// Who has the last word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum By {
    Configuration,
    Admin,
    Signal,
}

/// What is in force.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct InForce {
    pub(crate) filter: Filter,
    pub(crate) by: By,
    /// Until when.
    pub(crate) until: Option<Instant>,
}

/// What comes of an event.
#[derive(Debug, PartialEq)]
pub(super) enum Outcome {
    Unchanged,
    /// Another filter, another one's, or for another time.
    Changed {
        from: InForce,
        to: InForce,
    },
    /// The configuration is now this, which is not in force.
    Waits(Filter),
}

impl Level {
    pub(super) fn new(configured: Option<Filter>) -> Self {
        Self {
            configured,
            cluster: None,
            set: None,
            is_debug: false,
        }
    }

    pub(super) fn on(&mut self, event: Event, now: Instant) -> Outcome {
        let before = (self.in_force(), self.configuration());
        let is_over = |set: &Set| set.until.is_some_and(|until| until <= now);
        if self.set.as_ref().is_some_and(is_over) {
            self.set = None;
        }
        match event {
            Event::Configured(filter) => self.configured = filter,
            Event::Cluster(filter) => self.cluster = Some(filter),
            Event::Set(filter, time) => {
                let until = time.map(|time| now + time);
                self.set = Some(Set { filter, until });
                self.is_debug = false;
            }
            Event::Reset => {
                self.set = None;
                self.is_debug = false;
            }
            Event::Signal => self.is_debug = !self.is_debug,
            Event::Tick => {}
        }
        let (from, to) = (before.0, self.in_force());
        if from != to {
            return Outcome::Changed { from, to };
        }
        let configuration = self.configuration();
        if configuration != before.1 {
            return Outcome::Waits(configuration);
        }
        Outcome::Unchanged
    }

    pub(super) fn in_force(&self) -> InForce {
        if self.is_debug {
            return InForce {
                filter: Filter::up_to(LevelFilter::DEBUG),
                by: By::Signal,
                until: None,
            };
        }
        match self.set.clone() {
            Some(Set { filter, until }) => InForce {
                filter,
                by: By::Admin,
                until,
            },
            None => InForce {
                filter: self.configuration(),
                by: By::Configuration,
                until: None,
            },
        }
    }

    /// The filter that the configuration stands for.
    pub(super) fn configuration(&self) -> Filter {
        let filter = self.configured.as_ref().or(self.cluster.as_ref());
        filter
            .cloned()
            .unwrap_or_else(|| Filter::up_to(LevelFilter::INFO))
    }

    /// When the next tick is due.
    pub(super) fn next(&self) -> Option<Instant> {
        self.set.as_ref()?.until
    }
}

impl By {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Configuration => "configuration",
            Self::Admin => "admin",
            Self::Signal => "signal",
        }
    }
}

impl Event {
    /// Who changes something.
    pub(super) fn by(&self) -> &'static str {
        match self {
            Self::Configured(_) => "the configuration",
            Self::Cluster(_) => "the cluster",
            Self::Set(..) | Self::Reset => "the admin port",
            Self::Signal => "SIGUSR1",
            Self::Tick => "its time is over",
        }
    }
}
