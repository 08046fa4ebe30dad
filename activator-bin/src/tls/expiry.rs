//! The expiry of a certificate: read from it, and logged in advance.

use std::convert::Infallible;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustls::client::verify_server_cert_signed_by_trust_anchor;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, Error, RootCertStore};
use tokio::time::sleep;

/// How long before the expiry to warn. Timely renewal happens earlier: Knative, among the latest, renews one day
/// ahead and may take hours to do so.
const SOON: Duration = Duration::from_secs(12 * 3_600);

/// How often to check the clock, which may be adjusted meanwhile.
const CHECK_INTERVAL: Duration = Duration::from_secs(60);

/// When `certificate` expires. `None` if it is not a valid certificate.
///
/// The verification library has no accessor for it. But its error for an expired certificate contains the date, and
/// at the end of time it rejects every certificate as expired before it checks anything else.
pub(super) fn not_after(certificate: &CertificateDer<'_>) -> Option<SystemTime> {
    let certificate = ParsedCertificate::try_from(certificate).ok()?;
    let end = UnixTime::since_unix_epoch(Duration::from_secs(u64::MAX));
    let nobody = RootCertStore::empty();
    let verified = verify_server_cert_signed_by_trust_anchor(&certificate, &nobody, &[], end, &[]);
    match verified {
        Err(Error::InvalidCertificate(CertificateError::ExpiredContext { not_after, .. })) => {
            UNIX_EPOCH.checked_add(Duration::from_secs(not_after.as_secs()))
        }
        _ => None,
    }
}

/// Logs that a certificate is about to expire, and that it has expired.
pub(super) struct Expiry {
    /// The section or object that it is from.
    source: String,
    at: Option<SystemTime>,
    logged: Stage,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Valid,
    Soon,
    Expired,
}

impl Expiry {
    /// No expiry is known yet.
    pub(super) fn new(source: impl Into<String>) -> Self {
        Self {
            source: source.into(),
            at: None,
            logged: Stage::Valid,
        }
    }

    /// Sets the expiry of the current certificate.
    pub(super) fn set(&mut self, at: Option<SystemTime>) {
        if self.at != at {
            self.at = at;
            self.logged = Stage::Valid;
        }
    }

    /// Logs for as long as it is polled.
    ///
    /// Cancel-safe: nothing is logged twice.
    pub(super) async fn run(&mut self) -> Infallible {
        loop {
            let date = |at| humantime::format_rfc3339_seconds(at).to_string();
            let date = self.at.map(date).unwrap_or_default();
            let news = self.news(SystemTime::now());
            let source = &self.source;
            match news {
                Some(Stage::Soon) => {
                    tracing::warn!("the certificate of {source} expires soon, at {date}");
                }
                Some(Stage::Expired) => {
                    tracing::error!("the certificate of {source} has expired, at {date}");
                }
                Some(Stage::Valid) | None => {}
            }
            sleep(CHECK_INTERVAL).await;
        }
    }

    /// What is to be logged at `now`. Returned once.
    fn news(&mut self, now: SystemTime) -> Option<Stage> {
        let stage = match self.at {
            Some(at) if at <= now => Stage::Expired,
            Some(at) if at <= now + SOON => Stage::Soon,
            _ => Stage::Valid,
        };
        let before = std::mem::replace(&mut self.logged, stage);
        (stage != before).then_some(stage)
    }
}

#[cfg(test)]
mod tests {
    use rcgen::{BasicConstraints, CertificateParams, IsCa, KeyPair, date_time_ymd};

    use super::*;

    fn check(year: i32, is_ca: bool, seconds: u64) {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.not_after = date_time_ymd(year, 2, 3);
        if is_ca {
            params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        }
        let certificate = params.self_signed(&key).unwrap();
        let expected = UNIX_EPOCH + Duration::from_secs(seconds);
        assert_eq!(not_after(certificate.der()), Some(expected), "{year}");
    }

    #[test]
    fn the_expiry_of_any_certificate_is_found() {
        // Certificates encode dates before 2050 differently.
        check(1999, false, 918_000_000);
        check(2033, false, 1_991_001_600);
        check(2033, true, 1_991_001_600);
        check(9999, false, 253_373_616_000);
        assert_eq!(not_after(&b"none"[..].into()), None);
    }

    #[test]
    fn each_stage_is_logged_once_per_certificate() {
        let now = UNIX_EPOCH + Duration::from_secs(1_000_000);
        let at = |left| Some(now + SOON + left);
        let mut expiry = Expiry::new("[tls]");
        assert_eq!(expiry.news(now), None);
        expiry.set(at(Duration::from_secs(1)));
        assert_eq!(expiry.news(now), None);
        for (passed, news) in [
            (Duration::from_secs(1), Some(Stage::Soon)),
            (SOON, None),
            (SOON + Duration::from_secs(1), Some(Stage::Expired)),
            (SOON * 2, None),
        ] {
            assert_eq!(expiry.news(now + passed), news, "{passed:?}");
            // The same certificate is read again.
            expiry.set(at(Duration::from_secs(1)));
        }
        expiry.set(at(Duration::ZERO));
        assert_eq!(expiry.news(now), Some(Stage::Soon));
        expiry.set(at(SOON));
        assert_eq!(expiry.news(now), None);
    }
}
