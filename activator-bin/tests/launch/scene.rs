//! Instances under test, and what is seen of them.

use std::future::Future;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use activator_bin::testing::fleet::{Event, InstanceId};
use activator_bin::testing::launch::{InstanceLog, LaunchSpec, ProcessSpec, Ready, Start};
use activator_bin::testing::process::{Processes, Running};
use reporter_core::RevisionKey;
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};

/// The timeout of every wait: nothing here takes as long.
const PATIENCE: Duration = Duration::from_secs(30);

/// A server, which is ready once this has run.
pub(crate) const SERVER: [&str; 6] = [
    "python3",
    "-m",
    "http.server",
    "--bind",
    "127.0.0.1",
    "{port}",
];

/// How a process is started that runs this command.
pub(crate) fn process(command: &[&str]) -> ProcessSpec {
    ProcessSpec::new(command.iter().map(|part| (*part).to_owned()).collect())
}

/// How instances are launched that are such processes.
pub(crate) fn launch(process: ProcessSpec) -> LaunchSpec {
    LaunchSpec {
        ready: Ready::Tcp,
        start_timeout: PATIENCE,
        stop_timeout: PATIENCE,
        log: InstanceLog::Off,
        ..LaunchSpec::new(Start::Process(process), 1)
    }
}

/// How instances are launched that run a shell script.
pub(crate) fn script(script: &str) -> LaunchSpec {
    launch(process(&["sh", "-c", script]))
}

/// Starts instances.
pub(crate) fn processes() -> Processes {
    Processes::try_new(PathBuf::from(env!("CARGO_BIN_EXE_activator"))).unwrap()
}

/// An instance.
pub(crate) struct Instance {
    pub(crate) running: Running,
    pub(crate) reports: Reports,
}

/// What an instance reports.
pub(crate) struct Reports {
    id: InstanceId,
    events: mpsc::Receiver<Event>,
}

impl Reports {
    async fn next(&mut self) -> Option<Event> {
        within("it reports something", self.events.recv()).await
    }

    /// Expects its end, and nothing after it; returns how it ended.
    pub(crate) async fn ended(&mut self) -> String {
        let event = self.next().await;
        let Some(Event::Ended(id, ended)) = event else {
            panic!("{event:?} instead of the end");
        };
        assert_eq!(id, self.id);
        assert_eq!(self.next().await, None);
        ended.how
    }
}

impl Instance {
    /// Starts one.
    pub(crate) fn start(spec: LaunchSpec) -> Self {
        Self::start_by(&processes(), spec, &[])
    }

    /// Starts one of a revision with these backends.
    pub(crate) fn start_by(
        processes: &Processes,
        spec: LaunchSpec,
        backends: &[SocketAddr],
    ) -> Self {
        static IDS: AtomicU64 = AtomicU64::new(1);
        let id = InstanceId(IDS.fetch_add(1, Ordering::Relaxed));
        let key = RevisionKey::try_new("default", "hello").unwrap();
        let (sender, events) = mpsc::channel(16);
        let running = processes.start(id, &key, 0, &Arc::new(spec), backends, sender);
        let reports = Reports { id, events };
        Self { running, reports }
    }

    /// Expects it to become ready.
    pub(crate) async fn ready(&mut self) {
        let event = self.reports.next().await;
        let tail = self.running.tail();
        assert_eq!(event, Some(Event::Ready(self.reports.id)), "{tail:?}");
    }

    /// Expects its end, and nothing after it; returns how it ended.
    pub(crate) async fn ended(&mut self) -> String {
        self.reports.ended().await
    }

    /// Asks it whether it is busy.
    pub(crate) async fn is_busy(&mut self) -> bool {
        self.running.ask_busy();
        let event = self.reports.next().await;
        let Some(Event::Busy(id, is_busy)) = event else {
            panic!("{event:?} instead of whether it is busy");
        };
        assert_eq!(id, self.reports.id);
        is_busy
    }

    /// Waits for a line of its output that begins like this; returns the rest.
    pub(crate) async fn says(&self, beginning: &str) -> String {
        eventually(beginning, || {
            let tail = self.running.tail();
            tail.iter()
                .find_map(|line| Some(line.strip_prefix(beginning)?.to_owned()))
        })
        .await
    }

    /// The number of its process, as soon as that runs.
    pub(crate) async fn pid(&self) -> u32 {
        eventually("its process runs", || self.running.pid()).await
    }
}

/// Waits until `ask` has something.
pub(crate) async fn eventually<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let asked = async {
        loop {
            if let Some(found) = ask() {
                return found;
            }
            sleep(Duration::from_millis(5)).await;
        }
    };
    within(what, asked).await
}

/// Waits for something that comes.
pub(crate) async fn within<T>(what: &str, wait: impl Future<Output = T>) -> T {
    let waited = timeout(PATIENCE, wait).await;
    waited.unwrap_or_else(|_| panic!("not in time: {what}"))
}

/// The state of a process, like `R` or `T`; `None` if there is none, or only what its parent did not wait for.
pub(crate) fn state(pid: u32) -> Option<char> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, rest) = stat.rsplit_once(')').unwrap();
    rest.trim_start()
        .chars()
        .next()
        .filter(|state| *state != 'Z')
}
