//! Lists and watches one resource for as long as somebody wants to know, whatever the API server does.

use std::marker::PhantomData;
use std::mem;
use std::sync::Arc;
use std::time::Duration;

use reporter_metrics::{ClusterMetrics, WatchKind};
use serde::de::DeserializeOwned;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep};

use super::api_server::{ApiServer, RequestError, Response};
use super::back_off::BackOff;
use super::health::{Health, WatchHealth};
use super::limits::ClusterLimits;
use super::list_page::{Head, ListPage};
use super::model::Event;
use super::object::Object;
use super::piece::Piece;
use super::progress::{Ask, Progress, WatchEnd};
use super::resource::Resource;
use super::watch_lines::{WatchEvent, WatchLines};
use crate::logging::excerpt::Excerpt;
use crate::logging::rate_limit::AtMostEvery;

/// A watch that has lived for so long has worked.
const STEADY: Duration = Duration::from_secs(1);
/// The most objects of a list that are held before they are passed on.
const AT_ONCE: usize = 256;
/// How often it is logged that something cannot be read.
const UNREADABLE_PAUSE: Duration = Duration::from_secs(60);

/// What all watches of a cluster share.
#[derive(Clone)]
pub(super) struct Watcher {
    pub(super) server: Arc<ApiServer>,
    pub(super) health: Arc<Health>,
    pub(super) limits: ClusterLimits,
    pub(super) metrics: ClusterMetrics,
}

/// What is heard of a resource.
#[derive(Debug)]
pub(super) enum Heard<T> {
    /// Changes that came at once.
    Events(Vec<Event<T>>),
    /// The API server does not let it be listed, for now: it is forbidden, or unknown.
    Refused,
}

/// Why watching ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    /// Nobody wants to know any more.
    Unwanted,
    /// It is forbidden, and was not to be retried.
    Forbidden,
}

/// Lists and watches `resource` and sends what `wrap` makes of it, for as long as there is a receiver.
///
/// Cancel-safe. Between two attempts that failed is a pause, which grows. If `ends_forbidden`, it ends when it is
/// forbidden.
pub(super) async fn watch<T, M>(
    watcher: &Watcher,
    kind: WatchKind,
    resource: &Resource,
    ends_forbidden: bool,
    to: &mpsc::Sender<M>,
    wrap: impl Fn(Heard<T>) -> M + Send,
) -> Ended
where
    T: Object + DeserializeOwned + Send,
    M: Send,
{
    let limits = watcher.limits;
    let mut progress = Progress::new(limits.max_pages);
    let mut back_off = BackOff::new(limits.first_pause, limits.longest_pause);
    let mut watching = Watching {
        watcher,
        resource,
        kind,
        health: watcher.health.watch(kind, resource),
        to,
        wrap,
        unreadable: AtMostEvery::new(UNREADABLE_PAUSE),
        of: PhantomData,
    };
    loop {
        let failed = match progress.ask().clone() {
            ask @ (Ask::List { .. } | Ask::Page { .. }) => match watching.list(&ask).await {
                Err(Stop::Unwanted) => return Ended::Unwanted,
                Ok(head) => match progress.on_page(head) {
                    Ok(false) => None,
                    Ok(true) => {
                        if watching.listed().await.is_err() {
                            return Ended::Unwanted;
                        }
                        None
                    }
                    Err(problem) => {
                        watching.health.on_nonsense(&problem);
                        Some(None)
                    }
                },
                Err(Stop::Failed(error)) => {
                    if ends_forbidden && error.code() == Some(403) {
                        return Ended::Forbidden;
                    }
                    progress.on_page_failed(&error);
                    watching.health.on_failure(&error);
                    let retry_after = error.retry_after();
                    let is_refused = matches!(error.code(), Some(403 | 404));
                    if is_refused && watching.send(Heard::Refused).await.is_err() {
                        return Ended::Unwanted;
                    }
                    Some(retry_after)
                }
            },
            Ask::Watch { version } => {
                let begin = Instant::now();
                let end = match watching.changes(&version, &mut progress).await {
                    Ok(end) => end,
                    Err(Stop::Unwanted) => return Ended::Unwanted,
                    Err(Stop::Failed(error)) => WatchEnd::Failed(error),
                };
                progress.on_watch_ended(&end);
                let is_steady = begin.elapsed() >= STEADY;
                if is_steady {
                    back_off.on_success();
                }
                match end {
                    WatchEnd::Over if is_steady => None,
                    WatchEnd::Over => Some(None),
                    WatchEnd::Lost(problem) => {
                        let name = &resource.name;
                        tracing::info!("{name} are listed again: {}", Excerpt(problem));
                        Some(None)
                    }
                    WatchEnd::Failed(error) if ends_forbidden && error.code() == Some(403) => {
                        return Ended::Forbidden;
                    }
                    WatchEnd::Failed(error) => {
                        watching.health.on_failure(&error);
                        Some(error.retry_after())
                    }
                }
            }
        };
        if let Some(asked) = failed {
            let pause = back_off.on_failure(asked, rand::random());
            tokio::select! {
                () = sleep(pause) => {}
                () = to.closed() => return Ended::Unwanted,
            }
        }
    }
}

