//! A sink with its mailbox, its observer's events, and its log.

use std::io::Write;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use reporter_core::{Batch, Stat, StatMessage, Timestamp};
use reporter_runtime::sink::autoscaler::{
    AutoscalerConfig, AutoscalerSink, LinkFailure, LinkObserver,
};
use reporter_runtime::{Dispatch, StatSink, SystemClock, Undelivered};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tracing::subscriber::DefaultGuard;

use crate::peer::eventually;

/// Times that a test can wait for, and that a busy machine still keeps.
pub(crate) fn config(url: impl Into<String>) -> AutoscalerConfig {
    AutoscalerConfig {
        handshake_timeout: Duration::from_secs(1),
        ping_interval: Duration::from_millis(50),
        pong_timeout: Duration::from_secs(1),
        write_timeout: Duration::from_secs(1),
        backoff: Duration::from_millis(20),
        backoff_max: Duration::from_millis(100),
        flush_timeout: Duration::from_secs(30),
        ..AutoscalerConfig::new(url)
    }
}

/// What an observer was told.
#[derive(Clone, Debug, Default)]
pub(crate) struct Told {
    pub(crate) ups: usize,
    pub(crate) downs: Vec<String>,
    pub(crate) closed: usize,
    pub(crate) failures: Vec<String>,
    /// The numbers of the frames.
    pub(crate) confirmed: Vec<u64>,
    pub(crate) requeued: usize,
    pub(crate) pending_keys: usize,
    pub(crate) most_pending_keys: usize,
    pub(crate) first_reports: usize,
}

#[derive(Clone, Default)]
pub(crate) struct Observer(Arc<Mutex<Told>>);

impl Observer {
    pub(crate) fn told(&self) -> Told {
        self.0.lock().unwrap().clone()
    }

    fn note(&self, note: impl FnOnce(&mut Told)) {
        note(&mut self.0.lock().unwrap());
    }
}

impl LinkObserver for Observer {
    fn link_up(&self) {
        self.note(|told| told.ups += 1);
    }
    fn link_down(&self, why: &LinkFailure) {
        self.note(|told| told.downs.push(why.to_string()));
    }
    fn link_closed(&self) {
        self.note(|told| told.closed += 1);
    }
    fn connect_failed(&self, why: &LinkFailure) {
        self.note(|told| told.failures.push(why.to_string()));
    }
    fn frame_confirmed(&self, sequence: u64, _latency: Duration) {
        self.note(|told| told.confirmed.push(sequence));
    }
    fn frames_requeued(&self, frames: usize) {
        self.note(|told| told.requeued += frames);
    }
    fn pending_keys(&self, keys: usize) {
        self.note(|told| {
            told.pending_keys = keys;
            told.most_pending_keys = told.most_pending_keys.max(keys);
        });
    }
    fn first_report(&self, _latency: Duration) {
        self.note(|told| told.first_reports += 1);
    }
}

/// The log of this thread, as lines without their times.
pub(crate) struct Log {
    text: Arc<Mutex<Vec<u8>>>,
    _guard: DefaultGuard,
}

struct LogWriter(Arc<Mutex<Vec<u8>>>);

impl Write for LogWriter {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Log {
    pub(crate) fn capture() -> Self {
        let text = Arc::new(Mutex::new(Vec::new()));
        let writer = Arc::clone(&text);
        let subscriber = tracing_subscriber::fmt()
            .with_ansi(false)
            .without_time()
            .with_target(false)
            .with_writer(move || LogWriter(Arc::clone(&writer)))
            .finish();
        Self {
            text,
            _guard: tracing::subscriber::set_default(subscriber),
        }
    }

    /// The level and the message of each line.
    pub(crate) fn lines(&self) -> Vec<String> {
        let text = String::from_utf8(self.text.lock().unwrap().clone()).unwrap();
        let message = |line: &str| {
            let fields = line.find(" sink=").expect("every line names the sink");
            line[..fields].trim().to_owned()
        };
        text.lines().map(message).collect()
    }
}

pub(crate) const DOWN: &str = "WARN the link is down, reports wait until it is up again";
pub(crate) const UP: &str = "INFO the link is up";
pub(crate) const CLOSED: &str = "INFO the link is closed";

/// A running sink.
pub(crate) struct Rig {
    mailbox: mpsc::Sender<Arc<Dispatch>>,
    task: JoinHandle<Result<(), Undelivered>>,
    pub(crate) observer: Observer,
    pub(crate) link_up: watch::Receiver<bool>,
    pub(crate) log: Log,
}

impl Rig {
    pub(crate) fn start(config: AutoscalerConfig) -> Self {
        let log = Log::capture();
        let observer = Observer::default();
        let sink = AutoscalerSink::try_new("autoscaler", "activator-0", config)
            .unwrap()
            .observer(SystemClock::new(), observer.clone());
        let (mailbox, receiver) = mpsc::channel(16);
        let link_up = sink.link_up();
        Self {
            mailbox,
            task: tokio::spawn(Box::new(sink).run(receiver)),
            observer,
            link_up,
            log,
        }
    }

    pub(crate) async fn up(&mut self) {
        self.link_up.wait_for(|up| *up).await.unwrap();
    }

    pub(crate) async fn send(&self, batch: Batch) {
        let dispatch = Dispatch {
            at: Timestamp::default(),
            time: SystemTime::UNIX_EPOCH,
            batch,
        };
        self.mailbox.send(Arc::new(dispatch)).await.unwrap();
    }

    /// Sends a tick with these messages.
    pub(crate) async fn tick(&self, messages: &[(&str, f64, u64)]) {
        let messages = messages.iter().map(|&(name, average, count)| {
            let stat = Stat {
                average_concurrent_requests: average,
                request_count: count,
            };
            let key = format!("default/{name}").parse().unwrap();
            StatMessage { key, stat }
        });
        self.send(Batch::tick(messages.collect(), Vec::new())).await;
    }

    /// Waits until nothing is left in the mailbox.
    pub(crate) async fn taken(&self) {
        eventually("taken from the mailbox", || self.mailbox.capacity() == 16).await;
    }

    pub(crate) async fn stop(self) -> (Result<(), Undelivered>, Log, Told) {
        drop(self.mailbox);
        let end = self.task.await.unwrap();
        (end, self.log, self.observer.told())
    }
}
