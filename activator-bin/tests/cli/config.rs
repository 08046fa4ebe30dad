//! `activator config`: what it prints is a file, and says where each value comes from.

use activator_bin::testing::{Config, Settings};
use serde_json::{Value, json};

use super::{check, file, printed};

/// What `config show --json` prints.
fn shown(arguments: &[&str], variables: &[(&str, &str)]) -> Value {
    let text = printed(
        &[&["config", "show", "--json"], arguments].concat(),
        variables,
    );
    serde_json::from_str(&text).expect("JSON")
}

/// The fields and values in that.
fn values(shown: &Value) -> Vec<(&Value, &Value)> {
    let settings = shown["settings"].as_array().expect("a list");
    let settings = settings.iter();
    settings.map(|it| (&it["field"], &it["value"])).collect()
}

/// The value and the source of a setting.
fn setting<'a>(shown: &'a Value, field: &str) -> (&'a Value, &'a Value) {
    let settings = shown["settings"].as_array().expect("a list");
    let found = settings.iter().find(|it| it["field"] == field);
    let found = found.unwrap_or_else(|| panic!("{field} in {shown:#}"));
    (&found["value"], &found["source"])
}

/// The fields of the sections of that name.
fn sections<'a>(shown: &'a Value, name: &str) -> Vec<&'a Value> {
    let sections = shown[name].as_array();
    sections
        .into_iter()
        .flatten()
        .map(|it| &it["fields"])
        .collect()
}

#[test]
fn the_default_is_a_file_that_runs_the_same() {
    let text = printed(&["config", "default"], &[]);
    for setting in Config::settings() {
        let help: String = setting.help.split_whitespace().collect();
        let all: String = text.replace("\n#", "").split_whitespace().collect();
        assert!(all.contains(&help), "{}", setting.help);
    }
    let without = shown(&[], &[]);
    let compare = |text: &str| {
        let path = file("default.toml", text);
        check(&["check", &path], &[], 0, "");
        let with = shown(&["--config", &path], &[]);
        assert_eq!(values(&with), values(&without));
        for list in ["sink", "revision"] {
            assert_eq!(sections(&with, list), sections(&without, list));
            assert_eq!(sections(&with, list).len(), 1, "{list}");
        }
    };
    compare(&text);
    // A line behind # is what is in effect anyway.
    let uncommented = |line: &str| {
        let entry = line
            .strip_prefix('#')
            .filter(|it| !it.starts_with(' ') && !it.ends_with('='));
        entry.unwrap_or(line).to_owned() + "\n"
    };
    let all: String = text.lines().map(uncommented).collect();
    assert!(all.contains("\nhttp2 = \"127.0.0.1:8013\"\n"), "{all}");
    assert!(all.contains("\nmax_tracked_keys = 100000\n"), "{all}");
    // Set, it would be wrong for a revision that is started here.
    compare(&all.replace("accounting = \"snapshot\"\n", ""));
}

#[test]
fn each_value_has_its_source() {
    let path = file(
        "sources.toml",
        "workers = 0x3\nlisten = { http = '127.0.0.1:1' }\n[probe]\n\ntimeout = '1000ms'\nfrequency = '1s'\n",
    );
    let variables = [
        ("ACTIVATOR_DRAIN_DELAY", "3s"),
        ("PROBE_FREQUENCY", "2s"),
        ("CLUSTER_DOMAIN", ""),
        ("METRICS_PROMETHEUS_PORT", "9091"),
        ("ACTIVATOR_LOG_FORMAT", "text"),
    ];
    let arguments = [
        "--config",
        &path,
        "--log-format",
        "json",
        "--admin-write",
        "true",
    ];
    let all = shown(&arguments, &variables);
    let text = printed(&[&["config", "show"], &arguments[..]].concat(), &variables);
    let is = |field: &str, value: Value, source: Value, line: &str| {
        assert_eq!(setting(&all, field), (&value, &source), "{field}");
        assert!(text.lines().any(|it| it == line), "{line} in {text}");
    };
    let in_file = |line: u32| json!({ "kind": "file", "name": path, "line": line });
    let variable = |name: &str| json!({ "kind": "variable", "name": name });
    let flag = |name: &str| json!({ "kind": "flag", "name": name });
    let default = json!({ "kind": "default", "found": null });
    is(
        "workers",
        json!(3),
        in_file(1),
        &format!("workers = 3 # {path}:1"),
    );
    is(
        "listen.http",
        json!("127.0.0.1:1"),
        in_file(2),
        &format!("http = \"127.0.0.1:1\" # {path}:2"),
    );
    is(
        "probe.timeout",
        json!("1000ms"),
        in_file(5),
        &format!("timeout = \"1000ms\" # {path}:5"),
    );
    is(
        "probe.frequency",
        json!("2s"),
        variable("PROBE_FREQUENCY"),
        "frequency = \"2s\" # PROBE_FREQUENCY",
    );
    is(
        "drain_delay",
        json!("3s"),
        variable("ACTIVATOR_DRAIN_DELAY"),
        "drain_delay = \"3s\" # ACTIVATOR_DRAIN_DELAY",
    );
    is(
        "listen.admin",
        json!("127.0.0.1:9091"),
        variable("METRICS_PROMETHEUS_PORT"),
        "admin = \"127.0.0.1:9091\" # METRICS_PROMETHEUS_PORT",
    );
    is(
        "log_format",
        json!("json"),
        flag("--log-format"),
        "log_format = \"json\" # --log-format",
    );
    is(
        "admin.write",
        json!(true),
        flag("--admin-write"),
        "write = true # --admin-write",
    );
    is(
        "cluster_domain",
        json!("cluster.local"),
        default.clone(),
        "cluster_domain = \"cluster.local\" # default",
    );
    is("tls.key", json!(null), default, "#key = # default: unset");
    let (name, source) = setting(&all, "pod_name");
    assert!(name.is_string(), "{name}");
    assert_eq!(
        *source,
        json!({ "kind": "default", "found": "the machine's name" })
    );
}

