//! Opens files that lines go to again on SIGHUP, after they were moved away (log rotation).

use std::io;

use reporter_runtime::sink::json_lines::Reopener;
use tokio::signal::unix::{SignalKind, signal};

/// Opens the file of `what`, in the plural, again on each SIGHUP, which no longer ends the process. Must be called on a tokio runtime;
/// ends with it.
///
/// # Errors
/// The signal cannot be listened for.
pub(super) fn at_hangup(file: Reopener, what: &'static str) -> io::Result<()> {
    let mut hangup = signal(SignalKind::hangup())?;
    tokio::spawn(async move {
        while hangup.recv().await.is_some() {
            let file = file.clone();
            let reopening = tokio::task::spawn_blocking(move || reopen(&file, what));
            // An error means that the runtime is shutting down.
            let _ = reopening.await;
        }
    });
    Ok(())
}

fn reopen(file: &Reopener, what: &str) {
    let path = file.path().display();
    match file.reopen() {
        Ok(()) => tracing::info!("SIGHUP: reopened {path} for {what}"),
        Err(error) => {
            tracing::error!(
                "SIGHUP: cannot reopen {path}, {what} still go to the old file: {error}"
            );
        }
    }
}
