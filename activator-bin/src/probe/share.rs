//! Which of a revision's instances an activator sends requests to, and how many at once. Knative's rules, so that all
//! activators in front of a revision agree, whichever program they are. Pure arithmetic.
//!
//! The instances are ordered by the text `ip:port`.

use std::ops::Range;

use super::in_cluster::Share;

/// The positions of an activator's instances among all that are ready.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    slice: Range<usize>,
    /// One of the last few, which are too few to be shared evenly.
    remainder: Option<usize>,
}

impl Part {
    /// The part of `instances` that falls to `share`, with `container_concurrency` requests for each.
    ///
    /// Without a limit all of them: any number of activators may send to one. If there are fewer instances than
    /// activators, some activators share one, and each sends it as many requests as it takes.
    #[must_use]
    pub fn of(instances: usize, container_concurrency: u32, share: Option<Share>) -> Self {
        let (index, activators) = match share {
            Some(Share { index, activators })
                if container_concurrency > 0 && activators > 1 && instances > 1 =>
            {
                (index, activators)
            }
            _ => (0, 1),
        };
        if activators > instances && instances > 0 {
            let only = index % instances;
            return Self {
                slice: only..only + 1,
                remainder: None,
            };
        }
        let each = instances / activators;
        let left = instances % activators;
        let begin = index.saturating_mul(each);
        Self {
            slice: begin..begin.saturating_add(each),
            remainder: (index < left).then(|| instances - left + index),
        }
    }

    /// Whether the instance at this position is one of them.
    #[must_use]
    pub fn contains(&self, position: usize) -> bool {
        self.slice.contains(&position) || self.remainder == Some(position)
    }
}

/// The most requests that an activator sends at once to a Service in front of `ready` instances. `None` means no limit.
pub(super) fn service_limit(
    ready: usize,
    container_concurrency: u32,
    share: Option<Share>,
) -> Option<u32> {
    let activators = share.map_or(1, |share| share.activators).max(1);
    let all = u128::from(container_concurrency) * ready as u128;
    let own = (all / activators as u128).max(1);
    (container_concurrency > 0).then(|| u32::try_from(own).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn share(index: usize, activators: usize) -> Option<Share> {
        Some(Share { index, activators })
    }

    fn positions(instances: usize, container_concurrency: u32, share: Option<Share>) -> Vec<usize> {
        let part = Part::of(instances, container_concurrency, share);
        (0..instances).filter(|&it| part.contains(it)).collect()
    }

    #[test]
    fn the_slices_are_knatives() {
        // Instances, activators, index; begin, end, and one of the remainder.
        for (instances, activators, index, begin, end, remainder) in [
            (1, 1, 0, 0, 1, None),
            (1, 2, 0, 0, 1, None),
            (1, 2, 1, 0, 1, None),
            (1, 3, 1, 0, 1, None),
            (2, 3, 1, 1, 2, None),
            (2, 3, 2, 0, 1, None),
            (3, 3, 2, 2, 3, None),
            (3, 3, 1, 1, 2, None),
            (3, 2, 0, 0, 1, Some(2)),
            (3, 2, 1, 1, 2, None),
            (5, 2, 0, 0, 2, Some(4)),
            (5, 2, 1, 2, 4, None),
            (6, 4, 0, 0, 1, Some(4)),
            (6, 4, 1, 1, 2, Some(5)),
            (6, 4, 3, 3, 4, None),
            (10, 3, 0, 0, 3, Some(9)),
            (10, 3, 1, 3, 6, None),
            (10, 3, 2, 6, 9, None),
            (150, 5, 0, 0, 30, None),
            (150, 5, 1, 30, 60, None),
            (150, 5, 4, 120, 150, None),
        ] {
            let part = Part::of(instances, 1, share(index, activators));
            let slice = begin..end;
            assert_eq!(
                part,
                Part { slice, remainder },
                "{instances} instances, {index} of {activators}"
            );
        }
    }

    #[test]
    fn all_instances_are_everyones_without_a_limit_a_share_or_others() {
        let all = |instances: usize| (0..instances).collect::<Vec<_>>();
        for (instances, container_concurrency, share) in [
            (0, 1, share(1, 2)),
            (0, 1, None),
            (3, 1, None),
            (3, 1, share(0, 1)),
            (1, 1, share(2, 3)),
            (5, 0, share(1, 3)),
        ] {
            let positions = positions(instances, container_concurrency, share);
            assert_eq!(positions, all(instances), "{share:?}");
        }
    }

    #[test]
    fn the_capacities_are_knatives() {
        // The limit of each instance, instances, activators, index, the capacity.
        for (container_concurrency, instances, activators, index, capacity) in [
            (10, 3, 2, 0, 20),
            (10, 3, 2, 1, 10),
            (1, 5, 2, 0, 3),
            (1, 5, 2, 1, 2),
            (42, 6, 4, 0, 84),
        ] {
            let assigned = positions(instances, container_concurrency, share(index, activators));
            let own = assigned.len() * container_concurrency as usize;
            assert_eq!(own, capacity, "{index} of {activators}");
        }
    }

    #[test]
    fn a_service_gets_an_activators_part_of_the_capacity() {
        for (container_concurrency, ready, share, limit) in [
            (10, 10, share(0, 5), Some(20)),
            (10, 10, share(0, 200), Some(1)),
            (10, 10, None, Some(100)),
            (1, 3, share(1, 2), Some(1)),
            (0, 10, share(0, 5), None),
            (u32::MAX, 10, share(0, 2), Some(u32::MAX)),
            (u32::MAX, usize::MAX, None, Some(u32::MAX)),
        ] {
            assert_eq!(
                service_limit(ready, container_concurrency, share),
                limit,
                "{container_concurrency} x {ready} / {share:?}"
            );
        }
    }

    #[test]
    fn no_share_is_out_of_bounds() {
        for (instances, activators, index) in [
            (5, 0, 0),
            (5, 2, usize::MAX),
            (5, usize::MAX, usize::MAX),
            (2, 2, 9),
        ] {
            let part = Part::of(instances, 1, share(index, activators));
            assert!(part.slice.start <= part.slice.end);
            assert!(part.remainder.is_none_or(|it| it < instances));
        }
    }
}
