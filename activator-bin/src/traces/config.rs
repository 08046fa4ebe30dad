//! The settings of traces, with the names and values of Knative's config-observability.

use std::fmt;

use http::Uri;
use http::uri::PathAndQuery;

use crate::settings::{Value, settings};

/// How spans are sent: OTLP over this protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExportProtocol {
    Grpc,
    HttpProtobuf,
}

settings! {
    /// Traces of requests.
    #[derive(Clone, Debug, PartialEq)]
    pub struct TracingConfig in "tracing." {
        /// How spans are sent to a collector: OTLP over grpc or http/protobuf; none traces nothing.
        protocol: Option<ExportProtocol> = "none", choice(ExportProtocol::CHOICES);
        /// The collector's address, like http://localhost:4317; for http/protobuf its path is /v1/traces if it has none.
        endpoint: Option<Endpoint> = None, by(endpoint);
        /// The share of requests that are traced, from 0 to 1, of those whose clients have not decided.
        sampling_rate: f64 = "1", number(0.0..=1.0);
    }
}

impl ExportProtocol {
    /// By the names that Knative has for them.
    pub(crate) const CHOICES: &[(&str, Option<Self>)] = &[
        ("none", None),
        ("grpc", Some(Self::Grpc)),
        ("http/protobuf", Some(Self::HttpProtobuf)),
    ];

    /// The name of one of them.
    pub(crate) fn name(protocol: Option<Self>) -> &'static str {
        let named = Self::CHOICES.iter().find(|(_, it)| *it == protocol);
        named.expect("each has a name").0
    }
}

/// Where a collector listens: `http` or `https`, a host, perhaps a port and a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint(Uri);

/// What an endpoint looks like.
pub(crate) const EXPECTED: &str = "a URL, http://host:port or https://host:port";

impl Endpoint {
    /// `None` if it is not one. A URL with a user name is none: it would be shown to everyone.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let url: Uri = text.parse().ok()?;
        let authority = url.authority()?;
        let is_one = matches!(url.scheme_str(), Some("http" | "https"))
            && !authority.host().is_empty()
            && !authority.as_str().contains('@')
            && url.query().is_none();
        is_one.then_some(Self(url))
    }

    /// Whether it is reached over TLS.
    #[must_use]
    pub fn is_tls(&self) -> bool {
        self.0.scheme_str() == Some("https")
    }

    /// Its host name or IP address, without brackets.
    #[must_use]
    pub fn host(&self) -> &str {
        let host = self.0.host().unwrap_or_default();
        let bare = host.strip_prefix('[').and_then(|it| it.strip_suffix(']'));
        bare.unwrap_or(host)
    }

    /// Its port, or that of its scheme.
    #[must_use]
    pub fn port(&self) -> u16 {
        let usual = if self.is_tls() { 443 } else { 80 };
        self.0.port_u16().unwrap_or(usual)
    }

    /// The same host with this path, or with its own if it has one and `may_have_own`.
    #[must_use]
    pub fn at(&self, path: &'static str, may_have_own: bool) -> Uri {
        if may_have_own && self.0.path() != "/" {
            return self.0.clone();
        }
        let mut parts = self.0.clone().into_parts();
        parts.path_and_query = Some(PathAndQuery::from_static(path));
        Uri::from_parts(parts).expect("it has all parts")
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

fn endpoint(value: &Value<'_>) -> Result<Endpoint, String> {
    let text = value.string(EXPECTED)?;
    // A password would end up in logs, so it is left out of this message too.
    match Endpoint::parse(text) {
        Some(endpoint) => Ok(endpoint),
        None if text.contains('@') => Err(format!("expected {EXPECTED}, without a user name")),
        None => Err(value.instead_of(EXPECTED)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_is_a_url_of_http_or_https() {
        let check = |text: &str, expected: Option<(&str, u16, bool, &str)>| {
            let found = Endpoint::parse(text);
            let own = found.as_ref().map(|it| it.at("/v1/traces", true));
            let found = found.as_ref().zip(own.as_ref());
            let found = found.map(|(it, own)| (it.host(), it.port(), it.is_tls(), own.path()));
            assert_eq!(found, expected, "{text:?}");
        };
        check("http://a", Some(("a", 80, false, "/v1/traces")));
        check("http://a:4318/", Some(("a", 4318, false, "/v1/traces")));
        check("https://a.b/c/d", Some(("a.b", 443, true, "/c/d")));
        check(
            "https://[::1]:4317",
            Some(("::1", 4317, true, "/v1/traces")),
        );
        for bad in [
            "",
            "a",
            "a:4317",
            "http://",
            "ftp://a",
            "http://u:p@a",
            "http://a/?b=c",
            "http://a b",
        ] {
            check(bad, None);
        }
        let grpc = Endpoint::parse("http://a:1/v1/traces")
            .unwrap()
            .at("/b", false);
        assert_eq!(grpc.to_string(), "http://a:1/b");
    }
}
