//! Random histories.

use proptest::prelude::*;

use super::naive::Naive;
use super::*;

#[derive(Clone, Debug)]
enum Step {
    /// Time passes, in milliseconds; or goes back.
    Pass(i64),
    Record(f64),
    Tick(u32),
}

fn concurrency() -> impl Strategy<Value = f64> {
    // Quarters: their sums are exact, in whatever order.
    prop_oneof![
        3 => Just(0.0),
        6 => (0..200_u32).prop_map(|quarters| f64::from(quarters) / 4.0),
        1 => prop::sample::select(vec![f64::NAN, -1.0, f64::INFINITY, f64::NEG_INFINITY, 1e300]),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (0..2500_i64).prop_map(Step::Pass),
        1 => (0..20_000_i64).prop_map(Step::Pass),
        1 => (-3000..0_i64).prop_map(Step::Pass),
        6 => concurrency().prop_map(Step::Record),
        4 => (0..12_u32).prop_map(Step::Tick),
    ]
}

prop_compose! {
    fn settings()(
        target in prop::option::of(1..40_u32),
        target_utilization in prop::option::of(1..=4_u32),
        stable_window in 6..20_u64,
        panic_window_percentage in 1..=100_u32,
        panic_threshold_percentage in 110..=1000_u32,
        min_scale in prop_oneof![2 => Just(0), 1 => 1..4_u32],
        more in 0..20_u32,
        initial_scale in 1..5_u32,
        activation_scale in prop::option::of(2..5_u32),
        scale_down_delay in prop_oneof![2 => Just(0), 1 => 1..20_u64],
        retention_period in prop_oneof![2 => Just(0), 1 => 1..20_u64],
    ) -> ScaleSettings {
        ScaleSettings {
            target: target.map(|quarters| f64::from(quarters) / 4.0),
            target_utilization: target_utilization.map(|quarters| f64::from(quarters) / 4.0),
            stable_window: seconds(stable_window),
            panic_window_percentage: f64::from(panic_window_percentage),
            panic_threshold_percentage: f64::from(panic_threshold_percentage),
            min_scale,
            max_scale: min_scale.max(1) + more,
            initial_scale,
            activation_scale,
            scale_down_delay: seconds(scale_down_delay),
            scale_to_zero_pod_retention_period: seconds(retention_period),
        }
    }
}

