//! What happens to an instance while it is there, and what it is told.

use std::future::{Future, pending};
use std::pin::Pin;
use std::process::ExitStatus;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use rustix::process::{Pid, Signal, kill_process_group};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use super::{Instance, Wanted};
use crate::launcher::fleet::Event;
use crate::launcher::process::readiness::{path, until_ready};
use crate::launcher::process::supervised::{Commands, Reports};
use crate::launcher::supervisor::order::{Command, Report};
use crate::upstream::place::Place;

/// How long a supervisor may take to report the end after it was told to kill. It gives up by itself before.
const KILL_PATIENCE: Duration = Duration::from_secs(15);

/// A wait that is part of the life of an instance.
type Waiting = Option<Pin<Box<dyn Future<Output = ()> + Send>>>;

/// An instance that was started.
pub(super) struct Life<'a> {
    instance: &'a Instance,
    places: Arc<[Place]>,
    /// `None` once it is to end as if the activator were gone.
    commands: Option<Commands>,
    reports: Reports,
    /// What it was told so far.
    told: Wanted,
    /// Until it is ready.
    starting: Waiting,
    is_ready: bool,
    /// What is wrong with it as long as it is not ready.
    problem: Arc<Mutex<String>>,
    /// When its supervisor must have reported its end.
    deadline: Option<Instant>,
}

/// How an instance ended.
pub(super) enum End {
    /// As its supervisor reports.
    Reported(String),
    /// Its supervisor has ended without a report, or has not done what it was told.
    Lost,
}

impl End {
    pub(super) fn how(self, supervisor: Option<ExitStatus>) -> String {
        match (self, supervisor) {
            (Self::Reported(how), _) => how,
            (Self::Lost, Some(status)) => format!("its supervisor ended early: {status}"),
            (Self::Lost, None) => "its supervisor ended early".to_owned(),
        }
    }
}

impl<'a> Life<'a> {
    pub(super) fn new(
        instance: &'a Instance,
        places: &Arc<[Place]>,
        commands: Commands,
        reports: Reports,
    ) -> Self {
        Self {
            instance,
            places: Arc::clone(places),
            commands: Some(commands),
            reports,
            told: Wanted::default(),
            starting: None,
            is_ready: false,
            problem: Arc::new(Mutex::new("it was not asked yet".to_owned())),
            deadline: None,
        }
    }

    /// Returns once it has ended.
    pub(super) async fn run(mut self, mut wishes: watch::Receiver<Wanted>) -> End {
        loop {
            let is_wanted = self.commands.is_some();
            tokio::select! {
                biased;
                report = self.reports.next() => match report {
                    Some(Report::Started { pid }) => self.started(pid),
                    Some(Report::Ended { how }) => return End::Reported(self.explain(how)),
                    None => return self.lost(),
                },
                changed = wishes.changed(), if is_wanted => match changed {
                    Ok(()) => {
                        let wanted = *wishes.borrow_and_update();
                        self.tell(wanted).await;
                    }
                    Err(_) => self.commands = None,
                },
                () = finished(&mut self.starting) => self.ready().await,
                () = reached(self.deadline) => return self.lost(),
            }
        }
    }

    fn started(&mut self, pid: Option<i32>) {
        *self.instance.known.pid.lock() = pid;
        if self.told.is_stopped || self.told.is_killed {
            return;
        }
        let (instance, places, problem) = (
            Arc::clone(&self.instance.spec),
            Arc::clone(&self.places),
            Arc::clone(&self.problem),
        );
        self.starting = Some(Box::pin(async move {
            until_ready(path(&instance.ready), &places, &problem).await;
        }));
    }

    async fn ready(&mut self) {
        self.is_ready = true;
        self.instance.send(Event::Ready(self.instance.id)).await;
    }

    async fn tell(&mut self, wanted: Wanted) {
        let mut commands = Vec::new();
        if wanted.is_killed && !self.told.is_killed {
            commands.push(Command::Kill);
            self.deadline = Some(Instant::now() + KILL_PATIENCE);
        }
        if wanted.is_stopped && !self.told.is_stopped {
            commands.push(Command::Stop);
        }
        if wanted.is_frozen != self.told.is_frozen {
            commands.push(if wanted.is_frozen {
                Command::Freeze
            } else {
                Command::Thaw
            });
        }
        self.told = wanted;
        if wanted.is_killed || wanted.is_stopped {
            self.starting = None;
        }
        for command in commands {
            if let Some(to) = &mut self.commands {
                to.send(command).await;
            }
        }
    }

    /// Says more of an end before it was ready.
    fn explain(&self, how: String) -> String {
        let is_late = self.told.is_killed && !self.told.is_stopped;
        if is_late && !self.is_ready {
            format!("was not ready: {}", self.problem.lock())
        } else {
            how
        }
    }

    /// Ends what its supervisor did not.
    fn lost(&self) -> End {
        let pid = *self.instance.known.pid.lock();
        if let Some(pid) = pid.and_then(Pid::from_raw) {
            let _ = kill_process_group(pid, Signal::KILL);
        }
        End::Lost
    }
}

/// Waits for something that may not be there. Afterwards it is not.
async fn finished(waiting: &mut Waiting) {
    match waiting {
        Some(future) => future.await,
        None => pending().await,
    }
    *waiting = None;
}

async fn reached(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => sleep_until(deadline).await,
        None => pending().await,
    }
}
