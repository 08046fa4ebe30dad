//! The parameters of one revision, under Knative's names.

use std::time::Duration;

/// How a revision is scaled. The ranges are those of Knative; the defaults too, except where a field says otherwise.
#[derive(Clone, Debug, PartialEq)]
pub struct ScaleSettings {
    /// The concurrency that one instance should have; `None` for `container_concurrency`, or 100 where that is 0.
    pub target: Option<f64>,
    /// The part of `target` that is aimed at, in (0, 1]; `None` for 0.7, or 1 with a `container_concurrency` of 1 to 3.
    pub target_utilization: Option<f64>,
    /// The period that the number of instances is decided by; also how long a revision is idle before it stops.
    pub stable_window: Duration,
    /// The panic window as a percentage of the stable one.
    pub panic_window_percentage: f64,
    /// How much of the ready capacity, in percent, starts a panic.
    pub panic_threshold_percentage: f64,
    /// The fewest instances.
    pub min_scale: u32,
    /// The most instances, at least 1. Has no default: memory is bounded.
    pub max_scale: u32,
    /// How many instances the first start makes.
    pub initial_scale: u32,
    /// How many instances a start from zero makes; `None` for as many as the load needs.
    pub activation_scale: Option<u32>,
    /// How long fewer instances must be enough before there are fewer.
    pub scale_down_delay: Duration,
    /// How long the last instance is kept after the decision to stop it.
    pub scale_to_zero_pod_retention_period: Duration,
}

impl ScaleSettings {
    /// The defaults, with this most instances.
    #[must_use]
    pub fn new(max_scale: u32) -> Self {
        Self {
            target: None,
            target_utilization: None,
            stable_window: Duration::from_secs(60),
            panic_window_percentage: 10.0,
            panic_threshold_percentage: 200.0,
            min_scale: 0,
            max_scale,
            initial_scale: 1,
            activation_scale: None,
            scale_down_delay: Duration::ZERO,
            scale_to_zero_pod_retention_period: Duration::ZERO,
        }
    }
}
