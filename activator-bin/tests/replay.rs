//! Histories, good and bad, through the library.

use std::io::{self, Read, Write};

use activator_bin::testing::{LINE_LIMIT, ReplayError, Summary, replay};
use proptest::prelude::*;
use reporter_core::Accounting;
use serde_json::{Value, json};

/// The output, and how the replay ended.
fn run(input: impl Read, accounting: Accounting) -> (String, Result<Summary, ReplayError>) {
    let mut output = Vec::new();
    let outcome = replay(input, &mut output, accounting);
    (String::from_utf8(output).expect("JSON is UTF-8"), outcome)
}

/// The same as text.
fn transcript(input: &[u8], accounting: Accounting) -> String {
    let (mut found, outcome) = run(input, accounting);
    match outcome {
        Ok(summary) => {
            if let Some(line) = summary.first_unmatched {
                found += &format!("refused {} {line}\n", summary.unmatched_outs);
            }
        }
        Err(error) => found += &format!("! {error}\n"),
    }
    found
}

#[test]
fn cases() {
    let mut wrong = String::new();
    let cases = include_str!("replay/cases.txt").split("\n## ").skip(1);
    for case in cases {
        let (title, case) = case.split_once('\n').expect("a title and its case");
        let (mut accounting, mut history, mut expected) =
            (Accounting::Snapshot, String::new(), String::new());
        for line in case.lines() {
            match line.split_once(' ').unwrap_or((line, "")) {
                ("accounting", name) => accounting = name.parse().expect("an accounting"),
                ("<", line) => history += &format!("{line}\n"),
                (">", line) => expected += &format!("{line}\n"),
                ("!" | "refused", _) => expected += &format!("{line}\n"),
                ("", _) => {}
                _ => panic!("no part of a case: {line}"),
            }
        }
        let found = transcript(history.as_bytes(), accounting);
        if found != expected {
            wrong += &format!("## {title}\nexpected:\n{expected}found:\n{found}\n");
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

/// The lines of a shared history, and what the reference implementation says of it, in our form.
fn conformance(history: &Value) -> (String, Vec<Value>) {
    let mut lines = String::new();
    let mut expected = Vec::new();
    for op in history["ops"].as_array().expect("a list") {
        lines += &format!("{op}\n");
        let tick = op["op"] == "tick";
        let batches = op["batches"].as_array().expect("a list").iter().cloned();
        let batches = batches.filter(|batch| batch != &json!([]));
        let mut batches: Vec<Value> = batches.collect();
        if tick && batches.is_empty() && !op["gauges"].is_null() {
            batches.push(json!([]));
        }
        expected.extend(batches.into_iter().map(|messages| {
            let cause = if tick { "tick" } else { "first_request" };
            let mut line = json!({"t_ns": op["t_ns"], "cause": cause, "messages": messages});
            if tick {
                line["gauges"] = op["gauges"].clone();
            }
            line
        }));
    }
    (lines, expected)
}

/// Equal, but for the last digits of an average.
fn agree(found: &Value, expected: &Value) -> bool {
    match (found, expected) {
        (Value::Number(found), Value::Number(expected)) => {
            let number = |number: &serde_json::Number| number.as_f64().expect("no large integers");
            (number(found) - number(expected)).abs() <= 1e-9
        }
        (Value::Array(found), Value::Array(expected)) => {
            found.len() == expected.len() && found.iter().zip(expected).all(|(f, e)| agree(f, e))
        }
        (Value::Object(found), Value::Object(expected)) => {
            let known = |(name, value): (&String, &Value)| {
                expected
                    .get(name)
                    .is_some_and(|expected| agree(value, expected))
            };
            found.len() == expected.len() && found.iter().all(known)
        }
        _ => found == expected,
    }
}

fn check_conformance(histories: &str, accounting: Accounting) {
    let mut count = 0;
    for history in histories.lines() {
        let history: Value = serde_json::from_str(history).expect("JSON");
        let (lines, mut expected) = conformance(&history);
        let (output, outcome) = run(lines.as_bytes(), accounting);
        let summary = outcome.expect("a good history");
        assert_eq!(summary.unmatched_outs, 0, "{}", history["name"]);
        let output = output
            .lines()
            .map(|line| serde_json::from_str(line).expect("JSON"));
        let output: Vec<Value> = output.collect();
        assert_eq!(output.len(), expected.len(), "{}", history["name"]);
        for (found, expected) in output.iter().zip(&mut expected) {
            if accounting == Accounting::Average && found["cause"] == "tick" {
                expected["gauges"] = gauges_of_average(found);
            }
            assert!(
                agree(found, expected),
                "{}: found {found}, expected {expected}",
                history["name"]
            );
        }
        count += 1;
    }
    assert_eq!(count, 64);
}

/// The shared histories have no gauges for this accounting: there is one for every message, and it
/// is the average with at most the first request's credit of 1 on top.
fn gauges_of_average(tick: &Value) -> Value {
    for message in tick["messages"].as_array().expect("a list") {
        let average = message["average_concurrent_requests"]
            .as_f64()
            .expect("a number");
        let gauge = tick["gauges"][message["key"].as_str().expect("a key")].as_f64();
        let gauge = gauge.expect("a gauge for every message");
        assert!((average..=average + 1.0 + 1e-9).contains(&gauge), "{tick}");
    }
    let gauges = tick["gauges"].as_object().expect("a map");
    assert_eq!(
        gauges.len(),
        tick["messages"].as_array().expect("a list").len()
    );
    tick["gauges"].clone()
}

#[test]
fn shared_histories_in_snapshot_accounting() {
    let histories = include_str!("../../reporter-core/tests/vectors/snapshot.ndjson");
    check_conformance(histories, Accounting::Snapshot);
}

#[test]
fn shared_histories_in_average_accounting() {
    let histories = include_str!("../../reporter-core/tests/vectors/average.ndjson");
    check_conformance(histories, Accounting::Average);
}

const IN: &str = "{\"t_ns\":0,\"op\":\"in\",\"id\":1,\"key\":\"ns/a\"}\n";
const FIRST: &str = "{\"t_ns\":0,\"cause\":\"first_request\",\"messages\":[{\"key\":\"ns/a\",\"average_concurrent_requests\":1.0,\"request_count\":1}]}\n";

#[test]
fn last_line_needs_no_newline() {
    assert_eq!(
        transcript(IN.trim_end().as_bytes(), Accounting::Snapshot),
        FIRST
    );
}

#[test]
fn lines_may_end_with_crlf() {
    let history = IN.replace('\n', "\r\n\r\n");
    assert_eq!(transcript(history.as_bytes(), Accounting::Snapshot), FIRST);
}

#[test]
fn line_that_is_not_utf_8_is_refused() {
    let found = transcript(b"\n\xff\x00\n", Accounting::Snapshot);
    assert_eq!(found, "! line 2: is not a JSON object\n");
    let key = b"{\"t_ns\":0,\"op\":\"out\",\"key\":\"\xff\"}";
    let found = transcript(key, Accounting::Snapshot);
    assert_eq!(found, "! line 1: column 29: invalid unicode code point\n");
}

#[test]
fn line_at_the_limit_is_read_and_a_longer_one_refused() {
    let padding = " ".repeat(LINE_LIMIT - IN.trim_end().len());
    let longest = IN.replace('\n', &format!("{padding}\n{{}}"));
    let found = transcript(longest.as_bytes(), Accounting::Snapshot);
    assert_eq!(
        found,
        format!("{FIRST}! line 2: column 2: missing field `t_ns`\n")
    );
    let longer = IN.replace('\n', &format!("{padding} \n{{}}"));
    let found = transcript(longer.as_bytes(), Accounting::Snapshot);
    assert_eq!(found, "! line 1: is longer than 16 MiB\n");
}

#[test]
fn endless_line_is_refused() {
    // An endless stream: that this test ends at all is the point.
    let found = run(io::repeat(b'{'), Accounting::Snapshot).1.unwrap_err();
    assert_eq!(found.to_string(), "line 1: is longer than 16 MiB");
}

#[test]
fn deep_nesting_is_refused() {
    let history = format!("{{\"t_ns\":0,\"op\":\"tick\",\"x\":{}", "[".repeat(1 << 20));
    let found = transcript(history.as_bytes(), Accounting::Snapshot);
    assert_eq!(
        found,
        "! line 1: column 1048602: EOF while parsing a list\n"
    );
}

/// Gives what `script` says, one string per read, and then an error.
struct Scripted<'a> {
    script: Vec<&'a str>,
    output: &'a std::cell::RefCell<Vec<u8>>,
    written_before_each_read: &'a std::cell::RefCell<Vec<usize>>,
}

impl Read for Scripted<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let written = self.output.borrow().len();
        self.written_before_each_read.borrow_mut().push(written);
        if self.script.is_empty() {
            return Err(io::Error::other("unplugged"));
        }
        self.script.remove(0).as_bytes().read(buffer)
    }
}

