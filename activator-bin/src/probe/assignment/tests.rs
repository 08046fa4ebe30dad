//! What the rules lead to, as tables.

use super::*;

fn instance(number: u8) -> SocketAddr {
    SocketAddr::from(([10, 0, 0, number], 80))
}

fn share(index: usize, activators: usize) -> Option<Share> {
    Some(Share { index, activators })
}

fn healthy(numbers: impl IntoIterator<Item = u8>) -> Assignment {
    let mut assignment = Assignment::default();
    for number in numbers {
        assignment.on_healthy(instance(number));
    }
    assignment
}

fn settle(assignment: &mut Assignment, limit: u32, share: Option<Share>) -> (Vec<u8>, Vec<u8>) {
    let step = assignment.settle(limit, share, |_| true);
    let numbers = |addresses: Vec<SocketAddr>| {
        let number = |address: SocketAddr| match address.ip() {
            std::net::IpAddr::V4(ip) => ip.octets()[3],
            std::net::IpAddr::V6(_) => 0,
        };
        addresses.into_iter().map(number).collect()
    };
    (numbers(step.removed), numbers(step.added))
}

#[test]
fn instances_are_divided_as_by_knative() {
    for (instances, limit, share, assigned) in [
        (1..=3, 1, share(1, 3), vec![2]),
        (1..=3, 1, share(0, 2), vec![1, 3]),
        (1..=3, 1, share(1, 2), vec![2]),
        (1..=1, 1, share(1, 3), vec![1]),
        (1..=3, 1, None, vec![1, 2, 3]),
        (1..=5, 1, share(0, 2), vec![1, 2, 5]),
        (1..=5, 1, share(1, 2), vec![3, 4]),
        (1..=6, 42, share(0, 4), vec![1, 5]),
        (1..=3, 0, share(1, 3), vec![1, 2, 3]),
        // As text, 10.0.0.10 comes before 10.0.0.8.
        (8..=10, 1, share(0, 3), vec![10]),
    ] {
        let mut assignment = healthy(instances.clone());
        let (removed, added) = settle(&mut assignment, limit, share);
        assert_eq!((removed, added), (vec![], assigned), "{share:?}");
    }
}

#[test]
fn another_activator_takes_over_its_part() {
    let mut assignment = healthy(1..=4);
    let alone = settle(&mut assignment, 1, share(0, 1));
    assert_eq!(alone, (vec![], vec![1, 2, 3, 4]));
    let first = settle(&mut assignment, 1, share(0, 2));
    assert_eq!(first, (vec![3, 4], vec![]));
    let second = settle(&mut assignment, 1, share(1, 2));
    assert_eq!(second, (vec![1, 2], vec![3, 4]));
    assert_eq!(assignment.assigned(), 2);
}

#[test]
fn one_set_aside_still_counts_when_instances_are_divided() {
    let mut assignment = healthy(1..=4);
    settle(&mut assignment, 1, share(0, 2));
    assignment.on_set_aside(instance(1));
    let step = settle(&mut assignment, 1, share(0, 2));
    assert_eq!(step, (vec![], vec![]), "3 is the other activator's");
    assignment.on_healthy(instance(1));
    let step = settle(&mut assignment, 1, share(0, 2));
    assert_eq!(step, (vec![], vec![1]));
}

#[test]
fn an_activator_whose_instances_are_all_set_aside_takes_some_of_the_others() {
    let mut assignment = healthy(1..=4);
    settle(&mut assignment, 1, share(0, 2));
    assignment.on_set_aside(instance(1));
    assignment.on_set_aside(instance(2));
    let step = settle(&mut assignment, 1, share(0, 2));
    assert_eq!(step, (vec![], vec![3]));
    assignment.on_healthy(instance(2));
    let step = settle(&mut assignment, 1, share(0, 2));
    assert_eq!(step, (vec![3], vec![2]));
}

#[test]
fn what_may_not_join_yet_is_added_later() {
    let mut assignment = healthy(1..=2);
    let is_first = |address| address == instance(1);
    let step = assignment.settle(1, None, is_first);
    assert_eq!(step.added, [instance(1)]);
    assert_eq!(settle(&mut assignment, 1, None), (vec![], vec![2]));
}

#[test]
fn only_what_is_in_the_capacity_is_removed_from_it() {
    let mut assignment = healthy(1..=4);
    assignment.on_unhealthy(instance(1));
    settle(&mut assignment, 1, None);
    assignment.on_unhealthy(instance(2));
    assignment.on_unlisted(instance(3));
    assert_eq!(settle(&mut assignment, 1, None), (vec![2], vec![]));
    assignment.on_joined(instance(5));
    assert_eq!(settle(&mut assignment, 1, None), (vec![], vec![]));
    assignment.clear();
    assert_eq!(settle(&mut assignment, 1, None), (vec![4, 5], vec![]));
    assert_eq!(assignment.assigned(), 0);
}
