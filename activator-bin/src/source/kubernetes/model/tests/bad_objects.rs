//! Objects with something bad in them: they are taken as far as it makes sense, what is bad is named once, and nothing
//! else is the worse for it.

use serde_json::{Value, json};

use super::scene::{endpoints, parsed, revision, slice};
use super::*;

/// An object with `value` at `place`, a JSON pointer: added to what is there already.
pub(super) fn with(mut object: Value, place: &str, value: Value) -> Value {
    let (parent, field) = place.rsplit_once('/').unwrap();
    let parent = object.pointer_mut(parent).unwrap();
    match parent {
        Value::Array(list) => list[field.parse::<usize>().unwrap()] = value,
        parent => parent[field.replace("~1", "/")] = value,
    }
    object
}

/// Puts an object into a scene, as whichever kind it is.
pub(super) fn put(scene: &mut Scene, object: Value) {
    let model = &mut scene.model;
    if object.get("spec").is_some() {
        model.on_revision(Event::Put(parsed(object)));
    } else if object.get("subsets").is_some() {
        model.on_endpoints(Event::Put(parsed(object)));
    } else {
        model.on_slice(Event::Put(parsed(object)));
    }
}

pub(super) fn problems(scene: &mut Scene) -> Vec<String> {
    let NewProblems { named, others } = scene.model.problems();
    assert_eq!(others, 0);
    named.iter().map(ToString::to_string).collect()
}

/// Checks what is named, and what is reported of `a`, which has the instances 10.0.0.1 and 10.0.0.2 unless it is the
/// object that lists them.
#[track_caller]
pub(super) fn check_object(object: Value, named: &[&str], reported: &[&str]) {
    let mut scene = Scene::default();
    if object.get("spec").is_some() {
        scene.step("private x a http=1 http2=2 10.0.0.1");
    } else {
        scene.step("revision a");
    }
    for _ in 0..2 {
        put(&mut scene, object.clone());
        scene.report();
    }
    assert_eq!(problems(&mut scene), named, "{object}");
    assert_eq!(scene.lines(), reported, "{object}");
}

#[test]
fn an_object_without_a_name_is_ignored() {
    let long = "a".repeat(300);
    let excerpt = format!("\"{}...", "a".repeat(199));
    for (place, value, named) in [
        (
            "/metadata",
            Value::Null,
            "/: namespace \"\": it is empty: the object is ignored",
        ),
        (
            "/metadata",
            json!([]),
            "/: metadata is a list, but must be an object",
        ),
        (
            "/metadata/name",
            Value::Null,
            "n/: name \"\": it is empty: the object is ignored",
        ),
        (
            "/metadata/name",
            json!(7),
            "n/: metadata.name is 7, but must be a name",
        ),
        (
            "/metadata/name",
            json!(long),
            &format!("n/: metadata.name is {excerpt}, but must be a name"),
        ),
        (
            "/metadata/name",
            json!("A\n"),
            "n/A : name \"A\\n\": 'A' at byte 0 is not a lower-case letter, a digit, '-' or '.': the object is ignored",
        ),
        (
            "/metadata/namespace",
            json!("n.n"),
            "n.n/x: namespace \"n.n\": '.' at byte 1 is not a lower-case letter, a digit or '-': the object is ignored",
        ),
    ] {
        for (kind, object, reported) in [
            ("Revision", revision("x", &[]), &[][..]),
            (
                "EndpointSlice",
                slice("private", "x", "a", &["10.0.0.1"]),
                &["a"],
            ),
            (
                "Endpoints",
                endpoints("private", "x", "a", &["10.0.0.1"]),
                &["a"],
            ),
        ] {
            let mut scene = Scene::default();
            if !reported.is_empty() {
                scene.step("revision a");
            }
            put(&mut scene, with(object, place, value.clone()));
            scene.report();
            let problems = problems(&mut scene);
            assert_eq!(problems.first(), Some(&format!("{kind} {named}")));
            assert_eq!(scene.lines(), reported);
        }
    }
}

#[test]
fn a_slice_of_no_revision_is_not_used() {
    let label = "label serving.knative.dev/revision";
    let rest = "but must be the name of a revision: the addresses are not used";
    for (value, looks) in [
        (Value::Null, "missing"),
        (json!("A"), "A"),
        (json!(7), "7"),
        (json!(""), ""),
    ] {
        let place = "/metadata/labels/serving.knative.dev~1revision";
        let object = with(slice("private", "x", "a", &["10.0.0.1"]), place, value);
        let named = format!("EndpointSlice n/x: {label} is {looks}, {rest}");
        check_object(object, &[&named], &["a"]);
    }
    // What is not Knative's is nobody's problem.
    let place = "/metadata/labels";
    for labels in [
        Value::Null,
        json!([]),
        json!({"networking.internal.knative.dev/serviceType": "Private"}),
    ] {
        check_object(
            with(slice("private", "x", "a", &["10.0.0.1"]), place, labels),
            &[],
            &["a"],
        );
    }
}

#[test]
fn what_is_wrong_is_named_once_for_as_long_as_it_lasts() {
    let mut scene = Scene::default();
    let mut named = |steps: &[&str]| {
        steps.iter().for_each(|step| scene.step(step));
        scene.report();
        let fields = problems(&mut scene).into_iter();
        let fields = fields.map(|it| it.split(' ').nth(2).unwrap().to_owned());
        (
            fields.collect::<Vec<_>>().join(" "),
            scene.model.bad_objects(),
        )
    };
    let (good, bad) = ("revision a", "revision a concurrency=-1");
    let (concurrency, timeout) = ("spec.containerConcurrency", "spec.timeoutSeconds");
    let mut check = |steps: &[&str], fields: &str, bad| {
        assert_eq!(named(steps), (fields.to_owned(), bad), "{steps:?}");
    };
    check(&[good], "", 0);
    check(&[bad], concurrency, 1);
    check(&[bad, "revision a concurrency=-2"], "", 1);
    check(&["revision a concurrency=-1 timeoutSeconds=-1"], timeout, 1);
    check(&["revision a timeoutSeconds=-1"], "", 1);
    check(&[bad], concurrency, 1);
    check(&[good], "", 0);
    check(&[bad], concurrency, 1);
    check(&["-revision a"], "", 0);
    check(
        &[bad, "list revisions", bad, "end revisions"],
        concurrency,
        1,
    );
    check(
        &[
            "list revisions",
            bad,
            "end revisions",
            "list slices",
            "end slices",
        ],
        "",
        1,
    );
    check(
        &["private x a http=0 10.0.0.1", "private y b http=0"],
        "ports.port ports.port n/a:",
        4,
    );
    check(
        &["list slices", "private x a http=0 10.0.0.1", "end slices"],
        "",
        3,
    );
    check(&["list revisions", "end revisions"], "", 1);
    check(&["list slices", "end slices"], "", 0);
}

#[test]
fn so_many_are_named_and_the_others_counted() {
    let mut scene = Scene::default();
    for _ in 0..2 {
        for index in 0..2_000 {
            scene.step(&format!("revision r{index} concurrency=-1"));
        }
    }
    let NewProblems { named, others } = scene.model.problems();
    assert_eq!((named.len(), others), (1_024, 2 * 976));
    assert_eq!(scene.model.bad_objects(), 1_024);
    for index in 0..2_000 {
        scene.step(&format!("revision r{index}"));
    }
    assert_eq!(scene.model.problems(), NewProblems::default());
    assert_eq!(scene.model.bad_objects(), 0);
}
