//! One batch as a line of JSON.

use std::io::{self, Write};

use reporter_core::{Cause, Gauge, Report, StatMessage, Timestamp};
use serde::{Serialize, Serializer};

/// Writes `report` as one line, sorted by key.
pub(super) fn write(
    output: &mut impl Write,
    at: Timestamp,
    cause: Cause,
    report: &mut Report,
) -> io::Result<()> {
    report.messages.sort_unstable_by(|a, b| a.key.cmp(&b.key));
    report.gauges.sort_unstable_by(|a, b| a.key.cmp(&b.key));
    let line = BatchLine {
        t_ns: at.as_nanos(),
        cause: match cause {
            Cause::FirstRequest => "first_request",
            Cause::Tick => "tick",
        },
        messages: &report.messages,
        gauges: (cause == Cause::Tick).then_some(&report.gauges),
    };
    serde_json::to_writer(&mut *output, &line)?;
    output.write_all(b"\n")
}

#[derive(Serialize)]
struct BatchLine<'a> {
    t_ns: u64,
    cause: &'static str,
    #[serde(serialize_with = "messages")]
    messages: &'a [StatMessage],
    #[serde(serialize_with = "gauges", skip_serializing_if = "Option::is_none")]
    gauges: Option<&'a Vec<Gauge>>,
}

#[derive(Serialize)]
struct Message<'a> {
    key: &'a str,
    average_concurrent_requests: f64,
    request_count: u64,
}

fn messages<S: Serializer>(messages: &[StatMessage], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(messages.iter().map(|message| Message {
        key: message.key.as_str(),
        average_concurrent_requests: message.stat.average_concurrent_requests,
        request_count: message.stat.request_count,
    }))
}

fn gauges<S: Serializer>(gauges: &Option<&Vec<Gauge>>, serializer: S) -> Result<S::Ok, S::Error> {
    let gauges = gauges.iter().copied().flatten();
    serializer.collect_map(gauges.map(|gauge| (gauge.key.as_str(), gauge.concurrency)))
}
