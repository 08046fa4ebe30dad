//! The durations of requests, by those of their properties that are bounded.

use std::time::Duration;

use reporter_core::RevisionKey;

use crate::block::Block;
use crate::durations::{self, Durations, Recorder};
use crate::errors::ErrorReason;
use crate::label::label_values;
use crate::legacy;
use crate::names::{Names, REQUEST_BUCKETS};
use crate::revisions::{self, Revisions};

/// The label value for all others.
pub(crate) const OTHER: &str = "_OTHER";

label_values! {
    /// The scheme of a request.
    pub enum Scheme {
        /// Without TLS.
        Http = "http",
        /// Over TLS.
        Https = "https",
    }
}

label_values! {
    /// The HTTP version of a request.
    pub enum HttpVersion {
        /// HTTP/1.0.
        Http10 = "1.0",
        /// HTTP/1.1.
        Http11 = "1.1",
        /// HTTP/2.
        Http2 = "2",
    }
}

/// A request that has ended.
#[derive(Clone, Copy, Debug)]
pub struct Served<'a> {
    /// Its method; one that HTTP does not define becomes `_OTHER`.
    pub method: &'a str,
    /// Its scheme.
    pub scheme: Scheme,
    /// Its HTTP version.
    pub version: HttpVersion,
    /// The status of its response; `None` when there was none.
    pub status: Option<u16>,
    /// Why it failed, was refused or was cut short, if so.
    pub error: Option<ErrorReason>,
    /// Its revision, if known.
    pub revision: Option<&'a RevisionKey>,
}

/// The durations of requests. Clones share the same series.
///
/// ```
/// use std::sync::Arc;
/// use std::time::Duration;
///
/// use reporter_core::{Revision, RevisionKey, RevisionLister};
/// use reporter_metrics::{Exporter, HttpVersion, Scheme, Served};
///
/// # struct Nothing;
/// # impl RevisionLister for Nothing {
/// #     fn revision(&self, _: &RevisionKey) -> Option<Revision> { None }
/// # }
/// # let lister = Nothing;
/// let exporter = Exporter::new("1.2.3", Arc::new(lister));
/// let requests = exporter.requests();
///
/// // One per thread.
/// let recorder = requests.recorder();
/// let request = Served {
///     method: "GET",
///     scheme: Scheme::Https,
///     version: HttpVersion::Http2,
///     status: Some(200),
///     error: None,
///     revision: None,
/// };
/// recorder.served(request, Duration::from_millis(12));
///
/// let text = exporter.render([]);
/// let count = text.lines().find(|line| line.starts_with("http_server_request_duration_seconds_count"));
/// assert!(count.is_some_and(|line| line.ends_with(" 1")), "{text}");
/// ```
#[derive(Clone)]
pub struct RequestMetrics {
    /// `None` where nobody wants these names: then recording costs nothing.
    knative: Option<Durations<Labels>>,
    legacy: Option<Durations<legacy::Labels>>,
}

/// Records the requests of one thread.
pub struct RequestRecorder {
    knative: Option<Recorder<Labels>>,
    legacy: Option<Recorder<legacy::Labels>>,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Labels {
    Own {
        method: &'static str,
        scheme: Scheme,
        version: HttpVersion,
        status: Option<u16>,
        error: Option<ErrorReason>,
    },
    Rest,
}

impl durations::Labels for Labels {
    const BUCKETS: &'static [f64] = REQUEST_BUCKETS;
    const REST: Self = Self::Rest;
}

impl RequestMetrics {
    pub(crate) fn new(names: Names) -> Self {
        Self {
            knative: names.has_knative().then(Durations::default),
            legacy: names.has_legacy().then(Durations::default),
        }
    }

    /// A recorder for one thread.
    #[must_use]
    pub fn recorder(&self) -> RequestRecorder {
        RequestRecorder {
            knative: self.knative.as_ref().map(Durations::recorder),
            legacy: self.legacy.as_ref().map(Durations::recorder),
        }
    }

    /// Adds up what was recorded, and removes revisions that no longer exist.
    pub(crate) fn collect(&self, is_known: impl Fn(&RevisionKey) -> bool) {
        if let Some(durations) = &self.knative {
            durations.collect(&is_known);
        }
        if let Some(durations) = &self.legacy {
            durations.collect(&is_known);
        }
    }

    /// Writes all series but those of revisions that no longer exist.
    pub(crate) fn write(&self, revisions: &Revisions, block: &mut Block<'_>) {
        let Some(durations) = &self.knative else {
            return;
        };
        durations.visit(revisions, |owner, labels, histogram| {
            // Empty labels are absent ones to Prometheus.
            let owner = owner.map_or([""; 4], |(key, revision)| revisions::labels(key, revision));
            labels.spell(owner, |values| block.histogram(&values, histogram));
        });
    }

    /// The durations by their names up to Knative 1.18, if wanted.
    pub(crate) fn legacy(&self) -> Option<&Durations<legacy::Labels>> {
        self.legacy.as_ref()
    }
}

impl RequestRecorder {
    /// A request ended, `duration` after its head had come.
    ///
    /// Allocates only for a series without requests since the last tick.
    pub fn served(&self, request: Served<'_>, duration: Duration) {
        if let Some(knative) = &self.knative {
            let labels = Labels::of(&request);
            knative.record(request.revision, labels, duration.as_secs_f64());
        }
        if let Some(legacy) = &self.legacy {
            legacy::record(legacy, &request, duration);
        }
    }
}

impl Labels {
    fn of(request: &Served<'_>) -> Self {
        Self::Own {
            method: known_method(request.method),
            scheme: request.scheme,
            version: request.version,
            status: request.status,
            error: request.error,
        }
    }

    /// Hands over all values; `owner` are those of the revision.
    fn spell(self, owner: [&str; 4], write: impl FnOnce([&str; 9])) {
        let status_text;
        let [method, scheme, version, status, error] = match self {
            Self::Own {
                method,
                scheme,
                version,
                status,
                error,
            } => {
                status_text = status.map_or_else(String::new, |status| status.to_string());
                let error = error.map_or("", ErrorReason::as_str);
                [
                    method,
                    scheme.as_str(),
                    version.as_str(),
                    &status_text,
                    error,
                ]
            }
            Self::Rest => [OTHER; 5],
        };
        let [namespace, service, configuration, name] = owner;
        write([
            method,
            scheme,
            version,
            status,
            error,
            namespace,
            service,
            configuration,
            name,
        ]);
    }
}

fn known_method(method: &str) -> &'static str {
    const METHODS: [&str; 9] = [
        "GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH", "CONNECT", "TRACE",
    ];
    let known = METHODS.into_iter().find(|&known| known == method);
    known.unwrap_or(OTHER)
}
