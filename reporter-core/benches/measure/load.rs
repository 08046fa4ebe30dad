//! The keys that benchmarks count for, and the order in which requests come.

use reporter_core::RevisionKey;

/// As many keys, all different.
pub(crate) fn keys(count: usize) -> Vec<RevisionKey> {
    let key = |i| RevisionKey::try_new("default", &format!("revision-{i:07}"));
    (0..count)
        .map(|i| key(i).expect("the name is valid"))
        .collect()
}

/// `requests` keys drawn at random; another `seed` draws others.
pub(crate) fn order(keys: &[RevisionKey], requests: usize, seed: u64) -> Vec<RevisionKey> {
    let mut state = seed;
    let mut draw = || {
        // Knuth's MMIX generator; its upper bits are the random ones.
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        keys[(state >> 33) as usize % keys.len()].clone()
    };
    (0..requests).map(|_| draw()).collect()
}
