//! Those bounds of Knative's `kpa/scaler_test.go` that are there on one machine, and how long the last one is kept.

use super::*;

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// At this second the load asks for so many, so many are ready, and so many are wanted.
type Step = (u64, u32, u32, u32);

fn check(change: impl FnOnce(&mut ScaleSettings), ready: u32, steps: &[Step]) {
    let mut settings = ScaleSettings::new(10);
    change(&mut settings);
    let mut bounds = Bounds::new(&settings, ready, Duration::ZERO);
    for &(at, desired, ready, expected) in steps {
        let wanted = bounds.apply(desired, ready, seconds(at));
        assert_eq!(wanted, expected, "{desired} with {ready} ready at {at} s");
    }
}

#[test]
fn the_number_is_within_its_limits() {
    check(|_| (), 0, &[(0, 7, 0, 7), (2, 11, 7, 10), (4, 3, 10, 3)]);
    let limits = |min, max| {
        move |settings: &mut ScaleSettings| {
            settings.min_scale = min;
            settings.max_scale = max;
        }
    };
    check(limits(2, 8), 0, &[(0, 0, 0, 2), (2, 10, 2, 8)]);
    // Only a schedule can ask for this.
    check(limits(5, 3), 0, &[(0, 0, 0, 3)]);
}

#[test]
fn the_first_start_is_of_as_many_as_the_initial_scale_until_they_were_ready() {
    let initial = |scale| move |settings: &mut ScaleSettings| settings.initial_scale = scale;
    let steps = [
        (0, 0, 0, 0),
        (2, 1, 0, 3),
        (4, 1, 2, 3),
        (6, 1, 3, 1),
        (8, 0, 0, 0),
        (10, 1, 0, 1),
    ];
    check(initial(3), 0, &steps);
    // More than there can be.
    check(initial(20), 0, &[(0, 1, 0, 10), (2, 1, 10, 1)]);
    check(initial(0), 0, &[(0, 1, 0, 1)]);
}

#[test]
fn an_instance_is_kept_for_a_window_after_it_became_ready() {
    let steps = [
        (0, 1, 0, 1),
        (90, 1, 1, 1),
        (92, 0, 1, 1),
        (149, 0, 1, 1),
        (150, 0, 1, 0),
        (152, 0, 1, 0),
    ];
    check(|_| (), 0, &steps);
    // Nothing was asked for any more when it became ready.
    let late = [(0, 1, 0, 1), (62, 0, 0, 0), (90, 0, 1, 1), (150, 0, 1, 0)];
    check(|_| (), 0, &late);
    // It was there before, and nothing is known of its load.
    check(|_| (), 1, &[(59, 0, 1, 1), (60, 0, 1, 0)]);
}

#[test]
fn all_but_the_last_one_go_before_that() {
    check(|_| (), 0, &[(0, 5, 0, 5), (2, 5, 5, 5), (4, 0, 5, 1)]);
}

#[test]
fn one_that_is_not_ready_is_not_kept() {
    check(|_| (), 0, &[(0, 1, 0, 1), (62, 0, 0, 0)]);
}

#[test]
fn the_last_one_is_kept_for_the_retention_period() {
    let retained = |settings: &mut ScaleSettings| {
        settings.scale_to_zero_pod_retention_period = seconds(30);
    };
    let steps = [
        (0, 2, 0, 2),
        (2, 2, 2, 2),
        (100, 0, 2, 1),
        (120, 0, 1, 1),
        (122, 1, 1, 1), // Load: it begins anew.
        (124, 0, 1, 1),
        (153, 0, 1, 1),
        (154, 0, 1, 0),
        (156, 0, 1, 0),
    ];
    check(retained, 0, &steps);
    // Where none was wanted, none is kept.
    check(retained, 0, &[(0, 0, 0, 0)]);
}

#[test]
fn the_retention_period_begins_when_the_fewest_are_none() {
    let mut settings = ScaleSettings::new(10);
    settings.min_scale = 1;
    settings.scale_to_zero_pod_retention_period = seconds(30);
    let mut bounds = Bounds::new(&settings, 1, Duration::ZERO);
    assert_eq!(bounds.apply(0, 1, seconds(1000)), 1);
    bounds.set_min_scale(0);
    assert_eq!(bounds.apply(0, 1, seconds(1002)), 1);
    assert_eq!(bounds.apply(0, 1, seconds(1031)), 1);
    assert_eq!(bounds.apply(0, 1, seconds(1032)), 0);
    bounds.set_min_scale(4);
    assert_eq!(bounds.apply(0, 0, seconds(1034)), 4);
}
