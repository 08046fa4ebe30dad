//! The messages of one key for a sink that fell behind: neighbours merged, nothing missing.

use reporter_core::Stat;

use crate::replay::Story;

/// Whether `seen` is `told` with neighbours merged, as far as it goes: each sum of counts that was
/// reached was reached in the original, in that order.
pub(crate) fn is_merged_from(seen: &[Stat], told: &Story) -> bool {
    let mut told = sums(stats(told)).into_iter();
    let mut seen = sums(seen.iter().copied()).into_iter();
    seen.all(|sum| told.any(|told| told == sum))
}

/// Whether nothing that was `told` is missing in `seen`: the counts add up, and the newest average stands.
pub(crate) fn is_complete(seen: &[Stat], told: &Story) -> bool {
    let average = |stat: Option<Stat>| stat.map_or(0.0, |stat| stat.average_concurrent_requests);
    let newest = average(seen.last().copied());
    // What waited for a key that was then forgotten has an average of 0.
    let forgotten = matches!(told.last(), Some((_, None))) && newest == 0.0;
    // Whoever reads a number out of a text may be off by its last bit.
    let same = (newest - average(stats(told).last())).abs() < 1e-9;
    sums(seen.iter().copied()).last() == sums(stats(told)).last() && (forgotten || same)
}

/// What was said, without the forgetting.
pub(crate) fn stats(story: &Story) -> impl Iterator<Item = Stat> {
    story.iter().filter_map(|&(_, stat)| stat)
}

fn sums(stats: impl Iterator<Item = Stat>) -> Vec<u64> {
    let sums = stats.scan(0, |sum, stat| {
        *sum += stat.request_count;
        Some(*sum)
    });
    sums.collect()
}
