//! Refuses changes requested by web pages from elsewhere, and streams that would keep others from theirs.
//!
//! A page can reach every address that its reader's browser reaches, or point its own name there (DNS rebinding). The
//! browser then sends the page's host in `Host`, or its origin in `Origin`.

use std::net::{IpAddr, Ipv6Addr};

use http::header::{HOST, ORIGIN};
use http::uri::Authority;
use http::{HeaderMap, HeaderName, HeaderValue, Uri};

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// A host and an optional port.
#[derive(Debug, PartialEq, Eq)]
struct Named {
    host: Host,
    port: Option<u16>,
}

#[derive(Debug, PartialEq, Eq)]
enum Host {
    Ip(IpAddr),
    /// In lower case, without the trailing dot.
    Name(String),
}

/// Whether a request with this target and headers may change anything. `hosts` are this host's names besides
/// `localhost` and IP addresses.
///
/// # Errors
/// Why it may not.
pub(super) fn check(target: &Uri, headers: &HeaderMap, hosts: &[String]) -> Result<(), String> {
    let Some(own) = only(headers, &HOST)?.and_then(Named::parse) else {
        return Err("a change needs a Host header that names a host".to_owned());
    };
    let target = target.authority().map(Authority::as_str);
    if target.is_some_and(|target| Named::parse(target).as_ref() != Some(&own)) {
        return Err("the request target names another host than the Host header".to_owned());
    }
    if let Host::Name(name) = &own.host
        && name != "localhost"
        && !hosts.contains(name)
    {
        return Err(format!(
            "changes are not accepted for the host {name:?}: use an IP address or localhost, or list it in [admin] hosts"
        ));
    }
    check_page(headers, &own)
}

/// Whether a web page of another origin did not send this, as far as browsers tell.
///
/// # Errors
/// Why it is refused.
pub(super) fn check_reader(headers: &HeaderMap) -> Result<(), String> {
    // What is no browser's may have any host.
    let own = only(headers, &HOST)?.and_then(Named::parse);
    own.map_or(Ok(()), |own| check_page(headers, &own))
}

fn check_page(headers: &HeaderMap, own: &Named) -> Result<(), String> {
    if only(headers, &ORIGIN)?.is_some_and(|origin| !is_same(origin, own)) {
        return Err("this is not for pages of another origin".to_owned());
    }
    match only(headers, &SEC_FETCH_SITE)? {
        None | Some("same-origin" | "none") => Ok(()),
        Some(_) => Err("this is not for pages of another site".to_owned()),
    }
}

/// The value of a header that may occur only once.
fn only<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Result<Option<&'a str>, String> {
    let mut values = headers.get_all(name).iter();
    let value = values.next().map(HeaderValue::to_str);
    match (value, values.next()) {
        (None, _) => Ok(None),
        (Some(Ok(value)), None) => Ok(Some(value)),
        (Some(_), _) => Err(format!("there may be one {name} header, in ASCII")),
    }
}

/// Whether `origin` is the origin of pages on `own`, possibly behind a TLS proxy.
fn is_same(origin: &str, own: &Named) -> bool {
    let by_scheme = |(scheme, port)| Some((origin.strip_prefix(scheme)?, port));
    let mut schemes = [("http://", 80), ("https://", 443)].into_iter();
    let Some((authority, port)) = schemes.find_map(by_scheme) else {
        return false;
    };
    Named::parse(authority).is_some_and(|named| {
        named.host == own.host && named.port.unwrap_or(port) == own.port.unwrap_or(port)
    })
}

impl Named {
    fn parse(text: &str) -> Option<Self> {
        let (host, port) = match text.rsplit_once(':') {
            // A colon inside an IPv6 address.
            Some((_, behind)) if behind.ends_with(']') => (text, None),
            Some((host, "")) => (host, None),
            Some((host, port)) => (host, Some(port)),
            None => (text, None),
        };
        let is_number = |port: &str| port.bytes().all(|byte| byte.is_ascii_digit());
        let port = match port {
            Some(port) => Some(port.parse().ok().filter(|_| is_number(port))?),
            None => None,
        };
        let host = Host::parse(host)?;
        Some(Self { host, port })
    }
}

