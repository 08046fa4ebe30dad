//! Real programs as instances: how they start, what they get, how they end, and that nothing of them is left.
#![expect(clippy::unwrap_used, reason = "in a test an unwrap is an assertion")]

mod ends;
mod orphans;
mod scene;
mod starts;
