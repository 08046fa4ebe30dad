//! Slices and Endpoints with something bad in them.

use serde_json::{Value, json};

use super::bad_objects::{check_object, problems, with};
use super::scene::{endpoints, slice};
use super::*;

#[test]
fn bad_addresses_are_left_out() {
    let slice = || slice("private", "x", "a", &["10.0.0.1@u", "10.0.0.2@v!"]);
    let both = "a 10.0.0.1:8012 10.0.0.2:8012!";
    let second = "a 10.0.0.2:8012!";
    let check = |place: &str, value: Value, named: &[&str], reported: &str| {
        let named: Vec<_> = named
            .iter()
            .map(|it| format!("EndpointSlice n/x: {it}"))
            .collect();
        let named: Vec<_> = named.iter().map(String::as_str).collect();
        check_object(with(slice(), place, value), &named, &[reported]);
    };
    check("/endpoints", Value::Null, &[], "a");
    check(
        "/endpoints",
        json!({}),
        &["endpoints is an object, but must be a list"],
        "a",
    );
    check(
        "/endpoints/0",
        json!(7),
        &["endpoints is 7, but must be a list of objects"],
        second,
    );
    check(
        "/endpoints/0",
        json!(["10.0.0.1"]),
        &["endpoints is a list, but must be a list of objects"],
        second,
    );
    let missing = "endpoints.addresses is missing for an endpoint";
    check("/endpoints/0", Value::Null, &[], second);
    check("/endpoints/0/addresses", json!([]), &[missing], second);
    check("/endpoints/0/addresses", Value::Null, &[missing], second);
    check(
        "/endpoints/0/addresses",
        json!("10.0.0.1"),
        &[missing],
        second,
    );
    let text = "but must be an IP address";
    check(
        "/endpoints/0/addresses/0",
        json!("pod-1"),
        &[&format!("endpoints.addresses is \"pod-1\", {text}")],
        second,
    );
    check(
        "/endpoints/0/addresses/0",
        json!(10),
        &[&format!("endpoints.addresses is 10, {text}")],
        second,
    );
    // Whatever may be behind the first one.
    check(
        "/endpoints/0/addresses",
        json!(["10.0.0.1", "b"]),
        &[],
        both,
    );
    let text = "but must be true or false";
    check(
        "/endpoints/0/conditions/ready",
        json!("yes"),
        &[&format!("endpoints.conditions.ready is \"yes\", {text}")],
        "a 10.0.0.1:8012! 10.0.0.2:8012!",
    );
    check(
        "/endpoints/0/conditions/terminating",
        json!(1),
        &[&format!("endpoints.conditions.terminating is 1, {text}")],
        both,
    );
    check(
        "/endpoints/0/conditions",
        json!(1),
        &["endpoints.conditions is 1, but must be an object"],
        "a 10.0.0.1:8012! 10.0.0.2:8012!",
    );
    check("/endpoints/0/targetRef", json!(1), &[], both);
    check("/endpoints/0/targetRef/uid", json!("not a UUID"), &[], both);
    let text = "but must be 1 to 65535";
    let no_port = "n/x has no port named \"http\": its 2 addresses are not used";
    for (port, looks) in [
        (json!(0), "0"),
        (json!(65_536), "65536"),
        (json!(-1), "-1"),
        (json!("http"), "\"http\""),
        (Value::Null, "0"),
    ] {
        check_object(
            with(slice(), "/ports/0/port", port),
            &[
                &format!("EndpointSlice n/x: ports.port is {looks}, {text}"),
                &format!("Pods of n/a: {no_port}"),
            ],
            &["a"],
        );
    }
}

#[test]
fn bad_addresses_are_left_out_of_endpoints() {
    let endpoints = || endpoints("private", "x", "a", &["10.0.0.1@u", "10.0.0.2@v!"]);
    let second = "a 10.0.0.2:8012!";
    for (place, value, named, reported) in [
        (
            "/subsets",
            json!({}),
            "subsets is an object, but must be a list",
            "a",
        ),
        (
            "/subsets/0",
            json!(7),
            "subsets is 7, but must be a list of objects",
            "a",
        ),
        (
            "/subsets/0/addresses",
            json!(7),
            "subsets.addresses is 7, but must be a list",
            second,
        ),
        (
            "/subsets/0/addresses/0",
            json!(7),
            "subsets.addresses is 7, but must be a list of objects",
            second,
        ),
        (
            "/subsets/0/addresses/0/ip",
            Value::Null,
            "subsets.addresses is missing for an endpoint",
            second,
        ),
        (
            "/subsets/0/addresses/0/ip",
            json!("x"),
            "subsets.addresses is \"x\", but must be an IP address",
            second,
        ),
        (
            "/subsets/0/notReadyAddresses/0/ip",
            json!(""),
            "subsets.notReadyAddresses is \"\", but must be an IP address",
            "a 10.0.0.1:8012",
        ),
    ] {
        check_object(
            with(endpoints(), place, value),
            &[&format!("Endpoints n/x: {named}")],
            &[reported],
        );
    }
}

#[test]
fn a_port_named_otherwise_is_named_once_with_the_revision_that_needs_it() {
    let mut scene = Scene::default();
    scene.step("private x a web=8012 10.0.0.1 10.0.0.2");
    scene.report();
    // Who knows what it may be for.
    assert_eq!(problems(&mut scene), [""; 0]);
    scene.step("revision a h2c");
    scene.report();
    let named = "Pods of n/a: n/x has no port named \"http2\": its 2 addresses are not used";
    assert_eq!(problems(&mut scene), [named]);
    scene.step("private x a web=8012 10.0.0.1");
    scene.report();
    assert_eq!(problems(&mut scene), [""; 0]);
    scene.step("private x a http2=8013 10.0.0.1");
    scene.report();
    assert_eq!(
        (problems(&mut scene), scene.model.bad_objects()),
        (vec![], 0)
    );
    scene.step("private x a http=8012 10.0.0.1");
    scene.report();
    assert_eq!(problems(&mut scene).len(), 1);
    scene.step("-revision a");
    scene.report();
    assert_eq!(scene.model.bad_objects(), 0);
}
