//! When to read a file again: as soon as whoever wrote it is done.
//!
//! The kernel's notifications of whole writes and renames come within a millisecond. They never
//! come for network file systems or a directory that is replaced as a whole, so the file's metadata
//! are looked at as well; then a change counts once it has been the same for two looks, lest a file
//! be read that is half written. For the same reason a file that was written to is read when it has been
//! the same for a moment, and one that became smaller is given time: its writer may only have begun,
//! and if it has not, the kernel tells its end. That a file is gone is left to these looks: in many a replacement
//! it is gone for a moment.

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

/// How often metadata are looked at.
const LOOK: Duration = Duration::from_secs(1);

/// For how many looks a change is the same before it counts.
const QUIET: u32 = 1;

/// The same for a file that became smaller while its writer's end is told by the kernel, if it is a
/// writer on this machine.
const QUIET_WHEN_SMALLER: u32 = 10;

/// How long a file that was written to is the same before it is read.
const SETTLE: Duration = Duration::from_millis(100);

/// How often that is waited for; a file that never settles is read all the same.
const MOST_SETTLES: u32 = 50;

/// A file under watch.
pub(crate) struct Watch {
    path: PathBuf,
    notifications: Option<Notifications>,
    /// There was a notification, and no answer since.
    news: Option<News>,
    looks: Interval,
    /// As of the last look, and how many looks before found the same.
    seen: Option<State>,
    quiet: u32,
    /// As of the last answer.
    answered: Option<State>,
}

#[derive(Clone, Copy)]
struct News {
    /// It can only be about whole files.
    whole: bool,
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
            news: None,
            looks,
            seen: state,
            quiet: 0,
            answered: state,
        }
    }

    /// Waits until there is something new to be read.
    ///
    /// # Cancel safety
    /// Nothing is lost when the future is dropped: what was missed, the next look finds.
    pub(crate) async fn changed(&mut self) {
        while self.news.is_none() {
            tokio::select! {
                whole = notified(&mut self.notifications) => self.news = Some(News { whole }),
                _ = self.looks.tick() => {
                    let state = State::of(&self.path).await;
                    self.quiet = if state == self.seen { self.quiet + 1 } else { 0 };
                    self.seen = state;
                    if state != self.answered && self.quiet >= self.patience() {
                        break;
                    }
                }
            }
        }
        if self.news.is_some_and(|news| !news.whole) {
            self.settle().await;
        }
        self.answer().await;
    }

    /// Waits until the file can be read without its having changed, also if its writer is still at it.
    ///
    /// # Cancel safety
    /// As that of [`changed`](Self::changed).
    pub(crate) async fn settled(&mut self) {
        self.settle().await;
        self.answer().await;
    }

    /// Whether the file has changed since it was to be read.
    pub(crate) async fn is_stale(&self) -> bool {
        State::of(&self.path).await != self.answered
    }

    /// The file is going to be read as it is now.
    async fn answer(&mut self) {
        self.news = None;
        if let Some(notifications) = &mut self.notifications {
            notifications.follow(&self.path);
        }
        // Before the file is read, so that what changes meanwhile is news.
        self.answered = State::of(&self.path).await;
        (self.seen, self.quiet) = (self.answered, 0);
    }

    /// Waits until the file has not changed for a moment, but not for ever.
    async fn settle(&self) {
        let mut state = State::of(&self.path).await;
        for _ in 0..MOST_SETTLES {
            sleep(SETTLE).await;
            let before = state;
            state = State::of(&self.path).await;
            if state == before {
                return;
            }
        }
    }

    /// How many looks have to find the same.
    fn patience(&self) -> u32 {
        let smaller = |before: State| {
            let now = self.seen?;
            Some(now.file == before.file && now.size < before.size)
        };
        match self.answered.and_then(smaller) {
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

#[cfg(test)]
mod tests;
