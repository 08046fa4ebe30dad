//! A backend as seen by its requests: its address, its name, and how its last request fared.
//!
//! What must not live here: which backend gets a request (see the throttle), and which are ready (see the prober).

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, Ordering};

use http::HeaderValue;
use parking_lot::Mutex;
use tokio::time::Instant;

use super::place::Place;
use super::protocol::Http2Refusal;
use crate::logging::health_log::{self, HealthLog};
use crate::logging::rate_limit::AtMostEvery;

/// Where a backend is and how to reach it. Connections to different endpoints are not interchangeable.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Endpoint {
    /// As listed. The throttle knows it by the address.
    pub(crate) place: Place,
    /// Over TLS: where and how.
    pub(crate) tls: Option<OverTls>,
}

/// How a backend is reached over TLS.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct OverTls {
    /// Where connections go, which may be another port than that of the listed address.
    pub(crate) address: SocketAddr,
    /// The namespace that the backend's certificate must be valid for.
    pub(crate) namespace: Arc<str>,
}

/// A backend.
pub(crate) struct Backend {
    pub(crate) endpoint: Endpoint,
    /// The `Host` of its requests: where they go, unless a mesh finds the backend by another name.
    pub(crate) host: HeaderValue,
    /// Whether the `Host` is another name.
    pub(crate) has_other_name: bool,
    /// One of [`Health`].
    health: AtomicU8,
    /// Which of its failures were logged.
    log: Mutex<HealthLog>,
    /// Whether the log currently says that it fails.
    is_logged_failing: AtomicBool,
    /// For log lines about its connections.
    connection_log: Mutex<AtMostEvery>,
    /// Whether it has so few slots that it may serve one connection at a time.
    serves_few: AtomicBool,
    /// How often idle connections were closed for a new one without effect.
    closed_in_vain: AtomicU32,
    /// The number of reasons not to keep idle connections: requests that wait for idle ones to be closed, and
    /// [`FOR_GOOD`].
    unkept: AtomicU32,
    /// Whether it refused HTTP/2.
    pub(crate) refusal: Http2Refusal,
}

/// A permanent reason not to keep idle connections.
const FOR_GOOD: u32 = 1 << 31;

/// While it exists, no idle connection to the backend is kept.
pub(crate) struct Starving<'a>(&'a Backend);

impl Drop for Starving<'_> {
    fn drop(&mut self) {
        self.0.unkept.fetch_sub(1, Ordering::Relaxed);
    }
}

/// How the last request to a backend fared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Health {
    /// There was no request.
    Unknown,
    /// It got a response.
    Responding,
    /// It got no response, through the backend's fault.
    Failing,
}

impl Backend {
    /// `name` is what a mesh finds it by, if not by its address.
    pub(crate) fn new(endpoint: Endpoint, name: Option<HeaderValue>) -> Self {
        let Endpoint { place, tls } = &endpoint;
        let address = tls.as_ref().map_or(place.address, |tls| tls.address);
        let text = || match place.socket {
            None => {
                HeaderValue::try_from(address.to_string()).expect("an address is visible ASCII")
            }
            Some(_) => HeaderValue::from_static("localhost"),
        };
        Self {
            has_other_name: name.is_some(),
            host: name.unwrap_or_else(text),
            endpoint,
            health: AtomicU8::new(Health::Unknown as u8),
            log: Mutex::default(),
            is_logged_failing: AtomicBool::new(false),
            connection_log: Mutex::new(AtMostEvery::new(health_log::PAUSE)),
            serves_few: AtomicBool::new(false),
            closed_in_vain: AtomicU32::new(0),
            unkept: AtomicU32::new(0),
            refusal: Http2Refusal::none(),
        }
    }

    /// A request got a response. Returns the failures since the last log line if this is to be logged.
    pub(crate) fn on_response(&self) -> Option<u64> {
        self.note(Health::Responding);
        if !self.is_logged_failing.load(Ordering::Relaxed) {
            return None;
        }
        let mut log = self.log.lock();
        if !log.is_failing() {
            return None;
        }
        let line = log.on_success(Instant::now());
        let is_failing = log.is_failing();
        self.is_logged_failing.store(is_failing, Ordering::Relaxed);
        line
    }

