//! Random histories, compared with a naive model that divides all instances anew each time.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

#[derive(Clone, Debug)]
enum Op {
    Healthy(u8),
    Joined(u8),
    SetAside(u8),
    Unhealthy(u8),
    Unlisted(u8),
    Clear,
    Settle(u32, Option<Share>),
}

/// The obvious way to keep the same state.
#[derive(Default)]
struct Model {
    healthy: BTreeSet<SocketAddr>,
    aside: BTreeSet<SocketAddr>,
    capacity: BTreeSet<SocketAddr>,
}

/// Deals the instances out, then takes what falls to one activator.
fn divide(
    instances: impl Iterator<Item = SocketAddr>,
    limit: u32,
    share: Option<Share>,
) -> BTreeSet<SocketAddr> {
    let mut instances: Vec<_> = instances.collect();
    instances.sort_by_key(ToString::to_string);
    let Some(Share { index, activators }) = share.filter(|_| limit > 0) else {
        return instances.into_iter().collect();
    };
    let count = instances.len();
    if count < activators {
        let own = instances.into_iter().cycle().nth(index);
        return own.into_iter().collect();
    }
    let each = count / activators;
    let owner = |nth: usize| match nth < each * activators {
        true => nth / each,
        false => nth - each * activators,
    };
    let dealt = instances.into_iter().enumerate();
    dealt
        .filter_map(|(nth, it)| (owner(nth) == index).then_some(it))
        .collect()
}

impl Model {
    fn wanted(&self, limit: u32, share: Option<Share>) -> BTreeSet<SocketAddr> {
        let own = divide(self.healthy.iter().copied(), limit, share);
        let usable: BTreeSet<_> = own.difference(&self.aside).copied().collect();
        if usable.is_empty() {
            let others = self.healthy.difference(&self.aside).copied();
            return divide(others, limit, share);
        }
        usable
    }
}

/// Enough for their order as text to differ from their order as numbers.
const INSTANCES: u8 = 12;

fn instance(number: u8) -> SocketAddr {
    SocketAddr::from(([10, 0, 0, number], 80))
}

fn shares() -> impl Strategy<Value = Option<Share>> {
    let share = (1..20_usize).prop_flat_map(|activators| {
        (0..activators).prop_map(move |index| Some(Share { index, activators }))
    });
    prop_oneof![1 => Just(None), 6 => share]
}

fn ops() -> impl Strategy<Value = Op> {
    prop_oneof![
        12 => (0..INSTANCES).prop_map(Op::Healthy),
        1 => (0..INSTANCES).prop_map(Op::Joined),
        4 => (0..INSTANCES).prop_map(Op::SetAside),
        3 => (0..INSTANCES).prop_map(Op::Unhealthy),
        2 => (0..INSTANCES).prop_map(Op::Unlisted),
        1 => Just(Op::Clear),
        12 => (0..3_u32, shares()).prop_map(|(limit, share)| Op::Settle(limit, share)),
    ]
}

fn check(history: Vec<Op>) {
    let (mut assignment, mut model) = (Assignment::default(), Model::default());
    for op in history {
        match op {
            Op::Healthy(number) => {
                assignment.on_healthy(instance(number));
                model.healthy.insert(instance(number));
                model.aside.remove(&instance(number));
            }
            Op::Joined(number) => {
                assignment.on_joined(instance(number));
                model.healthy.insert(instance(number));
                model.aside.remove(&instance(number));
                model.capacity.insert(instance(number));
            }
            Op::SetAside(number) => {
                assignment.on_set_aside(instance(number));
                if model.healthy.contains(&instance(number)) {
                    model.aside.insert(instance(number));
                }
                model.capacity.remove(&instance(number));
            }
            Op::Unhealthy(number) => {
                assignment.on_unhealthy(instance(number));
                model.healthy.remove(&instance(number));
                model.aside.remove(&instance(number));
            }
            Op::Unlisted(number) => {
                assignment.on_unlisted(instance(number));
                model.healthy.remove(&instance(number));
                model.aside.remove(&instance(number));
                model.capacity.remove(&instance(number));
            }
            Op::Clear => {
                assignment.clear();
                model.healthy.clear();
                model.aside.clear();
            }
            Op::Settle(limit, share) => {
                let step = assignment.settle(limit, share, |_| true);
                for removed in step.removed {
                    model.capacity.remove(&removed);
                }
                for added in step.added {
                    assert!(model.capacity.insert(added), "{added} twice");
                }
                assert_eq!(model.capacity, model.wanted(limit, share));
                assert_eq!(assignment.assigned(), model.capacity.len());
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn an_assignment_matches_the_naive_model(history in prop::collection::vec(ops(), 0..200)) {
        check(history);
    }

    #[test]
    fn activators_with_enough_instances_share_none_and_leave_none(
        instances in prop::collection::btree_set(0..100_u8, 1..60),
        activators in 1..10_usize,
    ) {
        let mut owners = vec![0; 100];
        for index in 0..activators {
            let mut assignment = Assignment::default();
            for &number in &instances {
                assignment.on_healthy(instance(number));
            }
            let step = assignment.settle(1, Some(Share { index, activators }), |_| true);
            prop_assert!(!step.added.is_empty(), "each can send to one");
            for &number in &instances {
                owners[usize::from(number)] += usize::from(step.added.contains(&instance(number)));
            }
        }
        if activators <= instances.len() {
            prop_assert!(instances.iter().all(|&number| owners[usize::from(number)] == 1));
        }
    }
}
