//! The HTTP version used for a revision's backends, and which backends refused HTTP/2.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use http::Version;

/// The HTTP version of requests to a revision's backends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Protocol {
    /// The client's version, or HTTP/1.1 if the backend refuses HTTP/2.
    #[default]
    Auto,
    /// HTTP/1.1.
    Http1,
    /// HTTP/2 without TLS, with prior knowledge.
    H2c,
}

impl Protocol {
    /// The version for a request from a client that speaks `client`.
    pub(crate) fn version(self, client: Version, refusal: &Http2Refusal) -> Version {
        match self {
            Self::H2c => Version::HTTP_2,
            Self::Auto if client == Version::HTTP_2 && !refusal.is_recent(Instant::now()) => client,
            Self::Auto | Self::Http1 => Version::HTTP_11,
        }
    }
}

/// When a backend last turned out to speak only HTTP/1.1.
pub(crate) struct Http2Refusal {
    born: Instant,
    /// Milliseconds since `born`; 0 means never.
    at: AtomicU64,
}

impl Http2Refusal {
    /// How long a refusal is remembered: another program may be listening by then.
    const BELIEVED: Duration = Duration::from_secs(60);

    pub(crate) fn none() -> Self {
        Self {
            born: Instant::now(),
            at: AtomicU64::new(0),
        }
    }

    /// The backend refused HTTP/2 and responded over HTTP/1.1.
    pub(crate) fn remember(&self, now: Instant) {
        self.at.store(self.millis(now).max(1), Ordering::Relaxed);
    }

    fn is_recent(&self, now: Instant) -> bool {
        let at = self.at.load(Ordering::Relaxed);
        let age = Duration::from_millis(self.millis(now).saturating_sub(at));
        at > 0 && age < Self::BELIEVED
    }

    fn millis(&self, now: Instant) -> u64 {
        let since = now.saturating_duration_since(self.born).as_millis();
        u64::try_from(since).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_remembered_for_a_minute() {
        let refusal = Http2Refusal::none();
        let begin = Instant::now();
        assert!(!refusal.is_recent(begin));
        refusal.remember(begin);
        assert!(refusal.is_recent(begin + Duration::from_secs(59)));
        assert!(!refusal.is_recent(begin + Duration::from_secs(61)));
    }

    #[test]
    fn the_version_is_the_clients_unless_the_revision_or_the_instance_says_otherwise() {
        use Version as V;
        let refusal = Http2Refusal::none();
        let versions = |protocol: Protocol, refusal| {
            [V::HTTP_10, V::HTTP_11, V::HTTP_2].map(|client| protocol.version(client, refusal))
        };
        let auto = [V::HTTP_11, V::HTTP_11, V::HTTP_2];
        assert_eq!(versions(Protocol::Auto, &refusal), auto);
        assert_eq!(versions(Protocol::Http1, &refusal), [V::HTTP_11; 3]);
        assert_eq!(versions(Protocol::H2c, &refusal), [V::HTTP_2; 3]);
        refusal.remember(Instant::now());
        assert_eq!(versions(Protocol::Auto, &refusal), [V::HTTP_11; 3]);
        assert_eq!(versions(Protocol::H2c, &refusal), [V::HTTP_2; 3]);
    }
}
