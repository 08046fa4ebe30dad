//! The filter of the running log, which operators change. Each change is logged, whatever the filter.

use std::time::SystemTime;

use parking_lot::Mutex;
use serde_json::{Value as Json, json};
use tokio::sync::Notify;
use tokio::time::Instant;
use tracing_subscriber::{Registry, filter::Targets, reload};

use super::filter::Filter;
use super::level::{Event, InForce, Level, Outcome};
use crate::os::timer;

/// The filter of a log.
pub(crate) struct Control {
    level: Mutex<Level>,
    handle: reload::Handle<Targets, Registry>,
    /// When the next tick is due may have changed.
    changed: Notify,
}

impl Control {
    pub(super) fn new(
        configured: Option<Filter>,
        handle: reload::Handle<Targets, Registry>,
    ) -> Self {
        Self {
            level: Mutex::new(Level::new(configured)),
            handle,
            changed: Notify::new(),
        }
    }

    /// Something happens that may change the filter.
    pub(crate) fn on(&self, event: Event) {
        let (by, now) = (event.by(), Instant::now());
        let outcome = {
            let mut level = self.level.lock();
            let outcome = level.on(event, now);
            if let Outcome::Changed { to, .. } = &outcome {
                // Fails only without a subscriber, which is never removed. Under the lock, so that the last one counts.
                let _ = self.handle.reload(to.filter.applied());
            }
            outcome
        };
        self.changed.notify_one();
        match outcome {
            Outcome::Unchanged => {}
            Outcome::Changed { from, to } => {
                let (from, left) = (from.filter, left(&to, now));
                tracing::info!(by, %from, to = %to.filter, r#for = left, "log filter changed");
            }
            Outcome::Waits(filter) => tracing::info!(
                by,
                %filter,
                "the log filter in force stays: it was set through the admin port or by SIGUSR1"
            ),
        }
    }

    /// What operators see of it: the setting `log` as it is in force, by whom, and what it will return to.
    pub(crate) fn status(&self) -> Json {
        let (in_force, configuration) = {
            let level = self.level.lock();
            (level.in_force(), level.configuration())
        };
        let until = in_force.until.map(|until| {
            let left = until.saturating_duration_since(Instant::now());
            humantime::format_rfc3339_seconds(SystemTime::now() + left).to_string()
        });
        json!({
            "log": in_force.filter.to_string(),
            "by": in_force.by.as_str(),
            "until": until,
            "configured": configuration.to_string(),
        })
    }

    /// Ends what was set for a time when that is over, for as long as it is polled.
    pub(super) async fn run(&self) {
        loop {
            let next = self.level.lock().next();
            tokio::select! {
                () = timer::until(next) => self.on(Event::Tick),
                () = self.changed.notified() => {}
            }
        }
    }
}

/// How long it will be in force.
fn left(in_force: &InForce, now: Instant) -> Option<String> {
    let left = in_force.until?.saturating_duration_since(now);
    Some(humantime::format_duration(left).to_string())
}
