//! What is read of a revision, good or bad.

use serde_json::{Value, json};

use super::bad_objects::{check_object, problems, put, with};
use super::scene::revision;
use super::*;
use crate::probe::Probe;
use crate::timeouts::TimeoutLimits;
use crate::upstream::protocol::Protocol;

#[test]
fn a_revision_is_what_its_fields_say() {
    let mut scene = Scene::default();
    put(&mut scene, revision("a", &["concurrency=10"]));
    put(
        &mut scene,
        with(
            revision("b", &[]),
            "/metadata/labels",
            json!({"serving.knative.dev/configuration": "d"}),
        ),
    );
    scene.report();
    let mut specs = scene.reported.into_values();
    let spec = specs.next().unwrap();
    assert_eq!(
        (
            spec.key.as_str(),
            &*spec.revision.service,
            &*spec.revision.configuration
        ),
        ("n/a", "s", "c")
    );
    assert_eq!((spec.container_concurrency, spec.queue_depth), (10, 10_000));
    assert_eq!(
        (spec.probe, spec.protocol),
        (Probe::Knative, Protocol::Auto)
    );
    assert_eq!(
        *spec.cluster.as_ref().unwrap().private_service,
        *"a-private"
    );
    let spec = specs.next().unwrap();
    assert_eq!(
        (&*spec.revision.service, &*spec.revision.configuration),
        ("", "d")
    );
}

#[test]
fn the_main_container_says_which_protocol_and_whether_its_probe_is_trusted() {
    let check = |containers: Value, http2: bool, trusts_probe: bool| {
        let mut scene = Scene::default();
        put(
            &mut scene,
            with(revision("a", &[]), "/spec/containers", containers.clone()),
        );
        scene.report();
        let spec = scene.reported.into_values().next().unwrap();
        let cluster = spec.cluster.as_ref().unwrap();
        assert_eq!(
            (cluster.http2, cluster.trusts_probe),
            (http2, trusts_probe),
            "{containers}"
        );
    };
    let (h2c, http1) = (json!([{"name": "h2c"}]), json!([{"containerPort": 80}]));
    let (exec, http) = (
        json!({"exec": {"command": ["a"]}}),
        json!({"httpGet": {}, "exec": null}),
    );
    check(json!([{}]), false, true);
    check(json!([{"ports": h2c}]), true, true);
    check(
        json!([{"ports": [{"name": "http1"}, {"name": "h2c"}]}]),
        false,
        true,
    );
    check(json!([{"readinessProbe": http}]), false, true);
    check(json!([{"readinessProbe": exec}]), false, false);
    check(json!([{"startupProbe": http}]), false, false);
    check(json!([{"startupProbe": null}]), false, true);
    // Of several the one with ports.
    check(json!([{}, {"ports": h2c}]), true, true);
    check(json!([{"ports": []}, {"ports": http1}]), false, true);
    check(
        json!([{"readinessProbe": exec}, {"ports": h2c, "readinessProbe": http}]),
        true,
        true,
    );
    check(
        json!([{}, {"ports": h2c, "readinessProbe": exec}]),
        true,
        false,
    );
    check(json!([{"startupProbe": http}, {"ports": h2c}]), true, false);
    check(json!([{"readinessProbe": exec}, {}]), false, true);
    check(json!([]), false, true);
    check(json!([7, {"ports": h2c}]), true, true);
    check(json!("none"), false, true);
}

#[test]
fn timeouts_are_those_of_the_revision_or_the_defaults() {
    let check = |fields: &[&str], named: &[&str], expected: [u64; 3]| {
        let mut scene = Scene::default();
        put(&mut scene, revision("a", fields));
        scene.report();
        assert_eq!(problems(&mut scene), named);
        let spec = scene.reported.into_values().next().unwrap();
        let TimeoutLimits {
            total,
            response_start,
            idle,
        } = spec.timeouts;
        let all = [Some(total), response_start, idle];
        assert_eq!(
            all.map(|it| it.map_or(0, |it| it.as_secs())),
            expected,
            "{fields:?}"
        );
    };
    check(&["timeoutSeconds=null"], &[], [300, 0, 0]);
    check(
        &["timeoutSeconds=0", "idleTimeoutSeconds=0"],
        &[],
        [300, 0, 0],
    );
    check(
        &[
            "timeoutSeconds=600",
            "responseStartTimeoutSeconds=5",
            "idleTimeoutSeconds=7",
        ],
        &[],
        [600, 5, 7],
    );
    let text = "but must be 0 to 31536000";
    check(
        &[
            "timeoutSeconds=-1",
            "responseStartTimeoutSeconds=\"5s\"",
            "idleTimeoutSeconds=99999999",
        ],
        &[
            &format!("Revision n/a: spec.timeoutSeconds is -1, {text}: the default is used"),
            &format!(
                "Revision n/a: spec.responseStartTimeoutSeconds is \"5s\", {text}: the default is used"
            ),
            &format!("Revision n/a: spec.idleTimeoutSeconds is 99999999, {text}: 31536000 is used"),
        ],
        [300, 0, 365 * 24 * 60 * 60],
    );
}

#[test]
fn a_bad_number_of_a_revision_is_replaced() {
    let concurrency = |value: Value, named: &str, reported: &str| {
        let object = with(revision("a", &[]), "/spec/containerConcurrency", value);
        let named = format!("Revision n/a: spec.containerConcurrency is {named}");
        check_object(object, &[&named], &[reported]);
    };
    let (plain, default) = (
        "a 10.0.0.1:1",
        "but must be 0 to 1000000: the default is used",
    );
    concurrency(json!(-3), &format!("-3, {default}"), plain);
    concurrency(json!("10"), &format!("\"10\", {default}"), plain);
    concurrency(json!(1.5), &format!("1.5, {default}"), plain);
    concurrency(
        json!(u64::MAX),
        &format!("18446744073709551615, {default}"),
        plain,
    );
    concurrency(json!([1]), &format!("a list, {default}"), plain);
    concurrency(json!({"a": 1}), &format!("an object, {default}"), plain);
    concurrency(
        json!(5_000_000_000_i64),
        "5000000000, but must be 0 to 1000000: 1000000 is used",
        "a cc:1000000 10.0.0.1:1",
    );
    check_object(revision("a", &["concurrency=null"]), &[], &[plain]);
}