    /// A request got no response, through the backend's fault. Returns how the previous one fared, and, if this is to
    /// be logged, the failures since the last log line, including this one.
    pub(crate) fn on_failure(&self) -> (Health, Option<u64>) {
        let before = self.note(Health::Failing);
        let mut log = self.log.lock();
        let line = log.on_failure(Instant::now());
        if line.is_some() {
            self.is_logged_failing.store(true, Ordering::Relaxed);
        }
        (before, line)
    }

    /// Whether an event on one of its connections may be logged: at most one is per few seconds.
    pub(crate) fn may_log(&self) -> bool {
        self.connection_log.lock().allows(Instant::now())
    }

    /// Whether idle connections to it are kept.
    pub(crate) fn is_kept(&self) -> bool {
        self.unkept.load(Ordering::Relaxed) == 0
    }

    /// Keeps no idle connections from now on: the backend was removed, or serves one connection at a time.
    pub(crate) fn keep_none(&self) {
        self.unkept.fetch_or(FOR_GOOD, Ordering::Relaxed);
    }

    /// A request may be waiting until the backend is done with idle connections.
    pub(crate) fn starve(&self) -> Starving<'_> {
        self.unkept.fetch_add(1, Ordering::Relaxed);
        Starving(self)
    }

    pub(crate) fn serves_few(&self) -> bool {
        self.serves_few.load(Ordering::Relaxed)
    }

    pub(crate) fn closed_in_vain(&self) -> &AtomicU32 {
        &self.closed_in_vain
    }

    /// Sets the most concurrent requests that it gets; 0 means no limit.
    pub(crate) fn limit(&self, container_concurrency: u32) {
        const FEW: std::ops::RangeInclusive<u32> = 1..=3;
        let few = FEW.contains(&container_concurrency);
        self.serves_few.store(few, Ordering::Relaxed);
    }

    /// Records how a request fared. Returns how the previous one did.
    fn note(&self, now: Health) -> Health {
        let before = self.health.load(Ordering::Relaxed);
        // Load first: all cores share this cache line, and it rarely changes.
        let before = if before == now as u8 {
            before
        } else {
            self.health.swap(now as u8, Ordering::Relaxed)
        };
        const RESPONDING: u8 = Health::Responding as u8;
        const FAILING: u8 = Health::Failing as u8;
        match before {
            RESPONDING => Health::Responding,
            FAILING => Health::Failing,
            _ => Health::Unknown,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn backend() -> Backend {
        let endpoint = Endpoint {
            place: SocketAddr::from(([10, 0, 0, 1], 80)).into(),
            tls: None,
        };
        Backend::new(endpoint, None)
    }

    #[tokio::test(start_paused = true)]
    async fn an_alternating_backend_is_logged_twice_in_five_seconds() {
        let backend = backend();
        let mut lines = Vec::new();
        for _ in 0..6_000 {
            lines.extend(backend.on_failure().1);
            lines.extend(backend.on_response());
            tokio::time::advance(Duration::from_millis(1)).await;
        }
        assert_eq!(lines, [1, 0, 5_000, 0]);
    }

    #[tokio::test(start_paused = true)]
    async fn events_on_its_connections_are_logged_every_few_seconds() {
        let backend = backend();
        assert_eq!([(); 3].map(|()| backend.may_log()), [true, false, false]);
        tokio::time::advance(health_log::PAUSE).await;
        assert_eq!([(); 2].map(|()| backend.may_log()), [true, false]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_recovered_backend_is_logged_eventually() {
        let backend = backend();
        assert_eq!(backend.on_response(), None);
        assert_eq!(backend.on_failure(), (Health::Responding, Some(1)));
        assert_eq!(backend.on_failure(), (Health::Failing, None));
        assert_eq!(backend.on_response(), Some(1));
        assert_eq!(backend.on_response(), None);
        tokio::time::advance(Duration::from_secs(4)).await;
        assert_eq!(backend.on_failure(), (Health::Responding, None));
        tokio::time::advance(Duration::from_secs(2)).await;
        assert_eq!(backend.on_failure(), (Health::Failing, Some(2)));
        tokio::time::advance(Duration::from_secs(2)).await;
        assert_eq!(backend.on_response(), Some(0));
    }
}
