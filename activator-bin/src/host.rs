//! A host as it is listed in `hosts`: a name, an IP address, or a wildcard. And which of those listed a host is.

use std::borrow::Borrow;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use crate::settings::quoted;

/// The longest name, and the longest part between two dots (RFC 1123).
const NAME_MAX: usize = 253;
const LABEL_MAX: usize = 63;

/// A host as it is listed: `app.example.org`, `*.example.org` or `*`, in lower case.
///
/// A wildcard stands for one label or more, as it does for nginx, Envoy and the Gateway API: with `*.example.org` come
/// `a.example.org` and `a.b.example.org`, but not `example.org`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostPattern(Arc<str>);

impl HostPattern {
    /// Reads a host. Upper case and a dot at the end have no meaning; an IPv6 address may have its brackets.
    ///
    /// # Errors
    /// What is wrong with it, and what would be right.
    pub fn parse(text: &str) -> Result<Self, String> {
        let lower = text.trim().to_ascii_lowercase();
        let host = lower.strip_suffix('.').unwrap_or(&lower);
        let brackets = host.strip_prefix('[').and_then(|it| it.strip_suffix(']'));
        if let Ok(address) = brackets.unwrap_or(host).parse::<Ipv6Addr>() {
            return Ok(Self(format!("[{address}]").into()));
        }
        let name = match host.strip_prefix('*') {
            Some("") => return Ok(Self(host.into())),
            Some(rest) => rest.strip_prefix('.').unwrap_or(host),
            None => host,
        };
        match problem(host, name) {
            Some(problem) => Err(format!("{} {problem}", quoted(text))),
            None => Ok(Self(host.into())),
        }
    }

    /// As it was listed.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it stands for hosts that end like it.
    pub(crate) fn is_suffix(&self) -> bool {
        self.key().starts_with('.')
    }

    /// Whether it is a name, or stands for names that end like it: neither `*` nor an IP address.
    pub(crate) fn is_name(&self) -> bool {
        let is_address = self.0.starts_with('[') || self.0.parse::<Ipv4Addr>().is_ok();
        !self.key().is_empty() && !is_address
    }

    /// What it is found by: a name itself, for `*.example.org` the end of such a host, and nothing for `*`. No name is
    /// empty or begins with a dot.
    fn key(&self) -> &str {
        self.0.strip_prefix('*').unwrap_or(&self.0)
    }
}

/// What `get` has for a host in lower case: for itself, or for the longest wildcard other than `*`. Without wildcards
/// `get` is called once.
pub(crate) fn find<T>(
    host: &str,
    are_wildcards: bool,
    get: impl Fn(&str) -> Option<T>,
) -> Option<T> {
    // The bound on its length is one on the work for the dots in it.
    if host.is_empty() || host.starts_with('.') || host.len() > NAME_MAX {
        return None;
    }
    if let Some(exact) = get(host) {
        return Some(exact);
    }
    if !are_wildcards {
        return None;
    }
    let mut ends = host.match_indices('.').map(|(at, _)| &host[at..]);
    ends.find_map(get)
}

/// What is wrong with the name in `host`, if anything is.
fn problem(host: &str, name: &str) -> Option<String> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    let example = "like \"app.example.org\", \"*.example.org\" or \"*\"";
    if name.is_empty() {
        return Some(format!("is empty; a host is expected, {example}"));
    }
    if name.contains('/') {
        return Some(format!("is a URL or a path; a host is expected, {example}"));
    }
    if name.contains('*') {
        return Some(format!(
            "has a wildcard that is not the whole first label; a host is expected, {example}"
        ));
    }
    if let Some((host, port)) = host.rsplit_once(':')
        && !host.is_empty()
        && port.bytes().all(|byte| byte.is_ascii_digit())
    {
        let host = quoted(host);
        return Some(format!("has a port; write {host}, which is for every port"));
    }
    if !name.is_ascii() {
        return Some(
            "is not ASCII; write it as browsers send it, with labels like \"xn--...\"".into(),
        );
    }
    if let Some((at, c)) = name.char_indices().find(|&(_, c)| c != '.' && !is_plain(c)) {
        return Some(format!(
            "has {c:?} at byte {at} of its name, which is not a letter, a digit, '-', '_' or '.'"
        ));
    }
    if name.len() > NAME_MAX {
        return Some(format!("is longer than {NAME_MAX} bytes"));
    }
    name.split('.').find_map(|label| match label {
        "" => Some("has an empty label between two dots".to_owned()),
        _ if label.len() > LABEL_MAX => Some(format!("has a label of more than {LABEL_MAX} bytes")),
        _ if label.starts_with('-') || label.ends_with('-') => Some(format!(
            "has a label that begins or ends with '-': {label:?}"
        )),
        _ => None,
    })
}

/// A map of them is searched with the host of a request, or with the end of one.
impl Borrow<str> for HostPattern {
    fn borrow(&self) -> &str {
        self.key()
    }
}

impl Hash for HostPattern {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.key().hash(state);
    }
}

impl fmt::Display for HostPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_a_name_an_address_or_a_wildcard() {
        let long = format!("{}.example.org", ["a"; 120].join("."));
        for (text, expected) in [
            ("app.localhost", "app.localhost"),
            ("  App.Example.ORG. ", "app.example.org"),
            ("localhost", "localhost"),
            ("my_app.example.org", "my_app.example.org"),
            ("xn--bcher-kva.example", "xn--bcher-kva.example"),
            ("10.0.0.1", "10.0.0.1"),
            ("*.Example.org.", "*.example.org"),
            ("*.localhost", "*.localhost"),
            ("*", "*"),
            ("*.", "*"),
            ("::1", "[::1]"),
            ("[2001:DB8:0:0::1]", "[2001:db8::1]"),
            (&long, &long),
        ] {
            assert_eq!(
                HostPattern::parse(text).map(|it| it.to_string()).as_deref(),
                Ok(expected)
            );
        }
    }

    #[test]
    fn what_is_no_host_is_told_with_what_would_be_right() {
        let check = |text: &str, problem: &str| {
            let expected = format!("{} {problem}", quoted(text));
            assert_eq!(HostPattern::parse(text), Err(expected));
        };
        let expected = "; a host is expected, like \"app.example.org\", \"*.example.org\" or \"*\"";
        for text in ["", "."] {
            check(text, &format!("is empty{expected}"));
        }
        let wildcard = format!("has a wildcard that is not the whole first label{expected}");
        for text in ["*.*", "*a.org", "**", "a.*.org"] {
            check(text, &wildcard);
        }
        for text in ["http://a.org", "a.org/b"] {
            check(text, &format!("is a URL or a path{expected}"));
        }
        let port = |host| format!("has a port; write \"{host}\", which is for every port");
        check("A.org:80", &port("a.org"));
        check("*.org:80", &port("*.org"));
        check("[::1]:80", &port("[::1]"));
        let unicode = "is not ASCII; write it as browsers send it, with labels like \"xn--...\"";
        check("b\u{fc}cher.example", unicode);
        let space =
            "has ' ' at byte 1 of its name, which is not a letter, a digit, '-', '_' or '.'";
        check("a b", space);
        for text in ["a..b", ".a", "*..a"] {
            check(text, "has an empty label between two dots");
        }
        let hyphen = "has a label that begins or ends with '-': \"-a\"";
        check("-a.org", hyphen);
        let long = format!("{}.org", "a".repeat(64));
        check(&long, "has a label of more than 63 bytes");
        check(&["abcd"; 60].join("."), "is longer than 253 bytes");
    }
}
