//! Objects with anything in them.

use proptest::prelude::*;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::bad_objects::{put, with};
use super::scene::{endpoints, revision, slice};
use super::*;

/// Reads a list of objects. What it costs in bytes comes with it.
fn cost<T: DeserializeOwned>(object: &Value) -> (T, u64) {
    let text = object.to_string();
    let mut read = None;
    let measured = allocation_counter::measure(|| read = serde_json::from_str(&text).ok());
    (read.unwrap(), measured.bytes_total)
}

#[test]
fn what_is_not_read_costs_no_memory() {
    let long = "\\\"a\u{e4}".repeat(250_000);
    let plain = revision("a", &[]);
    let large = with(
        plain.clone(),
        "/metadata/annotations",
        json!({"a": long, "b": [[{"c": long}]]}),
    );
    let large = with(
        large,
        "/status",
        json!({"conditions": [long, {}, [], 1e300, null]}),
    );
    let [(_, plain), (object, large)]: [(Revision, u64); 2] = [cost(&plain), cost(&large)];
    // What is escaped is put together in a buffer of serde_json, for one text at a time.
    assert_eq!(object.name(), "a");
    assert!(large <= plain, "{large} bytes, {plain} for one without");
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let text = format!("{{\"a\": {deep}, \"metadata\": {{\"name\": \"a\"}}}}");
    let object: Revision = serde_json::from_str(&text).unwrap();
    assert_eq!(object.name(), "a");
}

/// One of each kind: revision `a`, its slice and its Endpoints.
fn objects() -> [Value; 3] {
    let address = &["10.0.0.1@u", "10.0.0.2@v!"];
    [
        revision("a", &["h2c", "concurrency=10"]),
        slice("private", "x", "a", address),
        endpoints("private", "x", "a", address),
    ]
}

/// Every place in an object.
fn places(object: &Value) -> Vec<String> {
    fn walk(value: &Value, at: String, places: &mut Vec<String>) {
        let children: Vec<(String, &Value)> = match value {
            Value::Object(fields) => fields
                .iter()
                .map(|(name, it)| (name.replace('/', "~1"), it))
                .collect(),
            Value::Array(list) => list
                .iter()
                .enumerate()
                .map(|(index, it)| (index.to_string(), it))
                .collect(),
            _ => Vec::new(),
        };
        for (name, child) in children {
            let at = format!("{at}/{name}");
            walk(child, at.clone(), places);
            places.push(at);
        }
    }
    let mut places = Vec::new();
    walk(object, String::new(), &mut places);
    places
}

fn anything() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        (-2..70_000_i64).prop_map(Value::from),
        "\\PC{0,300}".prop_map(Value::from),
        prop::sample::select(&[
            "a", "n", "x", "http", "http2", "Private", "Public", "10.0.0.1"
        ])
        .prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 20, 5, |inner| {
        let names = prop::sample::select(&["name", "uid", "exec", "ports", "ready", "ip", "other"]);
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::btree_map(names, inner, 0..5).prop_map(|it| it
                .into_iter()
                .map(|(name, it)| (name.to_owned(), it))
                .collect()),
        ]
    })
}

fn read<T: DeserializeOwned + std::fmt::Debug>(all: &Value) -> Vec<String> {
    let all: Vec<T> = serde_json::from_str(&all.to_string()).unwrap();
    all.iter().map(|it| format!("{it:?}")).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    /// What follows it in a list is read as ever, and no other revision changes.
    #[test]
    fn a_bad_object_is_its_own_problem(kind in 0..3_usize, changes in prop::collection::vec((any::<prop::sample::Index>(), anything()), 1..4)) {
        let good = objects()[kind].clone();
        let mut bad = good.clone();
        for (at, value) in changes {
            let places = places(&bad);
            if !places.is_empty() {
                bad = with(bad, &places[at.index(places.len())], value);
            }
        }
        let all = json!([good, bad, good]);
        let read = [read::<Revision>, read::<EndpointSlice>, read::<Endpoints>][kind](&all);
        prop_assert_eq!(&read[0], &read[2]);

        let mut scene = Scene::default();
        for step in ["revision b", "private y b 10.0.0.9", "public p b 10.0.0.100"] {
            scene.step(step);
        }
        put(&mut scene, bad);
        scene.report();
        let lines = scene.lines();
        prop_assert!(lines.contains(&"b 10.0.0.9:8012 | 0/1".to_owned()), "{:?}", lines);
    }
}
