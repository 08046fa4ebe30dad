//! The activator, put together and run until it is told to stop.

use std::path::PathBuf;

use crate::config::Config;

/// Runs the activator; blocks until it has stopped.
///
/// # Errors
/// Something outside kept it from starting or from stopping in order.
pub fn run(config: Config, record: Option<PathBuf>) -> anyhow::Result<()> {
    tracing::info!(?config, ?record, "nothing to run yet");
    Ok(())
}
