//! How a request names its revision.

use std::borrow::Cow;
use std::fmt;

use http::header::HOST;
use http::{HeaderMap, HeaderValue, Uri};
use reporter_core::RevisionKey;

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

/// The parts of a request's head that may name a revision.
pub(crate) struct Naming<'a> {
    namespace: Cow<'a, str>,
    revision: Cow<'a, str>,
    host: Cow<'a, str>,
}

impl<'a> Naming<'a> {
    pub(crate) fn of(uri: &'a Uri, headers: &'a HeaderMap) -> Self {
        Self {
            namespace: text(headers.get(NAMESPACE)),
            revision: text(headers.get(REVISION)),
            // An authority in the request target takes precedence (RFC 9112, 3.2.2).
            host: lower(match uri.authority() {
                Some(authority) => authority.as_str().into(),
                None => text(headers.get(HOST)),
            }),
        }
    }

    /// The name in the two headers; if either is missing, `name.namespace.svc.<domain>` from the host. If the host
    /// has another form, what there is of the headers.
    ///
    /// Hosts are compared case-insensitively and may end in a dot, as DNS names may.
    pub(crate) fn name(&self, domain: &str) -> Name<'_> {
        let headers = Name {
            namespace: &self.namespace,
            name: &self.revision,
        };
        if self.namespace.is_empty() || self.revision.is_empty() {
            from_host(&self.host, domain).unwrap_or(headers)
        } else {
            headers
        }
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

fn from_host<'a>(host: &'a str, domain: &str) -> Option<Name<'a>> {
    let mut parts = host.splitn(4, '.');
    let (name, namespace, svc, rest) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let rest = rest.split_once(':').map_or(rest, |(host, _port)| host);
    let rest = rest.strip_suffix('.').unwrap_or(rest);
    (svc == "svc" && rest == domain).then_some(Name { namespace, name })
}

/// There is no revision of the name in a request.
pub(crate) struct NotFound<'a> {
    pub(crate) name: Name<'a>,
    pub(crate) naming: &'a Naming<'a>,
    pub(crate) domain: &'a str,
}

impl fmt::Display for NotFound<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Name { namespace, name } = self.name;
        write!(
            f,
            "Error getting active endpoint: revision.serving.knative.dev {:?} not found: ",
            Excerpt(name),
        )?;
        if namespace.is_empty() || name.is_empty() {
            return write!(
                f,
                "the request names no revision. Send {NAMESPACE} and {REVISION}, or the Host name.namespace.svc.{} (it was {:?})",
                self.domain,
                Excerpt(&self.naming.host),
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
mod tests {
    use super::*;

    #[track_caller]
    fn check(target: &str, headers: &[(&str, &str)], expected: (&str, &str)) {
        let uri: Uri = target.parse().unwrap();
        let headers = headers
            .iter()
            .map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()))
            .collect::<HeaderMap>();
        let naming = Naming::of(&uri, &headers);
        let name = naming.name("cluster.local");
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
