//! One instance as those see it who send requests to it: where it is, how it is called, and how it did last.
//!
//! What must not live here: which instance gets a request (the throttle's), which are ready (the prober's).

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, Ordering};

use http::HeaderValue;
use parking_lot::Mutex;
use tokio::time::Instant;

use super::protocol::Http2Refusal;
use crate::logging::health_log::{self, HealthLog};

/// Where an instance is, and how it is reached there. A connection to one is no connection to another.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Endpoint {
    pub(crate) address: SocketAddr,
    /// The namespace whose instance it has to show itself as, when it is reached over TLS.
    pub(crate) tls: Option<Arc<str>>,
}

/// One instance.
pub(crate) struct Backend {
    pub(crate) endpoint: Endpoint,
    /// The address as the `Host` of the requests that it gets.
    pub(crate) host: HeaderValue,
    /// One of [`Health`].
    health: AtomicU8,
    /// What the log was told of its requests.
    told: Mutex<HealthLog>,
    /// Whether that is that they fail.
    is_told_failing: AtomicBool,
    /// When the log was told last of one of its connections.
    told_of_connection: Mutex<Option<Instant>>,
    /// Whether it gets few requests at once, and so may be one that serves one connection after the other.
    serves_few: AtomicBool,
    /// How often idle connections were closed for a new one in vain.
    closed_in_vain: AtomicU32,
    /// How many reasons there are not to keep idle connections: requests that wait for others' idle ones to be
    /// closed, and [`FOR_GOOD`].
    unkept: AtomicU32,
    /// Whether it has refused HTTP/2.
    pub(crate) refusal: Http2Refusal,
}

/// A reason that stays not to keep idle connections.
const FOR_GOOD: u32 = 1 << 31;

/// As long as it is there, nobody keeps an idle connection to a backend.
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
    /// There was none.
    Unknown,
    /// It got a response.
    Responding,
    /// It got none, and that was the backend's fault.
    Failing,
}

impl Backend {
    pub(crate) fn new(endpoint: Endpoint) -> Self {
        Self {
            host: HeaderValue::try_from(endpoint.address.to_string())
                .expect("an address is printed in visible ASCII"),
            endpoint,
            health: AtomicU8::new(Health::Unknown as u8),
            told: Mutex::default(),
            is_told_failing: AtomicBool::new(false),
            told_of_connection: Mutex::default(),
            serves_few: AtomicBool::new(false),
            closed_in_vain: AtomicU32::new(0),
            unkept: AtomicU32::new(0),
            refusal: Http2Refusal::none(),
        }
    }

    /// A request got a response. With the failures since the last line when the log is to be told.
    pub(crate) fn on_response(&self) -> Option<u64> {
        self.note(Health::Responding);
        if !self.is_told_failing.load(Ordering::Relaxed) {
            return None;
        }
        let mut told = self.told.lock();
        if !told.is_failing() {
            return None;
        }
        let line = told.on_success(Instant::now());
        let is_failing = told.is_failing();
        self.is_told_failing.store(is_failing, Ordering::Relaxed);
        line
    }

    /// A request got none, by the backend's fault. How the one before had fared; and the failures since the last
    /// line, this one included, when the log is to be told.
    pub(crate) fn on_failure(&self) -> (Health, Option<u64>) {
        let before = self.note(Health::Failing);
        let mut told = self.told.lock();
        let line = told.on_failure(Instant::now());
        if line.is_some() {
            self.is_told_failing.store(true, Ordering::Relaxed);
        }
        (before, line)
    }

    /// Whether the log may be told what became of one of its connections: it was not for some seconds.
    pub(crate) fn may_tell(&self) -> bool {
        let (mut last, now) = (self.told_of_connection.lock(), Instant::now());
        let may_tell = last.is_none_or(|last| now - last >= health_log::PAUSE);
        if may_tell {
            *last = Some(now);
        }
        may_tell
    }

    /// Whether idle connections to it are kept.
    pub(crate) fn is_kept(&self) -> bool {
        self.unkept.load(Ordering::Relaxed) == 0
    }

    /// From now on no idle connection is kept: it was taken out, or serves one connection after the other.
    pub(crate) fn keep_none(&self) {
        self.unkept.fetch_or(FOR_GOOD, Ordering::Relaxed);
    }

    /// A request may be waiting for the backend to be done with connections that are idle.
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

    /// It gets so many requests at once at most; 0 is no limit.
    pub(crate) fn limit(&self, container_concurrency: u32) {
        const FEW: std::ops::RangeInclusive<u32> = 1..=3;
        let few = FEW.contains(&container_concurrency);
        self.serves_few.store(few, Ordering::Relaxed);
    }

    /// Notes how a request has fared; answers how the one before had.
    fn note(&self, now: Health) -> Health {
        let before = self.health.load(Ordering::Relaxed);
        // A load first: all cores share the line, and it hardly ever changes.
        let before = match before == now as u8 {
            true => before,
            false => self.health.swap(now as u8, Ordering::Relaxed),
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
        Backend::new(Endpoint {
            address: SocketAddr::from(([10, 0, 0, 1], 80)),
            tls: None,
        })
    }

    #[tokio::test(start_paused = true)]
    async fn a_backend_that_alternates_makes_two_lines_in_five_seconds() {
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
    async fn the_ends_of_its_connections_are_told_every_few_seconds() {
        let backend = backend();
        assert_eq!([(); 3].map(|()| backend.may_tell()), [true, false, false]);
        tokio::time::advance(health_log::PAUSE).await;
        assert_eq!([(); 2].map(|()| backend.may_tell()), [true, false]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_backend_that_is_well_again_is_told_sooner_or_later() {
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
