//! Configurations, good and bad, through the library.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use activator_bin::testing::{
    BackendTlsConfig, CertificateConfig, Cluster, Config, Default, Draft, Endpoint, ExportProtocol,
    Format, GroupDraft, HalfClose, HostPattern, IgnoreDraft, JsonLinesConfig, LaunchDraft, Limits,
    LogFormat, Probe, Protocol, ReadyWhen, ScheduleDraft, Settings, SinkConfig, Sources, Template,
    TimeoutLimits, TlsConfig, TlsVersion, TracingConfig, Value,
};
use reporter_core::Accounting;
use reporter_metrics::Names;
use reporter_runtime::sink::autoscaler::AutoscalerConfig;
use rustls::{CipherSuite, NamedGroup};

mod any_bytes;
mod cluster;
mod launched;
mod sources;
mod up;

/// A case of `errors.txt`.
#[derive(Default)]
struct Case {
    title: &'static str,
    sources: Sources,
    file: Option<String>,
    expected: Vec<&'static str>,
}

fn cases() -> Vec<Case> {
    let mut cases: Vec<Case> = Vec::new();
    for line in include_str!("errors.txt").lines() {
        if let Some(title) = line.strip_prefix("## ") {
            cases.push(Case {
                title,
                ..Case::default()
            });
            continue;
        }
        let Some(case) = cases.last_mut() else {
            continue;
        };
        let (kind, rest) = line.split_once(' ').unwrap_or((line, ""));
        match kind {
            "env" => {
                let (name, value) = rest.split_once('=').expect("NAME=VALUE");
                case.sources.variables.insert(name.into(), value.into());
            }
            "cluster" => {
                case.sources.cluster = Some(match rest {
                    "pod" => Cluster::OwnPod,
                    file => Cluster::Kubeconfig(file.into()),
                });
            }
            "flag" => {
                let (field, value) = rest.split_once('=').expect("FIELD=VALUE");
                case.sources.flags.push((field, value.into()));
            }
            "|" => *case.file.get_or_insert_default() += &format!("{rest}\n"),
            ">" => case.expected.push(rest),
            "" => {}
            _ => panic!("no part of a case: {line}"),
        }
    }
    cases
}

