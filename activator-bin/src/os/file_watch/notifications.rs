//! Notifications from inotify that one of the names that a path depends on has changed.
//!
//! inotify itself, not a portable wrapper, because it can report only the end of a write: a file is not read while it is
//! being written, and reading it causes no event.

use std::io;
use std::path::Path;

use futures_util::{FutureExt, StreamExt};
use inotify::{EventMask, EventOwned, EventStream, Inotify, WatchDescriptor, WatchMask};

use super::links::{Entry, entries};

/// Room for several events; the kernel queues the others.
const BUFFER: usize = 1024;

/// Notifications about one path.
pub(super) struct Notifications {
    events: EventStream<[u8; BUFFER]>,
    watched: Vec<(WatchDescriptor, Entry)>,
}

impl Notifications {
    pub(super) fn new(path: &Path) -> io::Result<Self> {
        let mut new = Self {
            events: Inotify::init()?.into_event_stream([0; BUFFER])?,
            watched: Vec::new(),
        };
        new.follow(path);
        Ok(new)
    }

    /// Watches the names that `path` depends on as of now.
    pub(super) fn follow(&mut self, path: &Path) {
        let mut watches = self.events.watches();
        let mask = WatchMask::CLOSE_WRITE | WatchMask::MOVED_TO | WatchMask::CREATE;
        let watch = |entry: Entry| {
            // A missing directory has no events; polling notices when it appears.
            let descriptor = watches.add(&entry.directory, mask).ok()?;
            Some((descriptor, entry))
        };
        let now: Vec<_> = entries(path).into_iter().filter_map(watch).collect();
        for (descriptor, _) in std::mem::take(&mut self.watched) {
            if !now.iter().any(|(kept, _)| *kept == descriptor) {
                // Fails when it was removed already, with its directory or for a second name in it.
                let _ = watches.remove(descriptor);
            }
        }
        self.watched = now;
    }

    /// Waits until one of the names has changed, and combines all events up to then. Returns whether they can only be
    /// about complete files, put in place by a rename or a link.
    ///
    /// # Cancel safety
    /// No change is lost when the future is dropped.
    pub(super) async fn next(&mut self) -> bool {
        loop {
            let Some(Ok(event)) = self.events.next().await else {
                // The runtime is shutting down.
                return std::future::pending().await;
            };
            let (mut news, mut whole) = (false, true);
            let mut take = |event: &EventOwned| {
                if is_news(&self.watched, event) {
                    news = true;
                    let partly = EventMask::CLOSE_WRITE | EventMask::Q_OVERFLOW;
                    whole &= !event.mask.intersects(partly);
                }
            };
            take(&event);
            while let Some(Some(Ok(event))) = self.events.next().now_or_never() {
                take(&event);
            }
            if news {
                return whole;
            }
        }
    }
}

fn is_news(watched: &[(WatchDescriptor, Entry)], event: &EventOwned) -> bool {
    if event.mask.contains(EventMask::Q_OVERFLOW) {
        return true;
    }
    let named = |(descriptor, entry): &&(WatchDescriptor, Entry)| {
        *descriptor == event.wd && event.name.as_ref() == Some(&entry.name)
    };
    let Some((_, entry)) = watched.iter().find(named) else {
        return false;
    };
    !event.mask.contains(EventMask::CREATE) || is_complete(&entry.directory.join(&entry.name))
}

/// Whether a new entry is complete: a symbolic or hard link.
fn is_complete(path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let metadata = path.symlink_metadata();
    metadata.is_ok_and(|it| it.is_symlink() || it.nlink() > 1)
}

#[cfg(test)]
mod tests {
    use std::fs::{self, File, remove_file, rename};
    use std::io::Write;
    use std::os::unix::fs::symlink;
    use std::time::Duration;

    use tokio::time::timeout;

    use super::*;

    /// Longer than the kernel takes for a notification.
    const PATIENCE: Duration = Duration::from_secs(10);
    /// Long enough to see an unexpected notification.
    const SILENCE: Duration = Duration::from_millis(50);

    /// A change, whether it is reported and as complete, and how it is made.
    type Step<'a> = (&'a str, Option<bool>, &'a mut dyn FnMut());

    #[tokio::test]
    async fn only_the_end_of_each_change_is_reported() {
        let root = std::env::temp_dir().join(format!("activator-news-{}", std::process::id()));
        fs::create_dir_all(root.join("elsewhere")).unwrap();
        let at = |name: &str| root.join(name);
        fs::write(at("file"), "1").unwrap();
        let mut notifications = Notifications::new(&at("file")).unwrap();
        let mut open = None;
        let (written, whole) = (Some(false), Some(true));
        let steps: &mut [Step<'_>] = &mut [
            ("a write in place", written, &mut || {
                fs::write(at("file"), "2").unwrap();
            }),
            ("reading", None, &mut || drop(fs::read(at("file")))),
            ("a file beside it", None, &mut || {
                fs::write(at("beside"), "3").unwrap();
            }),
            ("a rename over it", whole, &mut || {
                rename(at("beside"), at("file")).unwrap();
            }),
            ("its removal", None, &mut || {
                remove_file(at("file")).unwrap();
            }),
            ("the start of a new one", None, &mut || {
                let mut file = File::create(at("file")).unwrap();
                file.write_all(b"half").unwrap();
                open = Some(file);
            }),
            ("its replacement by a link", whole, &mut || {
                fs::write(at("elsewhere/file"), "4").unwrap();
                remove_file(at("file")).unwrap();
                symlink("elsewhere/file", at("file")).unwrap();
            }),
            ("a write behind the link", written, &mut || {
                fs::write(at("elsewhere/file"), "5").unwrap();
            }),
            ("its replacement by a hard link", whole, &mut || {
                remove_file(at("file")).unwrap();
                fs::hard_link(at("elsewhere/file"), at("file")).unwrap();
            }),
            ("a write where it was", None, &mut || {
                fs::write(at("elsewhere/file"), "6").unwrap();
            }),
        ];
        for (step, expected, change) in steps {
            change();
            let patience = if expected.is_some() {
                PATIENCE
            } else {
                SILENCE
            };
            let news = timeout(patience, notifications.next()).await.ok();
            assert_eq!(news, *expected, "{step}");
            notifications.follow(&at("file"));
        }
        fs::remove_dir_all(root).unwrap();
    }
}
