//! Thousands of made-up histories.

use std::time::Duration;

use proptest::prelude::*;

use super::super::*;
use super::script::{key, spec};
use super::world::{Whim, World};

pub(super) const NAMES: [&str; 3] = ["a", "b", "c"];

/// What happens in a history. Numbers select among what exists at that moment.
#[derive(Clone, Debug)]
enum Op {
    /// So many milliseconds pass.
    Pass(u32),
    /// Requests come, each of which takes so many milliseconds.
    Arrive(usize, u8, u32),
    Cancel(usize),
    Crash(usize),
    Specify(usize, Vec<&'static str>),
    Remove(usize),
    MinScale(usize, u32),
    Wanted(usize, u32),
    Wake(usize, u8),
    Sleep(usize),
    Stale(Stale, u64),
}

/// An event that means nothing any more, or never did.
#[derive(Clone, Copy, Debug)]
enum Stale {
    Ready,
    Ended,
    Drained,
    Busy,
}

/// Settings, one of each kind at most.
pub(super) fn settings() -> impl Strategy<Value = Vec<&'static str>> {
    let kinds: [&[&str]; 9] = [
        &["max=1", "max=2", "max=3", "max=4"],
        &["min=1", "min=2"],
        &["window=20"],
        &["min_uptime=5", "min_uptime=40"],
        &["freeze_for=10", "freeze_for=200"],
        &["busy_check"],
        &["max_restarts=0", "max_restarts=1"],
        &[
            "command=two",
            "command=three",
            "port=8000",
            "start_command=x",
        ],
        &["log"],
    ];
    let each = kinds.map(|kind| prop::option::of(prop::sample::select(kind)));
    let group = prop::sample::select(&[
        "",
        "",
        "group=g,1,8",
        "group=g,1,30",
        "group=g,2,15",
        "group=h,1,0",
    ]);
    (each.to_vec(), group).prop_map(|(each, group)| {
        let group = Some(group).filter(|it| !it.is_empty());
        let each = each.into_iter().flatten().chain(group);
        // The shortest window that a file may say.
        ["window=6"].into_iter().chain(each).collect()
    })
}

fn op() -> impl Strategy<Value = Op> {
    let name = 0..NAMES.len();
    let stale = vec![Stale::Ready, Stale::Ended, Stale::Drained, Stale::Busy];
    prop_oneof![
        8 => (0_u32..40_000).prop_map(Op::Pass),
        4 => (0_u32..1_500).prop_map(Op::Pass),
        8 => (name.clone(), 1_u8..6, 0_u32..30_000).prop_map(|(of, n, takes)| Op::Arrive(of, n, takes)),
        2 => name.clone().prop_map(Op::Cancel),
        3 => any::<usize>().prop_map(Op::Crash),
        2 => (name.clone(), settings()).prop_map(|(of, settings)| Op::Specify(of, settings)),
        1 => name.clone().prop_map(Op::Remove),
        1 => (name.clone(), 0_u32..3).prop_map(|(of, n)| Op::MinScale(of, n)),
        1 => (name.clone(), 0_u32..6).prop_map(|(of, n)| Op::Wanted(of, n)),
        1 => (name.clone(), 0_u8..60).prop_map(|(of, period)| Op::Wake(of, period)),
        1 => name.prop_map(Op::Sleep),
        2 => (prop::sample::select(stale), 0_u64..40).prop_map(|(event, n)| Op::Stale(event, n)),
    ]
}

fn whim() -> impl Strategy<Value = Whim> {
    let whim = (0_u8..8, 0_u8..5, any::<u8>());
    whim.prop_map(|(start, stop, busy)| Whim { start, stop, busy })
}

fn apply(world: &mut World, op: Op) {
    match op {
        Op::Pass(millis) => world.run(world.now + Duration::from_millis(millis.into())),
        Op::Arrive(of, count, takes) => {
            for _ in 0..count {
                world.arrive(&key(NAMES[of]), Duration::from_millis(takes.into()));
            }
        }
        Op::Cancel(of) => world.cancel(&key(NAMES[of])),
        Op::Crash(which) => world.crash(which),
        Op::Specify(of, settings) => world.specify(&key(NAMES[of]), Some(spec(settings))),
        Op::Remove(of) => world.specify(&key(NAMES[of]), None),
        Op::MinScale(of, floor) => {
            world.tell(Event::MinScale(key(NAMES[of]), floor, StartCause::Schedule));
        }
        Op::Wanted(of, wanted) => world.want(&key(NAMES[of]), wanted),
        Op::Wake(of, period) => {
            let period = Duration::from_secs(period.into());
            world.tell(Event::Wake(key(NAMES[of]), period));
        }
        Op::Sleep(of) => world.tell(Event::Sleep(key(NAMES[of]))),
        Op::Stale(event, number) => {
            let id = InstanceId(number);
            let how = "exited with code 0".to_owned();
            world.tell_stale(match event {
                Stale::Ready => Event::Ready(id),
                Stale::Ended => Event::Ended(id, Ended { how }),
                Stale::Drained => Event::Drained(id, number % 3),
                Stale::Busy => Event::Busy(id, false),
            });
        }
    }
}

/// The same history again: the same follows.
fn replay(world: &World) {
    let mut fleet = Fleet::new();
    for (event, now, expected) in &world.history {
        let mut actions = Vec::new();
        fleet.on(event.clone(), *now, &mut actions);
        assert_eq!(actions, *expected);
    }
}

/// Once all instances do what they should, whoever waits is served or refused, and then nothing is left.
fn end_well(world: &mut World) {
    world.calm();
    // Whatever may be due: a pause, a failure, an instance that was never ready, a turn of each.
    world.run_until(600, |it| it.waiting() == 0);
    assert_eq!(
        world.waiting(),
        0,
        "somebody waits since {:?}",
        world.longest()
    );
    world.run_until(60, |it| it.in_flight() == 0);
    assert_eq!(world.in_flight(), 0);
    for name in NAMES {
        world.tell(Event::MinScale(key(name), 0, StartCause::MinScale));
    }
    world.run_until(600, |it| it.fleet.is_empty());
    assert!(
        world.fleet.is_empty(),
        "not all are idle: {:#?}",
        world.fleet
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_500))]

    #[test]
    fn made_up_histories_keep_the_rules_and_end_well(
        first in prop::collection::vec(settings(), NAMES.len()),
        ops in prop::collection::vec(op(), 0..80),
        whims in prop::collection::vec(whim(), 0..30),
        lags in prop::collection::vec(prop_oneof![Just(0_u16), 0_u16..3_000], 0..60),
        shuts_down_early: bool,
    ) {
        let mut world = World::new();
        world.whims = whims.into();
        world.lags = lags.into();
        for (name, settings) in NAMES.into_iter().zip(first) {
            world.specify(&key(name), Some(spec(settings)));
        }
        for op in ops {
            apply(&mut world, op);
        }
        if !shuts_down_early {
            end_well(&mut world);
        }
        world.tell(Event::Shutdown);
        world.run_until(120, |it| it.fleet.is_empty());
        prop_assert!(world.fleet.is_empty());
        replay(&world);
    }
}
