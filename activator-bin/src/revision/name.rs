//! How a request names its revision.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use http::header::HOST;
use http::{HeaderMap, HeaderValue, Uri};
use reporter_core::RevisionKey;

use super::hosts::Hosts;
use crate::message::headers::{NAMESPACE, REVISION};

/// A revision's name as given in a request: not validated, and it may not exist.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Name<'a> {
    pub(crate) namespace: &'a str,
    pub(crate) name: &'a str,
}

/// A buffer for the longest key: a namespace of 63 bytes, a slash, a name of 253.
pub(super) type KeyRoom = [u8; 63 + 1 + 253];

impl Name<'_> {
    /// The key as text, written into `room`. `None` if it is too long to be one.
    ///
    /// Unambiguous: a key contains exactly one slash.
    pub(super) fn key<'r>(&self, room: &'r mut KeyRoom) -> Option<&'r str> {
        let (namespace, name) = (self.namespace.as_bytes(), self.name.as_bytes());
        let slash = namespace.len();
        let end = slash + 1 + name.len();
        let text = room.get_mut(..end)?;
        text[..slash].copy_from_slice(namespace);
        text[slash] = b'/';
        text[slash + 1..].copy_from_slice(name);
        str::from_utf8(text).ok()
    }
}

/// How requests may name a revision, besides the hosts that revisions list.
#[derive(Clone)]
pub(crate) struct NamingRules {
    /// The DNS domain behind `name.namespace.svc`.
    pub(crate) cluster_domain: Arc<str>,
    /// Whether they may do so at all, by the two headers or by such a host.
    pub(crate) trust_knative_headers: bool,
}

/// The parts of a request's head that may name a revision.
pub(crate) struct Naming<'a> {
    rules: &'a NamingRules,
    /// Empty, like the other one, when it is not to be trusted.
    namespace: Cow<'a, str>,
    revision: Cow<'a, str>,
    /// In lower case. Not read, and empty, when both headers are there.
    host: Cow<'a, str>,
}

impl<'a> Naming<'a> {
    pub(crate) fn of(uri: &'a Uri, headers: &'a HeaderMap, rules: &'a NamingRules) -> Self {
        let trusted = |name| {
            let value = rules.trust_knative_headers.then(|| headers.get(name));
            text(value.flatten())
        };
        let mut naming = Self {
            rules,
            namespace: trusted(NAMESPACE),
            revision: trusted(REVISION),
            host: Cow::Borrowed(""),
        };
        if !naming.is_by_headers() {
            // An authority in the request target takes precedence (RFC 9112, 3.2.2).
            naming.host = lower(match uri.authority() {
                Some(authority) => authority.as_str().into(),
                None => text(headers.get(HOST)),
            });
        }
        naming
    }

    /// The name in the two headers; if either is missing, `name.namespace.svc.<domain>` from the host. If the host
    /// has another form, what there is of the headers.
    pub(crate) fn name(&self) -> Name<'_> {
        let headers = Name {
            namespace: &self.namespace,
            name: &self.revision,
        };
        if self.is_by_headers() {
            return headers;
        }
        self.name_of(bare(&self.host)).unwrap_or(headers)
    }

    /// The key as text, in `hosts` or written into `room`. `None` if there cannot be such a revision.
    ///
    /// The two headers come first, then hosts that are listed, then the host as a name. All others are those of `*`.
    pub(super) fn key<'k>(&self, hosts: &'k Hosts, room: &'k mut KeyRoom) -> Option<&'k str> {
        if hosts.is_empty() || self.is_by_headers() {
            return self.name().key(room);
        }
        let host = bare(&self.host);
        if let Some(key) = hosts.find(host) {
            return Some(key.as_str());
        }
        match self.name_of(host) {
            Some(name) => name.key(room),
            None => hosts.any().map(RevisionKey::as_str),
        }
    }

    /// The name that a bare host is, if such names are trusted.
    fn name_of<'h>(&self, host: &'h str) -> Option<Name<'h>> {
        let is_trusted = self.rules.trust_knative_headers;
        is_trusted.then(|| from_host(host, &self.rules.cluster_domain))?
    }

    fn is_by_headers(&self) -> bool {
        !self.namespace.is_empty() && !self.revision.is_empty()
    }
}

/// A header's value, with invalid UTF-8 replaced; empty if it is missing.
fn text(value: Option<&HeaderValue>) -> Cow<'_, str> {
    let value = value.map_or(&b""[..], HeaderValue::as_bytes);
    // Nearly all are valid, and this check is faster.
    let text = str::from_utf8(value).map(Cow::Borrowed);
    text.unwrap_or_else(|_| String::from_utf8_lossy(value))
}

