//! Which requests are traced: those whose client says so, and a share of those whose client says nothing. Pure.

use super::context::TraceId;

/// Decides by the id of a trace, so that all who ask for the same share decide alike.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Sampler {
    /// Traces below it are recorded.
    bound: u64,
}

/// Beyond the upper half of an id.
const ALL: u64 = 1 << 63;

impl Sampler {
    /// Records this share of traces, from 0 to 1.
    pub(super) fn new(share: f64) -> Self {
        // Rounded down, as OpenTelemetry's samplers do.
        let bound = (share.clamp(0.0, 1.0) * ALL as f64) as u64;
        Self { bound }
    }

    /// Whether the trace with this id is recorded.
    pub(super) fn records(self, id: TraceId) -> bool {
        id.low() >> 1 < self.bound
    }
}

#[cfg(test)]
mod tests {
    use opentelemetry::trace::{SpanKind, TraceId as Theirs};
    use opentelemetry_sdk::trace::{Sampler as SdkSampler, SamplingDecision, ShouldSample};
    use proptest::prelude::*;

    use super::*;

    /// Whether OpenTelemetry's own sampler records it.
    fn theirs(share: f64, id: u128) -> bool {
        let sampler = SdkSampler::TraceIdRatioBased(share);
        let id = Theirs::from_bytes(id.to_be_bytes());
        let result = sampler.should_sample(None, id, "GET", &SpanKind::Server, &[], &[]);
        result.decision == SamplingDecision::RecordAndSample
    }

    proptest! {
        #[test]
        fn a_trace_is_recorded_where_opentelemetry_records_it(share in 0.0..=1.0, id in 1u128..) {
            let id_here = TraceId::new(id).unwrap();
            prop_assert_eq!(Sampler::new(share).records(id_here), theirs(share, id));
        }

        #[test]
        fn ids_beside_the_bound_are_decided_alike(share in 0.0..1.0, offset in -3i64..=3, bit in 0..=1u64) {
            let bound = Sampler::new(share).bound;
            let low = bound.saturating_add_signed(offset).min(ALL - 1) << 1 | bit;
            let id = (1 << 64) | u128::from(low);
            let id_here = TraceId::new(id).unwrap();
            prop_assert_eq!(Sampler::new(share).records(id_here), theirs(share, id));
        }
    }

    #[test]
    fn none_or_all_are_recorded() {
        for id in [1, u128::from(u64::MAX), u128::MAX] {
            let id = TraceId::new(id).unwrap();
            assert!(!Sampler::new(0.0).records(id));
            assert!(Sampler::new(1.0).records(id));
        }
    }
}
