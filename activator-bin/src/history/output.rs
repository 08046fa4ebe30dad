//! One batch as a line of JSON.

use std::io::{self, Write};

use reporter_core::{Cause, Gauge, Report, StatMessage, Timestamp};
use serde::{Serialize, Serializer};

/// Writes `report` as one line, sorted by key.
pub(super) fn write(
    output: &mut impl Write,
    at: Timestamp,
    cause: Cause,
    report: &Report,
) -> io::Result<()> {
    let mut messages: Vec<_> = report.messages.iter().collect();
    messages.sort_unstable_by_key(|message| &message.key);
    let mut gauges: Vec<_> = report.gauges().collect();
    gauges.sort_unstable_by_key(|gauge| gauge.key);
    let line = BatchLine {
        t_ns: at.as_nanos(),
        cause: match cause {
            Cause::FirstRequest => "first_request",
            Cause::Tick => "tick",
        },
        messages,
        gauges: (cause == Cause::Tick).then_some(gauges),
    };
    serde_json::to_writer(&mut *output, &line)?;
    output.write_all(b"\n")
}

#[derive(Serialize)]
struct BatchLine<'a> {
    t_ns: u64,
    cause: &'static str,
    #[serde(serialize_with = "messages")]
    messages: Vec<&'a StatMessage>,
    #[serde(serialize_with = "gauges", skip_serializing_if = "Option::is_none")]
    gauges: Option<Vec<Gauge<'a>>>,
}

#[derive(Serialize)]
struct Message<'a> {
    key: &'a str,
    average_concurrent_requests: f64,
    request_count: u64,
}

fn messages<S: Serializer>(messages: &[&StatMessage], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(messages.iter().map(|message| Message {
        key: message.key.as_str(),
        average_concurrent_requests: message.stat.average_concurrent_requests,
        request_count: message.stat.request_count,
    }))
}

fn gauges<S: Serializer>(
    gauges: &Option<Vec<Gauge<'_>>>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    let gauges = gauges.iter().flatten();
    serializer.collect_map(gauges.map(|gauge| (gauge.key.as_str(), gauge.concurrency)))
}
