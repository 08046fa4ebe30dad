//! What the ConfigMaps of Knative 1.15 and newer mean, and what is said of values that are wrong.

mod properties;

use super::*;
use crate::config::Config;
use crate::probe::MeshMode;

fn config_maps() -> ConfigMaps {
    ConfigMaps::new(&Config::embedded().kubernetes)
}

fn data(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    let owned = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
    pairs.iter().map(owned).collect()
}

fn owned(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

/// The settings that a ConfigMap makes alone, and what is said of it.
fn read(map: ConfigMap, pairs: &[(&str, &str)]) -> (ClusterSettings, Vec<String>) {
    let mut maps = config_maps();
    let remarks = maps.set(map, Some(&data(pairs)));
    let remarks = remarks.iter().map(Remark::to_string).collect();
    (maps.settings().clone(), remarks)
}

#[test]
fn config_network_says_how_instances_are_reached() {
    let check = |pairs: &[(&str, &str)], expected: (bool, MeshMode, bool), said: &[&str]| {
        let (settings, remarks) = read(ConfigMap::Network, pairs);
        let mesh = settings.mesh;
        let found = (mesh.pod_addressability, mesh.mode, settings.internal_tls);
        assert_eq!((found, remarks), (expected, owned(said)), "{pairs:?}");
    };
    let auto = MeshMode::Auto;
    check(&[], (false, auto, false), &[]);
    let addressability = "enable-mesh-pod-addressability";
    check(&[(addressability, "true")], (true, auto, false), &[]);
    check(&[(addressability, "T")], (true, auto, false), &[]);
    check(&[(addressability, "0")], (false, auto, false), &[]);
    let wrong =
        "config-network: enable-mesh-pod-addressability: expected true or false, found \"yes\"";
    check(&[(addressability, "yes")], (false, auto, false), &[wrong]);
    let mode = "mesh-compatibility-mode";
    check(&[(mode, "auto")], (false, auto, false), &[]);
    check(&[(mode, "Enabled")], (false, MeshMode::Enabled, false), &[]);
    check(
        &[(mode, "disabled\n")],
        (false, MeshMode::Disabled, false),
        &[],
    );
    let wrong = "config-network: mesh-compatibility-mode: expected auto or enabled or disabled, found \"on\"";
    check(&[(mode, "on")], (false, auto, false), &[wrong]);
    let tls = "system-internal-tls";
    check(&[(tls, "enabled")], (false, auto, true), &[]);
    check(&[(tls, "ENABLED")], (false, auto, true), &[]);
    check(&[(tls, "")], (false, auto, false), &[]);
    let wrong = "config-network: system-internal-tls: expected disabled or enabled, found \"true\"";
    check(&[(tls, "true")], (false, auto, false), &[wrong]);
    let old = "internal-encryption";
    check(&[(old, "true")], (false, auto, true), &[]);
    check(
        &[(old, "true"), (tls, "disabled")],
        (false, auto, true),
        &[],
    );
    check(
        &[(old, "false"), (tls, "enabled")],
        (false, auto, true),
        &[],
    );
    // What belongs to others, and what nobody knows.
    let others = [
        ("ingress-class", "x"),
        ("_example", "mesh-compatibility-mode: on"),
        ("?", ""),
    ];
    check(&others, (false, auto, false), &[]);
}

#[test]
fn config_logging_says_the_level() {
    let check = |pairs: &[(&str, &str)], expected: LevelFilter, said: &[&str]| {
        let (settings, remarks) = read(ConfigMap::Logging, pairs);
        assert_eq!(
            (settings.log_level, remarks),
            (expected, owned(said)),
            "{pairs:?}"
        );
    };
    let (own, all) = ("loglevel.activator", "zap-logger-config");
    check(&[], LevelFilter::INFO, &[]);
    check(&[(own, "debug")], LevelFilter::DEBUG, &[]);
    check(&[(own, "WARN")], LevelFilter::WARN, &[]);
    check(&[(own, "dpanic")], LevelFilter::ERROR, &[]);
    check(
        &[(own, ""), (all, "{\"level\": \"error\"}")],
        LevelFilter::ERROR,
        &[],
    );
    check(
        &[(all, "{\"level\": \"debug\", \"encoding\": \"json\"}")],
        LevelFilter::DEBUG,
        &[],
    );
    check(
        &[(all, "{\"level\": \"debug\"}"), (own, "info")],
        LevelFilter::INFO,
        &[],
    );
    check(&[(all, "{\"level\": \"\"}")], LevelFilter::INFO, &[]);
    check(&[(all, "{\"level\": null}")], LevelFilter::INFO, &[]);
    check(&[(all, "{}")], LevelFilter::INFO, &[]);
    check(&[(all, "")], LevelFilter::INFO, &[]);
    // The other parts of Knative have levels of their own.
    check(
        &[("loglevel.autoscaler", "nonsense")],
        LevelFilter::INFO,
        &[],
    );
    let wrong = |key: &str, found: &str| {
        format!(
            "config-logging: {key}: expected the level debug, info, warn or error, found {found}"
        )
    };
    check(
        &[(own, "verbose")],
        LevelFilter::INFO,
        &[&wrong(own, "\"verbose\"")],
    );
    check(
        &[(all, "{\"level\": \"x\"}")],
        LevelFilter::INFO,
        &[&wrong(all, "\"x\"")],
    );
    check(
        &[(all, "{\"level\": 1}")],
        LevelFilter::INFO,
        &[&wrong(all, "1")],
    );
    check(
        &[(all, "[]")],
        LevelFilter::INFO,
        &["config-logging: zap-logger-config: expected a JSON object, found a list"],
    );
    check(
        &[(all, "level: info")],
        LevelFilter::INFO,
        &[
            "config-logging: zap-logger-config: expected a JSON object: expected value at line 1 column 1",
        ],
    );
}

#[test]
fn config_observability_says_what_is_logged_of_requests() {
    let check = |pairs: &[(&str, &str)], expected: Option<&str>, said: &[&str]| {
        let (settings, remarks) = read(ConfigMap::Observability, pairs);
        let expected = expected.map(|text| Template::parse(text).unwrap());
        assert_eq!(
            (settings.access_log, remarks),
            (expected, owned(said)),
            "{pairs:?}"
        );
    };
    let (on, template) = ("logging.enable-request-log", "logging.request-log-template");
    check(&[], None, &[]);
    check(&[(template, "{{.Request.Method}}")], None, &[]);
    check(&[(on, "false"), (template, "{{")], None, &[]);
    check(
        &[(on, "true"), (template, "{{.Request.Method}}\n")],
        Some("{{.Request.Method}}"),
        &[],
    );
    let wrong =
        "config-observability: logging.request-log-template: expected a template, found \"\"";
    check(&[(on, "true"), (template, "")], None, &[wrong]);
    let wrong =
        "config-observability: logging.enable-request-log: expected true or false, found \"on\"";
    check(&[(on, "on")], None, &[wrong]);
    let (_, remarks) = read(
        ConfigMap::Observability,
        &[(on, "true"), (template, "{{.Nonsense}}")],
    );
    let [remark] = &*remarks else {
        panic!("{remarks:?}");
    };
    assert!(
        remark.starts_with("config-observability: logging.request-log-template: at byte"),
        "{remark}"
    );
    assert!(remark.contains("Nonsense"), "{remark}");
    // Without a template it is Knative's own.
    let (settings, remarks) = read(ConfigMap::Observability, &[(on, "true")]);
    assert!(settings.access_log.is_some() && remarks.is_empty());
}

#[test]
fn config_observability_says_where_spans_go() {
    let map = ConfigMap::Observability;
    let check = |pairs: &[(&str, &str)], expected: Option<&str>, said: &[&str]| {
        let (settings, remarks) = read(map, pairs);
        let TracingConfig {
            protocol,
            endpoint,
            sampling_rate,
        } = settings.tracing;
        let found = protocol.zip(endpoint);
        let found = found.map(|(it, to)| format!("{it:?} {to} {sampling_rate}"));
        assert_eq!(
            (found.as_deref(), remarks),
            (expected, owned(said)),
            "{pairs:?}"
        );
    };
    let (protocol, endpoint, rate) = (
        "tracing-protocol",
        "tracing-endpoint",
        "tracing-sampling-rate",
    );
    let to = (endpoint, "http://a:4317");
    check(&[to, (rate, "x")], None, &[]);
    check(&[(protocol, "None"), to], None, &[]);
    check(
        &[(protocol, "grpc"), to],
        Some("Grpc http://a:4317/ 0"),
        &[],
    );
    check(
        &[
            (protocol, "http/protobuf"),
            (endpoint, "https://a/b"),
            (rate, "0.5"),
        ],
        Some("HttpProtobuf https://a/b 0.5"),
        &[],
    );
    // As Knative reads it.
    check(
        &[(protocol, "grpc"), (endpoint, "a.b:4317"), (rate, "1")],
        Some("Grpc https://a.b:4317/ 1"),
        &[],
    );
    let no_url = "config-observability: tracing-endpoint: expected a URL, http://host:port or https://host:port";
    check(&[(protocol, "grpc")], None, &[no_url]);
    check(
        &[(protocol, "grpc"), (endpoint, "http://u:p@a")],
        None,
        &[no_url],
    );
    let wrong =
        "config-observability: tracing-sampling-rate: expected a number from 0 to 1, found \"2\"";
    check(&[(protocol, "grpc"), to, (rate, "2")], None, &[wrong]);
    let wrong = "config-observability: tracing-protocol: expected none or grpc or http/protobuf, found \"zipkin\"";
    check(&[(protocol, "zipkin"), to], None, &[wrong]);
    let no = "config-observability: tracing-protocol: \"stdout\" is not supported";
    check(&[(protocol, "stdout")], None, &[no]);

    // A wrong value changes nothing, one that is not supported is none.
    let mut maps = config_maps();
    maps.set(map, Some(&data(&[(protocol, "grpc"), to])));
    let traced = maps.settings().tracing.clone();
    maps.set(map, Some(&data(&[(protocol, "grpc"), to, (rate, "2")])));
    assert_eq!(maps.settings().tracing, traced);
    maps.set(map, Some(&data(&[(protocol, "stdout")])));
    assert_eq!(maps.settings(), &ClusterSettings::default());
}

#[test]
fn what_is_not_supported_is_said_and_the_rest_is_not() {
    let check = |pairs: &[(&str, &str)], said: &[&str]| {
        let (settings, remarks) = read(ConfigMap::Observability, pairs);
        assert_eq!(
            (settings, remarks),
            (ClusterSettings::default(), owned(said)),
            "{pairs:?}"
        );
    };
    check(
        &[
            ("metrics-protocol", "prometheus"),
            ("tracing-protocol", "none"),
        ],
        &[],
    );
    check(
        &[
            ("metrics.backend-destination", "Prometheus"),
            ("profiling.enable", "false"),
        ],
        &[],
    );
    check(
        &[("runtime-profiling", "disabled"), ("metrics-protocol", "")],
        &[],
    );
    check(
        &[
            ("request-metrics-protocol", "grpc"),
            ("tracing-sampling-rate", "2"),
        ],
        &[],
    );
    check(
        &[
            ("metrics-protocol", "http/protobuf"),
            ("metrics-endpoint", "http://x"),
            ("metrics.backend-destination", "opencensus"),
            ("profiling.enable", "true"),
            ("runtime-profiling", "enabled"),
            ("tracing-protocol", "stdout"),
        ],
        &[
            "config-observability: metrics-protocol: \"http/protobuf\" is not supported",
            "config-observability: metrics.backend-destination: \"opencensus\" is not supported",
            "config-observability: runtime-profiling: \"enabled\" is not supported",
            "config-observability: tracing-protocol: \"stdout\" is not supported",
            "config-observability: profiling.enable: \"true\" is not supported",
        ],
    );
    check(
        &[
            ("metrics-protocol", "statsd"),
            ("profiling.enable", "maybe"),
        ],
        &[
            "config-observability: metrics-protocol: expected prometheus or none, found \"statsd\"",
            "config-observability: profiling.enable: expected true or false, found \"maybe\"",
        ],
    );
}

#[test]
fn a_wrong_value_keeps_the_last_good_one_is_said_once_and_a_deleted_map_is_the_defaults() {
    let mut maps = config_maps();
    let mode = |value| {
        data(&[
            ("mesh-compatibility-mode", value),
            ("system-internal-tls", "enabled"),
        ])
    };
    assert!(
        maps.set(ConfigMap::Network, Some(&mode("disabled")))
            .is_empty()
    );
    for (value, said) in [("x", 1), ("x", 0), ("y", 1), ("disabled", 0), ("y", 1)] {
        let remarks = maps.set(ConfigMap::Network, Some(&mode(value)));
        assert_eq!(remarks.len(), said, "{value}");
        assert_eq!(maps.settings().mesh.mode, MeshMode::Disabled, "{value}");
        assert!(maps.settings().internal_tls);
    }
    assert!(maps.set(ConfigMap::Network, None).is_empty());
    assert_eq!(*maps.settings(), ClusterSettings::default());
}

#[test]
fn maps_have_the_names_that_the_manifest_gives_them() {
    let mut config = Config::embedded().kubernetes;
    config.logging_config = "logs".to_owned();
    let maps = ConfigMaps::new(&config);
    assert_eq!(maps.by_name("config-network"), Some(ConfigMap::Network));
    assert_eq!(maps.by_name("logs"), Some(ConfigMap::Logging));
    assert_eq!(maps.by_name("config-logging"), None);
    assert_eq!(
        maps.by_name("config-observability"),
        Some(ConfigMap::Observability)
    );
}
