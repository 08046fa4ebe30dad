//! Events of any kind in any order, whatever they mean, and a clock that goes back: the rules hold all the same.

use std::time::Duration;

use proptest::prelude::*;

use super::super::*;
use super::histories::{NAMES, settings};
use super::rules::Rules;
use super::script::{key, spec};

/// An event, with numbers of instances that may be there or not.
fn event() -> impl Strategy<Value = Event> {
    let name = (0..NAMES.len()).prop_map(|at| key(NAMES[at]));
    let id = (1_u64..25).prop_map(InstanceId);
    let ended = || Ended {
        how: "exited with code 1".to_owned(),
    };
    prop_oneof![
        2 => (name.clone(), settings())
            .prop_map(|(key, settings)| Event::Specified(key, spec(settings).into())),
        1 => name.clone().prop_map(Event::Removed),
        2 => (name.clone(), 0_u32..6).prop_map(|(key, wanted)| Event::Wanted(key, wanted)),
        1 => (name.clone(), 0_u32..3)
            .prop_map(|(key, floor)| Event::MinScale(key, floor, StartCause::Schedule)),
        4 => name.clone().prop_map(Event::Demand),
        4 => (name.clone(), any::<bool>()).prop_map(|(key, is_in_use)| Event::InUse(key, is_in_use)),
        6 => id.clone().prop_map(Event::Ready),
        4 => id.clone().prop_map(move |id| Event::Ended(id, ended())),
        6 => (id.clone(), 1_u64..4).prop_map(|(id, number)| Event::Drained(id, number)),
        2 => (id, any::<bool>()).prop_map(|(id, is_busy)| Event::Busy(id, is_busy)),
        1 => (name.clone(), 0_u64..60)
            .prop_map(|(key, seconds)| Event::Wake(key, Duration::from_secs(seconds))),
        1 => name.prop_map(Event::Sleep),
        6 => Just(Event::Tick),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn rules_hold_whatever_happens(
        first in prop::collection::vec(settings(), NAMES.len()),
        events in prop::collection::vec((event(), 0_u64..20_000, 0_u64..4), 0..120),
    ) {
        let mut fleet = Fleet::new();
        let mut rules = Rules::default();
        let mut now = Duration::ZERO;
        let mut actions = Vec::new();
        let mut tell = |fleet: &mut Fleet, event: Event, told: Duration, now: Duration| {
            rules.on_event(&event, now);
            fleet.on(event, told, &mut actions);
            for action in actions.drain(..) {
                rules.on_action(&action, now);
            }
            rules.on_rest(fleet, now);
        };
        for (name, settings) in NAMES.into_iter().zip(first) {
            tell(&mut fleet, Event::Specified(key(name), spec(settings).into()), now, now);
        }
        for (event, millis, kind) in events {
            match kind {
                // Told by a clock that went back.
                0 => {
                    let told = now.saturating_sub(Duration::from_millis(millis));
                    tell(&mut fleet, event, told, now);
                    continue;
                }
                // As soon as something is due.
                1 => now = fleet.next().unwrap_or(now),
                _ => now += Duration::from_millis(millis),
            }
            tell(&mut fleet, event, now, now);
        }
        tell(&mut fleet, Event::Shutdown, now, now);
        for id in 1..=fleet.last_id {
            let how = "exited with code 0".to_owned();
            tell(&mut fleet, Event::Ended(InstanceId(id), Ended { how }), now, now);
        }
        prop_assert!(fleet.is_empty());
    }
}
