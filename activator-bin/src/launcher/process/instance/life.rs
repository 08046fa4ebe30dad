//! What happens to an instance while it is there, and what it is told.

use std::future::{Future, pending};
use std::pin::Pin;
use std::process::ExitStatus;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use rustix::process::{Pid, Signal, kill_process_group};
use tokio::sync::watch;
use tokio::task::spawn_blocking;
use tokio::time::{Instant, timeout};

use super::{Instance, Wanted};
use crate::launcher::fleet::Event;
use crate::launcher::process::busy::{Check, Checks};
use crate::launcher::process::gone::until_gone;
use crate::launcher::process::listening::listening;
use crate::launcher::process::notify::Listening;
use crate::launcher::process::readiness::{question, until_ready};
use crate::launcher::process::supervised::{Commands, KILL_PATIENCE, Reports};
use crate::launcher::supervisor::order::{Command, Report};
use crate::os::timer::until;
use crate::revision::launch::Start;
use crate::upstream::place::Place;

/// How long it may take to find out where the processes of an instance listen.
const LISTENING_PATIENCE: Duration = Duration::from_secs(1);

/// A wait that may not be there.
type Waiting<T> = Option<Pin<Box<dyn Future<Output = T> + Send>>>;

/// What there is of an instance once its supervisor was started.
pub(super) struct Started {
    pub(super) places: Arc<[Place]>,
    pub(super) supervisor: Pid,
    pub(super) commands: Commands,
    pub(super) reports: Reports,
    pub(super) notifications: Option<Listening>,
    pub(super) check: Option<Check>,
}

/// An instance that was started.
pub(super) struct Life<'a> {
    instance: &'a Instance,
    places: Arc<[Place]>,
    supervisor: Pid,
    /// `None` once it is to end as if the activator were gone.
    commands: Option<Commands>,
    reports: Reports,
    notifications: Option<Listening>,
    /// What it was told so far.
    told: Wanted,
    /// Until it is ready.
    starting: Waiting<()>,
    is_ready: bool,
    /// What is wrong with it as long as it is not ready.
    problem: Arc<Mutex<String>>,
    /// Until what its command has started is gone.
    gone: Waiting<String>,
    /// Why it is to end although nobody wants that.
    died: Option<String>,
    check: Option<Arc<Check>>,
    checks: Checks,
    /// Until it has said whether it is busy.
    asking: Waiting<Option<bool>>,
    /// How often it has been asked for that.
    asked: u64,
    /// When its supervisor must have reported its end.
    deadline: Option<Instant>,
}

/// How an instance ended.
pub(super) struct End {
    /// As its supervisor reports; `None` if that has ended without a report, or has not done what it was told.
    how: Option<String>,
    /// It was asked to end.
    pub(super) is_asked: bool,
}

impl End {
    pub(super) fn how(self, supervisor: Option<ExitStatus>) -> String {
        match (self.how, supervisor) {
            (Some(how), _) => how,
            (None, Some(status)) => format!("its supervisor ended early: {status}"),
            (None, None) => "its supervisor ended early".to_owned(),
        }
    }
}

