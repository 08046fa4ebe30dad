//! Allocations of the core: none per request, few bytes per key, all freed.

use allocation_counter::{AllocationInfo, measure};
use reporter_core::{
    Accounting, Batch, Outbox, Report, Reporter, ReqEvent, RevisionKey, Stat, StatMessage,
    Timestamp,
};

const BOTH: [Accounting; 2] = [Accounting::Snapshot, Accounting::Average];

/// What an `Arc` puts in front of a key's text.
const KEY_HEADER: usize = 2 * size_of::<usize>();

fn at(millis: u64) -> Timestamp {
    Timestamp::from_nanos(millis * 1_000_000)
}

fn keys(count: usize) -> Vec<RevisionKey> {
    (0..count)
        .map(|i| {
            RevisionKey::try_new("default", &format!("rev-{i:07}")).expect("the name is valid")
        })
        .collect()
}

fn count_in(reporter: &mut Reporter, keys: &[RevisionKey], now: Timestamp) {
    for key in keys {
        let event = ReqEvent::req_in(key.clone());
        let counted = reporter.on_event(&event, now);
        counted.expect("there is room, and each out matches");
    }
}

fn count_out(reporter: &mut Reporter, keys: &[RevisionKey], now: Timestamp) {
    for key in keys {
        let event = ReqEvent::req_out(key.clone());
        let counted = reporter.on_event(&event, now);
        counted.expect("there is room, and each out matches");
    }
}

#[test]
fn a_request_for_a_known_key_allocates_nothing() {
    for accounting in BOTH {
        let keys = keys(1_000);
        let mut reporter = Reporter::new(accounting);
        count_in(&mut reporter, &keys, at(0));

        let requests = measure(|| {
            for now in 1..10 {
                count_in(&mut reporter, &keys, at(now));
                count_out(&mut reporter, &keys, at(now));
            }
        });

        assert_eq!(requests.count_total, 0, "{accounting}: {requests:?}");
    }
}

#[test]
fn a_refused_event_allocates_nothing() {
    let keys = keys(2);
    let mut reporter = Reporter::new(Accounting::Average);
    reporter.set_key_limit(1);
    count_in(&mut reporter, &keys[..1], at(0));

    let refused = measure(|| {
        for event in [ReqEvent::req_in, ReqEvent::req_out] {
            let event = event(keys[1].clone());
            assert!(reporter.on_event(&event, at(1)).is_err());
        }
    });

    assert_eq!(refused.count_total, 0, "{refused:?}");
}

#[test]
fn a_tick_into_a_used_report_allocates_nothing() {
    for accounting in BOTH {
        let mut reporter = Reporter::new(accounting);
        count_in(&mut reporter, &keys(1_000), at(0));
        let mut report = Report::default();
        reporter.on_tick(at(1), &mut report);
        report.clear();
        // The first time there is a second buffer to get.
        reporter.on_tick(at(2), &mut report);
        report.clear();

        let tick = measure(|| reporter.on_tick(at(3), &mut report));

        assert_eq!(report.messages.len(), 1_000);
        assert_eq!(tick.count_total, 0, "{accounting}: {tick:?}");
    }
}

#[test]
fn a_tracked_key_takes_at_most_128_bytes_beyond_its_text() {
    // Around the sizes at which the hash table doubles, where it is at its emptiest.
    for count in [1_000, 3_584, 3_585, 14_336, 14_337] {
        let keys = keys(count);
        for accounting in BOTH {
            let mut reporter = Reporter::new(accounting);
            let tracking = measure(|| count_in(&mut reporter, &keys, at(0)));
            let per_key = held(&tracking).div_ceil(count) + KEY_HEADER;
            assert!(per_key <= 128, "{accounting}, {count} keys: {per_key}");
        }
    }
}

#[test]
fn memory_is_given_back_when_keys_go() {
    for accounting in BOTH {
        let keys = keys(10_000);
        let (kept, gone) = keys.split_at(100);
        let mut reporter = Reporter::new(accounting);
        let life = measure(|| {
            count_in(&mut reporter, &keys, at(0));
            count_out(&mut reporter, gone, at(1));
            for tick in 1..=2 {
                reporter.on_tick(at(tick), &mut Report::default());
            }
        });
        assert_eq!(reporter.tracked_keys(), kept.len());
        let per_key = held(&life) / kept.len();
        assert!(per_key <= 4 * 128, "{accounting}: {per_key} bytes per key");

        let rest = measure(|| {
            count_out(&mut reporter, kept, at(3));
            for tick in 3..=4 {
                reporter.on_tick(at(tick), &mut Report::default());
            }
        });
        assert_eq!(reporter.tracked_keys(), 0);
        assert_eq!(life.bytes_current + rest.bytes_current, 0, "{accounting}");
    }
}

#[test]
fn an_outbox_frees_memory_after_an_outage() {
    let keys = keys(10_000);
    let mut outbox = Outbox::new();
    let outage = measure(|| {
        outbox.push(&tick_of(&keys));
        while outbox.next_frame(1_000).is_some() {}
        outbox.confirmed(10);
    });
    assert!(outbox.is_empty());

    let later = measure(|| {
        outbox.push(&tick_of(&keys[..10]));
        outbox.next_frame(1_000);
        outbox.confirmed(11);
    });

    let left = outage.bytes_current + later.bytes_current;
    assert!(left < 4_096, "{left} of {} bytes", outage.bytes_max);
}

fn tick_of(keys: &[RevisionKey]) -> Batch {
    let message = |key: &RevisionKey| StatMessage {
        key: key.clone(),
        stat: Stat {
            average_concurrent_requests: 1.0,
            request_count: 1,
        },
    };
    Batch::tick(keys.iter().map(message).collect(), Vec::new())
}

fn held(info: &AllocationInfo) -> usize {
    usize::try_from(info.bytes_current).expect("nothing was freed that had been there before")
}
