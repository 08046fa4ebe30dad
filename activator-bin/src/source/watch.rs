//! When to read a file again: as soon as whoever wrote it is done.
//!
//! The kernel's notifications of whole writes and renames come within a millisecond. They never
//! come for network file systems or a directory that is replaced as a whole, so the file's metadata
//! are looked at as well; then a change counts once it has been the same for two looks, lest a file
//! be read that is half written. That a file is gone is left to these looks: in many a replacement
//! it is gone for a moment.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::time::{Interval, MissedTickBehavior, interval};

#[cfg(target_os = "linux")]
mod links;
#[cfg(target_os = "linux")]
mod notifications;
#[cfg(not(target_os = "linux"))]
#[path = "watch/no_notifications.rs"]
mod notifications;

use notifications::Notifications;

/// How often metadata are looked at.
const LOOK: Duration = Duration::from_secs(1);

/// A file under watch.
pub(crate) struct Watch {
    path: PathBuf,
    notifications: Option<Notifications>,
    looks: Interval,
    /// As of the last look.
    seen: Option<State>,
    /// As of the last answer.
    answered: Option<State>,
}

impl Watch {
    /// Watches the file at `path`, whether or not it is there: changes from now on are noticed.
    pub(crate) async fn new(path: PathBuf) -> Self {
        let notifications = Notifications::new(&path);
        let notifications = notifications.inspect_err(|error| {
            tracing::warn!(%error, "no notifications of file changes; a change takes two seconds to be seen");
        });
        let mut looks = interval(LOOK);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let state = State::of(&path).await;
        Self {
            path,
            notifications: notifications.ok(),
            looks,
            seen: state,
            answered: state,
        }
    }

    /// Waits until there is something new to be read.
    ///
    /// # Cancel safety
    /// Nothing is lost when the future is dropped: what was missed, the next look finds.
    pub(crate) async fn changed(&mut self) {
        loop {
            tokio::select! {
                () = notified(&mut self.notifications) => break,
                _ = self.looks.tick() => {}
            }
            let state = State::of(&self.path).await;
            let settled = state == self.seen;
            self.seen = state;
            if settled && state != self.answered {
                break;
            }
        }
        if let Some(notifications) = &mut self.notifications {
            notifications.follow(&self.path);
        }
        // Before the file is read, so that what changes meanwhile is news.
        self.answered = State::of(&self.path).await;
        self.seen = self.answered;
    }
}

async fn notified(notifications: &mut Option<Notifications>) {
    match notifications {
        Some(notifications) => notifications.next().await,
        None => std::future::pending().await,
    }
}

/// What tells one content of a file from another without reading it.
#[derive(Clone, Copy, PartialEq, Eq)]
struct State {
    file: (u64, u64),
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl State {
    /// None when there is no file to be seen.
    async fn of(path: &Path) -> Option<Self> {
        tokio::fs::metadata(path)
            .await
            .ok()
            .as_ref()
            .map(Self::from)
    }
}

impl From<&Metadata> for State {
    fn from(metadata: &Metadata) -> Self {
        Self {
            file: (metadata.dev(), metadata.ino()),
            size: metadata.size(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        }
    }
}
