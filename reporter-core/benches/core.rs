//! The core alone: events, ticks and the outbox, each beside its floor.

use std::hint::black_box;
use std::time::Instant;

use criterion::Criterion;
use reporter_core::{Accounting, Batch, Outbox, Report, Reporter, ReqEvent, Timestamp};

#[path = "measure/floor.rs"]
mod floor;
#[path = "measure/load.rs"]
mod load;
#[path = "measure/ratio.rs"]
mod ratio;
#[path = "measure/scan.rs"]
mod scan;

use ratio::{Ratio, beside};

const REQUESTS: usize = 10_000;

fn main() {
    let mut criterion = ratio::criterion();
    for accounting in [Accounting::Snapshot, Accounting::Average] {
        for keys in [1, 100, 10_000] {
            events(&mut criterion, accounting, keys);
        }
        for keys in [100, 1_000, 10_000, 100_000, 1_000_000] {
            tick(&mut criterion, accounting, keys);
        }
    }
    outbox(&mut criterion);
    criterion.final_summary();
}

fn events(criterion: &mut Criterion<Ratio>, accounting: Accounting, count: usize) {
    let keys = load::keys(count);
    let mut reporter = Reporter::new(accounting);
    for key in &keys {
        tell(&mut reporter, &ReqEvent::req_in(key.clone()), 0);
    }
    let pair = |key| {
        (
            ReqEvent::req_in(Clone::clone(key)),
            ReqEvent::req_out(Clone::clone(key)),
        )
    };
    let requests: Vec<_> = load::order(&keys, REQUESTS, 1).iter().map(pair).collect();
    let origin = Instant::now();
    let clock = || origin.elapsed().as_nanos() as u64;
    beside(
        &format!("core in + out/{accounting} {count} keys"),
        criterion,
        || floor::requests(REQUESTS, clock),
        || {
            for (req_in, req_out) in &requests {
                tell(&mut reporter, req_in, clock());
                tell(&mut reporter, req_out, clock());
            }
        },
    );
}

fn tell(reporter: &mut Reporter, event: &ReqEvent, now: u64) {
    let message = reporter.on_event(event, Timestamp::from_nanos(now));
    black_box(message.expect("there is room, and each out matches"));
}

fn tick(criterion: &mut Criterion<Ratio>, accounting: Accounting, count: usize) {
    let (mut reporter, mut report) = (Reporter::new(accounting), Report::default());
    for key in load::keys(count) {
        tell(&mut reporter, &ReqEvent::req_in(key), 0);
    }
    let array = scan::array(count);
    let mut now = 0;
    beside(
        &format!("core tick/{accounting} {count} keys"),
        criterion,
        || scan::scan(&array),
        || {
            now += 1_000_000_000;
            reporter.on_tick(Timestamp::from_nanos(now), &mut report);
            black_box(&report);
            report.clear();
        },
    );
}

/// A tick's batch of 1,000 keys comes in while as much waits, goes out as one frame, and is confirmed.
fn outbox(criterion: &mut Criterion<Ratio>) {
    const KEYS: usize = 1_000;
    let mut reporter = Reporter::new(Accounting::Average);
    for key in load::keys(KEYS) {
        tell(&mut reporter, &ReqEvent::req_in(key), 0);
    }
    let mut report = Report::default();
    reporter.on_tick(Timestamp::from_nanos(1_000_000_000), &mut report);
    let batch = Batch::tick(report.messages, report.forgotten);
    let array = scan::array(KEYS);
    let mut outbox = Outbox::new();
    beside(
        "outbox/push, push again, frame, confirm 1000 keys",
        criterion,
        || scan::scan(&array),
        || {
            outbox.push(&batch);
            outbox.push(&batch);
            let frame = outbox.next_frame(KEYS).expect("all keys wait");
            outbox.confirmed(frame.sequence);
        },
    );
}
