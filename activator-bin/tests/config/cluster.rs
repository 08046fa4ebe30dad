//! The configuration when revisions come from a cluster.

use std::net::IpAddr;
use std::time::Duration;

use activator_bin::testing::{
    Cluster, Config, LogFormat, SinkConfig, Sources, TlsConfig, TlsVersion,
};
use reporter_core::Accounting;
use rustls::{CipherSuite, NamedGroup};

fn check(variables: &[(&str, &str)], file: Option<&str>, cluster: Cluster) -> Config {
    let variable = |(name, value): &(&str, &str)| (name.into(), value.into());
    let sources = Sources {
        cluster: Some(cluster),
        variables: variables.iter().map(variable).collect(),
        ..Sources::default()
    };
    let file = file.map(|text| ("activator.toml", text.as_bytes()));
    let checked = sources.check(file);
    checked.unwrap_or_else(|problems| panic!("{problems}"))
}

fn in_pod(variables: &[(&str, &str)], file: Option<&str>) -> Config {
    let variables = [variables, &[("POD_IP", "10.0.0.7")]].concat();
    check(&variables, file, Cluster::OwnPod)
}

/// The addresses of the autoscalers that reports go to.
fn autoscalers(config: &Config) -> Vec<&str> {
    let mut urls = Vec::new();
    for sink in &config.sinks {
        match sink {
            SinkConfig::Autoscaler(sink) => urls.push(sink.url.as_str()),
            other => panic!("{other:?}"),
        }
    }
    urls
}

#[test]
fn the_defaults_are_those_of_knatives_activator() {
    let config = in_pod(&[("CLUSTER_DOMAIN", "cluster.example")], None);
    let listen = &config.listen;
    for (address, port) in [
        (Some(listen.http), 8012),
        (listen.http2, 8013),
        (listen.https, 8112),
        (Some(listen.admin), 9090),
    ] {
        let address = address.unwrap();
        assert!(address.ip().is_unspecified(), "{address}");
        assert_eq!(address.port(), port);
    }
    assert_eq!(
        autoscalers(&config),
        ["ws://autoscaler.knative-serving.svc.cluster.example:8080"]
    );
    assert_eq!(config.reporter.accounting, Accounting::Average);
    assert_eq!(config.drain_delay, Duration::from_secs(45));
    assert_eq!(config.drain_timeout, Duration::from_secs(540));
    assert_eq!(config.log.format, LogFormat::Json);
    assert_eq!(config.cluster, Some(Cluster::OwnPod));
    assert_eq!(config.kubernetes.pod_ip, Some(IpAddr::from([10, 0, 0, 7])));
    assert_eq!(config.kubernetes.logging_config, "config-logging");
    assert_eq!(
        config.kubernetes.observability_config,
        "config-observability"
    );
    assert!(config.revisions.is_empty() && !config.is_log_set);
}

#[test]
fn the_variables_of_knatives_manifest_are_read_and_unknown_ones_are_no_error() {
    let config = in_pod(
        &[
            ("GOGC", "500"),
            ("METRICS_DOMAIN", "knative.dev/internal/serving"),
            ("POD_NAME", "activator-0"),
            ("SYSTEM_NAMESPACE", "serving"),
            ("CLUSTER_DOMAIN", "a.b"),
            ("CONFIG_LOGGING_NAME", "logging"),
            ("CONFIG_OBSERVABILITY_NAME", "observability"),
            ("PROBE_TIMEOUT", "0.25s"),
            ("PROBE_FREQUENCY", "100ms"),
            ("MAX_IDLE_PROXY_CONNS", "1000"),
            ("MAX_IDLE_PROXY_CONNS_PER_HOST", "100"),
        ],
        None,
    );
    assert_eq!(config.pod_name, "activator-0");
    assert_eq!(
        autoscalers(&config),
        ["ws://autoscaler.serving.svc.a.b:8080"]
    );
    assert_eq!(config.kubernetes.logging_config, "logging");
    assert_eq!(config.kubernetes.observability_config, "observability");
    assert_eq!(config.probe.timeout, Duration::from_millis(250));
    assert_eq!(config.probe.frequency, Duration::from_millis(100));
    assert_eq!(config.limits.max_backend_idle_connections, 1_000);
    assert_eq!(config.limits.backend_idle_connections, 100);
}

