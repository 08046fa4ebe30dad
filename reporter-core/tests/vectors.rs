//! The shared conformance histories: the core's output equals that of the reference implementations.

use std::collections::BTreeMap;

use reporter_core::{Accounting, Report, Reporter, ReqEvent, RevisionKey, StatMessage, Timestamp};
use serde::Deserialize;

const SNAPSHOT: &str = include_str!("vectors/snapshot.ndjson");
const AVERAGE: &str = include_str!("vectors/average.ndjson");

#[derive(Deserialize)]
struct History {
    name: String,
    mode: String,
    ops: Vec<Op>,
}

#[derive(Deserialize)]
struct Op {
    t_ns: u64,
    op: Kind,
    key: Option<String>,
    batches: Vec<Vec<Message>>,
    #[serde(default)]
    gauges: BTreeMap<String, f64>,
}

#[derive(Clone, Copy, Deserialize, PartialEq)]
#[serde(rename_all = "lowercase")]
enum Kind {
    In,
    Out,
    Tick,
}

#[derive(Debug, Deserialize)]
struct Message {
    key: String,
    average_concurrent_requests: f64,
    request_count: u64,
}

fn parse(vectors: &str) -> Vec<History> {
    vectors
        .lines()
        .map(|line| serde_json::from_str(line).expect("the vectors are well formed"))
        .collect()
}

/// What one op made the core say; gauges are none where the vectors have none.
struct Said {
    messages: Vec<StatMessage>,
    gauges: Option<BTreeMap<String, f64>>,
}

fn replay(history: &History) -> Vec<Said> {
    let accounting: Accounting = history.mode.parse().expect("the mode is an accounting");
    let mut reporter = Reporter::new(accounting);
    let apply = |op: &Op| {
        let now = Timestamp::from_nanos(op.t_ns);
        let key = || -> RevisionKey {
            let text = op.key.as_deref().expect("an event has a key");
            text.parse().expect("the key is valid")
        };
        let event = match op.op {
            Kind::In => ReqEvent::req_in(key()),
            Kind::Out => ReqEvent::req_out(key()),
            Kind::Tick => {
                let mut report = Report::default();
                reporter.on_tick(now, &mut report);
                let gauges = report.gauges();
                let gauges = gauges.map(|gauge| (gauge.key.to_string(), gauge.concurrency));
                let gauges = (accounting == Accounting::Snapshot).then(|| gauges.collect());
                report.messages.sort_by(|a, b| a.key.cmp(&b.key));
                return Said {
                    messages: report.messages,
                    gauges,
                };
            }
        };
        let first = reporter.on_event(&event, now).expect("each out matches");
        Said {
            messages: first.into_iter().collect(),
            gauges: None,
        }
    };
    history.ops.iter().map(apply).collect()
}

fn check(history: &History) {
    for (index, (op, said)) in history.ops.iter().zip(replay(history)).enumerate() {
        let place = format!("{} op {index}", history.name);
        let expected: Vec<&Message> = op.batches.iter().flatten().collect();
        assert_eq!(said.messages.len(), expected.len(), "{place}: {expected:?}");
        for (message, expected) in said.messages.iter().zip(expected) {
            assert_eq!(message.key.as_str(), expected.key, "{place}");
            assert_eq!(
                message.stat.request_count, expected.request_count,
                "{place}: {expected:?}"
            );
            let off =
                message.stat.average_concurrent_requests - expected.average_concurrent_requests;
            assert!(off.abs() <= 1e-9, "{place}: {message:?}, {expected:?}");
        }
        if let Some(gauges) = said.gauges {
            assert_eq!(gauges, op.gauges, "{place}");
        }
    }
}

/// The requests of all histories, and the counts that the core reports for them.
fn sums(histories: &[History]) -> (u64, u64) {
    let ops = histories.iter().flat_map(|history| &history.ops);
    let requests = ops.filter(|op| op.op == Kind::In).count() as u64;
    let said = histories.iter().flat_map(replay);
    let messages = said.flat_map(|said| said.messages);
    (
        requests,
        messages.map(|message| message.stat.request_count).sum(),
    )
}

#[test]
fn the_snapshot_histories_are_reported_as_the_reference_reports_them() {
    let histories = parse(SNAPSHOT);
    assert_eq!(histories.len(), 64);
    histories.iter().for_each(check);
}

#[test]
fn the_average_histories_are_reported_as_the_reference_reports_them() {
    let histories = parse(AVERAGE);
    assert_eq!(histories.len(), 64);
    histories.iter().for_each(check);
}

#[test]
fn snapshot_reports_1927_requests_for_1665() {
    assert_eq!(sums(&parse(SNAPSHOT)), (1_665, 1_927));
}

#[test]
fn average_reports_each_request_of_the_same_histories_once() {
    let mut histories = parse(SNAPSHOT);
    for history in &mut histories {
        history.mode = Accounting::Average.to_string();
    }
    assert_eq!(sums(&histories), (1_665, 1_665));
}

#[test]
fn average_reports_each_request_of_its_own_histories_once() {
    assert_eq!(sums(&parse(AVERAGE)), (1_653, 1_653));
}
