//! What operators are told of when an idle instance ends.

use std::time::Duration;

use super::super::*;
use super::script::{key, spec};

const READY: Duration = Duration::from_secs(5);

/// A revision with these settings, one instance of which is ready and had a request until `READY`.
fn idle(settings: &[&str]) -> Fleet {
    let mut fleet = Fleet::new();
    let events = [
        Event::Specified(key("a"), Arc::new(spec(settings.iter().copied()))),
        Event::Demand(key("a")),
        Event::InUse(key("a"), true),
        Event::Ready(InstanceId(1)),
        Event::InUse(key("a"), false),
    ];
    for event in events {
        fleet.on(event, READY, &mut Vec::new());
    }
    fleet
}

/// What is done when nothing has happened until `now`.
fn actions(fleet: &mut Fleet, now: Duration) -> Vec<Action> {
    let mut actions = Vec::new();
    fleet.on(Event::Tick, now, &mut actions);
    actions.retain(|it| !matches!(it, Action::Changed { .. }));
    actions
}

#[test]
fn an_idle_instance_ends_when_that_was_said() {
    for (settings, after, kind) in [
        (&["window=20"][..], 20, StopKind::Stop),
        (&["window=20", "min_uptime=40"], 40, StopKind::Stop),
        (&["window=20", "freeze_for=10"], 20, StopKind::Freeze),
    ] {
        let mut fleet = idle(settings);
        let at = READY + Duration::from_secs(after);
        assert_eq!(fleet.next_stop(&key("a")), Some((at, kind)), "{settings:?}");
        assert_eq!(actions(&mut fleet, at - Duration::from_nanos(1)), []);
        let withdrawn = actions(&mut fleet, at);
        assert!(
            matches!(*withdrawn, [Action::Withdraw(..)]),
            "{withdrawn:?}"
        );
    }
}

#[test]
fn a_frozen_instance_ends_when_that_was_said() {
    let mut fleet = idle(&["window=20", "freeze_for=10"]);
    let frozen = READY + Duration::from_secs(20);
    actions(&mut fleet, frozen);
    fleet.on(Event::Drained(InstanceId(1), 1), frozen, &mut Vec::new());
    let at = frozen + Duration::from_secs(10);
    assert_eq!(fleet.next_stop(&key("a")), Some((at, StopKind::Stop)));
    let stopped = actions(&mut fleet, at);
    assert!(
        stopped.contains(&Action::Stop(InstanceId(1))),
        "{stopped:?}"
    );
}

#[test]
fn nothing_is_said_of_what_has_requests_or_stays() {
    let mut fleet = idle(&["window=20"]);
    fleet.on(Event::InUse(key("a"), true), READY, &mut Vec::new());
    assert_eq!(fleet.next_stop(&key("a")), None);
    assert_eq!(idle(&["window=20", "min=1"]).next_stop(&key("a")), None);
    assert_eq!(fleet.next_stop(&key("unknown")), None);
}
