//! The filter in force, against a naive reading of the whole history.

use proptest::prelude::*;

use super::*;

/// An event, and the seconds since the one before.
type Step = (u64, Event);

fn filter() -> impl Strategy<Value = Filter> {
    let texts = ["error", "info", "debug", "info,hyper=debug"];
    prop::sample::select(texts.map(|text| text.parse().unwrap()).to_vec())
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let time = prop::option::of((1..5_u64).prop_map(Duration::from_secs));
    let event = prop_oneof![
        prop::option::of(filter()).prop_map(Event::Configured),
        filter().prop_map(Event::Cluster),
        (filter(), time).prop_map(|(filter, time)| Event::Set(filter, time)),
        Just(Event::Reset),
        Just(Event::Signal),
        Just(Event::Tick),
    ];
    prop::collection::vec((0..4_u64, event), 0..30)
}

/// What is in force after all of `history`: its last words, looked up.
fn naive(first: Option<Filter>, history: &[(Instant, Event)], now: Instant) -> InForce {
    let last = |is: fn(&Event) -> bool| history.iter().rposition(|(_, event)| is(event));
    let ended = last(|event| matches!(event, Event::Set(..) | Event::Reset));
    let since = ended.map_or(0, |at| at + 1);
    let signals = history[since..].iter();
    let signals = signals.filter(|(_, event)| matches!(event, Event::Signal));
    if signals.count() % 2 == 1 {
        let filter = "info,activator_bin=debug,reporter=debug".parse().unwrap();
        return InForce {
            filter,
            by: By::Signal,
            until: None,
        };
    }
    if let Some((at, Event::Set(filter, time))) = ended.map(|at| &history[at]) {
        let until = time.map(|time| *at + time);
        if until.is_none_or(|until| until > now) {
            return InForce {
                filter: filter.clone(),
                by: By::Admin,
                until,
            };
        }
    }
    let configured = history.iter().rev().find_map(|(_, event)| match event {
        Event::Configured(filter) => Some(filter.clone()),
        _ => None,
    });
    let cluster = history.iter().rev().find_map(|(_, event)| match event {
        Event::Cluster(filter) => Some(filter.clone()),
        _ => None,
    });
    let filter = configured.unwrap_or(first).or(cluster);
    InForce {
        filter: filter.unwrap_or_else(|| "info".parse().unwrap()),
        by: By::Configuration,
        until: None,
    }
}

proptest! {
    #[test]
    fn the_last_word_counts(first in prop::option::of(filter()), steps in steps()) {
        let mut now = Instant::now();
        let mut level = Level::new(first.clone());
        let mut history = Vec::new();
        for (seconds, event) in steps {
            now += Duration::from_secs(seconds);
            let (before, configured) = (level.in_force(), level.configuration());
            history.push((now, event.clone()));
            let outcome = level.on(event, now);
            let to = level.in_force();
            prop_assert_eq!(&to, &naive(first.clone(), &history, now));
            prop_assert!(level.next().is_none_or(|next| next > now));
            // Each change is told, and nothing else.
            let expected = match level.configuration() {
                _ if before != to => Outcome::Changed { from: before, to },
                waits if waits != configured => Outcome::Waits(waits),
                _ => Outcome::Unchanged,
            };
            prop_assert_eq!(outcome, expected);
        }
        // Whatever has happened, this leads back to the configuration.
        level.on(Event::Reset, now);
        prop_assert_eq!(level.in_force().filter, level.configuration());
        prop_assert_eq!(level.next(), None);
    }
}

#[test]
fn a_signal_switches_to_debug_and_back_to_what_was_set() {
    let now = Instant::now();
    let mut level = Level::new(None);
    let mut on = |event, seconds, by, text: &str| {
        level.on(event, now + Duration::from_secs(seconds));
        let found = level.in_force();
        assert_eq!((found.by, found.filter.to_string().as_str()), (by, text));
    };
    let debug = "info,activator_bin=debug,reporter=debug";
    let set = Event::Set("warn".parse().unwrap(), Some(Duration::from_secs(10)));
    on(Event::Signal, 0, By::Signal, debug);
    on(Event::Signal, 1, By::Configuration, "info");
    on(set.clone(), 2, By::Admin, "warn");
    on(Event::Signal, 3, By::Signal, debug);
    let error = Event::Configured(Some("error".parse().unwrap()));
    on(error, 4, By::Signal, debug);
    on(Event::Signal, 5, By::Admin, "warn");
    on(Event::Tick, 11, By::Admin, "warn");
    on(Event::Tick, 12, By::Configuration, "error");
    // Its time passes behind a signal.
    on(set, 20, By::Admin, "warn");
    on(Event::Signal, 21, By::Signal, debug);
    on(Event::Tick, 30, By::Signal, debug);
    on(Event::Signal, 31, By::Configuration, "error");
}
