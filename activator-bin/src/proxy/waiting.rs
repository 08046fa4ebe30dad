//! What browsers see while no instance of a revision is ready: a page that watches a status path and then reloads
//! itself.
//!
//! What must not live here: anything from the request in the page.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::header::{
    ACCEPT, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderValue, RETRY_AFTER,
    UPGRADE, X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderMap, HeaderName, Method, Request, Response, StatusCode};
use reporter_metrics::ErrorReason;
use serde_json::json;
use tokio::time::timeout;

use super::html::escaped;
use super::refusal::Refusal;
use crate::message::headers::tokens;
use crate::revision::ServedRevision;
use crate::revision::launch::WaitingPage;
use crate::throttle::{Failure, Standing};

mod template;

/// Where the page asks for the status. The page itself says so too.
const STATUS_PATH: &str = "/.well-known/activator/status";

const PAGE: &str = include_str!("waiting/page.html");

/// An instance that is ready this soon needs no page, which would only flicker.
const MOMENT: Duration = Duration::from_millis(400);

/// Seconds until a page without scripts asks again.
const RETRY: u64 = 2;
/// Seconds until the page asks for itself again, whatever the status says: after a failed attempt to start the next one
/// takes a request.
const RELOAD: u64 = 10;

const SEC_FETCH_MODE: HeaderName = HeaderName::from_static("sec-fetch-mode");
/// Which say that nobody may ever see the response.
const PURPOSES: [&str; 2] = ["sec-purpose", "purpose"];
/// Set by scripts that ask for a part of a page.
const REQUESTED_WITH: HeaderName = HeaderName::from_static("x-requested-with");

/// Whether a browser asks for a page that somebody is to see.
pub(super) fn is_navigation<B>(request: &Request<B>) -> bool {
    let headers = request.headers();
    let mode = headers.get(SEC_FETCH_MODE);
    request.method() == Method::GET
        && wants_html(headers)
        && mode.is_none_or(|mode| mode == "navigate")
        && !headers.contains_key(UPGRADE)
        && !headers.contains_key(REQUESTED_WITH)
        && !PURPOSES.iter().any(|name| is_prefetch(headers, name))
}

/// Whether `Accept` names HTML. `*/*` is what machines send.
fn wants_html(headers: &HeaderMap) -> bool {
    tokens(headers, ACCEPT).any(|range| {
        let mut parts = range.split(|byte| *byte == b';').map(<[u8]>::trim_ascii);
        let is_html = parts
            .next()
            .is_some_and(|it| it.eq_ignore_ascii_case(b"text/html"));
        let is_refused =
            |weight: &[u8]| matches!(weight, b"q=0" | b"q=0.0" | b"q=0.00" | b"q=0.000");
        is_html && !parts.any(is_refused)
    })
}

fn is_prefetch(headers: &HeaderMap, name: &'static str) -> bool {
    tokens(headers, HeaderName::from_static(name)).any(|token| token.starts_with(b"prefetch"))
}

/// Whether it is the status that a request asks for.
pub(super) fn is_for_status<B>(request: &Request<B>) -> bool {
    request.method() == Method::GET && request.uri().path() == STATUS_PATH
}

/// The status, unless an instance is ready.
pub(super) fn status(revision: &ServedRevision) -> Option<Refusal> {
    let waiting = Waiting::of(revision)?;
    let status = json!({ "activator": {
        "state": waiting.state(),
        "title": waiting.title,
        "text": waiting.text,
        "retry": waiting.retry(),
        "reload": waiting.reload(),
    } });
    let mut response = Response::new(Bytes::from(status.to_string()));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Some(Refusal::other(None, response))
}

/// The page, unless an instance is ready within a moment. The request takes no place in the queue.
///
/// Cancel-safe.
pub(super) async fn page(revision: &ServedRevision, page: &WaitingPage) -> Option<Refusal> {
    if let Standing::NotReady = revision.throttle.standing() {
        // Whether it is ready is asked below.
        let _ = timeout(MOMENT, revision.throttle.ready()).await;
    }
    let waiting = Waiting::of(revision)?;
    let (content, policy) = match page {
        WaitingPage::Page(content) => (Bytes::from(content.as_bytes().to_vec()), None),
        WaitingPage::Auto | WaitingPage::Off => {
            let (content, policy) = waiting.render(&nonce());
            (content.into(), HeaderValue::try_from(policy).ok())
        }
    };
    let mut response = Response::new(content);
    *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
    let headers = response.headers_mut();
    let html = HeaderValue::from_static("text/html; charset=utf-8");
    headers.insert(CONTENT_TYPE, html);
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(RETRY_AFTER, waiting.retry().into());
    if let Some(policy) = policy {
        headers.insert(CONTENT_SECURITY_POLICY, policy);
    }
    let reason = waiting.failed.map(|_| ErrorReason::StartFailed);
    Some(Refusal::other(reason, response))
}

/// What is said to people who wait.
struct Waiting {
    title: String,
    text: String,
    /// Seconds until the next attempt, if one has failed.
    failed: Option<u64>,
}

impl Waiting {
    /// `None` if an instance is ready.
    fn of(revision: &ServedRevision) -> Option<Self> {
        let name = revision.key.name();
        match revision.throttle.standing() {
            Standing::Ready => None,
            Standing::NotReady => Some(Self {
                title: format!("{name} is starting"),
                text: "It will open here as soon as it is ready.".to_owned(),
                failed: None,
            }),
            Standing::Failed(failure) => Some(Self::failed(name, &failure)),
        }
    }

    fn failed(name: &str, failure: &Arc<Failure>) -> Self {
        let seconds = failure.seconds_left(Instant::now());
        Self {
            title: format!("{name} failed to start"),
            text: format!("{}. The next attempt is in {seconds} s.", failure.why),
            failed: Some(seconds),
        }
    }

    fn state(&self) -> &'static str {
        self.failed.map_or("starting", |_| "failed")
    }

    fn retry(&self) -> u64 {
        self.failed.unwrap_or(RETRY)
    }

    fn reload(&self) -> u64 {
        self.failed.unwrap_or(RELOAD)
    }

    /// The page and its content security policy: nothing of another origin, and of its own only what is in it.
    fn render(&self, nonce: &str) -> (String, String) {
        let page = template::fill(PAGE, |name| match name {
            "title" => escaped(&self.title),
            "text" => escaped(&self.text),
            "state" => self.state().to_owned(),
            "retry" => self.retry().to_string(),
            "reload" => self.reload().to_string(),
            "nonce" => nonce.to_owned(),
            _ => unreachable!("a test fills all that the page has"),
        });
        let policy = format!(
            "default-src 'none'; script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'; connect-src 'self'; \
             base-uri 'none'; form-action 'none'"
        );
        (page, policy)
    }
}

/// What nobody can guess who might have put something into the page.
fn nonce() -> String {
    format!("{:032x}", rand::random::<u128>())
}

#[cfg(test)]
mod tests;