#[test]
fn the_file_holds_over_the_clusters_defaults_and_variables_over_the_file() {
    let file = "
        cluster_domain = 'file'
        drain_delay = '1s'
        log = 'debug'
        log_format = 'text'
        listen.http = '127.0.0.1:1'
        probe.timeout = '1s'
        [[sink]]
        kind = 'autoscaler'
        url = 'ws://10.0.0.1:1'
    ";
    let config = in_pod(&[("PROBE_TIMEOUT", "2s")], Some(file));
    assert_eq!(config.cluster_domain, "file");
    assert_eq!(config.drain_delay, Duration::from_secs(1));
    assert_eq!(config.drain_timeout, Duration::from_secs(540));
    assert_eq!(config.log.format, LogFormat::Text);
    assert!(config.is_log_set);
    assert_eq!(config.listen.http, "127.0.0.1:1".parse().unwrap());
    assert_eq!(config.listen.admin.port(), 9090);
    assert_eq!(config.probe.timeout, Duration::from_secs(2));
    assert_eq!(autoscalers(&config), ["ws://10.0.0.1:1/"]);
}

#[test]
fn a_file_without_sinks_leaves_the_autoscaler_and_an_empty_list_has_none() {
    let sinks = |file| in_pod(&[], Some(file)).sinks;
    assert_eq!(sinks("workers = 1\n").len(), 1);
    assert!(sinks("sink = []\n").is_empty());
}

#[test]
fn outside_a_pod_its_address_may_be_unknown() {
    let cluster = Cluster::Kubeconfig("config".into());
    assert_eq!(check(&[], None, cluster).kubernetes.pod_ip, None);
}

#[test]
fn without_a_cluster_its_variables_change_little() {
    let sources = Sources {
        variables: [("SYSTEM_NAMESPACE".into(), "serving".into())].into(),
        ..Sources::default()
    };
    let config = sources.check(None).unwrap();
    assert!(config.revisions.len() == 1 && config.cluster.is_none());
    assert!(config.listen.http.ip().is_loopback());
}

#[test]
fn tls_is_negotiated_as_knatives_variables_say() {
    let config = in_pod(
        &[
            ("ACTIVATOR_TLS_MIN_VERSION", "1.2"),
            ("ACTIVATOR_TLS_MAX_VERSION", "1.2"),
            (
                "ACTIVATOR_TLS_CIPHER_SUITES",
                "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,TLS_AES_128_GCM_SHA256",
            ),
            (
                "ACTIVATOR_TLS_CURVE_PREFERENCES",
                " X25519 ,CurveP256,P-256,",
            ),
        ],
        None,
    );
    let expected = TlsConfig {
        min_version: TlsVersion::V1_2,
        max_version: TlsVersion::V1_2,
        cipher_suites: vec![
            CipherSuite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
            CipherSuite::TLS13_AES_128_GCM_SHA256,
        ],
        curve_preferences: vec![NamedGroup::X25519, NamedGroup::secp256r1],
        ..TlsConfig::default()
    };
    assert_eq!(config.tls, expected);
}

#[test]
fn certificate_files_replace_those_of_the_cluster_in_pairs() {
    let tls = "[tls]\ncertificate = '/tls.crt'\n";
    let config = in_pod(&[], Some(&format!("{tls}key = '/tls.key'\n")));
    assert_eq!(config.tls.key, Some("/tls.key".into()));
    let sources = Sources {
        cluster: Some(Cluster::Kubeconfig("/kubeconfig".into())),
        ..Sources::default()
    };
    let problems = sources.check(Some(("activator.toml", tls.as_bytes())));
    assert_eq!(
        problems.unwrap_err().to_string(),
        "default: listen.https: needs tls.key"
    );
}
