//! The private Service of a revision, which stands in front of its instances.

use std::fmt::Write;
use std::net::{IpAddr, SocketAddr};

use md5::{Digest, Md5};

use crate::probe::PrivateService;
use crate::source::kubernetes::object::{Lenient, Service};

/// The longest name of a Service.
const LONGEST: usize = 63;
/// The length of a hash in hexadecimal digits.
const HASH: usize = 32;

/// Its name. Knative: `kmeta.ChildName`.
pub(super) fn name(revision: &str) -> String {
    const SUFFIX: &str = "-private";
    if revision.len() + SUFFIX.len() <= LONGEST {
        return format!("{revision}{SUFFIX}");
    }
    let head = revision.get(..LONGEST - HASH - SUFFIX.len());
    let mut name = head
        .expect("the names of revisions are ASCII, and this one is longer")
        .to_owned();
    for byte in Md5::digest(revision) {
        write!(name, "{byte:02x}").expect("a String takes everything");
    }
    name + SUFFIX
}

/// Where it is reached: with the port named `http`, or `http2` if that is meant.
///
/// # Errors
/// Says what is wrong with it.
pub(crate) fn addresses(service: &Service, http2: bool) -> Result<PrivateService, String> {
    let fields = service.spec.value().ok_or("it has no spec")?;
    let ip = fields.cluster_ip.value().map_or("", |it| it);
    let ip: IpAddr = ip
        .parse()
        .map_err(|_| format!("spec.clusterIP is {ip:?}, but must be an IP address"))?;
    let port = |name: &str| {
        let ports = fields.ports.elements().iter().filter_map(Lenient::value);
        let port = ports
            .filter(|it| it.name.value().is_some_and(|it| **it == *name))
            .find_map(|it| it.port.value().copied().filter(|&port| port != 0));
        port.map(|port| SocketAddr::new(ip, port))
    };
    let wanted = if http2 { "http2" } else { "http" };
    let http = port(wanted).ok_or_else(|| format!("it has no port named {wanted:?}"))?;
    Ok(PrivateService {
        http,
        https: port("https"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each revision, and what Knative's Go code calls its Service.
    const NAMES: &str = include_str!("private_service/names.txt");

    #[test]
    fn the_name_is_that_which_knative_gives() {
        for line in NAMES.lines() {
            let (revision, expected) = line.split_once(' ').unwrap();
            assert_eq!(name(revision), expected);
        }
        assert_eq!(NAMES.lines().count(), 13);
    }

    #[test]
    fn the_address_is_that_of_the_port_for_the_protocol() {
        let check = |spec: &str, http2, expected: Result<&str, &str>| {
            let service: Service = serde_json::from_str(&format!("{{\"spec\": {spec}}}")).unwrap();
            let found = addresses(&service, http2).map(|it| match it.https {
                Some(https) => format!("{} {https}", it.http),
                None => it.http.to_string(),
            });
            assert_eq!(found.as_deref().map_err(|it| &**it), expected, "{spec}");
        };
        let whole = r#"{"clusterIP": "10.1.2.3", "ports": [{"name": "http", "port": 80}, {"name": "https", "port": 443}]}"#;
        check(whole, false, Ok("10.1.2.3:80 10.1.2.3:443"));
        check(whole, true, Err("it has no port named \"http2\""));
        check(
            r#"{"clusterIP": "fd00::1", "ports": [{"name": "http2", "port": 81}]}"#,
            true,
            Ok("[fd00::1]:81"),
        );
        let headless = "spec.clusterIP is \"None\", but must be an IP address";
        check(
            r#"{"clusterIP": "None", "ports": []}"#,
            false,
            Err(headless),
        );
        check(
            "{}",
            false,
            Err("spec.clusterIP is \"\", but must be an IP address"),
        );
        check("null", false, Err("it has no spec"));
    }
}
