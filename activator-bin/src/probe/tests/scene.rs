//! A prober, its throttle, and scripted backends.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use tokio::time::{Instant, sleep, timeout};

use crate::probe::exchange::{Ended, Exchange};
use crate::probe::*;
use crate::throttle::{QueueBudget, Slot, ThrottleLimits};

pub(super) const HOUR: Duration = Duration::from_secs(3_600);

pub(super) fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

/// How long a probe of this backend that starts at this time takes, and how it ends.
type Script = Box<dyn Fn(SocketAddr, Duration) -> (Duration, Ended) + Send + Sync>;

/// Scripted backends, and what they saw.
struct Scripted {
    start: Instant,
    script: Script,
    seen: Arc<Seen>,
}

#[derive(Default)]
pub(super) struct Seen {
    pub(super) probes: Mutex<Vec<(u64, SocketAddr, Exchange)>>,
    pub(super) outcomes: Mutex<Vec<ProbeOutcome>>,
    pub(super) parallel: AtomicUsize,
    pub(super) most_parallel: AtomicUsize,
}

/// Counts a probe as running until it ends or is cut short.
struct Running<'a>(&'a Seen);

impl<'a> Running<'a> {
    fn start(seen: &'a Seen) -> Self {
        let parallel = seen.parallel.fetch_add(1, Ordering::Relaxed) + 1;
        seen.most_parallel.fetch_max(parallel, Ordering::Relaxed);
        Self(seen)
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.parallel.fetch_sub(1, Ordering::Relaxed);
    }
}

#[async_trait]
impl Network for Scripted {
    async fn probe(&self, exchange: &Exchange, backend: SocketAddr) -> Ended {
        let _running = Running::start(&self.seen);
        let at = self.start.elapsed();
        let probe = (at.as_millis() as u64, backend, exchange.clone());
        self.seen.probes.lock().push(probe);
        let (takes, ended) = (self.script)(backend, at);
        sleep(takes).await;
        ended
    }
}

pub(super) struct Scene {
    pub(super) start: Instant,
    pub(super) throttle: Throttle,
    pub(super) prober: Prober,
    /// What was told about the private Service.
    pub(super) services: Arc<Mutex<Vec<Option<SocketAddr>>>>,
    pub(super) probes: Arc<Probes>,
    settings: ProbeSettings,
    pub(super) seen: Arc<Seen>,
}

impl Scene {
    pub(super) fn new(
        settings: ProbeSettings,
        max_parallel: usize,
        script: impl Fn(SocketAddr, Duration) -> (Duration, ProbeOutcome) + Send + Sync + 'static,
    ) -> Self {
        let script = move |backend, at| {
            let (takes, outcome) = script(backend, at);
            (takes, outcome.into())
        };
        Self::answering(settings, max_parallel, script)
    }

    /// With responses that tell more than their outcome.
    pub(super) fn answering(
        settings: ProbeSettings,
        max_parallel: usize,
        script: impl Fn(SocketAddr, Duration) -> (Duration, Ended) + Send + Sync + 'static,
    ) -> Self {
        let (start, seen) = (Instant::now(), Arc::new(Seen::default()));
        let network = Scripted {
            start,
            script: Box::new(script),
            seen: Arc::clone(&seen),
        };
        let heard = Arc::clone(&seen);
        let on_outcome = move |outcome| heard.outcomes.lock().push(outcome);
        let probes = Probes::over(network, max_parallel, on_outcome);
        Self::of(start, settings, probes, seen)
    }