#[test]
fn bad_files_are_refused_with_all_their_errors() {
    let mut wrong = String::new();
    for case in cases() {
        let file = case
            .file
            .as_deref()
            .map(|text| ("activator.toml", text.as_bytes()));
        let found = case.sources.check(file);
        let found = found.map_or_else(|problems| problems.to_string(), |_| "no error".to_owned());
        let expected = case.expected.join("\n");
        if found != expected {
            wrong += &format!(
                "## {}\nexpected:\n{expected}\nfound:\n{found}\n\n",
                case.title
            );
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

fn load(file: &str) -> Config {
    let file = Some(("activator.toml", file.as_bytes()));
    Sources::default()
        .check(file)
        .expect("a good configuration")
}

#[test]
fn full_file_is_read() {
    let config = load(include_str!("full.toml"));
    let [first, second, ..] = config.revisions.as_slice() else {
        panic!("revisions, not {:?}", config.revisions);
    };
    assert_eq!(config.pod_name, "activator-0");
    assert_eq!(config.workers, 3);
    assert_eq!(config.cluster_domain, "example.internal");
    assert!(!config.trust_knative_headers && config.is_trust_set);
    assert_eq!(config.drain_delay, Duration::from_secs(5));
    assert_eq!(config.drain_timeout, Duration::from_secs(90));
    assert_eq!(config.readiness, ReadyWhen::Autoscaler);
    assert_eq!(config.metrics.names, Names::Both);
    assert_eq!(config.listen.http, address("0.0.0.0:80"));
    assert_eq!(config.listen.http2, Some(address("0.0.0.0:81")));
    assert_eq!(config.listen.https, Some(address("0.0.0.0:443")));
    assert_eq!(config.listen.admin, address("[::1]:9091"));
    let collector = "https://collector.example.internal/otlp/v1/traces";
    let tracing = TracingConfig {
        protocol: Some(ExportProtocol::HttpProtobuf),
        endpoint: Endpoint::parse(collector),
        sampling_rate: 0.25,
    };
    assert_eq!(config.tracing, tracing);
    let tls = TlsConfig {
        certificate: Some("/etc/activator/tls.crt".into()),
        key: Some("/etc/activator/tls.key".into()),
        http2: false,
        min_version: TlsVersion::V1_2,
        max_version: TlsVersion::V1_2,
        cipher_suites: vec![
            CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
            CipherSuite::TLS13_AES_128_GCM_SHA256,
        ],
        curve_preferences: vec![NamedGroup::secp384r1, NamedGroup::X25519],
    };
    assert_eq!(config.tls, tls);
    let certificate = CertificateConfig {
        hosts: ["hello.example.org", "*.hello.example.org"]
            .map(|host| HostPattern::parse(host).unwrap())
            .to_vec(),
        certificate: "/etc/activator/tls.crt".into(),
        key: "/etc/activator/tls.key".into(),
    };
    assert_eq!(config.certificates, [certificate]);
    let backend_tls = BackendTlsConfig {
        ca_file: Some("/etc/activator/backends.pem".into()),
        server_name: Some("kn-user-{namespace}".to_owned()),
        min_version: TlsVersion::V1_2,
    };
    assert_eq!(config.backend_tls, backend_tls);
    assert_eq!((first.tls, second.tls), (true, false));
    assert_eq!(first.protocol, Protocol::H2c);
    assert_eq!(second.protocol, Protocol::Auto);
    let kubernetes = &config.kubernetes;
    assert_eq!(kubernetes.namespace, "serving");
    assert_eq!(kubernetes.pod_ip, Some([10, 0, 0, 7].into()));
    assert_eq!(kubernetes.logging_config, "logging");
    assert_eq!(kubernetes.observability_config, "observability");
    assert_eq!(config.reporter.interval, Duration::from_millis(500));
    assert_eq!(config.reporter.accounting, Accounting::Average);
    assert_eq!(config.reporter.max_tracked_keys, 1_000);
    assert_eq!(config.reporter.flush_timeout, Duration::ZERO);
    assert_eq!(
        config.log.filter,
        "warn,activator_bin=debug".parse().unwrap()
    );
    assert_eq!(config.log.format, LogFormat::Json);
    let access_log = "/var/log/activator/access.log";
    assert_eq!(config.access_log.path, Some(access_log.into()));
    let template = "{{.Request.Method}} {{js .Request.RequestURI}} {{.Response.Code}}";
    let template = Template::parse(template).unwrap();
    assert_eq!(config.access_log.format, Some(Format::Template(template)));
    assert_eq!(first.key, "default/hello-00001".parse().unwrap());
    assert_eq!(&*first.revision.service, "hello");
    assert_eq!(&*first.revision.configuration, "hello-config");
    let hosts: Vec<_> = first.hosts.iter().map(|host| host.as_str()).collect();
    let listed = ["hello.example.org", "*.hello.example.org", "[::1]"];
    assert_eq!((&*hosts, second.hosts.len()), (&listed[..], 0));
    assert_eq!(
        first.backends,
        ["127.0.0.1:9001", "[::1]:9002"].map(address)
    );
    assert_eq!(first.container_concurrency, 10);
    assert_eq!((first.queue_depth, first.probe), (50, Probe::Knative));
    let timeouts = |total, response_start, idle| TimeoutLimits {
        total: Duration::from_secs(total),
        response_start: Option::map(response_start, Duration::from_millis),
        idle: Option::map(idle, Duration::from_millis),
    };
    assert_eq!(first.timeouts, timeouts(600, Some(5_000), Some(250)));
    assert_eq!(second.timeouts, timeouts(300, None, None));
    assert_eq!(second.key, "default/bare".parse().unwrap());
    assert_eq!(second.container_concurrency, 0);
    assert_eq!((second.queue_depth, second.probe), (500, Probe::Tcp));
    assert_eq!(config.throttle.max_queued_requests, 5_000);
    assert_eq!(config.probe.frequency, Duration::from_millis(100));
    assert_eq!(config.probe.timeout, Duration::from_millis(400));
    assert_eq!(config.probe.max_timeout, Duration::from_secs(5));
    assert_eq!(config.probe.max_parallel, 20);
    assert!(config.admin.write);
    assert_eq!(
        config.admin.hosts,
        ["activator.example", "activator.knative-serving"]
    );
    let limits = Limits {
        max_connections: 5_000,
        header_timeout: Duration::from_secs(10),
        max_header_size: 16 << 10,
        max_headers: 250,
        max_request_body: Some(2 << 30),
        body_idle_timeout: Duration::from_secs(30),
        half_close: HalfClose::Gone,
        client_idle_timeout: Duration::from_secs(7_200),
        connect_timeout: Duration::from_secs(2),
        backend_idle_timeout: Duration::from_secs(60),
        backend_idle_connections: 32,
        max_backend_idle_connections: 64,
        backend_max_streams: 50,
        backend_ping_interval: Duration::from_secs(600),
        http2_max_concurrent_streams: 128,
        http2_window: 1 << 20,
        http2_max_pending_resets: 10,
        http2_max_error_resets: 64,
        http2_ping_interval: Duration::from_secs(15),
        http2_ping_timeout: Duration::from_secs(5),
    };
    assert_eq!(config.limits, limits);
    let [stdout, file, SinkConfig::Autoscaler(link)] = config.sinks.as_slice() else {
        panic!("three sinks, not {:?}", config.sinks);
    };
    let lines = |path: Option<&str>| {
        let path = path.map(PathBuf::from);
        SinkConfig::JsonLines(JsonLinesConfig { path })
    };
    assert_eq!(*stdout, lines(None));
    assert_eq!(*file, lines(Some("/var/log/activator/stats.ndjson")));
    assert_eq!(link.url, "wss://autoscaler.example.internal:8443/stats");
    assert_eq!(link.ca_file, Some("/etc/activator/ca.pem".into()));
    assert_eq!(link.handshake_timeout, Duration::from_secs(1));
    assert_eq!(link.ping_interval, Duration::from_secs(2));
    assert_eq!(link.pong_timeout, Duration::from_secs(3));
    assert_eq!(link.write_timeout, Duration::from_secs(4));
    assert_eq!(link.backoff, Duration::from_millis(50));
    assert_eq!(link.backoff_factor, 2.0);
    assert_eq!(link.backoff_max, Duration::from_secs(5));
}

fn address(text: &str) -> SocketAddr {
    text.parse().expect("an address")
}

#[test]
fn empty_file_has_no_revisions_and_no_sinks() {
    let config = load("");
    let embedded = Config::embedded();
    assert_eq!((config.sinks.len(), config.revisions.len()), (0, 0));
    assert_eq!(config.listen, embedded.listen);
    assert_eq!(config.reporter.interval, embedded.reporter.interval);
    assert_eq!(config.limits, Limits::default());
}

#[test]
fn defaults_pass_their_own_checks() {
    fn check<T: Settings>(defaults: impl Fn() -> T) {
        for setting in T::settings() {
            let Default::Is(text) = setting.default else {
                continue;
            };
            let (mut set, field) = (defaults(), setting.field);
            assert_eq!(
                set.apply(field, &Value::Text(text)),
                Some(Ok(())),
                "{field}"
            );
            assert!(!set.differs(&defaults(), field), "{field}");
        }
    }
    check(Config::default);
    check(Draft::default);
    check(LaunchDraft::default);
    check(IgnoreDraft::default);
    check(ScheduleDraft::default);
    check(GroupDraft::default);
    check(JsonLinesConfig::default);
    check(|| AutoscalerConfig::new("ws://10.0.0.1"));
}

#[test]
fn without_a_file_the_embedded_configuration_is_used() {
    let config = Sources::default().load().unwrap();
    assert_eq!(config, Config::embedded());
    assert_eq!(config.listen.http, address("127.0.0.1:8012"));
    assert_eq!(config.listen.http2, Some(address("127.0.0.1:8013")));
    assert_eq!(config.listen.admin, address("127.0.0.1:9090"));
    let lines = JsonLinesConfig { path: None };
    assert_eq!(config.sinks, [SinkConfig::JsonLines(lines)]);
    let [hello] = config.revisions.as_slice() else {
        panic!("one revision, not {:?}", config.revisions);
    };
    assert_eq!(hello.key, "default/hello".parse().unwrap());
    assert_eq!(&*hello.revision.service, "hello");
    assert_eq!(&*hello.revision.configuration, "hello");
    assert!(hello.backends.is_empty() && hello.launch.is_some());
    assert_eq!(config.reporter.accounting, Accounting::Average);
}

#[test]
fn port_can_be_off() {
    let listen = |flag: &str| {
        let sources = Sources {
            flags: vec![("listen.http2", flag.to_owned())],
            ..Sources::default()
        };
        sources.check(None).expect("a good configuration").listen
    };
    assert_eq!(load("[listen]\nhttp2 = \"off\"").listen.http2, None);
    assert_eq!(listen("off").http2, None);
    assert_eq!(listen("[::1]:1").http2, Some(address("[::1]:1")));
}

#[test]
fn configuration_name_defaults_to_the_service() {
    let revision = |more: &str| {
        let text = format!("[[revision]]\nnamespace = \"a\"\nname = \"b\"\n{more}");
        load(&text).revisions.remove(0).revision
    };
    let check = |more, service: &str, configuration: &str| {
        let found = revision(more);
        assert_eq!(
            (&*found.service, &*found.configuration),
            (service, configuration)
        );
    };
    check("", "", "");
    check("service = \"s\"", "s", "s");
    check("configuration = \"c\"", "", "c");
}

#[test]
fn revision_inherits_queue_depth() {
    let sources = Sources {
        flags: vec![("throttle.queue_depth", "7".to_owned())],
        ..Sources::default()
    };
    let file = "[throttle]\nqueue_depth = 8\n[[revision]]\nnamespace = \"a\"\nname = \"b\"";
    for file in [None, Some(("activator.toml", file.as_bytes()))] {
        let config = sources.check(file).expect("a good configuration");
        assert_eq!(config.revisions[0].queue_depth, 7, "{file:?}");
    }
}

#[test]
fn changed_settings_that_need_a_restart_are_named() {
    let (defaults, full) = (load(""), load(include_str!("full.toml")));
    let mut all: Vec<&str> = Config::settings()
        .iter()
        .map(|setting| setting.field)
        .collect();
    all.extend(["sink", "certificate"]);
    // The log follows the file.
    all.retain(|field| *field != "log");
    assert_eq!(sorted(full.restart_needed(&defaults)), sorted(all.clone()));
    // Nobody inherits the depth who would not take it over at once.
    all.retain(|field| *field != "throttle.queue_depth");
    assert_eq!(sorted(defaults.restart_needed(&full)), sorted(all));
    let changed = Config {
        revisions: Vec::new(),
        ..full.clone()
    };
    assert_eq!(full.restart_needed(&changed), [""; 0]);
}

fn sorted(mut names: Vec<&'static str>) -> Vec<&'static str> {
    names.sort_unstable();
    names
}
