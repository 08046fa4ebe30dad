//! How long requests take, by the few of their properties that are bounded.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use metrics::Histogram;
use parking_lot::RwLock;

use crate::label::label_values;
use crate::names;
use crate::registry::Registry;

/// Series before the rest is folded into one: backends choose the status, so they must not choose the memory.
const MAX_SERIES: usize = 500;

/// A value beyond those that have a name of their own.
const OTHER: &str = "_OTHER";

label_values! {
    /// How a request came.
    pub enum Scheme {
        /// In the clear.
        Http = "http",
        /// Over TLS.
        Https = "https",
    }
}

label_values! {
    /// The version of HTTP that a request came with.
    pub enum HttpVersion {
        /// HTTP/1.0.
        Http10 = "1.0",
        /// HTTP/1.1.
        Http11 = "1.1",
        /// HTTP/2.
        Http2 = "2",
    }
}

/// What is told of a request that is over.
#[derive(Clone, Copy, Debug)]
pub struct Served<'a> {
    /// Its method; one that HTTP does not define becomes `_OTHER`.
    pub method: &'a str,
    /// How it came.
    pub scheme: Scheme,
    /// Its version of HTTP.
    pub version: HttpVersion,
    /// The status that the client was sent; none when it left before there was one.
    pub status: Option<u16>,
}

/// How long requests take. A clone records into the same series.
#[derive(Clone)]
pub struct RequestMetrics {
    registry: Arc<Registry>,
    series: Arc<RwLock<HashMap<Labels, Histogram>>>,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Labels {
    Own {
        method: &'static str,
        scheme: Scheme,
        version: HttpVersion,
        status: Option<u16>,
    },
    Rest,
}

impl RequestMetrics {
    pub(crate) fn new(registry: Arc<Registry>) -> Self {
        Self {
            registry,
            series: Arc::default(),
        }
    }

    /// A request is over, so long after its head had come.
    ///
    /// Request upon request of the same kind costs a shared lock and no registration.
    pub fn served(&self, request: Served<'_>, duration: Duration) {
        let labels = Labels::of(request);
        if let Some(histogram) = self.series.read().get(&labels) {
            histogram.record(duration);
            return;
        }
        let mut series = self.series.write();
        let labels = match series.len() < MAX_SERIES {
            true => labels,
            false => Labels::Rest,
        };
        let histogram = series
            .entry(labels)
            .or_insert_with(|| labels.histogram(&self.registry));
        histogram.record(duration);
    }
}

impl Labels {
    fn of(request: Served<'_>) -> Self {
        Self::Own {
            method: known_method(request.method),
            scheme: request.scheme,
            version: request.version,
            status: request.status,
        }
    }

    fn histogram(self, registry: &Registry) -> Histogram {
        let status_text;
        let values = match self {
            Self::Own {
                method,
                scheme,
                version,
                status,
            } => {
                // For Prometheus an empty value is an absent label.
                status_text = status.map_or_else(String::new, |status| status.to_string());
                [method, scheme.as_str(), version.as_str(), &status_text]
            }
            Self::Rest => [OTHER; 4],
        };
        registry.histogram(&names::REQUEST_DURATION, &values)
    }
}

fn known_method(method: &str) -> &'static str {
    const METHODS: [&str; 9] = [
        "GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH", "CONNECT", "TRACE",
    ];
    let known = METHODS.into_iter().find(|&known| known == method);
    known.unwrap_or(OTHER)
}
