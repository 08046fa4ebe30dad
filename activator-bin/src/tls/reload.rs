//! Reads TLS files again when they change and on SIGHUP.

use std::convert::Infallible;
use std::future::poll_fn;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, SystemTime};

use tokio::signal::unix::{SignalKind, signal};
use tokio::time::timeout;

use super::expiry::Expiry;
use super::{Current, Files};
use crate::os::file_retry::Pause;
use crate::os::file_watch::Watch;

/// Files that change within this time of each other count as one change: between the writes of a certificate and its
/// key, the pair is invalid.
const SETTLE: Duration = Duration::from_millis(200);

/// The result of reading the files, or the objects of the cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Read {
    /// New connections use the new content.
    Good {
        /// When the certificate that peers verify expires.
        not_after: Option<SystemTime>,
    },
    /// New connections use the previous content.
    Bad,
}

/// Follows the files for as long as the future is polled. Calls `on_read` after each read.
///
/// From the first poll on, SIGHUP no longer ends the process.
///
/// # Errors
/// If the signal handler cannot be installed. Otherwise the future never completes.
pub(crate) async fn follow<F: Files>(
    current: Arc<Current<F>>,
    on_read: impl Fn(Read) + Send,
) -> io::Result<Infallible> {
    let title = current.files.title();
    let mut hangup = signal(SignalKind::hangup())?;
    let mut watches = Vec::new();
    for path in current.files.paths() {
        watches.push(Watch::new(Path::to_owned(path)).await);
    }
    // Only changes are logged, not that the files are valid at startup.
    let (mut asked, mut news) = (false, false);
    let mut logged = None;
    let mut expiry = Expiry::new(&*title);
    let mut pause = Pause::default();
    loop {
        // Also before the first change: the files may have changed since startup.
        let reading = Arc::clone(&current);
        let read = tokio::task::spawn_blocking(move || reading.reload()).await;
        let outcome = read.expect("reading files does not panic");
        match outcome {
            Ok(not_after) => {
                on_read(Read::Good { not_after });
                expiry.set(not_after);
                pause.on_success();
                if news {
                    tracing::info!("new connections use the new files of {title}");
                }
                logged = None;
            }
            Err(problems) => {
                on_read(Read::Bad);
                if problems.are_passing() {
                    pause.on_failure();
                } else {
                    pause.on_success();
                }
                let text = problems.to_string();
                if asked || logged.as_ref() != Some(&text) {
                    tracing::error!(
                        "the new files of {title} are invalid, the previous ones stay in use"
                    );
                    for problem in problems.as_slice() {
                        tracing::error!("{problem}");
                    }
                }
                logged = Some(text);
            }
        }
        news = true;
        asked = tokio::select! {
            () = changed(&mut watches) => false,
            _ = hangup.recv() => true,
            () = pause.over() => false,
            never = expiry.run() => match never {},
        };
        if !asked {
            // Usually nothing else changes, and this times out.
            let _ = timeout(SETTLE, changed(&mut watches)).await;
        }
    }
}

/// Waits for a change of any file.
///
/// # Cancel safety
/// The same as [`Watch::changed`].
async fn changed(watches: &mut [Watch]) {
    let mut changes: Vec<_> = watches
        .iter_mut()
        .map(|it| Box::pin(it.changed()))
        .collect();
    poll_fn(|cx| {
        let mut changes = changes.iter_mut();
        if changes.any(|change| change.as_mut().poll(cx).is_ready()) {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    })
    .await;
}
