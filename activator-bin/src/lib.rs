//! The activator as a library: what the binary assembles, and what its tests drive in-process.

pub mod config;
pub mod probe;
pub mod throttle;
