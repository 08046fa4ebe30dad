//! What follows from the settings: the target and the lengths of the windows.

use std::time::Duration;

use super::ScaleSettings;

/// The concurrency that one instance can have where neither `target` nor `container_concurrency` says it.
const DEFAULT_CAPACITY: f64 = 100.0;
/// The part of the capacity that is aimed at by default.
const DEFAULT_UTILIZATION: f64 = 0.7;
/// Up to this `container_concurrency` the default is all of it. With less, one request of an instance that takes
/// one would ask for two instances, and in a panic.
const LARGEST_FULLY_USED: u32 = 3;
/// The least target.
const LEAST_TARGET: f64 = 0.01;
/// The longest stable window.
const LONGEST_WINDOW_SECONDS: u64 = 60 * 60;

/// The concurrency that one instance can have, before utilization.
pub(super) fn capacity(settings: &ScaleSettings, container_concurrency: u32) -> f64 {
    let limit = (container_concurrency > 0).then(|| f64::from(container_concurrency));
    match (settings.target, limit) {
        (Some(target), Some(limit)) => target.min(limit),
        (Some(target), None) => target,
        (None, limit) => limit.unwrap_or(DEFAULT_CAPACITY),
    }
}

/// The concurrency that one instance should have.
pub(super) fn target(settings: &ScaleSettings, container_concurrency: u32) -> f64 {
    let utilization = settings
        .target_utilization
        .unwrap_or(match container_concurrency {
            1..=LARGEST_FULLY_USED => 1.0,
            _ => DEFAULT_UTILIZATION,
        });
    let target = capacity(settings, container_concurrency) * utilization;
    // In this order, since the larger of a NaN and a number is the number.
    target.max(LEAST_TARGET)
}

/// How many times the ready instances must be needed to start a panic.
pub(super) fn panic_threshold(settings: &ScaleSettings) -> f64 {
    settings.panic_threshold_percentage / 100.0
}

/// The length of the stable window, in seconds.
pub(super) fn stable_seconds(settings: &ScaleSettings) -> u64 {
    let rounded_up = settings.stable_window.as_secs_f64().ceil() as u64;
    rounded_up.clamp(1, LONGEST_WINDOW_SECONDS)
}

/// The length of the stable window.
pub(super) fn stable_window(settings: &ScaleSettings) -> Duration {
    Duration::from_secs(stable_seconds(settings))
}

/// The length of the panic window, in seconds.
pub(super) fn panic_seconds(settings: &ScaleSettings) -> u64 {
    let stable = settings.stable_window.as_secs_f64();
    let panic = (stable * settings.panic_window_percentage / 100.0).round() as u64;
    panic.clamp(1, stable_seconds(settings))
}

#[cfg(test)]
mod tests {
    use crate::autoscaler::cases::{Row, check_rows};

    use super::*;

    /// `target`, `target_utilization`, `container_concurrency`, and what follows: the target and the capacity.
    type Case = (Option<f64>, Option<f64>, u32, f64, f64);

    fn check(&(wanted, utilization, container_concurrency, expected, total): &Case) {
        let settings = ScaleSettings {
            target: wanted,
            target_utilization: utilization,
            ..ScaleSettings::new(1)
        };
        let target = target(&settings, container_concurrency);
        assert!((target - expected).abs() < 1e-9, "{target}");
        assert_eq!(capacity(&settings, container_concurrency), total);
    }

    /// Those of Knative's `resources/target_test.go`. There an annotation takes the place of the fraction that the
    /// ConfigMap has; here both are `target_utilization`.
    #[test]
    fn targets_are_those_of_knative() {
        let rps = "requests per second are not counted: a stream would look idle";
        let rows: &[Row<Case>] = &[
            Row::Holds("defaults", (None, Some(1.0), 0, 100.0, 100.0)),
            Row::Holds("fraction", (None, Some(0.8), 0, 80.0, 100.0)),
            Row::Excluded(
                "fraction 0.3, default 2: 0.6, 2",
                "the default target is no setting: `target` is",
            ),
            Row::Holds("annotation", (None, Some(0.75), 12, 9.0, 12.0)),
            Row::Holds("CC 10, fraction", (None, Some(0.8), 10, 8.0, 10.0)),
            Row::Holds("CC 1, fraction", (None, Some(0.8), 1, 0.8, 1.0)),
            Row::Holds("target 1", (Some(1.0), Some(1.0), 0, 1.0, 1.0)),
            Row::Holds("least", (Some(1.0), Some(0.001), 0, 0.01, 1.0)),
            Row::Holds("target 10", (Some(10.0), Some(0.75), 0, 7.5, 10.0)),
            Row::Holds("CC 10, target 1", (Some(1.0), Some(1.0), 10, 1.0, 1.0)),
            Row::Holds("CC 0, target", (Some(500.0), Some(1.0), 0, 500.0, 500.0)),
            Row::Holds("CC 1, target 10", (Some(10.0), Some(1.0), 1, 1.0, 1.0)),
            Row::Excluded("rps, defaults: 140, 200", rps),
            Row::Excluded("rps, target 1: 0.7, 1", rps),
            Row::Excluded("rps, utilisation 75 %: 150, 200", rps),
            Row::Excluded("rps, target 300: 210, 300", rps),
            // Knative's defaults in production.
            Row::Holds("CC 0", (None, None, 0, 70.0, 100.0)),
            Row::Holds("CC 1, as Knative", (None, Some(0.7), 1, 0.7, 1.0)),
            Row::Excluded(
                "CC 1, default: 0.7, 1",
                "one request would ask for two instances",
            ),
            Row::Holds("CC 10", (None, None, 10, 7.0, 10.0)),
            Row::Holds("CC 50", (None, None, 50, 35.0, 50.0)),
        ];
        check_rows(rows, 15, 6, check);
    }

    #[test]
    fn a_small_container_concurrency_is_used_in_full() {
        for (container_concurrency, expected) in [(1, 1.0), (2, 2.0), (3, 3.0), (4, 2.8)] {
            let total = f64::from(container_concurrency);
            check(&(None, None, container_concurrency, expected, total));
        }
    }

    #[test]
    fn windows_are_in_whole_seconds() {
        let second = Duration::from_secs(1);
        for (stable, percentage, expected) in [
            // Knative's.
            (10 * second, 10.0, (10, 1)),
            (600 * second, 10.0, (600, 60)),
            (60 * second, 50.0, (60, 30)),
            (60 * second, 51.0, (60, 31)),
            // What no configuration allows.
            (Duration::ZERO, 10.0, (1, 1)),
            (Duration::MAX, 100.0, (3600, 3600)),
            (60 * second, f64::NAN, (60, 1)),
            (60 * second, -10.0, (60, 1)),
            (60 * second, f64::INFINITY, (60, 60)),
        ] {
            let settings = ScaleSettings {
                stable_window: stable,
                panic_window_percentage: percentage,
                ..ScaleSettings::new(1)
            };
            assert_eq!(
                (stable_seconds(&settings), panic_seconds(&settings)),
                expected,
                "{stable:?}, {percentage} %"
            );
        }
    }

    #[test]
    fn targets_that_no_configuration_allows_become_the_least() {
        for (wanted, utilization) in [
            (f64::NAN, 1.0),
            (-1.0, 1.0),
            (0.0, 1.0),
            (1.0, f64::NAN),
            (f64::INFINITY, 0.0),
        ] {
            let settings = ScaleSettings {
                target: Some(wanted),
                target_utilization: Some(utilization),
                ..ScaleSettings::new(1)
            };
            assert_eq!(target(&settings, 0), 0.01, "{wanted}, {utilization}");
        }
    }
}
