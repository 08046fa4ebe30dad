//! Reads the responses to lists and watches of one resource: bytes in, events out.

use std::marker::PhantomData;
use std::mem;
use std::time::Duration;

use bytes::Bytes;
use reporter_metrics::WatchKind;
use serde::de::DeserializeOwned;
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::{Heard, Watcher};
use crate::logging::rate_limit::AtMostEvery;
use crate::source::kubernetes::api_server::{RequestError, Response};
use crate::source::kubernetes::health::WatchHealth;
use crate::source::kubernetes::list_page::{Head, ListPage};
use crate::source::kubernetes::model::Event;
use crate::source::kubernetes::object::Object;
use crate::source::kubernetes::piece::Piece;
use crate::source::kubernetes::progress::{Ask, Progress, WatchEnd};
use crate::source::kubernetes::resource::Resource;
use crate::source::kubernetes::watch_lines::{WatchEvent, WatchLines};

/// How often it is logged that something cannot be read.
const UNREADABLE_PAUSE: Duration = Duration::from_secs(60);
/// The most objects of a list that are held before they are passed on.
const AT_ONCE: usize = 256;

/// Reads lists and watches of one resource, and sends what is in them.
pub(super) struct Reader<'a, T, M, F> {
    watcher: &'a Watcher,
    kind: WatchKind,
    resource: &'a Resource,
    health: &'a WatchHealth,
    to: &'a mpsc::Sender<M>,
    wrap: F,
    unreadable: AtMostEvery,
    of: PhantomData<fn() -> T>,
}

/// Why a list or watch is not read on.
pub(super) enum Stop {
    Failed(RequestError),
    Unwanted,
}

impl From<RequestError> for Stop {
    fn from(error: RequestError) -> Self {
        Self::Failed(error)
    }
}

impl<'a, T, M, F> Reader<'a, T, M, F>
where
    T: Object + DeserializeOwned + Send,
    M: Send,
    F: Fn(Heard<T>) -> M + Send,
{
    pub(super) fn new(
        watcher: &'a Watcher,
        kind: WatchKind,
        resource: &'a Resource,
        health: &'a WatchHealth,
        to: &'a mpsc::Sender<M>,
        wrap: F,
    ) -> Self {
        Self {
            watcher,
            kind,
            resource,
            health,
            to,
            wrap,
            unreadable: AtMostEvery::new(UNREADABLE_PAUSE),
            of: PhantomData,
        }
    }

    /// Reads a list, or a page of it.
    pub(super) async fn list(&mut self, ask: &Ask) -> Result<Head, Stop> {
        let limits = self.watcher.limits;
        let (path, begins) = match ask {
            Ask::Page { token } => {
                let path = self.resource.page(limits.page_size, token);
                (path, token.is_empty())
            }
            Ask::List { version } | Ask::Watch { version } => (self.resource.list(version), true),
        };
        let mut response = self.watcher.server.get(&path).await?;
        let mut page = ListPage::new(limits.max_object);
        let mut events = Vec::new();
        if begins {
            events.push(Event::ListBegins);
        }
        while let Some(bytes) = self.chunk(&mut response).await? {
            let pushed = page.push(&bytes, |piece| match object(piece) {
                Ok(object) => events.push(Event::Put(object)),
                Err(problem) => self.skip(problem),
            });
            pushed.map_err(|_| RequestError::Unreadable)?;
            if events.len() >= AT_ONCE {
                self.send(Heard::Events(mem::take(&mut events))).await?;
            }
        }
        let head = page.finish().map_err(|_| RequestError::Unreadable)?;
        self.send(Heard::Events(events)).await?;
        Ok(head)
    }

    /// Watches until that ends.
    pub(super) async fn changes(
        &mut self,
        version: &str,
        progress: &mut Progress,
    ) -> Result<WatchEnd, Stop> {
        let limits = self.watcher.limits;
        let path = self.resource.watch(version, limits.watch);
        let mut response = self.watcher.server.watch(&path).await?;
        progress.on_watching();
        self.health.on_success();
        let mut lines = WatchLines::new(limits.max_object);
        while let Some(bytes) = self.chunk(&mut response).await? {
            let mut events = Vec::new();
            let mut lost = None;
            lines.push(&bytes, |line| {
                if lost.is_some() {
                    return;
                }
                match event::<T>(line) {
                    Ok(WatchEvent::Added(object) | WatchEvent::Modified(object)) => {
                        progress.on_version(object.resource_version());
                        events.push(Event::Put(object));
                    }
                    Ok(WatchEvent::Deleted(object)) => {
                        progress.on_version(object.resource_version());
                        events.push(Event::Deleted(object));
                    }
                    Ok(WatchEvent::Bookmark(bookmark)) => {
                        progress.on_version(&bookmark.metadata.resource_version);
                    }
                    Ok(WatchEvent::Error(failure)) => {
                        lost = Some(format!("status {}: {}", failure.code, failure.message));
                    }
                    Err(Unreadable::Nonsense) => {
                        lost = Some("the API server sent something that is no event".to_owned());
                    }
                    Err(Unreadable::Object(problem)) => self.skip(problem),
                }
            });
            if !events.is_empty() {
                self.send(Heard::Events(events)).await?;
            }
            if let Some(lost) = lost {
                return Ok(WatchEnd::Lost(lost));
            }
        }
        Ok(WatchEnd::Over)
    }

    async fn chunk(&self, response: &mut Response) -> Result<Option<Bytes>, Stop> {
        tokio::select! {
            chunk = response.chunk() => {
                let chunk = chunk?;
                self.health.on_heard();
                Ok(chunk)
            }
            () = self.to.closed() => Err(Stop::Unwanted),
        }
    }

    pub(super) async fn send(&self, heard: Heard<T>) -> Result<(), Stop> {
        let message = (self.wrap)(heard);
        self.to.send(message).await.map_err(|_| Stop::Unwanted)
    }

    /// An object or event is left out.
    fn skip(&mut self, problem: &str) {
        self.watcher.metrics.skipped(self.kind);
        if self.unreadable.allows(Instant::now()) {
            let name = &self.resource.name;
            tracing::warn!("one of {name} is ignored: {problem}");
        }
    }
}

/// Why an event cannot be read.
enum Unreadable {
    /// That object is to blame.
    Object(&'static str),
    /// It is no event.
    Nonsense,
}

const TOO_LARGE: &str = "it is too large";
// What it is instead may be a secret.
const NO_OBJECT: &str = "it is not an object of this kind";

fn object<T: DeserializeOwned>(piece: Piece<'_>) -> Result<T, &'static str> {
    match piece {
        Piece::Whole(text) => serde_json::from_slice(text).map_err(|_| NO_OBJECT),
        Piece::TooLarge => Err(TOO_LARGE),
    }
}

fn event<T: DeserializeOwned>(piece: Piece<'_>) -> Result<WatchEvent<T>, Unreadable> {
    let Piece::Whole(line) = piece else {
        return Err(Unreadable::Object(TOO_LARGE));
    };
    serde_json::from_slice(line).map_err(|error| {
        if error.is_data() {
            Unreadable::Object(NO_OBJECT)
        } else {
            Unreadable::Nonsense
        }
    })
}
