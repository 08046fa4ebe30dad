//! Starts and ends the processes of instances, each beside a supervisor. What must not live here: decisions when.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use parking_lot::Mutex;
use reporter_core::RevisionKey;
use tokio::sync::{mpsc, watch};

mod busy;
mod gone;
mod instance;
mod listening;
mod notify;
mod output;
mod place;
mod ports;
mod presence;
mod readiness;
mod supervised;
mod surroundings;

use super::fleet::{Event, InstanceId};
use crate::revision::LaunchSpec;
use crate::upstream::place::Place;
use instance::{Instance, Wanted};
use output::Tail;
use place::Reserved;
use ports::Ports;
use supervised::Supervisors;

pub use super::supervisor::program;
pub(crate) use presence::absent;

/// Starts instances.
#[derive(Debug)]
pub struct Processes {
    supervisors: Arc<Supervisors>,
    ports: Arc<Ports>,
}

impl Processes {
    /// Starts none yet. `program` is the activator's own, as [`program`] returns it: it also is the supervisor of an instance.
    ///
    /// # Errors
    /// There is no such file.
    pub fn try_new(program: PathBuf) -> io::Result<Self> {
        let supervisors = Supervisors::try_new(program)?;
        Ok(Self {
            supervisors: Arc::new(supervisors),
            ports: Arc::default(),
        })
    }

    /// Starts an instance, and follows it. Does not block; must be called on a runtime.
    ///
    /// `Event::Ready` is sent once it is ready, at most once and not after it was asked to end; `Event::Ended` exactly
    /// once, as the last one. `backends` are those of the revision, which it is reached at if it is started by commands.
    #[must_use = "it ends when this is dropped"]
    pub fn start(
        &self,
        id: InstanceId,
        key: &RevisionKey,
        index: u32,
        spec: &Arc<LaunchSpec>,
        backends: &[SocketAddr],
        events: mpsc::Sender<Event>,
    ) -> Running {
        let reserved = Reserved::try_new(id, spec, backends, &self.ports);
        let (wanted, wishes) = watch::channel(Wanted::default());
        let places = reserved
            .as_ref()
            .map_or_else(|_| Arc::default(), |reserved| Arc::clone(&reserved.places));
        let known = Arc::new(Known::default());
        let instance = Instance {
            id,
            key: key.clone(),
            index,
            spec: Arc::clone(spec),
            supervisors: Arc::clone(&self.supervisors),
            known: Arc::clone(&known),
            events,
        };
        tokio::spawn(instance.run(reserved, wishes));
        Running {
            places,
            known,
            wanted,
        }
    }
}

/// An instance that was started. It ends when this is dropped, as if the activator were gone.
#[derive(Debug)]
pub struct Running {
    places: Arc<[Place]>,
    known: Arc<Known>,
    wanted: watch::Sender<Wanted>,
}

/// What is known of an instance at any time.
#[derive(Debug, Default)]
struct Known {
    pid: Mutex<Option<i32>>,
    tail: Mutex<Tail>,
}

impl Running {
    /// Where it is reached, once it is ready. None if there is no place for it: then it ends at once.
    #[must_use]
    pub fn places(&self) -> &[Place] {
        &self.places
    }

    /// The number of its first process and of its group, once that runs; `None` if it is started by commands.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        let pid = *self.known.pid.lock();
        pid.and_then(|pid| u32::try_from(pid).ok())
    }

    /// The last lines of its output, the oldest first.
    #[must_use]
    pub fn tail(&self) -> Vec<String> {
        self.known.tail.lock().lines()
    }

    /// Stops its process group by SIGSTOP, unless it has been asked to end.
    pub fn freeze(&self) {
        self.wanted.send_modify(|wanted| wanted.is_frozen = true);
    }

    /// Continues its process group.
    pub fn thaw(&self) {
        self.wanted.send_modify(|wanted| wanted.is_frozen = false);
    }

    /// Sends its process group the stop signal, or runs its stop command.
    pub fn stop(&self) {
        self.wanted.send_modify(|wanted| wanted.is_stopped = true);
    }

    /// Asks it whether it is busy: `Event::Busy` follows, within seconds. One that has no check is not busy.
    ///
    /// While it is being asked, more questions are answered together.
    pub fn ask_busy(&self) {
        self.wanted.send_modify(|wanted| wanted.asked += 1);
    }

    /// Ends it by SIGKILL, with all that belongs to it. What commands have started is stopped by its stop command.
    pub fn kill(&self) {
        self.wanted.send_modify(|wanted| wanted.is_killed = true);
    }
}
