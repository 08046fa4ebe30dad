//! How the instances of a revision are started and stopped on this machine, as its section says.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::autoscaler::ScaleSettings;

/// How instances are started, when, and what becomes of requests meanwhile.
#[derive(Clone, Debug, PartialEq)]
pub struct LaunchSpec {
    /// What an instance is.
    pub start: Start,
    /// What shows that it is ready.
    pub ready: Ready,
    /// How long it may take to become ready.
    pub start_timeout: Duration,
    /// The signal that asks its process group to end, like 15 for SIGTERM.
    pub stop_signal: i32,
    /// How long it may take to end before it is killed.
    pub stop_timeout: Duration,
    /// How many instances there are.
    pub scale: ScaleSettings,
    /// How long an instance is kept after it became ready, whatever the load.
    pub min_uptime: Duration,
    /// What becomes of the last instance once it is idle.
    pub idle_action: IdleAction,
    /// Asked before an idle instance is stopped or frozen.
    pub busy_check: Option<BusyCheck>,
    /// The group that limits how many run at once.
    pub group: Option<Arc<GroupSpec>>,
    /// Requests that neither wake the revision nor count. They match any rule.
    pub ignore: Vec<IgnoreRule>,
    /// The status of ignored requests while no instance is ready.
    pub asleep_status: u16,
    /// What browsers see while no instance is ready.
    pub waiting_page: WaitingPage,
    /// Other values of `min_scale` at some times of the week. The largest that applies counts.
    pub schedule: Vec<ScheduleEntry>,
    /// What follows a crash.
    pub restarts: Restarts,
    /// Where the output of instances goes.
    pub log: InstanceLog,
}

impl LaunchSpec {
    /// What a section means that says no more than this.
    #[must_use]
    pub fn new(start: Start, max_scale: u32) -> Self {
        Self {
            start,
            ready: Ready::Serving,
            start_timeout: Duration::from_secs(120),
            stop_signal: 15,
            stop_timeout: Duration::from_secs(10),
            scale: ScaleSettings::new(max_scale),
            min_uptime: Duration::ZERO,
            idle_action: IdleAction::Stop,
            busy_check: None,
            group: None,
            ignore: Vec::new(),
            asleep_status: 503,
            waiting_page: WaitingPage::Auto,
            schedule: Vec::new(),
            restarts: Restarts {
                backoff: Duration::from_secs(1),
                max_backoff: Duration::from_secs(60),
                max_restarts: 3,
                window: Duration::from_secs(300),
            },
            log: InstanceLog::Inherit,
        }
    }
}

impl ProcessSpec {
    /// The same of a process.
    #[must_use]
    pub fn new(command: Vec<String>) -> Self {
        Self {
            command,
            dir: None,
            env: BTreeMap::new(),
            user: None,
            port: PortSpec::Auto,
        }
    }
}

/// What an instance is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Start {
    /// A process, with all that it starts.
    Process(ProcessSpec),
    /// Something else, like a container or a unit, at the revision's own `backends`. There is one at most.
    Commands {
        /// The program that starts it, and its arguments.
        start: Vec<String>,
        /// The program that stops it, and its arguments; empty for none.
        stop: Vec<String>,
    },
}

/// A process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProcessSpec {
    /// The program and its arguments, not empty. `{port}`, `{socket}`, `{name}` and `{index}` are still to be replaced
    /// in each.
    pub command: Vec<String>,
    /// The working directory; that of the activator when unset.
    pub dir: Option<PathBuf>,
    /// Its environment, besides what every instance gets. Placeholders as in `command`.
    pub env: BTreeMap<String, String>,
    /// The user that it runs as, by name or number; that of the activator when unset.
    pub user: Option<String>,
    /// Where it is reached.
    pub port: PortSpec,
}

/// Where an instance that is a process listens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PortSpec {
    /// A free port of 127.0.0.1, chosen for each.
    Auto,
    /// This port of 127.0.0.1. There is one instance at most.
    Fixed(u16),
    /// A unix socket that it makes.
    Socket,
    /// A listening socket of 127.0.0.1 that it is passed, as `sd_listen_fds(3)` says.
    Passed,
}

/// What shows that an instance is ready.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ready {
    /// A GET of `/` is answered with a status below 500: it serves, whether there is something at `/` or not.
    Serving,
    /// A GET of this path and query is answered with a status from 200 to 399.
    Http(String),
    /// It accepts a connection.
    Tcp,
    /// It says so by `sd_notify(3)`.
    Notify,
}

/// What becomes of the last instance once it is idle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IdleAction {
    /// It is stopped.
    Stop,
    /// Its process group is stopped by SIGSTOP; it ends after this long without a request.
    Freeze {
        /// How long it stays frozen.
        freeze_for: Duration,
    },
}

/// How an instance is asked whether it is busy although it has no request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BusyCheck {
    /// A GET of this path: 200 to 299 means busy.
    Http(String),
    /// A program and its arguments: exit code 0 means busy.
    Command(Vec<String>),
}

/// Revisions that share something of which there is not enough for all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupSpec {
    /// Its name.
    pub name: String,
    /// How many instances of it may run at once, starting and stopping ones included.
    pub capacity: u32,
    /// How long a request of one revision waits for those of another at most, before these wait for it.
    pub max_wait: Duration,
}

/// Requests that match all that is set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IgnoreRule {
    /// Their path, without the query; `*` at its end stands for anything.
    pub path: Option<String>,
    /// A part of their User-Agent, in whatever case.
    pub user_agent: Option<String>,
    /// Where they come from: an address and how many of its first bits count.
    pub source: Option<(IpAddr, u8)>,
}

/// What browsers see while no instance is ready.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WaitingPage {
    /// The page that comes with the activator.
    Auto,
    /// None: their requests wait like all others.
    Off,
    /// The content of a file, read with the configuration.
    Page(Arc<str>),
}

/// `min_scale` at some times of the week.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScheduleEntry {
    /// On which days it begins, Monday first.
    pub days: [bool; 7],
    /// When it begins, in minutes after midnight, local time.
    pub from: u16,
    /// When it ends; on the next day if not after `from`.
    pub to: u16,
    /// The fewest instances meanwhile.
    pub min_scale: u32,
}

/// What follows a crash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Restarts {
    /// The pause before the first restart; each further one doubles it.
    pub backoff: Duration,
    /// The longest pause.
    pub max_backoff: Duration,
    /// How many restarts within `window` are too many: the revision then has failed.
    pub max_restarts: u32,
    /// The period that restarts are counted over.
    pub window: Duration,
}

/// Where the output of instances goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InstanceLog {
    /// To the log of the activator.
    Inherit,
    /// It is appended to a file.
    File(PathBuf),
    /// Nowhere.
    Off,
}
