//! Configurations, good and bad, through the library.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use activator_bin::config::{
    BackendTlsConfig, Config, JsonLinesConfig, Limits, LogFormat, Probe, Readiness, SCALARS,
    SinkConfig, Sources, TimeoutLimits, TlsConfig, TlsVersion,
};
use proptest::prelude::*;
use reporter_core::Accounting;

/// A case of `config/errors.txt`.
#[derive(Default)]
struct Case {
    title: &'static str,
    sources: Sources,
    file: Option<String>,
    expected: Vec<&'static str>,
}

fn cases() -> Vec<Case> {
    let mut cases: Vec<Case> = Vec::new();
    for line in include_str!("config/errors.txt").lines() {
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
fn every_bad_configuration_is_refused_with_exactly_these_errors() {
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
fn a_file_that_says_everything_is_understood_as_it_was_meant() {
    let config = load(include_str!("config/full.toml"));
    let [first, second] = config.revisions.as_slice() else {
        panic!("two revisions, not {:?}", config.revisions);
    };
    assert_eq!(config.pod_name, "activator-0");
    assert_eq!(config.workers, 3);
    assert_eq!(config.cluster_domain, "example.internal");
    assert_eq!(config.drain_delay, Duration::from_secs(5));
    assert_eq!(config.drain_timeout, Duration::from_secs(90));
    assert_eq!(config.readiness, Readiness::Autoscaler);
    assert_eq!(config.listen.http, address("0.0.0.0:80"));
    assert_eq!(config.listen.http2, Some(address("0.0.0.0:81")));
    assert_eq!(config.listen.https, Some(address("0.0.0.0:443")));
    assert_eq!(config.listen.admin, address("[::1]:9091"));
    let tls = TlsConfig {
        certificate: Some("/etc/activator/tls.crt".into()),
        key: Some("/etc/activator/tls.key".into()),
        min_version: TlsVersion::V1_2,
    };
    assert_eq!(config.tls, tls);
    let backend_tls = BackendTlsConfig {
        ca_file: Some("/etc/activator/backends.pem".into()),
        server_name: Some("kn-user-{namespace}".to_owned()),
        min_version: TlsVersion::V1_2,
    };
    assert_eq!(config.backend_tls, backend_tls);
    assert_eq!((first.tls, second.tls), (true, false));
    assert_eq!(config.reporter.interval, Duration::from_millis(500));
    assert_eq!(config.reporter.accounting, Accounting::Average);
    assert_eq!(config.reporter.max_tracked_keys, 1_000);
    assert_eq!(config.reporter.flush_timeout, Duration::ZERO);
    assert_eq!(
        config.log.filter,
        "warn,activator_bin=debug".parse().unwrap()
    );
    assert_eq!(config.log.format, LogFormat::Json);
    assert_eq!(first.key, "default/hello-00001".parse().unwrap());
    assert_eq!(&*first.revision.service, "hello");
    assert_eq!(&*first.revision.configuration, "hello-config");
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
    let limits = Limits {
        max_connections: 5_000,
        header_timeout: Duration::from_secs(10),
        max_header_size: 16 << 10,
        max_headers: 250,
        body_idle_timeout: Duration::from_secs(30),
        connect_timeout: Duration::from_secs(2),
        backend_idle_timeout: Duration::from_secs(60),
        backend_idle_connections: 32,
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
    assert!(!config.echo);
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
fn an_empty_file_serves_nothing_and_reports_nowhere() {
    let config = load("");
    let embedded = Config::embedded();
    assert_eq!((config.sinks.len(), config.revisions.len()), (0, 0));
    assert!(!config.echo);
    assert_eq!(config.listen, embedded.listen);
    assert_eq!(config.reporter, embedded.reporter);
    assert_eq!(config.limits, Limits::default());
}

#[test]
fn without_a_file_there_is_something_to_try() {
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
    assert!(hello.backends.is_empty() && config.echo);
}

#[test]
fn a_port_that_is_off_is_not_there() {
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
fn a_configuration_is_called_like_its_service_and_a_service_is_nobodys_default() {
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
fn a_revision_inherits_the_depth_of_its_queue_from_wherever_it_is_said() {
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
fn every_setting_but_the_revisions_is_named_when_it_needs_a_restart() {
    let (defaults, full) = (load(""), load(include_str!("config/full.toml")));
    let mut all: Vec<&str> = SCALARS.iter().map(|setting| setting.field).collect();
    all.push("sink");
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

#[test]
fn a_flag_wins_over_the_environment_over_the_file_over_the_default() {
    let pod_name = |flag: &[&str], variables: &[(&str, &str)], file: Option<&str>| {
        let variables = variables
            .iter()
            .map(|(name, value)| (name.into(), value.into()));
        let sources = Sources {
            file: None,
            variables: variables.collect::<BTreeMap<_, _>>(),
            flags: flag
                .iter()
                .map(|value| ("pod_name", (*value).to_owned()))
                .collect(),
        };
        let file = file.map(|text| ("activator.toml", text.as_bytes()));
        sources.check(file).expect("a good configuration").pod_name
    };
    let own = ("ACTIVATOR_POD_NAME", "own");
    let platform = ("POD_NAME", "platform");
    let file = Some("pod_name = \"file\"");
    let unset = pod_name(&[], &[], None);
    assert_eq!(pod_name(&[], &[], file), "file");
    assert_eq!(pod_name(&[], &[platform], file), "platform");
    assert_eq!(pod_name(&[], &[platform, own], file), "own");
    assert_eq!(pod_name(&["flag"], &[platform, own], file), "flag");
    assert_eq!(pod_name(&["flag"], &[], None), "flag");
    assert_eq!(
        pod_name(&[], &[("POD_NAME", ""), ("ACTIVATOR_POD_NAME", "")], file),
        "file"
    );
    assert_eq!(pod_name(&[], &[("ACTIVATOR_POD_NAME", "")], None), unset);
}

#[test]
fn every_setting_is_reached_by_its_variable_and_its_flag() {
    // Any default is a value that is allowed; that it arrives is seen by a bad value being refused.
    for setting in SCALARS {
        let variable = setting.variables().next().expect("its own");
        let flag = format!("--{}", setting.flag());
        for bad in ["", "\u{7}"] {
            let sources = Sources {
                file: None,
                variables: [(variable.clone().into(), "\u{7}".into())].into(),
                flags: vec![(setting.field, bad.to_owned())],
            };
            let problems = sources
                .check(None)
                .expect_err("a bell is no value of anything");
            let places: Vec<String> = problems
                .as_slice()
                .iter()
                .map(|it| it.place.to_string())
                .collect();
            assert_eq!(
                places,
                [variable.clone(), flag.clone()],
                "{}",
                setting.field
            );
        }
    }
}

#[test]
fn no_two_settings_share_a_flag_and_no_variable_is_one_that_kubernetes_sets() {
    let mut flags: Vec<String> = SCALARS.iter().map(|setting| setting.flag()).collect();
    flags.extend(["config", "check", "record", "help", "version"].map(str::to_owned));
    flags.sort();
    let all = flags.len();
    flags.dedup();
    assert_eq!(flags.len(), all);
    // For a Service called "activator" or "activator-service".
    for variable in SCALARS.iter().flat_map(|setting| setting.variables()) {
        let kubernetes = ["ACTIVATOR_PORT", "ACTIVATOR_SERVICE_"];
        assert!(
            !kubernetes.iter().any(|start| variable.starts_with(start)),
            "{variable}"
        );
    }
}

#[test]
fn a_misspelt_variable_is_told_and_one_of_the_platform_is_not() {
    let names = [
        "ACTIVATOR_LISTEN_HTPP",
        "ACTIVATOR_CONFIG",
        "ACTIVATOR_PORT",
        "ACTIVATOR_PORT_80_TCP",
        "ACTIVATOR_PORT_80_TCP_ADDR",
        "ACTIVATOR_PORT_80_TCP_PORT",
        "ACTIVATOR_PORT_80_TCP_PROTO",
        "ACTIVATOR_SERVICE_HOST",
        "ACTIVATOR_SERVICE_PORT",
        "ACTIVATOR_SERVICE_PORT_HTTP",
        "ACTIVATOR_SERVICE_SERVICE_HOST",
        "HTTP_PROXY",
    ];
    let sources = Sources {
        variables: names.map(|name| (name.into(), "x".into())).into(),
        ..Sources::default()
    };
    let expected = "ACTIVATOR_LISTEN_HTPP is not a setting; did you mean ACTIVATOR_LISTEN_HTTP?";
    assert_eq!(sources.misspelt_variables(), [expected]);
}

#[test]
fn a_file_that_is_not_utf_8_is_refused_at_its_first_bad_byte() {
    let file = Some(("activator.toml", &b"workers = 1\npod_name = \"\xff\""[..]));
    let problems = Sources::default().check(file).unwrap_err().to_string();
    assert_eq!(problems, "activator.toml:2:13: is not UTF-8 from here on");
}

#[test]
fn a_variable_that_is_not_utf_8_is_refused() {
    use std::os::unix::ffi::OsStrExt;
    let value = std::ffi::OsStr::from_bytes(b"a\xff");
    let sources = Sources {
        variables: [("ACTIVATOR_LOG".into(), value.to_owned())].into(),
        ..Sources::default()
    };
    let problems = sources.check(None).unwrap_err().to_string();
    assert_eq!(problems, "ACTIVATOR_LOG: log: \"a\u{fffd}\" is not UTF-8");
}

#[test]
fn a_file_that_cannot_be_read_or_never_ends_is_refused() {
    let check = |path: &str, expected: &str| {
        let sources = Sources {
            file: Some(path.into()),
            flags: vec![("workers", "0".to_owned())],
            ..Sources::default()
        };
        let workers = "--workers: workers: expected a whole number from 1 to 1024, found \"0\"";
        let problems = sources.load().unwrap_err().to_string();
        assert_eq!(problems, format!("{expected}\n{workers}"));
    };
    check(
        "/nonexistent/activator.toml",
        "/nonexistent/activator.toml: cannot be read: No such file or directory (os error 2)",
    );
    check("/", "/: cannot be read: Is a directory (os error 21)");
    check("/dev/zero", "/dev/zero: is larger than 64 MiB");
}

/// Bytes in the file, in a variable and in a flag, whatever they are: an answer, and no panic.
fn check_any(bytes: &[u8], text: &str, which: usize) {
    let setting = &SCALARS[which % SCALARS.len()];
    let variable = setting.variables().next().expect("its own");
    let sources = Sources {
        file: None,
        variables: [(variable.into(), text.into())].into(),
        flags: vec![(setting.field, text.to_owned())],
    };
    for file in [None, Some(("f", bytes))] {
        if let Err(problems) = sources.check(file) {
            let printed = problems.to_string();
            assert_eq!(
                printed.lines().count(),
                problems.as_slice().len(),
                "{printed}"
            );
        }
    }
}

proptest! {
    #[test]
    fn any_bytes_are_a_configuration_or_an_error(bytes in any::<Vec<u8>>(), text in ".*", which: usize) {
        check_any(&bytes, &text, which);
    }

    #[test]
    fn any_damage_to_a_file_leaves_a_configuration_or_an_error(
        cuts in prop::collection::vec((any::<prop::sample::Index>(), 0..40_usize, "[\\[\\]=\"'#.{},a0\n ]{0,6}"), 1..6),
        text in "[-0-9a-z:.]*",
        which: usize,
    ) {
        let mut file = include_str!("config/full.toml").as_bytes().to_vec();
        for (at, length, insert) in cuts {
            let start = at.index(file.len() + 1);
            let end = file.len().min(start + length);
            file.splice(start..end, insert.bytes());
        }
        check_any(&file, &text, which);
    }
}