/// The time after a step: never negative.
fn pass(now: Duration, millis: i64) -> Duration {
    let by = Duration::from_millis(millis.unsigned_abs());
    match millis < 0 {
        true => now.saturating_sub(by),
        false => now.saturating_add(by),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn decisions_are_those_of_the_naive_model(
        settings in settings(),
        container_concurrency in 0..12_u32,
        ready in 0..4_u32,
        steps in prop::collection::vec(step(), 1..80),
    ) {
        let mut now = seconds(100);
        let mut autoscaler = Autoscaler::new(&settings, container_concurrency, ready, now);
        let mut again = Autoscaler::new(&settings, container_concurrency, ready, now);
        let mut naive = Naive::new(&settings, container_concurrency, ready, now);
        let mut latest = now;
        let mut last = 0;
        for step in steps {
            match step {
                Step::Pass(millis) => now = pass(now, millis),
                Step::Record(concurrency) => {
                    latest = latest.max(now);
                    autoscaler.record(concurrency, now);
                    again.record(concurrency, now);
                    naive.record(concurrency, latest);
                }
                Step::Tick(ready) => {
                    latest = latest.max(now);
                    let was_in_panic = autoscaler.decisions.in_panic();
                    let wanted = autoscaler.tick(ready, now);
                    prop_assert_eq!(wanted, naive.tick(ready, latest));
                    prop_assert_eq!(wanted, again.tick(ready, now));
                    prop_assert!((settings.min_scale..=settings.max_scale).contains(&wanted));
                    let in_panic = autoscaler.decisions.in_panic();
                    prop_assert_eq!(in_panic, naive.in_panic());
                    // What was wanted before it may be more: by the scale-down delay, or the initial scale.
                    if in_panic {
                        let asked = autoscaler.decisions.max_panic();
                        prop_assert!(wanted >= asked.min(settings.max_scale), "{wanted}, {asked}");
                        prop_assert!(asked >= last || !was_in_panic, "down from {last} to {asked}");
                        last = asked;
                    }
                }
            }
        }
    }
}

#[derive(Clone, Debug)]
enum Wild {
    Pass(Duration),
    Back(Duration),
    Record(f64),
    Tick(u32),
    MinScale(u32),
    Settings(ScaleSettings, u32),
}

fn duration() -> impl Strategy<Value = Duration> {
    prop_oneof![
        4 => (0..5000_u64).prop_map(Duration::from_millis),
        1 => any::<u64>().prop_map(Duration::from_millis),
        1 => Just(Duration::MAX),
    ]
}

fn percentage() -> impl Strategy<Value = f64> {
    prop_oneof![0.0..2000.0, any::<f64>()]
}

prop_compose! {
    /// No configuration allows some of these.
    fn wild_settings()(
        target in prop::option::of(any::<f64>()),
        target_utilization in prop::option::of(any::<f64>()),
        stable_window in duration(),
        panic_window_percentage in percentage(),
        panic_threshold_percentage in percentage(),
        min_scale in any::<u32>(),
        max_scale in 1..=u32::MAX,
        initial_scale in any::<u32>(),
        activation_scale in prop::option::of(any::<u32>()),
        scale_down_delay in duration(),
        scale_to_zero_pod_retention_period in duration(),
    ) -> ScaleSettings {
        ScaleSettings {
            target,
            target_utilization,
            stable_window,
            panic_window_percentage,
            panic_threshold_percentage,
            min_scale,
            max_scale,
            initial_scale,
            activation_scale,
            scale_down_delay,
            scale_to_zero_pod_retention_period,
        }
    }
}

fn wild() -> impl Strategy<Value = Wild> {
    prop_oneof![
        4 => duration().prop_map(Wild::Pass),
        1 => duration().prop_map(Wild::Back),
        4 => any::<f64>().prop_map(Wild::Record),
        2 => concurrency().prop_map(Wild::Record),
        4 => any::<u32>().prop_map(Wild::Tick),
        1 => any::<u32>().prop_map(Wild::MinScale),
        1 => (wild_settings(), any::<u32>()).prop_map(|(settings, cc)| Wild::Settings(settings, cc)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn bounds_are_kept_whatever_happens(
        settings in wild_settings(),
        container_concurrency in any::<u32>(),
        ready in any::<u32>(),
        steps in prop::collection::vec(wild(), 1..60),
    ) {
        let mut now = Duration::ZERO;
        let mut autoscaler = Autoscaler::new(&settings, container_concurrency, ready, now);
        let mut limits = (settings.min_scale, settings.max_scale);
        for step in steps {
            match step {
                Wild::Pass(by) => now = now.saturating_add(by),
                Wild::Back(by) => now = now.saturating_sub(by),
                Wild::Record(concurrency) => autoscaler.record(concurrency, now),
                Wild::Tick(ready) => {
                    let wanted = autoscaler.tick(ready, now);
                    let (min, max) = limits;
                    prop_assert!((min.min(max)..=max).contains(&wanted), "{wanted}: {limits:?}");
                }
                Wild::MinScale(min) => {
                    autoscaler.set_min_scale(min);
                    limits.0 = min;
                }
                Wild::Settings(settings, container_concurrency) => {
                    autoscaler.set_settings(&settings, container_concurrency, now);
                    limits = (settings.min_scale, settings.max_scale);
                }
            }
        }
        // A second of each window is still counted right.
        now = now.max(autoscaler.latest);
        if let Some(later) = now.checked_add(seconds(2 * 3600)) {
            autoscaler.record(8.0, later);
            prop_assert_eq!(autoscaler.stable.average(later.as_secs()), 8.0);
            prop_assert_eq!(autoscaler.panic.average(later.as_secs()), 8.0);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    /// Two seconds of a life at a time: the load, and how many of the instances that are wanted are ready.
    #[test]
    fn zero_is_reached_without_load_and_never_with_it(
        settings in settings().prop_map(|settings| ScaleSettings { min_scale: 0, ..settings }),
        container_concurrency in 0..12_u32,
        life in prop::collection::vec((0..200_u32, 0..3_u32), 1..60),
    ) {
        let mut autoscaler = Autoscaler::new(&settings, container_concurrency, 0, Duration::ZERO);
        let mut at = 0;
        let mut two_seconds = |load: f64, ready: u32| {
            at += 2;
            autoscaler.record(load, seconds(at));
            autoscaler.record(load, seconds(at + 1));
            autoscaler.tick(ready, seconds(at + 1))
        };
        let window = settings.stable_window.as_secs();
        let mut wanted = 0_u32;
        let mut idle = None; // In seconds, since the last load.
        for (quarters, missing) in life {
            let load = f64::from(quarters.saturating_sub(100)) / 4.0;
            wanted = two_seconds(load, wanted.saturating_sub(missing));
            idle = if load > 0.0 { Some(0) } else { idle.map(|idle| idle + 2) };
            prop_assert!(wanted > 0 || idle.is_none_or(|idle| idle >= window), "{idle:?}");
        }
        let panic = window; // Its window is not longer, and it goes on for another one.
        let delay = settings.scale_down_delay.as_secs() + 2;
        let halving = 6 * (delay + 2); // Only those that are ready are halved.
        let retention = settings.scale_to_zero_pod_retention_period.as_secs();
        let new = window;
        let longest = window + panic + halving + delay + retention.max(new) + 10;
        for _ in 0..longest / 2 {
            wanted = two_seconds(0.0, wanted);
        }
        prop_assert_eq!(wanted, 0);
        for _ in 0..50 {
            prop_assert_eq!(two_seconds(0.0, 0), 0);
        }
    }
}
