//! Notices when a file has changed and its writer is done.
//!
//! inotify reports finished writes and renames within a millisecond. It reports nothing for network file systems, or if
//! the directory is replaced, so the file's metadata are polled as well. To avoid reading a half-written file, a change
//! found by polling counts once two polls agree, a file that was written to is read once it has not changed for a moment,
//! and one that has shrunk gets more time: its writer may have just begun, and inotify reports when it is done. A missing
//! file is noticed by polling only: during many replacements it is missing for a moment.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::time::{Interval, MissedTickBehavior, interval, sleep};

#[cfg(target_os = "linux")]
mod links;
#[cfg(target_os = "linux")]
mod notifications;
#[cfg(not(target_os = "linux"))]
#[path = "file_watch/no_notifications.rs"]
mod notifications;

use notifications::Notifications;

/// How often metadata are polled.
const POLL: Duration = Duration::from_secs(1);

/// How many polls must confirm a change before it counts.
const QUIET: u32 = 1;

/// The same for a file that has shrunk, when inotify works: it reports when a writer on this machine is done.
const QUIET_WHEN_SMALLER: u32 = 10;

/// How long a file that was written to must be unchanged before it is read.
const SETTLE: Duration = Duration::from_millis(100);

/// How often to wait for that; a file that keeps changing is read anyway.
const MAX_SETTLES: u32 = 50;

/// A file under watch.
pub(crate) struct Watch {
    path: PathBuf,
    notifications: Option<Notifications>,
    /// A notification since the last reported change.
    news: Option<News>,
    polls: Interval,
    /// As of the last poll, and how many polls before found the same.
    seen: Option<State>,
    quiet: u32,
    /// As of the last reported change.
    reported: Option<State>,
}

#[derive(Clone, Copy)]
struct News {
    /// Whether it can only be about complete files.
    whole: bool,
}

impl Watch {
    /// Watches the file at `path`, which may not exist yet. Changes from now on are noticed.
    pub(crate) async fn new(path: PathBuf) -> Self {
        let notifications = Notifications::new(&path);
        let notifications = notifications.inspect_err(|error| {
            tracing::warn!(%error, "cannot watch files with inotify; changes are noticed after two seconds");
        });
        let mut polls = interval(POLL);
        polls.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let state = State::of(&path).await;
        Self {
            path,
            notifications: notifications.ok(),
            news: None,
            polls,
            seen: state,
            quiet: 0,
            reported: state,
        }
    }

    /// Waits until there is something new to read.
    ///
    /// # Cancel safety
    /// No change is lost when the future is dropped: the next poll finds it.
    pub(crate) async fn changed(&mut self) {
        while self.news.is_none() {
            tokio::select! {
                whole = notified(&mut self.notifications) => self.news = Some(News { whole }),
                _ = self.polls.tick() => {
                    let state = State::of(&self.path).await;
                    self.quiet = if state == self.seen { self.quiet + 1 } else { 0 };
                    self.seen = state;
                    if state != self.reported && self.quiet >= self.patience() {
                        break;
                    }
                }
            }
        }
        if self.news.is_some_and(|news| !news.whole) {
            self.settle().await;
        }
        self.report().await;
    }

    /// Waits until the file has stopped changing, for a bounded time, and then reports it as changed.
    ///
    /// # Cancel safety
    /// As for [`changed`](Self::changed).
    pub(crate) async fn settled(&mut self) {
        self.settle().await;
        self.report().await;
    }

    /// Whether the file has changed since the last reported change.
    pub(crate) async fn is_stale(&self) -> bool {
        State::of(&self.path).await != self.reported
    }

    /// The file will be read as it is now.
    async fn report(&mut self) {
        self.news = None;
        if let Some(notifications) = &mut self.notifications {
            notifications.follow(&self.path);
        }
        // Before the file is read, so that changes meanwhile are noticed.
        self.reported = State::of(&self.path).await;
        (self.seen, self.quiet) = (self.reported, 0);
    }

    /// Waits until the file has not changed for a moment, for a bounded time.
    async fn settle(&self) {
        let mut state = State::of(&self.path).await;
        for _ in 0..MAX_SETTLES {
            sleep(SETTLE).await;
            let before = state;
            state = State::of(&self.path).await;
            if state == before {
                return;
            }
        }
    }

    /// How many polls must confirm a change.
    fn patience(&self) -> u32 {
        let smaller = |before: State| {
            let now = self.seen?;
            Some(now.file == before.file && now.size < before.size)
        };
        match self.reported.and_then(smaller) {
            Some(true) if self.notifications.is_some() => QUIET_WHEN_SMALLER,
            _ => QUIET,
        }
    }
}

async fn notified(notifications: &mut Option<Notifications>) -> bool {
    match notifications {
        Some(notifications) => notifications.next().await,
        None => std::future::pending().await,
    }
}

/// Metadata that change with the content of a file.
#[derive(Clone, Copy, PartialEq, Eq)]
struct State {
    file: (u64, u64),
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl State {
    /// `None` when the file does not exist or cannot be examined.
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

#[cfg(test)]
mod tests;
