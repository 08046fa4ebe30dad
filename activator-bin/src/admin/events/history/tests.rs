//! The history against a naive replay of all reports.

use proptest::prelude::*;
use reporter_core::Stat;

use super::*;
use crate::revision::tests::key;

fn message(name: &str, average: f64, count: u64) -> StatMessage {
    let stat = Stat {
        average_concurrent_requests: average,
        request_count: count,
    };
    StatMessage {
        key: key(name),
        stat,
    }
}

/// The slots that are shown, without those before the first one with requests.
fn shown(recent: Option<Recent>, open: u64) -> Vec<(u64, u64)> {
    let samples = recent.iter().flat_map(|it| it.since(0, open));
    let all = samples.map(|it| (it.concurrency as u64, it.requests_per_second as u64));
    all.skip_while(|it| *it == (0, 0)).collect()
}

proptest! {
    #[test]
    fn each_report_is_in_the_slot_in_whose_middle_it_came(
        reports in proptest::collection::vec((0..3_u8, 0..4_u8, 0..4_u8, 0..40_u64, 0..400_u64), 1..60),
    ) {
        let mut history = History::new(Duration::from_secs(1));
        // By name and slot; the names that are shown stand for all.
        let mut naive: HashMap<(String, u64), (u64, u64)> = HashMap::new();
        let mut last: HashMap<String, Recent> = HashMap::new();
        let mut second = 0;
        for (name, average, count, pause, jitter) in reports {
            second += pause;
            let now = Duration::from_secs(second) + Duration::from_millis(jitter);
            let name = format!("r{name}");
            history.record(Cause::Tick, &[message(&name, average.into(), count.into())], now);
            // Its own first report is the middle of slot 0, whatever its jitter.
            let open = history.advance(now);
            for name in [&name, "all"] {
                let slot = naive.entry((name.to_owned(), open)).or_default();
                *slot = (slot.0 + u64::from(average), slot.1 + u64::from(count));
            }
            for name in ["r0", "r1", "r2", "all"] {
                let recent = match name {
                    "all" => history.recent_of_all(last.get(name)),
                    _ => history.recent(&key(name), last.get(name)),
                };
                let slots = open.saturating_sub(SLOTS as u64)..open;
                let slot = |slot| naive.get(&(name.to_owned(), slot)).copied().unwrap_or_default();
                let expected: Vec<_> = slots.map(slot).skip_while(|it| *it == (0, 0)).collect();
                let has_requests = expected.iter().any(|it| *it != (0, 0));
                let expected = if has_requests { expected } else { Vec::new() };
                prop_assert_eq!(shown(recent.clone(), open), expected, "{} before {}", name, open);
                last.extend(recent.map(|it| (name.to_owned(), it)));
            }
        }
    }
}

#[test]
fn reports_of_shorter_periods_are_added_up() {
    let mut history = History::new(Duration::from_millis(100));
    for tenth in 0..30 {
        let now = Duration::from_millis(tenth * 100);
        history.record(Cause::Tick, &[message("r", 2.0, 3)], now);
    }
    let open = history.advance(Duration::from_secs(3));
    let samples: Vec<_> = history
        .recent(&key("r"), None)
        .unwrap()
        .since(1, open)
        .collect();
    for sample in samples {
        assert!((sample.concurrency - 2.0).abs() < 0.01, "{sample:?}");
        assert!(
            (sample.requests_per_second - 30.0).abs() < 0.01,
            "{sample:?}"
        );
    }
}

#[test]
fn a_longer_period_is_a_slot() {
    let mut history = History::new(Duration::from_secs(10));
    history.record(
        Cause::Tick,
        &[message("r", 2.0, 30)],
        Duration::from_secs(10),
    );
    let open = history.advance(Duration::from_secs(20));
    let recent = history.recent(&key("r"), None).unwrap();
    assert_eq!(
        recent.since(0, open).collect::<Vec<_>>(),
        [Sample {
            concurrency: 2.0,
            requests_per_second: 3.0,
        }]
    );
}

#[test]
fn a_bounded_number_of_revisions_has_a_history_and_idle_ones_make_room() {
    let mut history = History::new(Duration::from_secs(1));
    let all = (0..MOST + 10).map(|it| message(&format!("r{it}"), 1.0, 1));
    let mut all: Vec<_> = all.collect();
    history.record(Cause::Tick, &all, Duration::ZERO);
    assert_eq!(history.revisions.len(), MOST);
    all.drain(..MOST);
    history.record(Cause::Tick, &all, Duration::from_secs(30));
    assert!(history.recent(&all[0].key, None).is_none(), "no room");
    history.record(Cause::Tick, &all, Duration::from_secs(62));
    assert_eq!(history.revisions.len(), all.len());
    history.advance(Duration::from_secs(64));
    assert!(history.recent(&all[0].key, None).is_some());
    // Of all of them there is one in any case.
    let sum: f32 = history
        .recent_of_all(None)
        .unwrap()
        .since(0, 63)
        .map(|it| it.concurrency)
        .sum();
    assert_eq!(sum, 20.0);
}

#[test]
fn a_first_request_counts_and_says_nothing_of_the_concurrency() {
    let mut history = History::new(Duration::from_secs(1));
    history.record(Cause::FirstRequest, &[message("r", 1.0, 1)], Duration::ZERO);
    // Whenever it comes, the middle of slots is when those of periods do.
    let at = Duration::from_millis(300);
    history.record(Cause::Tick, &[message("r", 2.0, 3)], at);
    assert_eq!(history.advance(at + Duration::from_millis(499)), 0);
    let open = history.advance(at + Duration::from_millis(500));
    assert_eq!(open, 1);
    assert_eq!(shown(history.recent(&key("r"), None), open), [(2, 4)]);
}

#[test]
fn reports_of_idle_revisions_take_no_memory() {
    let mut history = History::new(Duration::from_secs(1));
    history.record(Cause::Tick, &[message("r", 0.0, 0)], Duration::ZERO);
    assert!(history.revisions.is_empty());
    let bytes = size_of::<Ring>() + size_of::<RevisionKey>();
    assert!(bytes <= 528, "{bytes}");
}