fn lower(host: Cow<'_, str>) -> Cow<'_, str> {
    if host.bytes().any(|byte| byte.is_ascii_uppercase()) {
        host.to_ascii_lowercase().into()
    } else {
        host
    }
}

/// A host without its port, and without the dot that a DNS name may end in.
fn bare(host: &str) -> &str {
    // An IPv6 address, which has colons, is in brackets.
    let address = host.find(']').filter(|_| host.starts_with('['));
    let from = address.unwrap_or_default();
    let port = host[from..].find(':');
    let host = port.map_or(host, |at| &host[..from + at]);
    host.strip_suffix('.').unwrap_or(host)
}

/// Of a bare host in lower case.
fn from_host<'a>(host: &'a str, domain: &str) -> Option<Name<'a>> {
    let mut parts = host.splitn(4, '.');
    let (name, namespace, svc, rest) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    (svc == "svc" && rest == domain).then_some(Name { namespace, name })
}

/// There is no revision for a request.
pub(crate) struct NotFound<'a>(pub(crate) &'a Naming<'a>);

impl fmt::Display for NotFound<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(naming) = self;
        let Name { namespace, name } = naming.name();
        write!(
            f,
            "Error getting active endpoint: revision.serving.knative.dev {:?} not found: ",
            Excerpt(name),
        )?;
        if !naming.rules.trust_knative_headers {
            return write!(
                f,
                "no revision has the Host {:?} in hosts",
                Excerpt(&naming.host)
            );
        }
        if namespace.is_empty() || name.is_empty() {
            return write!(
                f,
                "the request names no revision. Send {NAMESPACE} and {REVISION}, a Host that a revision has in hosts, or the Host name.namespace.svc.{} (it was {:?})",
                naming.rules.cluster_domain,
                Excerpt(&naming.host),
            );
        }
        match RevisionKey::try_new(namespace, name) {
            Ok(key) => write!(f, "there is no revision {key}"),
            Err(error) => write!(f, "{error}"),
        }
    }
}

/// Enough of a hostile text to recognise it, quoted.
struct Excerpt<'a>(&'a str);

impl fmt::Debug for Excerpt<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        /// As long as a revision's name may be.
        const LIMIT: usize = 253;
        match self.0.char_indices().nth(LIMIT) {
            None => write!(f, "{:?}", self.0),
            Some((end, _)) => write!(f, "{:?}...", &self.0[..end]),
        }
    }
}

