//! Lines of JSON: those of the golden requests, and what holds for any request.

use std::time::SystemTime;

use proptest::prelude::*;
use serde_json::Value as Json;

use super::*;
use crate::access_log::json::{needs, render};
use crate::access_log::line::MAX;

const LINES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/access_log/lines.jsonl");

fn at(seconds: f64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs_f64(seconds)
}

#[test]
fn lines_are_as_in_the_file() {
    let mut lines = String::new();
    for (name, entry) in &golden().entries {
        let mut known = known(&needs(), entry);
        if name == "plain" {
            known.response.queued = Duration::from_micros(1_500);
            known.response.backend = "10.0.0.7:8080".to_owned();
            known.set_trace(&needs(), "4bf92f35", "00-4bf92f35-00f067aa-01");
        }
        if name == "odd" {
            known.response.error = Some("queue_full");
        }
        render(&known, at(1_700_000_000.25), &mut lines);
    }
    if std::env::var_os("UPDATE_ACCESS_LOG").is_some() {
        std::fs::write(LINES, &lines).unwrap();
    }
    let expected = std::fs::read_to_string(LINES).unwrap();
    assert_eq!(lines, expected, "UPDATE_ACCESS_LOG=1 writes {LINES}");
}

/// Values that a header may have: odd ones, and ones that JSON makes longer.
fn value() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        "[ -~]{0,20}".prop_map(String::into_bytes),
        "\\PC{0,20}".prop_map(String::into_bytes),
        Just(b"\t\"\\".to_vec()),
        Just("\u{85}\u{2028}\u{9b}".into()),
        prop::collection::vec(0x80_u8.., 0..4),
    ];
    (piece, 0..3_000_usize).prop_map(|(bytes, times)| bytes.repeat(times))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn a_line_is_one_object_however_odd_and_long_its_request_is(
        path in "[ -~]{0,40}",
        times in 1..300_usize,
        agent in value(),
        referer in value(),
        host in value(),
        parent in value(),
        seconds in 0.0..1e12_f64,
    ) {
        let path: String = path.chars().filter(|char| char.is_ascii_alphanumeric()).collect();
        let request = Request::builder().uri(format!("/{}", path.repeat(times)));
        let request = request
            .header("user-agent", agent)
            .header("referer", referer)
            .header("host", host)
            .header("traceparent", parent)
            .body(())
            .unwrap();
        let entry = Entry::new(&needs(), &request, None, || "address".to_owned());
        let mut line = String::new();
        render(&entry, at(seconds), &mut line);
        prop_assert!(line.len() <= MAX, "{}", line.len());
        let text = line.strip_suffix('\n').unwrap();
        let ends_a_line = |char: char| char.is_control() || char == '\u{2028}';
        prop_assert!(!text.contains(ends_a_line));
        let object: Json = serde_json::from_str(text).unwrap();
        prop_assert_eq!(object.as_object().unwrap().len(), 21);
        prop_assert_eq!(&object["request_bytes"], &Json::Null);
        let read = object["user_agent"].as_str().unwrap();
        let agent = request.headers()["user-agent"].as_bytes();
        let agent = String::from_utf8_lossy(agent);
        let is_start = match read.strip_suffix("...") {
            Some(start) => agent.starts_with(start),
            None => agent == read,
        };
        prop_assert!(is_start);
    }
}