struct Shared<'a>(&'a std::cell::RefCell<Vec<u8>>);

impl Write for Shared<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.borrow_mut().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn output_is_flushed_before_waiting_for_input() {
    let (output, written) = Default::default();
    let (start, end) = IN.split_at(10);
    let script = Scripted {
        script: vec![IN.trim_end(), "\n\n", start, end],
        output: &output,
        written_before_each_read: &written,
    };
    // The id is in use a second time: so the last line is a bad one, after which nothing is read.
    let error = replay(script, Shared(&output), Accounting::Snapshot).unwrap_err();
    assert!(
        matches!(error, ReplayError::BadLine { number: 3, .. }),
        "{error}"
    );
    assert_eq!(*written.borrow(), [0, 0, FIRST.len(), FIRST.len()]);

    let (output, written) = Default::default();
    let script = Scripted {
        script: vec![IN],
        output: &output,
        written_before_each_read: &written,
    };
    let error = replay(script, Shared(&output), Accounting::Snapshot).unwrap_err();
    assert_eq!(error.to_string(), "cannot read: unplugged");
    assert_eq!(String::from_utf8_lossy(&output.borrow()), FIRST);
}

#[test]
fn write_errors_are_reported() {
    let full: &mut [u8] = &mut [0; 8];
    let error = replay(IN.as_bytes(), full, Accounting::Snapshot).unwrap_err();
    assert!(matches!(error, ReplayError::Write(_)), "{error}");
}

proptest! {
    #[test]
    fn arbitrary_bytes_are_replayed_or_refused(bytes in any::<Vec<u8>>()) {
        transcript(&bytes, Accounting::Snapshot);
    }

    #[test]
    fn arbitrary_orders_of_lines_are_replayed_or_refused(
        lines in prop::collection::vec(
            (0..5_u64, "in|out|tick|other", prop::option::of(0..4_u64), prop::option::of("ns/[ab]|bad")),
            0..40,
        ),
    ) {
        let line = |(t_ns, op, id, key): &(u64, String, Option<u64>, Option<String>)| {
            format!("{}\n", json!({"t_ns": t_ns, "op": op, "id": id, "key": key}))
        };
        let history: String = lines.iter().map(line).collect();
        for accounting in [Accounting::Snapshot, Accounting::Average] {
            let (_, outcome) = run(history.as_bytes(), accounting);
            match outcome {
                Ok(summary) => prop_assert_eq!(summary.lines, lines.len() as u64),
                Err(ReplayError::BadLine { number, .. }) => {
                    prop_assert!((1..=lines.len() as u64).contains(&number));
                }
                Err(error) => prop_assert!(false, "{}", error),
            }
        }
    }
}
