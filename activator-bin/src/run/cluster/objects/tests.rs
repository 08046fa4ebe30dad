//! What is done when objects of the system namespace change.

use super::*;
use crate::config::{Cluster, Sources};

fn objects(file: &str) -> Objects {
    let sources = Sources {
        cluster: Some(Cluster::Kubeconfig("x".into())),
        ..Sources::default()
    };
    Objects::new(&sources.check(Some(("f", file.as_bytes()))).unwrap())
}

fn data(pairs: &[(&str, &str)]) -> Option<BTreeMap<String, String>> {
    let owned = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
    Some(pairs.iter().map(owned).collect())
}

fn map(name: &str, data: Option<BTreeMap<String, String>>) -> SystemObject {
    let name = name.to_owned();
    SystemObject::ConfigMap { name, data }
}

fn warning(text: &str) -> Action {
    Action::Warn(text.to_owned())
}

#[test]
fn a_setting_is_made_once_and_again_when_it_changes() {
    let mut objects = objects("");
    let network = |pairs: &[(&str, &str)]| map("config-network", data(pairs));
    let with = |mode| Mesh {
        mode,
        ..Mesh::default()
    };
    // Also when there is none: others wait to know that.
    let defaults = [
        Action::InternalTls(false),
        Action::Mesh(with(MeshMode::Auto)),
    ];
    assert_eq!(objects.on_object(map("config-network", None)), defaults);
    assert_eq!(objects.on_object(network(&[])), []);
    let mode = ("mesh-compatibility-mode", "enabled");
    let enabled = Action::Mesh(with(MeshMode::Enabled));
    assert_eq!(objects.on_object(network(&[mode])), [enabled]);
    assert_eq!(objects.on_object(network(&[mode])), []);
    let tls = ("system-internal-tls", "enabled");
    let actions = objects.on_object(network(&[mode, tls]));
    assert_eq!(actions, [Action::InternalTls(true)]);
    // Nobody has asked for it.
    let other = map("config-other", data(&[mode]));
    assert_eq!(objects.on_object(other), []);
}

#[test]
fn a_map_changes_only_its_own_settings() {
    let mut objects = objects("");
    assert_eq!(objects.on_object(map("config-logging", None)), []);
    for (text, level) in [("debug", LevelFilter::DEBUG), ("info", LevelFilter::INFO)] {
        let logging = map("config-logging", data(&[("loglevel.activator", text)]));
        assert_eq!(objects.on_object(logging), [Action::LogLevel(level)]);
    }
    let none = map("config-observability", None);
    assert_eq!(objects.on_object(none), [Action::AccessLog(None)]);
    let on = data(&[("logging.enable-request-log", "true")]);
    let template = Action::AccessLog(Some(Template::default()));
    let observability = map("config-observability", on);
    assert_eq!(objects.on_object(observability), [template]);
}

#[test]
fn traces_are_set_when_they_change() {
    let traced = [
        ("tracing-protocol", "grpc"),
        ("tracing-endpoint", "http://a:4317"),
    ];
    let mut objects_here = objects("");
    let maps = "config-observability";
    let actions = objects_here.on_object(map(maps, data(&traced)));
    let [Action::AccessLog(None), Action::Tracing(config)] = &actions[..] else {
        panic!("{actions:?}");
    };
    assert_eq!(ExportProtocol::name(config.protocol), "grpc");
    assert_eq!(
        objects_here.settings()["tracing-endpoint"],
        "http://a:4317/"
    );
    assert_eq!(objects_here.on_object(map(maps, data(&traced))), []);
    let off = Action::Tracing(ClusterSettings::default().tracing);
    assert_eq!(objects_here.on_object(map(maps, None)), [off]);
    // What the file sets stays.
    let mut objects = objects("[tracing]\nprotocol = 'none'");
    let actions = objects.on_object(map(maps, data(&traced)));
    assert_eq!(actions, [Action::AccessLog(None)]);
}

#[test]
fn what_the_file_sets_stays() {
    let mut objects = objects("[access_log]\nformat = 'off'");
    let on = data(&[("logging.enable-request-log", "true")]);
    assert_eq!(objects.on_object(map("config-observability", on)), []);
}

#[test]
fn wrong_values_are_named_one_by_one_and_what_is_not_supported_in_one_line() {
    let mut objects = objects("");
    let pairs = [
        ("logging.enable-request-log", "on"),
        ("metrics-protocol", "grpc"),
        ("profiling.enable", "x"),
        ("tracing-protocol", "stdout"),
    ];
    let actions = objects.on_object(map("config-observability", data(&pairs)));
    let maps = "config-observability";
    assert_eq!(
        actions,
        [
            warning(&format!(
                "{maps}: logging.enable-request-log: expected true or false, found \"on\"; keeping the last good value"
            )),
            warning(&format!(
                "{maps}: profiling.enable: expected true or false, found \"x\"; keeping the last good value"
            )),
            warning(&format!(
                "{maps}: metrics-protocol: \"grpc\" is not supported; {maps}: tracing-protocol: \"stdout\" is not supported"
            )),
            Action::AccessLog(None),
        ]
    );
    assert_eq!(objects.problems().len(), 4);
    assert_eq!(objects.on_object(map(maps, data(&pairs))), []);
    assert_eq!(objects.on_object(map(maps, None)), []);
    assert!(objects.problems().is_empty());
}

#[test]
fn trust_bundles_are_set_together_when_one_changes() {
    let mut objects = objects("");
    let bundle = |name: &str, data| {
        let name = name.to_owned();
        SystemObject::TrustBundle { name, data }
    };
    let set = |bundles: &[(&str, &str)]| {
        let owned = |(name, text): &(&str, &str)| (format!("ConfigMap {name}"), (*text).to_owned());
        Action::TrustBundles(bundles.iter().map(owned).collect())
    };
    let two = data(&[("x", "1"), ("y", "2")]);
    assert_eq!(
        objects.on_object(bundle("b", two.clone())),
        [set(&[("b", "1\n2")])]
    );
    assert_eq!(objects.on_object(bundle("b", two)), []);
    let one = data(&[("x", "3")]);
    let both = set(&[("a", "3"), ("b", "1\n2")]);
    assert_eq!(objects.on_object(bundle("a", one)), [both]);
    assert_eq!(objects.on_object(bundle("b", None)), [set(&[("a", "3")])]);
    assert_eq!(objects.on_object(bundle("b", None)), []);
}

#[test]
fn the_certificate_is_set_when_it_changes_and_its_absence_is_told_once() {
    let mut objects = objects("");
    let secret = |data| SystemObject::Secret { data };
    let certificate = |key: &str| Certificate {
        tls_key: key.into(),
        ..Certificate::default()
    };
    assert_eq!(objects.on_object(secret(None)), [warning(MISSING)]);
    assert_eq!(objects.on_object(secret(None)), []);
    for key in ["a", "b"] {
        let set = Action::Certificates(certificate(key));
        assert_eq!(objects.on_object(secret(Some(certificate(key)))), [set]);
        assert_eq!(objects.on_object(secret(Some(certificate(key)))), []);
    }
    assert_eq!(objects.on_object(secret(None)), [warning(MISSING)]);
}