impl Host {
    fn parse(text: &str) -> Option<Self> {
        if let Some(address) = text.strip_prefix('[') {
            let address: Ipv6Addr = address.strip_suffix(']')?.parse().ok()?;
            return Some(Self::Ip(address.into()));
        }
        let name = text.strip_suffix('.').unwrap_or(text);
        if let Ok(IpAddr::V4(address)) = name.parse() {
            return Some(Self::Ip(address.into()));
        }
        let is_part = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
        let is_name = !name.is_empty() && name.bytes().all(is_part);
        is_name.then(|| Self::Name(name.to_ascii_lowercase()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether a change is accepted with this target and these lines of a head.
    #[track_caller]
    fn check(target: &str, head: &str, expected: Result<(), &str>) {
        let mut headers = HeaderMap::new();
        for line in head.split("\r\n").filter(|line| !line.is_empty()) {
            let (name, value) = line.split_once(": ").unwrap();
            let name: HeaderName = name.parse().unwrap();
            headers.append(name, value.parse().unwrap());
        }
        let hosts = ["activator.example".to_owned()];
        let found = super::check(&target.parse().unwrap(), &headers, &hosts);
        match expected {
            Ok(()) => assert_eq!(found, Ok(()), "{target} {head}"),
            Err(part) => {
                let why = found.expect_err(head);
                assert!(why.contains(part), "{target} {head}: {why}");
            }
        }
    }

    #[test]
    fn a_host_is_an_address_or_localhost_or_listed() {
        for host in [
            "127.0.0.1",
            "127.0.0.1:9090",
            "10.1.2.3:1",
            "127.0.0.1.",
            "[::1]",
            "[::1]:9090",
            "[2001:DB8::0:1]:80",
            "localhost",
            "LocalHost:9090",
            "localhost.",
            "localhost.:9090",
            "localhost:",
            "activator.example",
            "Activator.Example.:80",
        ] {
            check("/", &format!("Host: {host}"), Ok(()));
        }
        for (host, part) in [
            ("evil.example", "the host \"evil.example\""),
            ("evil.example:9090", "the host \"evil.example\""),
            ("localhost.evil.example", "the host"),
            ("evil.localhost", "the host"),
            ("127.0.0.1.evil.example", "the host"),
            ("sub.activator.example", "the host"),
            ("activator.example..", "the host"),
            // Not valid as addresses, although resolvers accept them.
            ("127.1", "the host"),
            ("2130706433", "the host"),
            ("0x7f.0.0.1", "the host"),
            ("localhost:80:80", "names a host"),
            ("localhost:x", "names a host"),
            ("localhost:+80", "names a host"),
            ("localhost:65536", "names a host"),
            ("user@localhost", "names a host"),
            ("localhost/", "names a host"),
            ("localhost,evil.example", "names a host"),
            ("::1", "names a host"),
            ("[::1]x", "names a host"),
            ("[::1", "names a host"),
            ("[127.0.0.1]", "names a host"),
            (".", "names a host"),
            ("", "names a host"),
            (":9090", "names a host"),
        ] {
            check("/", &format!("Host: {host}"), Err(part));
        }
        check("/", "", Err("names a host"));
        let twice = "Host: localhost\r\nHost: localhost";
        check("/", twice, Err("one host header"));
    }

    #[test]
    fn the_target_names_no_other_host() {
        check("http://localhost/v1", "Host: localhost", Ok(()));
        check("http://LOCALHOST:90/v1", "Host: localhost:90", Ok(()));
        for target in ["http://evil.example/", "http://localhost:91/"] {
            check(target, "Host: localhost:90", Err("another host"));
        }
    }

    #[test]
    fn an_origin_matches_the_host() {
        for (host, origin) in [
            ("127.0.0.1:9090", "http://127.0.0.1:9090"),
            ("[::1]:9090", "http://[::1]:9090"),
            ("LOCALHOST:9090", "http://localhost:9090"),
            ("localhost:80", "http://localhost"),
            ("localhost", "http://localhost:80"),
            ("activator.example", "https://activator.example"),
            ("activator.example:443", "https://activator.example"),
        ] {
            let head = format!("Host: {host}\r\nOrigin: {origin}");
            check("/", &head, Ok(()));
        }
        for origin in [
            "null",
            "",
            "http://evil.example",
            "http://localhost",
            "http://localhost:3000",
            "http://127.0.0.1:9090",
            "localhost:9090",
            "ftp://localhost:9090",
            "http://localhost:9090/",
            "http://localhost:9090, http://evil.example",
            "http://evil@localhost:9090",
            "http://localhost:9090.evil.example",
        ] {
            let head = format!("Host: localhost:9090\r\nOrigin: {origin}");
            check("/", &head, Err("another origin"));
        }
        // A page whose name was made to point here.
        let rebound = "Host: evil.example\r\nOrigin: http://evil.example";
        check("/", rebound, Err("the host"));
        let twice = "Host: localhost\r\nOrigin: http://localhost\r\nOrigin: http://localhost";
        check("/", twice, Err("one origin header"));
    }

    #[test]
    fn sec_fetch_site_allows_no_other_site() {
        for (site, expected) in [
            ("same-origin", Ok(())),
            ("none", Ok(())),
            ("same-site", Err("another site")),
            ("cross-site", Err("another site")),
        ] {
            let head = format!("Host: localhost\r\nSec-Fetch-Site: {site}");
            check("/", &head, expected);
        }
    }
}
