//! How instances are started here: the part of `[[revision]]` that becomes a [`LaunchSpec`].
//!
//! Its fields are [`LaunchDraft`]; how their values are written is in `value`, which of them go together in `rules`.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::file::{Locations, Reader, Section};
use crate::autoscaler::ScaleSettings;
use crate::revision::launch::{
    BusyCheck, GroupSpec, IdleAction, IgnoreRule, InstanceLog, LaunchSpec, PortSpec, ProcessSpec,
    Ready, Restarts, ScheduleEntry, Start, WaitingPage,
};
use crate::settings::{Settings, settings};

mod env;
mod ignore;
mod page;
mod placeholder;
mod rules;
mod schedule;
mod shared;
mod shown;
mod value;

#[cfg(test)]
mod tests;

use page::PageChoice;
use value::Idle;

pub use ignore::IgnoreDraft;
pub use schedule::ScheduleDraft;
pub(super) use shared::Shared;
pub(super) use shown::to_json;

/// The fields of a section that are no settings.
pub(super) const OTHERS: &[&str] = &["env", "ignore", "schedule"];

/// A field, and what is wrong with it beside the others.
pub(super) type Conflict = (&'static str, String);

/// The most instances of a revision.
const MOST: u64 = 1_000;

settings! {
    /// How instances are started, as it was written.
    #[derive(Clone)]
    pub struct LaunchDraft in "" {
        /// The program that is an instance, and its arguments: a list, or a string that is split into words as a shell
        /// does, without expansion.
        command: Option<Vec<String>> = None, by(value::command);
        /// Further arguments of command: a list.
        args: Vec<String> = [], by(value::arguments);
        /// The working directory of instances; that of the activator when unset.
        dir: Option<String> = None, text();
        /// The user that instances run as, by name or number; that of the activator when unset.
        user: Option<String> = None, text();
        /// Where an instance listens: on a free port (auto) or a fixed one of 127.0.0.1, a unix socket that it makes
        /// (socket), or a listening socket that it is passed (fd).
        port: PortSpec = "auto", by(value::port);
        /// The program that starts the instance, and its arguments, instead of command: for containers and units, which
        /// are reached at backends.
        start_command: Option<Vec<String>> = None, by(value::command);
        /// The program that stops what start_command started, and its arguments.
        stop_command: Option<Vec<String>> = None, by(value::command);
        /// What shows that an instance is ready: http:/path (a GET of it is answered with 200 to 399), tcp (it accepts
        /// connections) or notify (it says so by `sd_notify`); a GET of / that is answered with less than 500 when
        /// unset, or tcp with tls or protocol h2c.
        ready: Option<Ready> = None, by(value::ready);
        /// How long an instance may take to become ready.
        start_timeout: Duration = "2m", duration("100ms"..="24h");
        /// The signal that asks an instance to end: its name.
        stop_signal: i32 = "TERM", by(value::signal);
        /// How long an instance may take to end before it is killed.
        stop_timeout: Duration = "10s", duration("0s"..="1h");
        /// The concurrency that one instance should have; container_concurrency when unset, or 100 where that is 0.
        target: Option<f64> = None, number(0.01..=1e6);
        /// The part of target that is aimed at, as a fraction or in percent; 70 when unset, or 100 with a
        /// container_concurrency of 1 to 3.
        target_utilization: Option<f64> = None, by(value::utilization);
        /// The period that the number of instances is decided by, and how long a revision is idle before it stops.
        stable_window: Duration = "1m", by(value::stable_window);
        /// The panic window as a percentage of stable_window.
        panic_window_percentage: f64 = "10", number(1.0..=100.0);
        /// How much of the ready capacity, in percent, starts a panic.
        panic_threshold_percentage: f64 = "200", number(110.0..=1_000.0);
        /// The fewest instances.
        min_scale: u32 = "0", whole(0..=MOST);
        /// The most instances; required with command, 1 with start_command.
        max_scale: Option<u32> = None, whole(1..=MOST);
        /// How many instances the first start makes.
        initial_scale: u32 = "1", whole(0..=MOST);
        /// How many instances a start from zero makes; as many as the load needs when unset.
        activation_scale: Option<u32> = None, whole(2..=MOST);
        /// How long fewer instances must be enough before there are fewer.
        scale_down_delay: Duration = "0s", by(value::scale_down_delay);
        /// How long the last instance is kept after the decision to stop it.
        scale_to_zero_pod_retention_period: Duration = "0s", duration("0s"..="1h");
        /// How long an instance is kept after it became ready, whatever the load.
        min_uptime: Duration = "0s", duration("0s"..="30d");
        /// What becomes of the last instance once it is idle: it is stopped (stop), or frozen in memory and thawed by the
        /// next request (freeze).
        idle_action: Idle = "stop", choice(value::IDLE_ACTIONS);
        /// How long a frozen instance is kept without a request before it is stopped.
        freeze_for: Duration = "10m", duration("1s"..="30d");
        /// What is asked before an idle instance is stopped or frozen: http:/path (a GET of it is answered with 200 to 299
        /// while it is busy), or a command that succeeds while it is.
        busy_check: Option<BusyCheck> = None, by(value::busy_check);
        /// The `[[group]]` that limits how many instances run at once.
        group: Option<String> = None, text();
        /// The status of ignored requests while no instance is ready.
        asleep_status: u16 = "503", whole(200..=599);
        /// What browsers see while no instance is ready: the activator's page (auto), nothing until one is (off), or the
        /// path of an HTML file, which is read with the configuration.
        waiting_page: PageChoice = "auto", by(page::choice);
        /// The pause before the first restart after a crash, which doubles, and the longest one.
        restart_backoff: (Duration, Duration) = "1s..1m", by(value::backoff);
        /// How many restarts within restart_window are too many: the revision then has failed for a while.
        max_restarts: u32 = "3", whole(0..=1_000);
        /// The period that restarts are counted over.
        restart_window: Duration = "5m", duration("1s"..="24h");
        /// Where the output of instances goes: to the activator's log (inherit), nowhere (off), or the path of a file
        /// that it is appended to.
        log: InstanceLog = "inherit", by(value::log);
    }
    others {
        /// The environment of instances, besides what each gets.
        env: BTreeMap<String, String>;
        /// Requests that neither wake the revision nor count.
        ignore: Vec<IgnoreRule>;
        /// Other values of min_scale at some times of the week.
        schedule: Vec<ScheduleEntry>;
    }
}

impl LaunchDraft {
    /// Reads what is no setting, and checks how all fit together. `None` when instances are not started here, or there
    /// are problems. `tls` is what the section says of that. The section's other problems are those of `reader` after
    /// the first `before`.
    pub(super) fn finish(
        mut self,
        reader: &mut Reader<'_>,
        section: &Section<'_>,
        locations: &Locations,
        before: usize,
        tls: bool,
        shared: &mut Shared,
    ) -> Option<Arc<LaunchSpec>> {
        self.env = env::read(reader, section);
        self.ignore = ignore::read(reader, section);
        self.schedule = schedule::read(reader, section, self.max_scale);
        let known = &reader.problems.as_slice()[before..];
        let is_of = |field: &str, name: &str| {
            let rest = field.strip_prefix(&section.field(name));
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
        };
        let is_good = |name: &str| !known.iter().any(|it| is_of(&it.field, name));
        let is_set = |name: &str| locations.contains_key(name);
        let mut conflicts = rules::conflicts(&self, tls, is_set, is_good);
        let mut group = None;
        if let Some(name) = &self.group {
            let found = shared.group(name);
            group = found.map_err(|why| conflicts.push(("group", why))).ok();
        }
        if let Some(group) = &group {
            let kept = shared.keep(group, self.min_scale);
            kept.unwrap_or_else(|why| conflicts.push(("min_scale", why)));
        }
        let page = shared.pages.read(&self.waiting_page);
        let page = page.map_err(|why| conflicts.push(("waiting_page", why)));
        conflicts.retain(|(field, _)| is_good(field));
        for (field, message) in conflicts {
            let location = locations.get(field).unwrap_or(&section.location);
            reader
                .problems
                .push(location.clone(), section.field(field), message);
        }
        self.spec(group, page.ok()?).map(Arc::new)
    }

    /// That of a command line, with what is wrong with it. `max_scale` was set.
    pub(super) fn with_command(
        mut self,
        command: Vec<String>,
    ) -> (Option<Arc<LaunchSpec>>, Vec<Conflict>) {
        self.command = Some(command);
        let is_set = |name: &str| ["command", "max_scale"].contains(&name);
        let conflicts = rules::conflicts(&self, false, is_set, |_| true);
        let spec = self.spec(None, WaitingPage::Auto);
        (spec.map(Arc::new), conflicts)
    }

    /// `None` when it has neither command.
    fn spec(self, group: Option<Arc<GroupSpec>>, waiting_page: WaitingPage) -> Option<LaunchSpec> {
        let max_scale = self.max_scale.unwrap_or(1);
        let start = match (self.command, self.start_command) {
            (Some(command), _) => Start::Process(ProcessSpec {
                command: [command, self.args].concat(),
                dir: self.dir.map(Into::into),
                env: self.env,
                user: self.user,
                port: self.port,
            }),
            (None, Some(start)) => Start::Commands {
                start,
                stop: self.stop_command.unwrap_or_default(),
            },
            (None, None) => return None,
        };
        let (backoff, max_backoff) = self.restart_backoff;
        Some(LaunchSpec {
            start,
            ready: self.ready.unwrap_or(Ready::Serving),
            start_timeout: self.start_timeout,
            stop_signal: self.stop_signal,
            stop_timeout: self.stop_timeout,
            scale: ScaleSettings {
                target: self.target,
                target_utilization: self.target_utilization,
                stable_window: self.stable_window,
                panic_window_percentage: self.panic_window_percentage,
                panic_threshold_percentage: self.panic_threshold_percentage,
                min_scale: self.min_scale,
                max_scale,
                initial_scale: self.initial_scale,
                activation_scale: self.activation_scale,
                scale_down_delay: self.scale_down_delay,
                scale_to_zero_pod_retention_period: self.scale_to_zero_pod_retention_period,
            },
            min_uptime: self.min_uptime,
            idle_action: match self.idle_action {
                Idle::Stop => IdleAction::Stop,
                Idle::Freeze => IdleAction::Freeze {
                    freeze_for: self.freeze_for,
                },
            },
            busy_check: self.busy_check,
            group,
            ignore: self.ignore,
            asleep_status: self.asleep_status,
            waiting_page,
            schedule: self.schedule,
            restarts: Restarts {
                backoff,
                max_backoff,
                max_restarts: self.max_restarts,
                window: self.restart_window,
            },
            log: self.log,
        })
    }
}

/// The fields of `[[revision]]` that say how instances are started.
pub(super) fn fields() -> impl Iterator<Item = &'static str> {
    let settings = LaunchDraft::settings().into_iter();
    settings.map(|it| it.field).chain(OTHERS.iter().copied())
}