/// One resource that is being watched.
struct Watching<'a, T, M, F> {
    watcher: &'a Watcher,
    resource: &'a Resource,
    kind: WatchKind,
    health: WatchHealth,
    to: &'a mpsc::Sender<M>,
    wrap: F,
    unreadable: AtMostEvery,
    of: PhantomData<fn() -> T>,
}

/// Why a list or watch is not read on.
enum Stop {
    Failed(RequestError),
    Unwanted,
}

impl From<RequestError> for Stop {
    fn from(error: RequestError) -> Self {
        Self::Failed(error)
    }
}

impl<T, M, F> Watching<'_, T, M, F>
where
    T: Object + DeserializeOwned + Send,
    M: Send,
    F: Fn(Heard<T>) -> M + Send,
{
    /// Reads a list, or a page of it.
    async fn list(&mut self, ask: &Ask) -> Result<Head, Stop> {
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

    /// The list is complete.
    async fn listed(&mut self) -> Result<(), Stop> {
        self.health.on_listed();
        self.health.on_success();
        self.send(Heard::Events(vec![Event::ListEnds])).await
    }

    /// Watches until that ends.
    async fn changes(&mut self, version: &str, progress: &mut Progress) -> Result<WatchEnd, Stop> {
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

    async fn chunk(&self, response: &mut Response) -> Result<Option<bytes::Bytes>, Stop> {
        tokio::select! {
            chunk = response.chunk() => {
                let chunk = chunk?;
                self.health.on_heard();
                Ok(chunk)
            }
            () = self.to.closed() => Err(Stop::Unwanted),
        }
    }

    async fn send(&self, heard: Heard<T>) -> Result<(), Stop> {
        let message = (self.wrap)(heard);
        self.to.send(message).await.map_err(|_| Stop::Unwanted)
    }

    /// An object or event is left out.
    fn skip(&mut self, problem: String) {
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
    Object(String),
    /// It is no event.
    Nonsense,
}

const TOO_LARGE: &str = "it is too large";

fn object<T: DeserializeOwned>(piece: Piece<'_>) -> Result<T, String> {
    match piece {
        Piece::Whole(text) => serde_json::from_slice(text).map_err(|error| error.to_string()),
        Piece::TooLarge => Err(TOO_LARGE.to_owned()),
    }
}

fn event<T: DeserializeOwned>(piece: Piece<'_>) -> Result<WatchEvent<T>, Unreadable> {
    let Piece::Whole(line) = piece else {
        return Err(Unreadable::Object(TOO_LARGE.to_owned()));
    };
    serde_json::from_slice(line).map_err(|error| {
        if error.is_data() {
            Unreadable::Object(error.to_string())
        } else {
            Unreadable::Nonsense
        }
    })
}
