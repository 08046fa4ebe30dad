//! Which requests neither wake a revision nor count: those that match one of its rules. Pure.

use std::net::IpAddr;

use http::header::USER_AGENT;
use http::{HeaderMap, Request};

use crate::revision::launch::IgnoreRule;

/// Whether a request matches a rule. `source` is the address of its connection's other end: whoever can send
/// `X-Forwarded-For` can put anything into it.
pub(super) fn is_ignored<B>(
    rules: &[IgnoreRule],
    request: &Request<B>,
    source: impl Fn() -> Option<IpAddr>,
) -> bool {
    let (path, headers) = (request.uri().path(), request.headers());
    rules.iter().any(|rule| {
        let IgnoreRule {
            path: paths,
            user_agent,
            source: sources,
        } = rule;
        // What says nothing would match everything.
        (paths.is_some() || user_agent.is_some() || sources.is_some())
            && paths.as_ref().is_none_or(|it| is_path(it, path))
            && user_agent.as_ref().is_none_or(|it| is_agent(it, headers))
            && sources.is_none_or(|it| source().is_some_and(|source| is_within(it, source)))
    })
}

/// Paths are compared as they were sent: `%61` is not `a`.
fn is_path(pattern: &str, path: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(beginning) => path.starts_with(beginning),
        None => path == pattern,
    }
}

fn is_agent(part: &str, headers: &HeaderMap) -> bool {
    let Some(agent) = headers.get(USER_AGENT) else {
        return false;
    };
    let (agent, part) = (agent.as_bytes(), part.as_bytes());
    part.is_empty()
        || agent
            .windows(part.len())
            .any(|window| window.eq_ignore_ascii_case(part))
}

/// Whether an address begins like this network. An IPv4 address is also the IPv6 address that stands for it.
fn is_within((network, bits): (IpAddr, u8), address: IpAddr) -> bool {
    let (network, before) = match network {
        IpAddr::V4(network) => (network.to_ipv6_mapped(), 96),
        IpAddr::V6(network) => (network, 0),
    };
    let address = match address {
        IpAddr::V4(address) => address.to_ipv6_mapped(),
        IpAddr::V6(address) => address,
    };
    let rest = 128_u32.saturating_sub(before + u32::from(bits));
    let differing = network.to_bits() ^ address.to_bits();
    differing.checked_shr(rest).unwrap_or(0) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `path | user agent | address/bits`, any of them empty.
    fn rule(text: &str) -> IgnoreRule {
        let parts: Vec<&str> = text.split('|').map(str::trim).collect();
        let set = |part: &str| (!part.is_empty()).then(|| part.to_owned());
        let source = set(parts[2]).map(|source| {
            let (network, bits) = source.split_once('/').unwrap();
            (network.parse().unwrap(), bits.parse().unwrap())
        });
        IgnoreRule {
            path: set(parts[0]),
            user_agent: set(parts[1]),
            source,
        }
    }

    /// Whether a request, `target | user agent | source`, matches.
    #[track_caller]
    fn check(rules: &[&str], request: &str, expected: bool) {
        let rules: Vec<IgnoreRule> = rules.iter().map(|text| rule(text)).collect();
        let parts: Vec<&str> = request.split('|').map(str::trim).collect();
        let mut head = Request::get(parts[0]);
        if !parts[1].is_empty() {
            head = head.header(USER_AGENT, parts[1]);
        }
        let source = || parts[2].parse().ok();
        let found = is_ignored(&rules, &head.body(()).unwrap(), source);
        assert_eq!(found, expected, "{rules:?} {request}");
    }

    #[test]
    fn a_path_matches_as_it_was_sent_without_its_query() {
        for (path, target, expected) in [
            ("/up", "/up", true),
            ("/up", "/up?full=1", true),
            ("/up", "http://a.example/up", true),
            ("/up", "/up/", false),
            ("/up", "/UP", false),
            ("/up", "/x/up", false),
            ("/up", "/%75p", false),
            ("/%75p", "/%75p", true),
            ("/up", "//up", false),
            ("/up*", "/up", true),
            ("/up*", "/upper", true),
            ("/up/*", "/up", false),
            ("/up/*", "/up/", true),
            ("/up/*", "/up/a/b", true),
            ("/up/*", "/up/../admin", true),
            ("/a*b", "/a*b", true),
            ("/a*b", "/axb", false),
            ("*", "/anything", true),
        ] {
            let rule = format!("{path} | |");
            check(&[&rule], &format!("{target} | |"), expected);
        }
    }

    #[test]
    fn a_user_agent_matches_by_a_part_of_it_in_whatever_case() {
        for (part, agent, expected) in [
            ("uptime", "UptimeRobot/2.0", true),
            ("Robot/2", "uptimerobot/2.0", true),
            ("UptimeRobot/2.0", "UptimeRobot/2.0", true),
            ("UptimeRobot/2.0 ", "UptimeRobot/2.0", true),
            ("UptimeRobot/2.0x", "UptimeRobot/2.0", false),
            ("uptime", "up-time", false),
            ("uptime", "", false),
        ] {
            let rule = format!("| {part} |");
            check(&[&rule], &format!("/ | {agent} |"), expected);
        }
    }

    #[test]
    fn a_source_matches_by_its_first_bits() {
        for (network, source, expected) in [
            ("10.0.0.0/8", "10.255.1.2", true),
            ("10.0.0.0/8", "11.0.0.0", false),
            ("10.1.2.3/8", "10.9.9.9", true),
            ("10.0.0.1/32", "10.0.0.1", true),
            ("10.0.0.1/32", "10.0.0.2", false),
            ("10.0.0.0/31", "10.0.0.1", true),
            ("0.0.0.0/0", "192.0.2.1", true),
            ("0.0.0.0/0", "2001:db8::1", false),
            ("10.0.0.0/8", "::ffff:10.0.0.1", true),
            ("::ffff:10.0.0.0/104", "10.0.0.1", true),
            ("::ffff:10.0.0.0/104", "11.0.0.1", false),
            ("2001:db8::/32", "2001:db8:ffff::1", true),
            ("2001:db8::/32", "2001:db9::", false),
            ("2001:db8::1/128", "2001:db8::1", true),
            ("2001:db8::1/128", "2001:db8::2", false),
            ("::/0", "2001:db8::1", true),
            ("::/0", "192.0.2.1", true),
            ("::1/128", "127.0.0.1", false),
            ("10.0.0.0/8", "", false),
        ] {
            let rule = format!("| | {network}");
            check(&[&rule], &format!("/ | | {source}"), expected);
        }
    }

    #[test]
    fn a_request_matches_all_of_any_rule() {
        let rules = ["/up | check | 10.0.0.0/8", "/ping | |"];
        check(&rules, "/up | checker | 10.0.0.1", true);
        check(&rules, "/ping | | 192.0.2.1", true);
        check(&rules, "/up | checker | 11.0.0.1", false);
        check(&rules, "/up | curl | 10.0.0.1", false);
        check(&rules, "/ | checker | 10.0.0.1", false);
        check(&[], "/ | | 10.0.0.1", false);
        check(&["| |"], "/ | | 10.0.0.1", false);
    }
}
