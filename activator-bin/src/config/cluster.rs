//! What is different when revisions come from a Kubernetes cluster: the defaults, and what must be known.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;

use reporter_core::Accounting;
use reporter_runtime::sink::autoscaler::AutoscalerConfig;

use super::file::Locations;
use super::problem::{Location, Problems};
use super::{Config, SinkConfig};
use crate::os::{listen, regular_file};
use crate::settings::{Value, settings};

/// How the API server of a cluster is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cluster {
    /// With the service account of the pod that this process runs in.
    OwnPod,
    /// As this file says.
    Kubeconfig(PathBuf),
}

settings! {
    /// The cluster that revisions come from, with --kubernetes.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct KubernetesConfig in "kubernetes." {
        /// The namespace that Knative Serving is installed in.
        namespace: String = "knative-serving", dns_name(), or_variable("SYSTEM_NAMESPACE");
        /// The IP address of this pod: by it this activator finds its place among the others.
        // Outside a pod it may be unset. Then all instances of a revision are its own.
        pod_ip: Option<IpAddr> = None, ip(), or_variable("POD_IP");
        /// The name of the ConfigMap that sets the log level.
        logging_config: String = "config-logging", dns_name(), or_variable("CONFIG_LOGGING_NAME");
        /// The name of the ConfigMap that sets the access log.
        observability_config: String = "config-observability", dns_name(), or_variable("CONFIG_OBSERVABILITY_NAME");
    }
}

/// The resolver's configuration, which the kubelet writes.
const RESOLVER: &str = "/etc/resolv.conf";

/// The port on which Knative's autoscaler takes reports.
const AUTOSCALER_PORT: u16 = 8080;

/// The defaults with a cluster, which are those of Knative's activator: fields and their values.
pub(super) fn defaults() -> Vec<(&'static str, String)> {
    let all = if listen::has_ipv6() {
        IpAddr::V6(Ipv6Addr::UNSPECIFIED)
    } else {
        IpAddr::V4(Ipv4Addr::UNSPECIFIED)
    };
    let port = |port| SocketAddr::new(all, port).to_string();
    let mut defaults = vec![
        ("listen.http", port(8012)),
        ("listen.http2", port(8013)),
        ("listen.https", port(8112)),
        ("listen.admin", port(9090)),
        ("drain_delay", "45s".to_owned()),
        ("drain_timeout", "9m".to_owned()),
        ("log_format", "json".to_owned()),
        (
            "reporter.accounting",
            Accounting::Average.as_str().to_owned(),
        ),
    ];
    defaults.extend(cluster_domain().map(|domain| ("cluster_domain", domain)));
    defaults
}

/// The sink with a cluster, unless the file has its own: Knative's autoscaler.
pub(super) fn autoscaler(config: &Config) -> SinkConfig {
    SinkConfig::Autoscaler(AutoscalerConfig::new(autoscaler_url(config)))
}

/// The same as it would be written in the file.
pub(super) fn autoscaler_section(config: &Config) -> toml::Table {
    let fields = [
        ("kind", "autoscaler".to_owned()),
        ("url", autoscaler_url(config)),
    ];
    let fields = fields.into_iter();
    fields
        .map(|(name, value)| (name.to_owned(), value.into()))
        .collect()
}

fn autoscaler_url(config: &Config) -> String {
    let (namespace, domain) = (&config.kubernetes.namespace, &config.cluster_domain);
    format!("ws://autoscaler.{namespace}.svc.{domain}:{AUTOSCALER_PORT}")
}

/// Checks what a cluster needs.
pub(super) fn check_together(config: &Config, locations: &Locations, problems: &mut Problems) {
    let field = "trust_knative_headers";
    if config.cluster.is_some() && !config.trust_knative_headers {
        let location = locations.get(field).cloned().unwrap_or(Location::Default);
        let message = "must be true in a cluster, where it is by these headers that requests name their revision";
        problems.push(location, field, message.to_owned());
    }
    let field = "kubernetes.pod_ip";
    let needs_ip = config.cluster == Some(Cluster::OwnPod);
    if needs_ip && config.kubernetes.pod_ip.is_none() && !problems.mention(field) {
        let location = locations.get(field).cloned().unwrap_or(Location::Default);
        let message = "is missing; in the pod's container set the variable POD_IP, with valueFrom.fieldRef.fieldPath: status.podIP";
        problems.push(location, field, message.to_owned());
    }
}

fn cluster_domain() -> Option<String> {
    let resolver = regular_file::read(RESOLVER.as_ref()).ok()?;
    search_domain(str::from_utf8(&resolver).ok()?)
}

/// The domain of the cluster, from the search list that pods have: `<namespace>.svc.<domain> svc.<domain> <domain>`.
fn search_domain(resolver: &str) -> Option<String> {
    let searches = resolver.lines().filter_map(|line| {
        let mut words = line.split_ascii_whitespace();
        (words.next() == Some("search")).then_some(words)
    });
    let domain = searches
        .flatten()
        .find_map(|word| word.strip_prefix("svc."))?;
    let domain = domain.strip_suffix('.').unwrap_or(domain);
    Value::Text(domain).dns_name().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clusters_domain_is_in_the_search_list_of_pods() {
        let check = |text: &str, expected: Option<&str>| {
            assert_eq!(search_domain(text).as_deref(), expected, "{text:?}");
        };
        let pod = "nameserver 10.96.0.10\nsearch knative-serving.svc.a.b svc.a.b a.b example.com\noptions ndots:5\n";
        check(pod, Some("a.b"));
        check("search svc.cluster.local.\n", Some("cluster.local"));
        check("search a.b\nsearch\tx  svc.c", Some("c"));
        check("search example.com\n", None);
        check("# search svc.a.b\nnameserver 1.1.1.1\n", None);
        check("search svc.\n", None);
        check("search svc.Not_A_Name\n", None);
        check("", None);
    }
}
