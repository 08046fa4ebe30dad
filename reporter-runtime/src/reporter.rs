//! The handle that counts, and the builder of a reporter.

use std::sync::Arc;
use std::time::Duration;

use reporter_core::{Accounting, MetricsBackend, RevisionKey};
use tokio::sync::mpsc;
use tokio::time::MissedTickBehavior;

use crate::events::EventSender;
use crate::fan_out::FanOut;
use crate::history::{self, History, Recorder};
use crate::in_flight::InFlight;
use crate::outgoing::Outgoing;
use crate::shards::Shards;
use crate::sink::StatSink;
use crate::task::{Loop, ReporterTask};
use crate::{Clock, SystemClock};

/// The longest interval or timeout: a longer one could overflow the machine's clock.
const LONGEST: Duration = Duration::from_secs(10 * 365 * 86_400);

/// Counts requests from any thread. Clones share one reporter.
#[derive(Clone)]
pub struct ConcurrencyReporter {
    shards: Arc<Shards>,
    events: EventSender,
}

impl ConcurrencyReporter {
    /// A reporter that is not running yet, with defaults for everything but the accounting.
    #[must_use]
    pub fn builder(accounting: Accounting) -> Builder {
        Builder {
            accounting,
            interval: Duration::from_secs(1),
            flush_timeout: Duration::from_secs(5),
            max_tracked_keys: 100_000,
            shards: None,
            clock: Box::new(SystemClock::new()),
            recorder: None,
            metrics: None,
            sinks: Vec::new(),
        }
    }

    /// Counts a request for `key` in, and out when the guard is dropped.
    ///
    /// Never waits for more than the short lock of the key's shard.
    pub fn track(&self, key: &RevisionKey) -> InFlight {
        InFlight::start(&self.shards, key)
    }

    /// The channel of events, for hosts that have a stream of them in place of guards.
    #[must_use]
    pub fn events(&self) -> EventSender {
        self.events.clone()
    }

    /// Requests in flight for `key`; `None` when the key is not tracked.
    #[must_use]
    pub fn in_flight(&self, key: &RevisionKey) -> Option<u64> {
        self.shards.in_flight(key)
    }

    /// The number of tracked keys.
    #[must_use]
    pub fn tracked_keys(&self) -> usize {
        self.shards.tracked_keys()
    }

    /// The number of `ReqOut` events without a request in flight.
    #[must_use]
    pub fn unmatched_outs(&self) -> u64 {
        self.shards.unmatched_outs()
    }

    /// The number of requests that were not counted because the key limit was reached.
    #[must_use]
    pub fn untracked_requests(&self) -> u64 {
        self.shards.untracked_requests()
    }
}

/// A reporter that is not running yet.
pub struct Builder {
    accounting: Accounting,
    interval: Duration,
    flush_timeout: Duration,
    max_tracked_keys: usize,
    shards: Option<usize>,
    clock: Box<dyn Clock>,
    recorder: Option<Recorder>,
    metrics: Option<Box<dyn MetricsBackend>>,
    sinks: Vec<Box<dyn StatSink>>,
}

impl Builder {
    /// The length of a reporting period; 1 s by default, 10 years at most.
    #[must_use]
    pub fn interval(mut self, interval: Duration) -> Self {
        self.interval = interval.min(LONGEST);
        self
    }

    /// How long the sinks may flush at the end; 5 s by default, 10 years at most.
    #[must_use]
    pub fn flush_timeout(mut self, timeout: Duration) -> Self {
        self.flush_timeout = timeout.min(LONGEST);
        self
    }

    /// The limit of tracked keys; 100,000 by default. Requests for further keys are not counted.
    ///
    /// ```
    /// use reporter_core::Accounting;
    /// use reporter_runtime::ConcurrencyReporter;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let builder = ConcurrencyReporter::builder(Accounting::Average);
    /// let (reporter, _task) = builder.max_tracked_keys(1).spawn();
    ///
    /// let hello = reporter.track(&"default/hello".parse()?);
    /// let world = reporter.track(&"default/world".parse()?);
    /// assert!(hello.is_counted());
    /// assert!(!world.is_counted());
    /// assert_eq!(reporter.untracked_requests(), 1);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn max_tracked_keys(mut self, keys: usize) -> Self {
        self.max_tracked_keys = keys;
        self
    }

    /// The number of shards, rounded up to a power of two. For tests, where keys are to share shards.
    #[doc(hidden)]
    #[must_use]
    pub fn shards(mut self, shards: usize) -> Self {
        self.shards = Some(shards);
        self
    }

    /// The clock; [`SystemClock`] by default.
    #[must_use]
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Box::new(clock);
        self
    }

    /// The receiver of each tick's gauges; none by default.
    #[must_use]
    pub fn metrics(mut self, metrics: impl MetricsBackend + 'static) -> Self {
        self.metrics = Some(Box::new(metrics));
        self
    }

    /// One more sink.
    #[must_use]
    pub fn sink(mut self, sink: Box<dyn StatSink>) -> Self {
        self.sinks.push(sink);
        self
    }

    /// Records all events and ticks, for a reader that is at most `capacity` records behind.
    #[must_use]
    pub fn record(mut self, capacity: usize) -> (Self, History) {
        let (recorder, history) = history::recording(capacity);
        self.recorder = Some(recorder);
        (self, history)
    }

    /// Starts the reporter's task and one task per sink on the current tokio runtime.
    ///
    /// # Panics
    /// Outside a tokio runtime, and when the interval is zero.
    #[must_use = "the reporter stops when its task's handle is dropped"]
    pub fn spawn(self) -> (ConcurrencyReporter, ReporterTask) {
        let (first_sender, first_requests) = mpsc::unbounded_channel();
        let (event_sender, events) = mpsc::channel(1_024);
        let shards = Arc::new(Shards::new(
            self.accounting,
            // A tick holds each lock for at most some 128 keys, so that requests hardly wait.
            self.shards
                .unwrap_or((self.max_tracked_keys / 128).clamp(256, 8_192)),
            self.max_tracked_keys,
            self.clock,
            self.recorder,
            first_sender,
        ));
        // The first tick ends the first period, it does not begin it.
        let start = tokio::time::Instant::now() + self.interval;
        let mut interval = tokio::time::interval_at(start, self.interval);
        interval.set_missed_tick_behavior(MissedTickBehavior::Skip);
        let task = Loop {
            shards: Arc::clone(&shards),
            interval,
            outgoing: Outgoing::new(Arc::clone(&shards), first_requests),
            events,
            metrics: self.metrics,
            sinks: FanOut::start(self.sinks),
        };
        let events = EventSender::new(event_sender);
        (
            ConcurrencyReporter { shards, events },
            ReporterTask::spawn(task, self.flush_timeout),
        )
    }
}
