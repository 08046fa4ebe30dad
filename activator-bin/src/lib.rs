//! The activator as a library: what the binary assembles, and what its tests drive in-process.

pub mod cli;
pub mod config;
pub mod logging;
pub mod record;
pub mod replay;
pub mod run;
