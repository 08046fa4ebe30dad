//! Lists and watches one resource for as long as somebody wants to know, whatever the API server does.

use std::sync::Arc;
use std::time::Duration;

use reporter_metrics::{ClusterMetrics, WatchKind};
use serde::de::DeserializeOwned;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep};

mod reader;

use super::api_server::{ApiServer, RequestError};
use super::health::{Health, WatchHealth};
use super::limits::ClusterLimits;
use super::model::Event;
use super::object::Object;
use super::progress::{Ask, Progress, WatchEnd};
use super::resource::Resource;
use crate::back_off::BackOff;
use crate::logging::excerpt::Excerpt;
use reader::{Reader, Stop};

/// A watch that has lived for so long has worked.
const STEADY: Duration = Duration::from_secs(1);

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
    let health = watcher.health.watch(kind, resource);
    let mut watching = Watching {
        resource,
        ends_forbidden,
        reader: Reader::new(watcher, kind, resource, &health, to, wrap),
        health: &health,
        progress: Progress::new(limits.max_pages),
        back_off: BackOff::new(limits.first_pause, limits.longest_pause),
    };
    loop {
        let next = match watching.progress.ask().clone() {
            Ask::Watch { version } => watching.watch(&version).await,
            ask => watching.list(&ask).await,
        };
        match next {
            Ok(Next::AtOnce) => {}
            Ok(Next::After(asked)) => {
                let pause = watching.back_off.on_failure(asked, rand::random());
                tokio::select! {
                    () = sleep(pause) => {}
                    () = to.closed() => return Ended::Unwanted,
                }
            }
            Err(ended) => return ended,
        }
    }
}

/// One resource that is being watched.
struct Watching<'a, T, M, F> {
    resource: &'a Resource,
    ends_forbidden: bool,
    reader: Reader<'a, T, M, F>,
    health: &'a WatchHealth,
    progress: Progress,
    back_off: BackOff,
}

/// When the next request is made.
enum Next {
    AtOnce,
    /// After a pause, of at least what the API server asks for.
    After(Option<Duration>),
}

impl<T, M, F> Watching<'_, T, M, F>
where
    T: Object + DeserializeOwned + Send,
    M: Send,
    F: Fn(Heard<T>) -> M + Send,
{
    /// Asks for a list, or for a page of it.
    async fn list(&mut self, ask: &Ask) -> Result<Next, Ended> {
        let head = match self.reader.list(ask).await {
            Ok(head) => head,
            Err(Stop::Unwanted) => return Err(Ended::Unwanted),
            Err(Stop::Failed(error)) => {
                self.progress.on_page_failed(&error);
                let next = self.failed(&error)?;
                let is_refused = matches!(error.code(), Some(403 | 404));
                if is_refused && self.reader.send(Heard::Refused).await.is_err() {
                    return Err(Ended::Unwanted);
                }
                return Ok(next);
            }
        };
        match self.progress.on_page(head) {
            Ok(false) => Ok(Next::AtOnce),
            Ok(true) => {
                self.health.on_listed();
                let ends = Heard::Events(vec![Event::ListEnds]);
                let sent = self.reader.send(ends).await;
                sent.map(|()| Next::AtOnce).map_err(|_| Ended::Unwanted)
            }
            Err(problem) => {
                self.health.on_nonsense(&problem);
                Ok(Next::After(None))
            }
        }
    }

    /// Watches until that ends.
    async fn watch(&mut self, version: &str) -> Result<Next, Ended> {
        let begin = Instant::now();
        let end = match self.reader.changes(version, &mut self.progress).await {
            Ok(end) => end,
            Err(Stop::Unwanted) => return Err(Ended::Unwanted),
            Err(Stop::Failed(error)) => WatchEnd::Failed(error),
        };
        self.progress.on_watch_ended(&end);
        let is_steady = begin.elapsed() >= STEADY;
        if is_steady {
            self.back_off.on_success();
        }
        match end {
            WatchEnd::Over if is_steady => Ok(Next::AtOnce),
            WatchEnd::Over => Ok(Next::After(None)),
            WatchEnd::Lost(problem) => {
                let name = &self.resource.name;
                tracing::info!("{name} are listed again: {}", Excerpt(problem));
                Ok(Next::After(None))
            }
            WatchEnd::Failed(error) => self.failed(&error),
        }
    }

    fn failed(&self, error: &RequestError) -> Result<Next, Ended> {
        if self.ends_forbidden && error.code() == Some(403) {
            return Err(Ended::Forbidden);
        }
        self.health.on_failure(error);
        Ok(Next::After(error.retry_after()))
    }
}