#[test]
fn what_revisions_need_and_what_runs_without_a_file_is_said() {
    let all = shown(&[], &[]);
    let needed = json!({ "kind": "revision", "name": "default/hello" });
    assert_eq!(
        setting(&all, "reporter.accounting"),
        (&json!("average"), &needed)
    );
    assert_eq!(all["sink"][0]["source"], json!({ "kind": "embedded" }));
    let text = printed(&["config", "show"], &[]);
    assert!(
        text.contains("\n[[revision]] # default: nothing else is configured\n"),
        "{text}"
    );
}

#[test]
fn in_a_cluster_the_defaults_are_others_and_config_maps_are_named() {
    let variables = [("POD_IP", "10.0.0.7"), ("SYSTEM_NAMESPACE", "serving")];
    let all = shown(&["--kubernetes"], &variables);
    let in_cluster = json!({ "kind": "default_in_cluster" });
    assert_eq!(setting(&all, "drain_timeout"), (&json!("9m"), &in_cluster));
    let map =
        json!({ "kind": "config_map", "name": "config-logging", "key": "loglevel.activator" });
    assert_eq!(setting(&all, "log"), (&json!("info"), &map));
    let (ip, source) = setting(&all, "kubernetes.pod_ip");
    assert_eq!(
        (ip, &source["name"]),
        (&json!("10.0.0.7"), &json!("POD_IP"))
    );
    let [sink] = sections(&all, "sink")[..] else {
        panic!("one sink in {all:#}");
    };
    let url = sink["url"].as_str().expect("a text");
    assert!(url.starts_with("ws://autoscaler.serving.svc."), "{url}");
    let text = printed(&["config", "show", "--kubernetes"], &variables);
    let log = "#log = \"info\" # unless ConfigMap config-logging has loglevel.activator";
    assert!(text.lines().any(|line| line == log), "{text}");
    assert!(
        text.ends_with("\n# The revisions are those of the cluster.\n"),
        "{text}"
    );
    let again = shown(
        &["--kubernetes", "--config", &file("cluster.toml", &text)],
        &[],
    );
    assert_eq!(values(&again), values(&all));

    let set = shown(&["--kubernetes", "--log", "debug"], &variables);
    assert_eq!(setting(&set, "log").1["kind"], "flag");
}

#[test]
fn what_is_shown_is_a_file_again_without_the_environment_of_instances() {
    let full = file("shown.toml", include_str!("../config/full.toml"));
    let text = printed(&["config", "show", "--config", &full], &[]);
    assert!(
        text.contains("MODE = \"(hidden)\"") && !text.contains("fast"),
        "{text}"
    );
    let odd = file("shown\nagain # \".toml", &text);
    let (first, second) = (
        shown(&["--config", &full], &[]),
        shown(&["--config", &odd], &[]),
    );
    assert_eq!(values(&first), values(&second));
    for (list, count) in [
        ("sink", 3),
        ("certificate", 1),
        ("group", 1),
        ("revision", 4),
    ] {
        assert_eq!(sections(&first, list), sections(&second, list));
        assert_eq!(sections(&first, list).len(), count, "{list}");
    }
    assert_eq!(first["sink"][0]["source"]["name"], full);
    // The name of a file does not end its comment.
    let text = printed(&["config", "show", "--config", &odd], &[]);
    shown(&["--config", &file("shown.thrice.toml", &text)], &[]);
}

#[test]
fn a_wrong_configuration_is_refused() {
    let bad = file("show.bad.toml", "workers = 0\n");
    let one = format!(
        "activator: the configuration has 1 error\n{bad}:1:11: workers: expected a whole number from 1 to 1024, found 0\n"
    );
    check(&["config", "show", "--config", &bad], &[], 78, &one);
    check(
        &["config", "show", "--json"],
        &[("ACTIVATOR_CONFIG", &bad)],
        78,
        &one,
    );
}
