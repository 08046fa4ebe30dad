//! What is said between the activator and a supervisor, and between a supervisor and the process that becomes the
//! program.

use std::collections::BTreeMap;
use std::fmt::{self, Display};
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use signal_hook::low_level::signal_name;

/// The first message to a supervisor: all about its instance. A listening socket for the program may come with it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Order {
    /// What the instance is.
    pub(crate) task: Task,
    /// Where its programs run.
    pub(crate) surroundings: Surroundings,
    /// The signal that asks its process group to end.
    pub(crate) stop_signal: i32,
    /// How long it may take to end once the activator is gone; also how long its stop command may take.
    pub(crate) stop_timeout: Duration,
}

/// What an instance is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Task {
    /// A process, with all that it starts.
    Process {
        /// The program and its arguments.
        command: Vec<String>,
    },
    /// Something that is started and stopped by commands, and what these leave behind is not ours.
    Commands {
        /// The program that starts it, and its arguments.
        start: Vec<String>,
        /// The program that stops it, and its arguments; empty for none.
        stop: Vec<String>,
    },
}

/// Where a program runs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Surroundings {
    /// Its environment; nothing else is in it, except what belongs to its user or to a socket that it is passed.
    pub(crate) env: BTreeMap<String, String>,
    /// Its working directory; that of the activator when unset.
    pub(crate) dir: Option<PathBuf>,
    /// The user that it runs as, by name or number; that of the activator when unset.
    pub(crate) user: Option<String>,
    /// Its limit on open files; that of the activator when unset.
    pub(crate) open_files: Option<u64>,
    /// A directory of its own, which its user gets, and which is removed at the end.
    pub(crate) private: Option<PathBuf>,
}

/// What a supervisor is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Command {
    /// Ask the instance to end.
    Stop,
    /// End it at once, with all that belongs to it.
    Kill,
    /// Stop its process group by SIGSTOP.
    Freeze,
    /// Continue its process group.
    Thaw,
}

/// What a supervisor reports.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Report {
    /// The program runs, or the start command has succeeded.
    Started {
        /// The number of the process, which also is that of its group; `None` if it is not ours.
        pid: Option<i32>,
    },
    /// It has ended, with all that belongs to it, or could not be started. Nothing follows.
    Ended {
        /// How, like `exited with code 1`.
        how: String,
        /// The code of a process that exited by itself.
        code: Option<i32>,
    },
}

/// The message to the process that becomes the program.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Stage {
    /// The program and its arguments.
    pub(super) command: Vec<String>,
    /// Where it runs.
    pub(super) surroundings: Surroundings,
    /// The supervisor; without it there is no program.
    pub(super) supervisor: i32,
}

/// Why the program cannot be started: what the process says that was to become it.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct NotStarted {
    /// The reason.
    pub(super) why: String,
}

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Status {
    /// By itself, with this code.
    Exited(i32),
    /// By this signal.
    Killed(i32),
}

impl Status {
    pub(crate) fn is_success(self) -> bool {
        self == Self::Exited(0)
    }
}

impl Display for Status {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Exited(code) => write!(to, "exited with code {code}"),
            Self::Killed(signal) => match signal_name(signal) {
                Some(name) => write!(to, "was ended by {name}"),
                None => write!(to, "was ended by signal {signal}"),
            },
        }
    }
}