    fn of(start: Instant, settings: ProbeSettings, probes: Arc<Probes>, seen: Arc<Seen>) -> Self {
        let limits = ThrottleLimits {
            container_concurrency: 1,
            queue_depth: 1_000,
        };
        let throttle = Throttle::new(limits, QueueBudget::new(1_000));
        let revision = "default/hello".parse().expect("a valid key");
        let services = Arc::new(Mutex::new(Vec::new()));
        let told = Arc::clone(&services);
        let on_service = move |service: Option<PrivateService>| {
            told.lock().push(service.map(|service| service.http));
        };
        let prober = Prober::spawn(
            revision,
            throttle.clone(),
            settings,
            Arc::clone(&probes),
            Box::new(on_service),
        );
        Self {
            start,
            throttle,
            prober,
            services,
            probes,
            settings,
            seen,
        }
    }

    /// Another revision with the same backends, sharing the room for probes.
    pub(super) fn another(&self) -> Self {
        let (probes, seen) = (Arc::clone(&self.probes), Arc::clone(&self.seen));
        Self::of(self.start, self.settings, probes, seen)
    }

    pub(super) fn tcp(
        script: impl Fn(SocketAddr, Duration) -> (Duration, ProbeOutcome) + Send + Sync + 'static,
    ) -> Self {
        Self::new(ProbeSettings::default(), 100, script)
    }

    /// Sets the most concurrent requests for each backend, which is 1 unless set.
    pub(super) fn limit(&self, container_concurrency: u32) {
        self.throttle.set_limits(ThrottleLimits {
            container_concurrency,
            queue_depth: 1_000,
        });
    }

    pub(super) async fn slot(&self) -> Slot {
        let acquired = timeout(HOUR, self.throttle.acquire()).await;
        acquired.expect("in time").expect("room in the queue")
    }

    /// Lets time pass, during which no slot must become free.
    pub(super) async fn nothing_for(&self, time: Duration) {
        let waited = timeout(time, self.throttle.acquire()).await;
        assert!(waited.is_err(), "{waited:?} at {:?}", self.start.elapsed());
    }

    /// When this backend was probed, in ms.
    pub(super) fn probed_at(&self, backend: SocketAddr) -> Vec<u64> {
        let probes = self.seen.probes.lock();
        let own = probes.iter().filter(|(_, probed, _)| *probed == backend);
        own.map(|(at, _, _)| *at).collect()
    }

    #[track_caller]
    pub(super) fn assert_counts(&self, ready: usize, probing: usize, set_aside: usize) {
        let expected = BackendCounts {
            ready,
            probing,
            set_aside,
            ..BackendCounts::default()
        };
        assert_eq!(self.prober.counts(), expected);
    }
}

/// A cluster's only private Service.
pub(super) struct OneService {
    pub(super) address: Mutex<Result<PrivateService, String>>,
    /// What was asked for, and when.
    pub(super) asked: Mutex<Vec<(String, Instant)>>,
}

impl OneService {
    pub(super) fn at(http: SocketAddr) -> Arc<Self> {
        Arc::new(Self {
            address: Mutex::new(Ok(PrivateService { http, https: None })),
            asked: Mutex::default(),
        })
    }
}

#[async_trait]
impl PrivateServices for OneService {
    async fn address(
        &self,
        namespace: &str,
        service: &str,
        http2: bool,
    ) -> Result<PrivateService, String> {
        let name = format!("{service}.{namespace} http2={http2}");
        self.asked.lock().push((name, Instant::now()));
        self.address.lock().clone()
    }
}

/// Two thousand backends other than those of [`backend`].
pub(super) fn crowd() -> Vec<SocketAddr> {
    let address = |number: u16| SocketAddr::from(([10, 1, (number >> 8) as u8, number as u8], 80));
    (0..2_000).map(address).collect()
}

pub(super) fn backend(number: u8) -> SocketAddr {
    SocketAddr::from(([10, 0, 0, number], 80))
}

/// Refuses until this time, then accepts every connection.
pub(super) fn up_from(time: Duration) -> impl Fn(SocketAddr, Duration) -> (Duration, ProbeOutcome) {
    move |_, now| {
        if now < time {
            (Duration::ZERO, ProbeOutcome::Refused)
        } else {
            (Duration::ZERO, ProbeOutcome::Ok)
        }
    }
}
