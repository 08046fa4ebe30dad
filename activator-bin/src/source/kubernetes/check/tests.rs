//! What is said of clusters.

use super::right::Need;
use super::verdict::{Facts, Seen, verdict};
use super::*;
use crate::source::config_maps::{Remark, RemarkKind};

/// A cluster in which everything is as it should be.
fn good() -> Facts {
    let seen = |name: &str| (name.to_owned(), Seen::There(()));
    Facts {
        version: "v1.30.3".to_owned(),
        has_knative: true,
        refused: RIGHTS.iter().map(|_| Ok(Vec::new())).collect(),
        maps: ["config-network", "config-logging"].map(seen).to_vec(),
        service: Seen::There(()),
        ..Facts::default()
    }
}

/// Checks the lines that are not "ok", and how many are.
fn check(facts: Facts, ok: usize, others: &[&str]) {
    let lines = verdict("serving", facts);
    let (good, rest): (Vec<_>, Vec<_>) = lines.iter().partition(|line| line.is_ok());
    let rest: Vec<_> = rest.iter().map(|line| line.to_string()).collect();
    assert_eq!(
        (rest, good.len()),
        (Vec::from_iter(others.iter().map(|it| (*it).to_owned())), ok),
        "{good:?}"
    );
}

/// The same after the verbs of a right are refused.
fn refuse(facts: &mut Facts, need: Need, resource: &str, verbs: &[&'static str]) {
    for (right, refused) in RIGHTS.iter().zip(&mut facts.refused) {
        if right.need == need && right.objects("x").starts_with(resource) {
            *refused = Ok(verbs.to_vec());
        }
    }
}

#[test]
fn a_good_cluster_is_good() {
    check(good(), 8, &[]);
    let lines = verdict("serving", good());
    let lines: Vec<_> = lines.iter().map(|line| line.to_string()).collect();
    assert_eq!(lines[0], "ok: Kubernetes v1.30.3");
    assert_eq!(
        lines[1],
        "ok: revisions.serving.knative.dev in all namespaces: list, watch"
    );
    assert_eq!(lines[4], "ok: configmaps in serving: list, watch");
    assert_eq!(lines[7], "ok: Service activator-service in serving");
}

#[test]
fn a_cluster_without_knative_is_told_in_one_sentence() {
    let facts = Facts {
        version: "v1.30.3".to_owned(),
        ..Facts::default()
    };
    let error = "error: there is no Knative Serving: the API server has no revisions in serving.knative.dev/v1";
    check(facts, 1, &[error]);
}

#[test]
fn endpoints_take_the_place_of_endpointslices() {
    let mut facts = good();
    refuse(&mut facts, Need::Addresses, "", &["list", "watch"]);
    let slices = "endpointslices.discovery.k8s.io in all namespaces: list, watch is not allowed";
    check(
        facts,
        8,
        &[&format!("note: {slices}; Endpoints are read instead")],
    );
    let mut facts = good();
    refuse(&mut facts, Need::Addresses, "", &["list", "watch"]);
    refuse(&mut facts, Need::OlderAddresses, "", &["watch"]);
    check(
        facts,
        7,
        &[
            &format!("error: {slices}"),
            "error: endpoints in all namespaces: watch is not allowed",
        ],
    );
}

#[test]
fn what_must_be_read_and_may_not_is_an_error() {
    let mut facts = good();
    refuse(&mut facts, Need::Always, "revisions", &["watch"]);
    refuse(&mut facts, Need::Mesh, "", &["get"]);
    check(
        facts,
        6,
        &[
            "error: revisions.serving.knative.dev in all namespaces: watch is not allowed",
            "note: services in all namespaces: get is not allowed; with a service mesh, instances cannot be reached",
        ],
    );
    let mut facts = good();
    facts.refused[0] = Err("status 500".to_owned());
    check(
        facts,
        7,
        &[
            "error: revisions.serving.knative.dev in all namespaces: it is not known what is allowed: status 500",
        ],
    );
}

#[test]
fn the_secret_is_needed_with_tls() {
    let mut facts = good();
    refuse(&mut facts, Need::Tls, "", &["list", "watch"]);
    facts.secret = Seen::Missing;
    check(facts, 8, &[]);
    let with_tls = |secret| Facts {
        needs_tls: true,
        secret,
        ..good()
    };
    check(with_tls(Seen::There(Vec::new())), 10, &[]);
    let secret = "error: Secret routing-serving-certs in serving, which system-internal-tls in config-network needs";
    check(
        with_tls(Seen::Missing),
        9,
        &[&format!("{secret}, is missing")],
    );
    check(
        with_tls(Seen::There(vec!["tls.key"])),
        9,
        &[&format!("{secret}, has no tls.key")],
    );
    let mut facts = with_tls(Seen::Unknown("status 403".to_owned()));
    refuse(&mut facts, Need::Tls, "", &["list", "watch"]);
    check(
        facts,
        8,
        &[
            "error: secrets named routing-serving-certs in serving: list, watch is not allowed",
            &format!("{secret}, cannot be read: status 403"),
        ],
    );
}

#[test]
fn objects_that_are_missing_are_named() {
    let mut facts = good();
    facts.maps[0].1 = Seen::Missing;
    facts.maps[1].1 = Seen::Unknown("status 403".to_owned());
    facts.service = Seen::Missing;
    check(
        facts,
        5,
        &[
            "note: ConfigMap config-network in serving is missing: its settings are the defaults",
            "error: ConfigMap config-logging in serving cannot be read: status 403",
            "error: Service activator-service in serving is missing: by it Knative's controller finds the activators",
        ],
    );
}

#[test]
fn values_of_configmaps_are_wrong_or_not_supported() {
    let remark = |key, kind| Remark {
        map: "config-x".to_owned(),
        key,
        kind,
    };
    let mut facts = good();
    facts.remarks = vec![
        remark(
            "a",
            RemarkKind::Wrong("expected true or false, found \"x\"".to_owned()),
        ),
        remark("b", RemarkKind::NotSupported("\"grpc\"".to_owned())),
    ];
    check(
        facts,
        8,
        &[
            "error: config-x: a: expected true or false, found \"x\"",
            "note: config-x: b: \"grpc\" is not supported",
        ],
    );
}

#[test]
fn a_review_asks_for_what_is_read() {
    let ask = |index: usize| RIGHTS[index].attributes("serving", "list").to_string();
    assert_eq!(
        ask(0),
        r#"{"group":"serving.knative.dev","resource":"revisions","verb":"list"}"#
    );
    assert_eq!(
        ask(4),
        r#"{"group":"","namespace":"serving","resource":"configmaps","verb":"list"}"#
    );
    assert_eq!(
        ask(5),
        r#"{"group":"","name":"routing-serving-certs","namespace":"serving","resource":"secrets","verb":"list"}"#
    );
}
