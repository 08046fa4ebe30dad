//! `ignore`: requests that neither wake a revision nor count.

use std::net::IpAddr;

use super::super::file::{Reader, Section};
use crate::revision::launch::IgnoreRule;
use crate::settings::{Value, settings};

/// The most rules of a revision: each request is compared with all.
const MOST: usize = 100;

settings! {
    /// Requests that match all that is set.
    #[derive(Clone)]
    pub struct IgnoreDraft in "" {
        /// Their path, without the query; * at its end stands for anything.
        path: Option<String> = None, by(path);
        /// A part of their User-Agent, in whatever case.
        user_agent: Option<String> = None, text();
        /// Where they come from: an IP address, or a network like 10.0.0.0/8.
        source: Option<(IpAddr, u8)> = None, by(network);
    }
}

/// Reads the list; empty when it is missing.
pub(super) fn read(reader: &mut Reader<'_>, section: &Section<'_>) -> Vec<IgnoreRule> {
    let expected = "a list of rules, like [{ path = \"/healthz\" }]";
    let sections = reader.tables(section, "ignore", expected, "a table");
    if let Some(first) = sections.get(MOST) {
        let message = format!("is one rule too many; up to {MOST} are compared with each request");
        let (location, name) = (first.location.clone(), first.name.clone());
        reader.problems.push(location, name, message);
        return Vec::new();
    }
    let mut rules = Vec::new();
    for section in sections {
        let before = reader.problems.as_slice().len();
        let mut draft = IgnoreDraft::default();
        let set = reader.read(&section, &[], &mut draft);
        if set.is_empty() && reader.problems.as_slice().len() == before {
            let message = "matches all requests; set path, user_agent or source";
            let Section { location, name, .. } = section;
            reader.problems.push(location, name, message.to_owned());
        }
        rules.push(IgnoreRule {
            path: draft.path,
            user_agent: draft.user_agent,
            source: draft.source,
        });
    }
    rules
}

fn path(value: &Value<'_>) -> Result<String, String> {
    let expected = "a path, like \"/healthz\" or \"/probes/*\"";
    let text = value.string(expected)?;
    let plain = text.strip_suffix('*').unwrap_or(text);
    let is_path = text.starts_with('/') && !plain.contains(['*', '?', '#']);
    if is_path && text.bytes().all(|byte| byte.is_ascii_graphic()) {
        Ok(text.to_owned())
    } else {
        Err(value.instead_of(expected))
    }
}

fn network(value: &Value<'_>) -> Result<(IpAddr, u8), String> {
    let expected = "an IP address or a network, like \"10.0.0.0/8\"";
    let text = value.string(expected)?;
    let (address, bits) = match text.split_once('/') {
        Some((address, bits)) => (address, Some(bits)),
        None => (text, None),
    };
    let read = || {
        let address: IpAddr = address.parse().ok()?;
        let all = if address.is_ipv4() { 32 } else { 128 };
        let bits = bits.map_or(Some(all), |bits| bits.parse().ok())?;
        (bits <= all).then_some((address, bits))
    };
    read().ok_or_else(|| value.instead_of(expected))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_may_end_with_anything_and_a_network_is_an_address_and_some_of_its_bits() {
        let path = |text| path(&Value::Text(text)).ok();
        for good in ["/", "/*", "/healthz", "/a/*", "/a*", "/%20"] {
            assert_eq!(path(good).as_deref(), Some(good));
        }
        for bad in ["", "*", "a", "/a?b", "/*/a", "/**", "/a b", "/ü", "/#"] {
            assert_eq!(path(bad), None, "{bad:?}");
        }
        let network = |text| network(&Value::Text(text)).ok();
        let address = |text: &str| text.parse::<IpAddr>().ok();
        for (text, at, bits) in [
            ("10.0.0.1", "10.0.0.1", 32),
            ("10.0.0.1/8", "10.0.0.1", 8),
            ("0.0.0.0/0", "0.0.0.0", 0),
            ("::1", "::1", 128),
            ("fd00::/7", "fd00::", 7),
        ] {
            assert_eq!(network(text), address(at).map(|at| (at, bits)));
        }
        for bad in [
            "",
            "a",
            "10.0.0.0/33",
            "::/129",
            "10.0.0.0/",
            "10.0.0.0/-1",
            "10.0/8",
        ] {
            assert_eq!(network(bad), None, "{bad:?}");
        }
    }
}
