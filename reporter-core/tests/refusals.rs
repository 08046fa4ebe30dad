//! What the reporter refuses, and that a refusal changes nothing.

use reporter_core::{
    Accounting, KeyLimitReached, Refused, Report, Reporter, ReqEvent, RevisionKey, Timestamp,
    UnknownAccounting, UnmatchedOut,
};

const NOW: Timestamp = Timestamp::from_nanos(0);

fn key(number: usize) -> RevisionKey {
    RevisionKey::try_new("default", &format!("rev-{number}")).expect("the name is valid")
}

#[test]
fn beyond_the_limit_a_new_key_is_refused_until_one_is_forgotten() {
    for accounting in [Accounting::Snapshot, Accounting::Average] {
        let full = Err(Refused::KeyLimitReached(KeyLimitReached { limit: 2 }));
        let mut reporter = Reporter::new(accounting);
        reporter.set_key_limit(2);
        let [one, two, three] = [1, 2, 3].map(|number| ReqEvent::req_in(key(number)));
        assert!(
            reporter
                .on_event(&one, NOW)
                .is_ok_and(|first| first.is_some())
        );
        assert!(
            reporter
                .on_event(&two, NOW)
                .is_ok_and(|first| first.is_some())
        );
        assert_eq!(reporter.on_event(&three, NOW), full);
        assert_eq!(reporter.in_flight(&three.key), None);
        // Those that are tracked count on.
        assert_eq!(reporter.on_event(&one, NOW), Ok(None));

        assert_eq!(reporter.on_event(&ReqEvent::req_out(key(2)), NOW), Ok(None));
        reporter.on_tick(NOW, &mut Report::default());
        assert!(
            reporter
                .on_event(&three, NOW)
                .is_ok_and(|first| first.is_some())
        );
        assert_eq!(reporter.on_event(&two, NOW), full);
        assert_eq!(reporter.tracked_keys(), 2);
    }
}

#[test]
fn a_limit_below_the_tracked_keys_forgets_none() {
    let mut reporter = Reporter::new(Accounting::Snapshot);
    for number in 0..3 {
        assert!(
            reporter
                .on_event(&ReqEvent::req_in(key(number)), NOW)
                .is_ok()
        );
    }
    reporter.set_key_limit(1);
    assert_eq!(reporter.tracked_keys(), 3);
    for number in 0..3 {
        assert_eq!(
            reporter.on_event(&ReqEvent::req_out(key(number)), NOW),
            Ok(None)
        );
    }
}

#[test]
fn each_unmatched_out_is_counted() {
    let mut reporter = Reporter::new(Accounting::Snapshot);
    for expected in 1..=3 {
        let refused = reporter.on_event(&ReqEvent::req_out(key(0)), NOW);
        assert_eq!(refused, Err(Refused::UnmatchedOut(UnmatchedOut)));
        assert_eq!(reporter.unmatched_outs(), expected);
    }
    assert_eq!(reporter.tracked_keys(), 0);
}

#[test]
fn a_refusal_says_what_happened() {
    for (refused, expected) in [
        (
            Refused::UnmatchedOut(UnmatchedOut),
            "a request went out for a key with nothing in flight; was it reported twice?",
        ),
        (
            Refused::KeyLimitReached(KeyLimitReached { limit: 7 }),
            "the limit of 7 tracked keys is reached",
        ),
    ] {
        assert_eq!(refused.to_string(), expected);
    }
}

#[test]
fn an_accounting_is_known_by_its_name_alone() {
    for (text, expected) in [
        ("snapshot", Ok(Accounting::Snapshot)),
        ("average", Ok(Accounting::Average)),
        ("Average", Err(UnknownAccounting)),
        ("", Err(UnknownAccounting)),
    ] {
        assert_eq!(text.parse(), expected, "{text:?}");
        if let Ok(accounting) = expected {
            assert_eq!(accounting.to_string(), text);
        }
    }
    assert_eq!(Accounting::default(), Accounting::Snapshot);
    assert_eq!(
        UnknownAccounting.to_string(),
        "accounting is either \"snapshot\" or \"average\""
    );
}
