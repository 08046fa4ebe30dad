//! Starts the access log as it is configured.

use super::{StartError, reopening};
use crate::access_log::AccessLog;
use crate::config::Config;

/// Opens its file, unless nothing will be written, and sets its format. Must be called on a tokio runtime.
///
/// # Errors
/// The file cannot be opened.
pub(super) fn start(config: &Config, log: &AccessLog) -> Result<(), StartError> {
    let format = &config.access_log.format;
    // The cluster may set a format later.
    let may_come = config.cluster.is_some() && !config.is_access_log_set;
    if let Some(path) = &config.access_log.path
        && (format.is_some() || may_come)
    {
        let reopener = log.open(path).map_err(|source| StartError::AccessLog {
            path: path.clone(),
            source,
        })?;
        if let Some(reopener) = reopener {
            reopening::at_hangup(reopener, "access log lines")?;
        }
    }
    if format.is_some() {
        log.set(format.clone());
    }
    Ok(())
}
