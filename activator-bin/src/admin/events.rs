//! `/v1/events`: what happens to the revisions, as server-sent events.
//!
//! Each reader gets a snapshot and then, once a second, what has changed. That is found out once for all readers, and
//! not at all while there are none. A reader that is too slow gets another snapshot; one that stalls is disconnected
//! (see `socket`).

mod feed;
mod history;
mod link;
mod row;
mod source;
mod stream;

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use parking_lot::Mutex;
use tokio::sync::{mpsc, watch};
use tokio::task::spawn_blocking;
use tokio::time::{Instant, sleep, sleep_until};

pub(crate) use self::link::LinkStatus;
pub(crate) use self::source::{SINK, SharedHistory, Source};
pub(super) use self::stream::EventsBody;

use self::feed::{Feed, Next};
use self::row::Fields;
use self::source::time;
use crate::os::open_files;

/// The interval between two looks at the revisions.
const LOOK: Duration = Duration::from_secs(1);
/// How many times as long as a look the interval is at least.
const PAUSE: u32 = 20;

/// How long nothing is sent at most, so that both ends notice when the other one has vanished.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// What is sent then. No comment, since no browser tells its page of those.
const ALIVE: &[u8] = b"event: alive\ndata: {}\n\n";

/// The first bytes: how soon to come back after the end, in milliseconds.
const START: &[u8] = b"retry: 2000\n\n";

/// The most readers, where there are enough connections.
const MOST_READERS: usize = 16;

/// The events of this process.
pub(super) struct Events {
    source: Source,
    started: SystemTime,
    feed: Mutex<Feed>,
    /// The number of the last change; 0 while nothing is known.
    news: watch::Sender<u64>,
    readers: Mutex<Readers>,
}

#[derive(Default)]
struct Readers {
    count: usize,
    /// Whether somebody looks for changes.
    is_looking: bool,
}

/// A reader's permit, released on drop.
struct Permit(Arc<Events>);

impl Events {
    pub(super) fn new(source: Source) -> Arc<Self> {
        Arc::new(Self {
            source,
            started: SystemTime::now(),
            feed: Mutex::default(),
            news: watch::Sender::new(0),
            readers: Mutex::default(),
        })
    }

    /// One more reader; `None` if there are too many. The body ends when a drain begins.
    pub(super) fn open(self: &Arc<Self>, may_write: bool) -> Option<EventsBody> {
        let most = MOST_READERS.min(open_files::reserved_for_admin() / 4);
        let is_first = {
            let mut readers = self.readers.lock();
            if readers.count >= most.max(1) {
                return None;
            }
            readers.count += 1;
            !std::mem::replace(&mut readers.is_looking, true)
        };
        let permit = Permit(Arc::clone(self));
        if is_first {
            tokio::spawn(Arc::clone(self).look());
        }
        let (sender, body) = stream::channel();
        tokio::spawn(async move {
            // The error says that the reader is gone.
            let _ = permit.0.send(&sender, may_write).await;
        });
        Some(body)
    }

    /// Looks for changes while there are readers.
    async fn look(self: Arc<Self>) {
        loop {
            let began = Instant::now();
            let before = self.feed.lock().state().clone();
            let this = Arc::clone(&self);
            let looked = spawn_blocking(move || this.source.next(&before)).await;
            // After a panic, which is in the log, there is another look.
            if let Ok((state, change)) = looked {
                let mut feed = self.feed.lock();
                feed.advance(state, change);
                self.news.send_replace(feed.number());
            }
            sleep_until(began + LOOK.max(began.elapsed() * PAUSE)).await;
            let mut readers = self.readers.lock();
            if readers.count == 0 {
                readers.is_looking = false;
                *self.feed.lock() = Feed::default();
                self.news.send_replace(0);
                return;
            }
        }
    }

    /// Sends events until the reader is gone, or a drain begins.
    async fn send(&self, to: &mpsc::Sender<Bytes>, may_write: bool) -> Result<(), Gone> {
        let mut news = self.news.subscribe();
        let mut draining = self.source.draining.clone();
        // Who comes during a drain wants to see it.
        let is_told = !draining.has_begun();
        to.send(Bytes::from_static(START)).await?;
        let mut number = None;
        loop {
            let next = match *news.borrow_and_update() {
                0 => Next::Wait,
                _ => self.feed.lock().next(number, &self.own(may_write)),
            };
            match next {
                Next::Change(its, event) => {
                    number = Some(its);
                    to.send(event).await?;
                }
                Next::Snapshot(mut snapshot) => {
                    number = Some(snapshot.number());
                    while let Some(piece) = snapshot.next_piece() {
                        to.send(piece).await?;
                    }
                }
                Next::Wait => tokio::select! {
                    biased;
                    () = to.closed() => return Ok(()),
                    _ = draining.begun(), if is_told => return Ok(()),
                    // An error cannot be: the sender is here.
                    _ = news.changed() => {}
                    () = sleep(KEEP_ALIVE) => to.send(Bytes::from_static(ALIVE)).await?,
                },
            }
        }
    }

    /// What a reader is told of the process beside what all are.
    fn own(&self, may_write: bool) -> Fields {
        let mut own = Fields::new();
        own.insert("started".to_owned(), time(self.started).into());
        own.insert("now".to_owned(), time(SystemTime::now()).into());
        own.insert("write".to_owned(), may_write.into());
        own
    }
}

/// The reader is gone.
type Gone = mpsc::error::SendError<Bytes>;

impl Drop for Permit {
    fn drop(&mut self) {
        self.0.readers.lock().count -= 1;
    }
}