impl<'a> Life<'a> {
    pub(super) fn new(instance: &'a Instance, started: Started) -> Self {
        let problem = if started.notifications.is_some() {
            "it has not sent READY=1 to $NOTIFY_SOCKET"
        } else {
            "it was not asked yet"
        };
        Self {
            instance,
            places: started.places,
            supervisor: started.supervisor,
            commands: Some(started.commands),
            reports: started.reports,
            notifications: started.notifications,
            told: Wanted::default(),
            starting: None,
            is_ready: false,
            problem: Arc::new(Mutex::new(problem.to_owned())),
            gone: None,
            died: None,
            check: started.check.map(Arc::new),
            checks: Checks::default(),
            asking: None,
            asked: 0,
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
                    Some(Report::Ended { how, .. }) => return self.ended(how),
                    None => return self.lost(),
                },
                changed = wishes.changed(), if is_wanted => match changed {
                    Ok(()) => {
                        let wanted = *wishes.borrow_and_update();
                        self.tell(wanted).await;
                    }
                    Err(_) => self.orphan(),
                },
                () = finished(&mut self.starting) => self.ready().await,
                () = notified(self.notifications.as_ref()) => self.ready().await,
                why = finished(&mut self.gone) => {
                    self.died = Some(why);
                    self.send(Command::Stop).await;
                }
                answer = finished(&mut self.asking) => self.answer(answer).await,
                () = until(self.deadline) => return self.lost(),
            }
        }
    }

    /// Nobody is to hear of it any more before its end.
    fn is_ending(&self) -> bool {
        self.told.is_stopped || self.told.is_killed || self.commands.is_none()
    }

    fn started(&mut self, pid: Option<i32>) {
        *self.instance.known.pid.lock() = pid;
        if self.is_ending() || self.notifications.is_some() {
            return;
        }
        let (spec, places, problem) = (
            Arc::clone(&self.instance.spec),
            Arc::clone(&self.places),
            Arc::clone(&self.problem),
        );
        self.starting = Some(Box::pin(async move {
            until_ready(question(&spec.ready), &places, &problem).await;
        }));
    }

    async fn ready(&mut self) {
        if self.is_ready || self.is_ending() {
            return;
        }
        self.is_ready = true;
        if let Start::Commands { .. } = self.instance.spec.start {
            let places = Arc::clone(&self.places);
            self.gone = Some(Box::pin(async move { until_gone(&places).await }));
        }
        self.instance.send(Event::Ready(self.instance.id)).await;
    }

    async fn tell(&mut self, wanted: Wanted) {
        let told = std::mem::replace(&mut self.told, wanted);
        if wanted.is_stopped || wanted.is_killed {
            self.starting = None;
            self.gone = None;
        }
        if wanted.is_killed && !told.is_killed {
            self.find_out().await;
            self.deadline = Some(Instant::now() + self.kill_patience());
            self.send(Command::Kill).await;
        }
        if wanted.is_stopped && !told.is_stopped {
            self.send(Command::Stop).await;
        }
        if wanted.is_frozen != told.is_frozen {
            let frozen = [Command::Thaw, Command::Freeze];
            self.send(frozen[usize::from(wanted.is_frozen)]).await;
        }
        self.ask();
    }

    /// Nobody holds it any more: its supervisor ends it as if the activator were gone.
    fn orphan(&mut self) {
        self.starting = None;
        self.gone = None;
        self.commands = None;
        let patience = self.instance.spec.stop_timeout + self.kill_patience();
        self.deadline.get_or_insert(Instant::now() + patience);
    }

    async fn send(&mut self, command: Command) {
        if let Some(to) = &mut self.commands {
            to.send(command).await;
        }
    }

    /// How long it may take to end when it is killed.
    fn kill_patience(&self) -> Duration {
        match self.instance.spec.start {
            Start::Process(_) => KILL_PATIENCE,
            // Its stop command may have to run before.
            Start::Commands { .. } => KILL_PATIENCE + self.instance.spec.stop_timeout,
        }
    }

    /// Asks it whether it is busy, unless it is being asked.
    fn ask(&mut self) {
        if self.asking.is_some() || self.asked == self.told.asked {
            return;
        }
        self.asked = self.told.asked;
        let Some(check) = self.check.clone() else {
            self.asking = Some(Box::pin(async { Some(false) }));
            return;
        };
        let (places, supervisors, name) = (
            Arc::clone(&self.places),
            Arc::clone(&self.instance.supervisors),
            self.instance.name(),
        );
        // Goes on, and ends, even if the instance ends meanwhile.
        let asked = tokio::spawn(async move {
            let answer = check.ask(&name, &places, &supervisors).await;
            let why = answer.as_ref().err();
            why.inspect(|why| tracing::warn!("{name}: its busy_check failed: {why}"));
            answer.ok()
        });
        self.asking = Some(Box::pin(async { asked.await.ok().flatten() }));
    }

    async fn answer(&mut self, answer: Option<bool>) {
        let is_busy = self.checks.is_busy(answer);
        let event = Event::Busy(self.instance.id, is_busy);
        self.instance.send(event).await;
        self.ask();
    }

    /// Whether it ends because it was not ready in time.
    fn is_late(&self) -> bool {
        self.told.is_killed && !self.told.is_stopped && !self.is_ready && self.died.is_none()
    }

    /// Finds out what may be the matter with one that is not ready in time.
    async fn find_out(&mut self) {
        if !self.is_late() || self.notifications.is_some() {
            return;
        }
        let supervisor = self.supervisor;
        let found = spawn_blocking(move || listening(supervisor));
        let Ok(Ok(mut addresses)) = timeout(LISTENING_PATIENCE, found).await else {
            return;
        };
        addresses.retain(|address| self.places.iter().all(|place| place.address != *address));
        if !addresses.is_empty() {
            let addresses: Vec<_> = addresses.iter().map(ToString::to_string).collect();
            let listens = format!("; but it listens on {}", addresses.join(", "));
            self.problem.lock().push_str(&listens);
        }
    }

    /// Says more of the end than its supervisor knows.
    fn ended(&self, how: String) -> End {
        let how = match &self.died {
            Some(died) => format!("{died}; {how}"),
            None if self.is_late() => format!("was not ready in time: {}", self.problem.lock()),
            None => how,
        };
        End {
            how: Some(how),
            is_asked: self.is_ending() && !self.is_late(),
        }
    }

    /// Ends what its supervisor did not.
    fn lost(&self) -> End {
        let pid = *self.instance.known.pid.lock();
        if let Some(pid) = pid.and_then(Pid::from_raw) {
            let _ = kill_process_group(pid, Signal::KILL);
        }
        End {
            how: None,
            is_asked: self.is_ending(),
        }
    }
}

/// Waits for something that may not be there. Afterwards it is not.
async fn finished<T>(waiting: &mut Waiting<T>) -> T {
    let finished = match waiting {
        Some(future) => future.await,
        None => pending().await,
    };
    *waiting = None;
    finished
}

async fn notified(notifications: Option<&Listening>) {
    match notifications {
        Some(notifications) => notifications.ready().await,
        None => pending().await,
    }
}