#[cfg(test)]
impl NamingRules {
    pub(crate) fn for_tests() -> Self {
        Self {
            cluster_domain: "cluster.local".into(),
            trust_knative_headers: true,
        }
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderName;

    use super::*;
    use crate::host::HostPattern;

    #[track_caller]
    fn check(target: &str, headers: &[(&str, &str)], expected: (&str, &str)) {
        let uri: Uri = target.parse().unwrap();
        let headers = headers
            .iter()
            .map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()))
            .collect::<HeaderMap>();
        let rules = NamingRules::for_tests();
        let naming = Naming::of(&uri, &headers, &rules);
        let name = naming.name();
        assert_eq!((name.namespace, name.name), expected);
    }

    #[test]
    fn headers_come_first_then_the_host() {
        let namespace = ("knative-serving-namespace", "ns");
        let revision = ("knative-serving-revision", "rev");
        let host = ("host", "name.space.svc.cluster.local");
        check("/", &[namespace, revision], ("ns", "rev"));
        check("/", &[namespace, revision, host], ("ns", "rev"));
        check("/", &[host], ("space", "name"));
        check("/", &[host, namespace], ("space", "name"));
        check("/", &[host, revision], ("space", "name"));
        check(
            "/",
            &[host, namespace, ("knative-serving-revision", "")],
            ("space", "name"),
        );
        check("/", &[namespace, ("host", "localhost")], ("ns", ""));
        check("/", &[], ("", ""));
        check("http://a.b.svc.cluster.local/x", &[host], ("b", "a"));
        check("http://a.b.svc.cluster.local:80/x", &[], ("b", "a"));
    }

    #[test]
    fn a_host_names_a_revision_only_under_svc_and_the_cluster_domain() {
        let host = |host, expected| check("/", &[("host", host)], expected);
        host("n.s.svc.cluster.local:8012", ("s", "n"));
        host("n.s.svc.cluster.local.", ("s", "n"));
        host("n.s.svc.cluster.local.:80", ("s", "n"));
        host("N.S.SVC.Cluster.Local", ("s", "n"));
        for nothing in [
            "n.s.svc",
            "n.s.svc.",
            "n.s.svc.example.com",
            "n.s.pod.cluster.local",
            "n.x.s.svc.cluster.local",
            "svc.cluster.local",
            "cluster.local",
            "127.0.0.1:8012",
            "[::1]:8012",
            "",
            "....",
            "n.s.svc.cluster.localx",
        ] {
            host(nothing, ("", ""));
        }
    }

    #[test]
    fn the_headers_come_first_then_listed_hosts_then_a_host_that_is_a_name_then_all_others() {
        let mut hosts = Hosts::default();
        for (name, listed) in [
            ("any", &["*"][..]),
            (
                "exact",
                &["app.localhost", "n.s.svc.cluster.local", "[::1]"],
            ),
            ("outer", &["*.example.org", "*.pod.cluster.local"]),
            ("inner", &["*.apps.example.org", "*.t.svc.cluster.local"]),
        ] {
            let listed: Vec<_> = listed
                .iter()
                .map(|it| HostPattern::parse(it).unwrap())
                .collect();
            hosts.replace(&RevisionKey::try_new("of", name).unwrap(), &[], &listed);
        }
        let check = |target: &str, headers: &[(HeaderName, &str)], expected: &str| {
            let uri = target.parse().unwrap();
            let headers = headers
                .iter()
                .map(|(name, value)| (name.clone(), value.parse().unwrap()));
            let headers = headers.collect();
            let rules = NamingRules::for_tests();
            let naming = Naming::of(&uri, &headers, &rules);
            let mut room = [0; _];
            assert_eq!(naming.key(&hosts, &mut room), Some(expected), "{headers:?}");
        };
        let long = format!("{}.example.org", "a.".repeat(126));
        for (host, expected) in [
            ("app.localhost", "of/exact"),
            ("APP.localhost.:8012", "of/exact"),
            ("[::1]", "of/exact"),
            ("[::1]:8012", "of/exact"),
            ("::1", "of/any"),
            ("[::1", "of/any"),
            ("[::2]:8012", "of/any"),
            ("a.app.localhost", "of/any"),
            ("a.example.org", "of/outer"),
            ("a.b.c.example.org", "of/outer"),
            ("apps.example.org", "of/outer"),
            ("a.apps.example.org", "of/inner"),
            ("a.b.apps.example.org:80", "of/inner"),
            ("example.org", "of/any"),
            (".example.org", "of/any"),
            ("*.example.org", "of/outer"),
            ("example.org.", "of/any"),
            (&long, "of/any"),
            ("", "of/any"),
            ("n.s.svc.cluster.local", "of/exact"),
            ("m.s.svc.cluster.local", "s/m"),
            ("m.t.svc.cluster.local", "of/inner"),
            ("n.s.pod.cluster.local", "of/outer"),
            ("n.s.svc", "of/any"),
        ] {
            check("/", &[(HOST, host)], expected);
            let with_one = [(HOST, host), (NAMESPACE, "ns")];
            check("/", &with_one, expected);
            let with_both = [(HOST, host), (NAMESPACE, "ns"), (REVISION, "rev")];
            check("/", &with_both, "ns/rev");
            check("http://a.example.org:80/x", &[(HOST, host)], "of/outer");
        }
        check("/", &[], "of/any");
    }

    #[test]
    fn only_listed_hosts_count_when_names_are_not_trusted() {
        let rules = NamingRules {
            trust_knative_headers: false,
            ..NamingRules::for_tests()
        };
        let mut hosts = Hosts::default();
        let check = |hosts: &Hosts, host: &str, expected: Option<&str>| {
            let headers = [(NAMESPACE, "ns"), (REVISION, "rev"), (HOST, host)];
            let headers = headers.map(|(name, value)| (name, value.parse().unwrap()));
            let (uri, headers) = (Uri::default(), headers.into_iter().collect());
            let naming = Naming::of(&uri, &headers, &rules);
            let mut room = [0; _];
            let key = naming.key(hosts, &mut room).filter(|key| *key != "/");
            assert_eq!(key, expected, "{host}");
        };
        let names = ["n.s.svc.cluster.local", "app.localhost", ""];
        for host in names {
            check(&hosts, host, None);
        }
        let mut list = |name, host| {
            let key = RevisionKey::try_new("of", name).unwrap();
            hosts.replace(&key, &[], &[HostPattern::parse(host).unwrap()]);
        };
        list("app", "app.localhost");
        list("any", "*");
        for (host, expected) in names.into_iter().zip(["of/any", "of/app", "of/any"]) {
            check(&hosts, host, Some(expected));
        }
    }

    #[test]
    fn a_name_has_the_text_of_its_key_if_there_is_one() {
        let key = |namespace: &str, name: &str| {
            let mut room = [0; _];
            let name = Name { namespace, name };
            name.key(&mut room).map(str::to_owned)
        };
        assert_eq!(key("ns", "rev").as_deref(), Some("ns/rev"));
        assert_eq!(key("", "").as_deref(), Some("/"));
        let (longest, longer) = ("n".repeat(253), "n".repeat(254));
        let namespace = "n".repeat(63);
        assert_eq!(
            key(&namespace, &longest),
            Some(format!("{namespace}/{longest}"))
        );
        assert_eq!(key(&namespace, &longer), None);
    }
}
