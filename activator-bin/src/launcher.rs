//! Starts, stops and freezes the instances of revisions on this machine.
//!
//! What is to be done is decided by pure machines; one small module beside each does it. What must not live here: how
//! many instances the load needs (see the autoscaler), requests.

pub mod fleet;
mod log;
mod proc;
pub mod process;
pub mod schedule;
mod service;
mod stats;
mod status;
pub(crate) mod supervisor;
mod task;

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use reporter_core::RevisionKey;
use reporter_metrics::InstanceMetrics;
use reporter_runtime::ConcurrencyReporter;
use serde_json::Value as Json;
use tokio::sync::{mpsc, oneshot};

pub(crate) use process::program;
pub(crate) use stats::{SINK, Stats, channel};
pub(crate) use status::Shown;

use self::fleet::Event;
use self::process::Processes;
use self::status::Statuses;
use self::task::{Command, Parts, Task};
use crate::revision::Revisions;

/// What the launcher works with.
pub(crate) struct Needs {
    pub(crate) revisions: Arc<Revisions>,
    /// What counts their requests.
    pub(crate) reporter: ConcurrencyReporter,
    /// Its stat messages.
    pub(crate) stats: Stats,
    pub(crate) metrics: InstanceMetrics,
    /// The program that supervises instances: this one.
    pub(crate) program: PathBuf,
}

/// Runs the instances of all revisions that have some on this machine. Clones are handles to the same one.
#[derive(Clone)]
pub(crate) struct Launcher {
    commands: mpsc::Sender<Command>,
    statuses: Arc<Statuses>,
}

impl Launcher {
    /// Starts it, as a task on the current tokio runtime. When that ends, so do all instances.
    ///
    /// # Errors
    /// The directory for the sockets of instances cannot be made.
    pub(crate) fn start(needs: Needs) -> io::Result<Self> {
        let statuses = Arc::new(Statuses::new(needs.metrics));
        let (task, events) = Task::new(Parts {
            revisions: needs.revisions,
            reporter: needs.reporter,
            processes: Processes::try_new(needs.program)?,
            statuses: Arc::clone(&statuses),
        });
        let (commands, received) = mpsc::channel(1);
        tokio::spawn(task.run(events, needs.stats, received));
        Ok(Self { commands, statuses })
    }

    /// Wakes a revision, and keeps it awake for this long at least.
    pub(crate) async fn wake(&self, key: RevisionKey, least: Duration) {
        self.tell(Event::Wake(key, least)).await;
    }

    /// Stops the instances of a revision once their requests have ended; the next request wakes it again.
    pub(crate) async fn sleep(&self, key: RevisionKey) {
        self.tell(Event::Sleep(key)).await;
    }

    /// What is known of a revision's instances; with the last lines of their output if `is_full`. `None` if they are
    /// not started here.
    pub(crate) fn status(&self, key: &RevisionKey, is_full: bool) -> Option<Json> {
        self.statuses.show(key, is_full)
    }

    /// The same, without the output; `before` is what this returned last, and is returned again if nothing has changed.
    pub(crate) fn shown(
        &self,
        key: &RevisionKey,
        before: Option<&Arc<Shown>>,
    ) -> Option<Arc<Shown>> {
        self.statuses.shown(key, before)
    }

    /// Stops all instances, and waits until they are gone.
    pub(crate) async fn stop(&self) {
        let (done, stopped) = oneshot::channel();
        // An error means that the runtime is gone, and the instances with it.
        if self.commands.send(Command::Shutdown(done)).await.is_ok() {
            let _ = stopped.await;
        }
    }

    async fn tell(&self, event: Event) {
        let (taken, wait) = oneshot::channel();
        if self
            .commands
            .send(Command::Event(event, taken))
            .await
            .is_ok()
        {
            let _ = wait.await;
        }
    }
}
