//! A recording of live traffic replays to what was reported live.

use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use activator_bin::testing::{record, replay};
use async_trait::async_trait;
use reporter_core::{Accounting, Cause, RevisionKey, Timestamp};
use reporter_runtime::{Clock, ConcurrencyReporter, Dispatch, StatSink, Undelivered};
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::time::Instant;

/// Keeps each batch with messages as the line that a replay would print, without the gauges.
struct Collect(Arc<Mutex<Vec<Value>>>);

#[async_trait]
impl StatSink for Collect {
    fn name(&self) -> String {
        "collect".to_owned()
    }

    async fn run(
        self: Box<Self>,
        mut mailbox: mpsc::Receiver<Arc<Dispatch>>,
    ) -> Result<(), Undelivered> {
        while let Some(dispatch) = mailbox.recv().await {
            let mut messages = dispatch.batch.messages.clone();
            if messages.is_empty() {
                continue;
            }
            messages.sort_by(|a, b| a.key.cmp(&b.key));
            let messages: Vec<Value> = messages
                .iter()
                .map(|message| {
                    json!({
                        "key": message.key.as_str(),
                        "average_concurrent_requests": message.stat.average_concurrent_requests,
                        "request_count": message.stat.request_count,
                    })
                })
                .collect();
            let cause = match dispatch.batch.cause {
                Cause::FirstRequest => "first_request",
                Cause::Tick => "tick",
            };
            let t_ns = dispatch.at.as_nanos();
            let line = json!({"t_ns": t_ns, "cause": cause, "messages": messages});
            // Through text and back, as the replayed line comes: parsing may round the last digit.
            let line = serde_json::from_str(&line.to_string()).expect("JSON");
            self.0.lock().expect("no panic elsewhere").push(line);
        }
        Ok(())
    }
}

/// The paused time of the test.
struct PausedClock(Instant);

impl Clock for PausedClock {
    fn now(&self) -> Timestamp {
        let nanos = self.0.elapsed().as_nanos();
        Timestamp::from_nanos(nanos.try_into().expect("seconds"))
    }

    fn time_of_day(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH
    }
}

async fn check(accounting: Accounting) {
    let live = Arc::new(Mutex::new(Vec::new()));
    let (builder, history) = ConcurrencyReporter::builder(accounting)
        .clock(PausedClock(Instant::now()))
        .sink(Box::new(Collect(Arc::clone(&live))))
        .record(1 << 10);
    let (reporter, task) = builder.spawn();
    let recording = tokio::spawn(async move {
        let mut file = Vec::new();
        record(history, &mut file).await.map(|()| file)
    });
    let keys: [RevisionKey; 3] = ["ns/a", "ns/b", "other/c"].map(|key| key.parse().expect("a key"));
    let mut in_flight = Vec::new();
    for step in 0..60_usize {
        in_flight.push(reporter.track(&keys[(step * step + step / 5) % 3]));
        if step % 4 == 3 {
            in_flight.truncate(in_flight.len() / 2);
        }
        tokio::time::advance(Duration::from_millis(97)).await;
        tokio::task::yield_now().await;
    }
    in_flight.clear();
    task.stop().await;
    drop(reporter);
    let file = recording
        .await
        .expect("no panic")
        .expect("memory is never full");

    let mut output = Vec::new();
    replay(&*file, &mut output, accounting).expect("a good history");
    let output = String::from_utf8(output).expect("JSON is UTF-8");
    let mut replayed: Vec<Value> = Vec::new();
    for line in output.lines() {
        let mut line: Value = serde_json::from_str(line).expect("JSON");
        line.as_object_mut().expect("an object").remove("gauges");
        if line["messages"] != json!([]) {
            replayed.push(line);
        }
    }
    let live = live.lock().expect("no panic elsewhere");
    assert!(live.len() > 5, "{live:?}");
    assert_eq!(replayed, *live);
}

#[tokio::test(start_paused = true)]
async fn recording_replays_in_snapshot_accounting() {
    check(Accounting::Snapshot).await;
}

#[tokio::test(start_paused = true)]
async fn recording_replays_in_average_accounting() {
    check(Accounting::Average).await;
}
