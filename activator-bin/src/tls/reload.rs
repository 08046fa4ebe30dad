//! Reads the files of TLS again when they change and at a SIGHUP.

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

/// How long after one file another one may change and still be a part of the same change: a
/// certificate and its key are two files, and half a change would be an error.
const SETTLE: Duration = Duration::from_millis(200);

/// What came of a reading.
pub(crate) enum Read {
    /// New connections use what was read.
    Good {
        /// When the certificate expires that others look at.
        not_after: Option<SystemTime>,
    },
    /// New connections use what was there before.
    Bad,
}

/// Follows the files, for as long as the future is polled; `on_read` hears what came of each reading.
///
/// From its first poll on a SIGHUP does not end the process any more.
///
/// # Errors
/// The signal can't be listened for. Otherwise it never ends.
pub(crate) async fn follow<F: Files>(
    current: Arc<Current<F>>,
    on_read: impl Fn(Read) + Send,
) -> io::Result<Infallible> {
    let section = F::SECTION;
    let mut hangup = signal(SignalKind::hangup())?;
    let mut watches = Vec::new();
    for path in current.files.paths() {
        watches.push(Watch::new(Path::to_owned(path)).await);
    }
    // What is logged tells changes; that files are good at the start is none.
    let (mut asked, mut news) = (false, false);
    let mut told = None;
    let mut expiry = Expiry::new(section);
    let mut pause = Pause::default();
    loop {
        // Also before the first change: they may have changed between the start and now.
        let reading = Arc::clone(&current);
        let read = tokio::task::spawn_blocking(move || reading.reload()).await;
        let outcome = read.expect("no file makes the reading panic");
        match outcome {
            Ok(not_after) => {
                on_read(Read::Good { not_after });
                expiry.set(not_after);
                pause.on_success();
                if news {
                    tracing::info!("new connections use the new files of [{section}]");
                }
                told = None;
            }
            Err(problems) => {
                on_read(Read::Bad);
                if problems.are_passing() {
                    pause.on_failure();
                } else {
                    pause.on_success();
                }
                let text = problems.to_string();
                if asked || told.as_ref() != Some(&text) {
                    tracing::error!("the new files of [{section}] are bad, those before stay");
                    for problem in problems.as_slice() {
                        tracing::error!("{problem}");
                    }
                }
                told = Some(text);
            }
        }
        news = true;
        asked = tokio::select! {
            () = changed(&mut watches) => false,
            _ = hangup.recv() => true,
            () = pause.over() => false,
            never = expiry.tell() => match never {},
        };
        if !asked {
            // That nothing else changes is the normal case.
            let _ = timeout(SETTLE, changed(&mut watches)).await;
        }
    }
}

/// Waits for a change of any file.
///
/// # Cancel safety
/// As that of a watch.
async fn changed(watches: &mut [Watch]) {
    let mut changes: Vec<_> = watches
        .iter_mut()
        .map(|it| Box::pin(it.changed()))
        .collect();
    poll_fn(|cx| {
        let mut changes = changes.iter_mut();
        match changes.any(|change| change.as_mut().poll(cx).is_ready()) {
            true => Poll::Ready(()),
            false => Poll::Pending,
        }
    })
    .await;
}
