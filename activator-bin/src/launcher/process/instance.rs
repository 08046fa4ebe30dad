//! One instance, from its start to its end.

use std::sync::Arc;
use std::time::Duration;

use reporter_core::RevisionKey;
use tokio::net::unix::pipe;
use tokio::sync::{mpsc, watch};
use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::timeout;

use super::Known;
use super::busy::Check;
use super::notify::Notifications;
use super::output::Output;
use super::place::Reserved;
use super::supervised::{Supervised, Supervisors};
use super::surroundings::{Values, set_passed, surroundings};
use crate::launcher::fleet::{Ended, Event, InstanceId};
use crate::launcher::supervisor::order::{Order, Task};
use crate::os::open_files;
use crate::revision::LaunchSpec;
use crate::revision::launch::{BusyCheck, InstanceLog};

mod life;

use life::{Life, Started};

/// How long the last output may take after the end: another process may hold it open.
const OUTPUT_PATIENCE: Duration = Duration::from_millis(500);

/// How many of its last lines are logged of one that ended although nobody asked it to.
const LAST_LINES: usize = 10;

/// What an instance is to do. The last wish counts; being asked to end is final.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Wanted {
    pub(super) is_frozen: bool,
    pub(super) is_stopped: bool,
    pub(super) is_killed: bool,
    /// How often it was asked whether it is busy.
    pub(super) asked: u64,
}

/// What its supervisor is told, and how it is asked whether it is busy.
struct Plan {
    order: Order,
    check: Option<Check>,
}

/// What is needed to start an instance.
pub(super) struct Instance {
    pub(super) id: InstanceId,
    pub(super) key: RevisionKey,
    pub(super) index: u32,
    pub(super) spec: Arc<LaunchSpec>,
    pub(super) supervisors: Arc<Supervisors>,
    pub(super) known: Arc<Known>,
    pub(super) events: mpsc::Sender<Event>,
}

impl Instance {
    /// Starts it and follows it to its end.
    pub(super) async fn run(
        self,
        reserved: Result<Reserved, String>,
        wishes: watch::Receiver<Wanted>,
    ) {
        let how = match reserved {
            // What was reserved is free again before anybody hears of the end.
            Ok(reserved) => self.live(reserved, wishes).await,
            Err(why) => why,
        };
        self.send(Event::Ended(self.id, Ended { how })).await;
    }

    /// What it is called in the log.
    fn name(&self) -> String {
        format!("{}-{}", self.key, self.index)
    }

    async fn send(&self, event: Event) {
        // Nobody listens once the activator has stopped.
        let _ = self.events.send(event).await;
    }

    /// Returns how it ended.
    async fn live(&self, reserved: Reserved, wishes: watch::Receiver<Wanted>) -> String {
        let Plan { order, check } = self.plan(&reserved);
        let (mut reserved, supervised) = match self.start(reserved, order).await {
            Ok(started) => started,
            Err(why) => return why,
        };
        let notifications = reserved.notifications.take().map(Notifications::listen);
        let notifications = match notifications.transpose() {
            Ok(notifications) => notifications,
            Err(error) => return format!("cannot listen for notifications: {error}"),
        };
        let (process, commands, reports, pipe) = match supervised.into_parts() {
            Ok(parts) => parts,
            Err(error) => return format!("cannot follow its supervisor: {error}"),
        };
        let output = self.follow(pipe).await;
        let started = Started {
            places: Arc::clone(&reserved.places),
            supervisor: process.id(),
            commands,
            reports,
            notifications,
            check,
        };
        let end = Life::new(self, started).run(wishes).await;
        let status = process.end().await;
        self.finish(output).await;
        if !end.is_asked && self.spec.log != InstanceLog::Inherit {
            self.log_last_lines();
        }
        end.how(status)
    }

    fn plan(&self, reserved: &Reserved) -> Plan {
        let values = Values::new(reserved, self.key.name(), self.index);
        let own = |name: &str| std::env::var(name).ok();
        let (task, mut surroundings) = surroundings(&self.spec.start, &values, own);
        surroundings.open_files = open_files::inherited();
        let check = self.spec.busy_check.as_ref().map(|check| match check {
            BusyCheck::Http(path) => Check::Http(path.clone()),
            BusyCheck::Command(command) => Check::Command(Order {
                task: Task::Process {
                    command: values.fill_all(command),
                },
                surroundings: surroundings.clone(),
                stop_signal: self.spec.stop_signal,
                stop_timeout: Duration::ZERO,
            }),
        });
        set_passed(&mut surroundings.env, reserved);
        surroundings.private = reserved.private.as_ref().map(|it| it.path().to_owned());
        let order = Order {
            task,
            surroundings,
            stop_signal: self.spec.stop_signal,
            stop_timeout: self.spec.stop_timeout,
        };
        Plan { order, check }
    }

    /// Starts its supervisor, which starts it.
    async fn start(
        &self,
        mut reserved: Reserved,
        order: Order,
    ) -> Result<(Reserved, Supervised), String> {
        let (spec, supervisors, name) = (
            Arc::clone(&self.spec),
            Arc::clone(&self.supervisors),
            self.name(),
        );
        let started = spawn_blocking(move || {
            reserved.prepare(&spec)?;
            let listener = reserved.listener.take();
            let supervised = supervisors.start(&name, &order, listener);
            let supervised =
                supervised.map_err(|error| format!("cannot start its supervisor: {error}"))?;
            Ok((reserved, supervised))
        });
        started
            .await
            .unwrap_or_else(|error| Err(format!("cannot start its supervisor: {error}")))
    }

    async fn follow(&self, pipe: pipe::Receiver) -> JoinHandle<()> {
        let known = Arc::clone(&self.known);
        let mut output = Output::new(self.name(), &self.spec.log, known).await;
        tokio::spawn(async move { output.follow(pipe).await })
    }

    /// For those who wonder why it ended, and see no more of its output.
    fn log_last_lines(&self) {
        let (name, lines) = (self.name(), self.known.tail.lock().lines());
        for line in &lines[lines.len().saturating_sub(LAST_LINES)..] {
            tracing::warn!("{name}: {line}");
        }
    }

    async fn finish(&self, mut output: JoinHandle<()>) {
        if timeout(OUTPUT_PATIENCE, &mut output).await.is_err() {
            output.abort();
        }
    }
}
