//! Knative's `aggregation/bucketing_test.go`, and what no clock should do.

use crate::autoscaler::cases::{Row, check_rows};

use super::*;

/// What happens to a window of one-second slots, in milliseconds.
enum Step {
    Write(f64, &'static [u64]),
    Read(u64, f64),
    Resize(u64, u64),
}

use Step::{Read, Resize, Write};

/// The slots of the window, the length of one in milliseconds, and the steps.
type History = (u64, u64, Vec<Step>);

fn check((slots, length, steps): &History) {
    let mut window = Window::new(*slots);
    for step in steps {
        match *step {
            Write(value, at) => at.iter().for_each(|at| window.record(at / length, value)),
            Read(at, expected) => assert_eq!(window.average(at / length), expected, "at {at} ms"),
            Resize(slots, at) => window.resize(slots, at / length),
        }
    }
}

/// 1, 2, 3, ... written in the seconds from 0.
fn rising(values: u64) -> Vec<Step> {
    const SECONDS: [[u64; 1]; 6] = [[0], [1000], [2000], [3000], [4000], [5000]];
    let values = (1..=values).zip(&SECONDS);
    values
        .map(|(value, second)| Write(value as f64, second))
        .collect()
}

fn then(mut steps: Vec<Step>, more: Vec<Step>) -> Vec<Step> {
    steps.extend(more);
    steps
}

#[test]
fn averages_are_those_of_knative() {
    let weighted = "only the linear average is there";
    let one_history = then(
        then(vec![Write(1.0, &[0]), Read(0, 1.0)], rising(5).split_off(1)),
        vec![
            Read(4000, 3.0),
            Read(3600, 3.0),
            Read(6000, 4.0),
            Read(10_000, 0.0),
            Write(91.0, &[6000]),
            Read(6000, 20.6),
            Write(1984.0, &[60_000]),
            Read(60_000, 1984.0),
            Write(4.0, &[57_000]),
            Read(60_000, 497.0),
            Write(5.0, &[61_000]),
            Read(61_000, 398.6),
            Write(10.0, &[58_000]),
            Read(61_000, 400.6),
            Write(10.0, &[55_000, 56_000]),
            Read(61_000, 400.6),
            Write(10.0, &[66_000]),
            Read(66_000, 10.0),
        ],
    );
    let same_slot = vec![Write(1.0, &[0]), Write(10.0, &[100]), Read(100, 11.0)];
    let coarse = vec![Write(1.0, &[0]), Write(11.0, &[3000]), Read(3000, 12.0)];
    let descending = vec![
        Write(5.0, &[8000, 7000, 6000, 5000, 4000, 3000, 2000, 1000, 0]),
        Read(5000, 5.0),
    ];
    // What is left of it, 5 and 2, over the 5 slots from the fourth to the eighth.
    let left = then(rising(5), vec![Write(2.0, &[8000]), Read(8000, 7.0 / 5.0)]);
    let resized = then(
        rising(6),
        vec![
            Read(5000, 4.0),
            Resize(10, 5000),
            Read(5000, 4.0),
            Write(7.0, &[6000]),
            Read(6000, 4.5),
            Resize(4, 6000),
            Read(6000, 5.5),
        ],
    );
    let scrapes = vec![
        Write(3.0, &[0, 1, 2, 3, 4, 5, 6, 7, 8, 9]),
        Write(
            4.0,
            &[1000, 1001, 1002, 1003, 1004, 1005, 1006, 1007, 1008, 1009],
        ),
        Read(1000, 35.0),
    ];
    let rows = &[
        Row::Holds("one history", (5, 1000, one_history)),
        Row::Holds("values of a second add up", (5, 1000, same_slot)),
        Row::Holds("so do those of 5 seconds", (2, 5000, coarse)),
        Row::Holds("descending", (5, 1000, descending)),
        Row::Holds("live buckets", (5, 1000, left)),
        Row::Holds("resize", (5, 1000, resized)),
        Row::Holds("collector", (60, 1000, scrapes)),
        Row::Excluded("weighted: a single 2 is 2m", weighted),
        Row::Excluded("weighted: a second later 2m(1-m)", weighted),
        Row::Excluded("weighted: 2, 3, 4, 5, 6 are 5.812", weighted),
        Row::Excluded("weighted: 10 s later 0", weighted),
    ];
    check_rows(rows, 7, 4, check);
}

#[test]
fn a_source_that_stops_is_not_one_that_sends_zeros() {
    let mut silent = Window::new(60);
    (0..3).for_each(|second| silent.record(second, 10.0));
    silent.record(3, 0.0);
    for (second, expected) in [
        (3, 7.5),
        (59, 7.5), // 30 / 4
        (60, 6.666667),
        (61, 5.0),
        (62, 0.0),
    ] {
        // The first second leaves at 60, and seconds after 3 were not seen.
        assert_eq!(silent.average(second), expected, "at {second}");
    }

    let mut zeros = Window::new(60);
    for (second, value) in (0..62).map(|second| (second, if second < 3 { 10.0 } else { 0.0 })) {
        zeros.record(second, value);
        let expected = match second {
            30 => Some(0.967742),
            59 => Some(0.5),
            _ => None,
        };
        if let Some(expected) = expected {
            assert_eq!(zeros.average(second), expected, "at {second}");
        }
    }
    zeros.record(62, 0.0);
    assert_eq!(zeros.average(62), 0.0);
}

#[test]
fn a_window_that_has_run_out_is_not_kept_by_a_longer_one() {
    check(&(
        5,
        1000,
        then(
            rising(5),
            vec![Read(9000, 0.0), Resize(60, 9000), Read(9000, 0.0)],
        ),
    ));
    check(&(
        5,
        1000,
        then(rising(5), vec![Resize(60, 8000), Read(8000, 3.0)]),
    ));
}

#[test]
fn a_longer_window_does_not_begin_before_the_first_value() {
    let steps = vec![
        Write(8.0, &[1000]),
        Resize(60, 1000),
        Read(1000, 8.0),
        Write(0.0, &[2000]),
        Read(2000, 4.0),
    ];
    check(&(5, 1000, steps));
}

#[test]
fn the_end_of_time_is_a_slot_like_any_other() {
    let mut window = Window::new(5);
    window.record(0, 3.0);
    window.record(u64::MAX, 1.0);
    window.record(u64::MAX - 1, 2.0);
    window.record(0, 9.0);
    assert_eq!(window.average(u64::MAX), 1.5);
    assert_eq!(window.average(0), 1.5);
    window.resize(2, u64::MAX);
    assert_eq!(window.average(u64::MAX), 1.5);
}

#[test]
fn a_huge_value_leaves_nothing_behind() {
    let mut window = Window::new(3);
    window.record(0, 1e300);
    (1..=3).for_each(|second| window.record(second, 0.1));
    assert_eq!(window.average(3), 0.1);
}
