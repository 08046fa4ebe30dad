//! Requests to the API server, and its watches.

use std::io::{BufRead, BufReader};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail, ensure};
use serde_json::Value;
use ureq::http::{Method, Request, Response, StatusCode};
use ureq::tls::{Certificate, RootCerts, TlsConfig};
use ureq::{Agent, AsSendBody, Body};

use super::control_plane::SERVER;
use super::credentials::{ADMIN, Credentials};
use super::objects::{path_of, text};

const TIMEOUT: Duration = Duration::from_secs(20);
/// How long a watch lasts until it is asked for again.
const WATCH: Duration = Duration::from_secs(60);
/// The pause after a request that failed.
const PAUSE: Duration = Duration::from_millis(200);
/// More than the lists of any scene.
const MOST_BYTES: u64 = 256 << 20;

/// A client with one user's token. Clones share connections.
#[derive(Clone)]
pub(crate) struct Api {
    agent: Agent,
    token: String,
}

/// A change that a watch reports.
pub(crate) enum Change {
    /// All objects that exist: at first, and after a gap.
    All(Vec<Value>),
    /// One is new or has changed.
    Applied(Value),
    Deleted(Value),
}

impl Api {
    pub(crate) fn new(credentials: &Credentials) -> Result<Self> {
        let authority = std::fs::read(credentials.authority())?;
        let authority = Certificate::from_pem(&authority)?;
        let tls = TlsConfig::builder()
            .root_certs(RootCerts::new_with_certs(&[authority]))
            .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .build();
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .proxy(None)
            .tls_config(tls)
            .max_idle_connections_per_host(16)
            .build();
        Ok(Self {
            agent: config.new_agent(),
            token: ADMIN.to_owned(),
        })
    }

    pub(crate) fn get(&self, path: &str) -> Result<Value> {
        self.send(Method::GET, path, None)
    }

    /// Creates or changes an object (server-side apply). While the API server does not know its kind or namespace,
    /// which takes a moment after those have been made, this waits.
    pub(crate) fn apply(&self, object: &Value) -> Result<Value> {
        let path = format!("{}?fieldManager=e2e&force=true", path_of(object));
        let body = Some(("application/apply-patch+yaml", object));
        for _ in 0..50 {
            let (status, answer) = self.exchange(Method::PATCH, &path, body)?;
            if status != StatusCode::NOT_FOUND {
                return expect_success(&path, status, answer);
            }
            std::thread::sleep(PAUSE);
        }
        bail!("{path}: the API server does not know it after 10 s")
    }

    /// Creates an object in a collection, such as a token of a service account.
    pub(crate) fn create(&self, path: &str, object: &Value) -> Result<Value> {
        self.send(Method::POST, path, Some(("application/json", object)))
    }

    /// Merges `change` into an object (RFC 7386).
    pub(crate) fn merge(&self, path: &str, change: &Value) -> Result<Value> {
        let body = Some(("application/merge-patch+json", change));
        self.send(Method::PATCH, path, body)
    }

    /// Merges `change` into an object; lists are merged by their items' names or types.
    pub(crate) fn merge_lists(&self, path: &str, change: &Value) -> Result<Value> {
        let body = Some(("application/strategic-merge-patch+json", change));
        self.send(Method::PATCH, path, body)
    }

    pub(crate) fn delete(&self, path: &str) -> Result<()> {
        self.send(Method::DELETE, path, None).map(drop)
    }

    /// Whether the API server serves.
    pub(crate) fn ready(&self) -> bool {
        // The names of roles are not waited for: they take seconds more, and nobody here depends on the usual ones.
        let path = "/readyz?exclude=poststarthook/rbac/bootstrap-roles";
        let response = self.run(Method::GET, path, None, Duration::from_secs(2));
        response.is_ok_and(|response| response.status() == StatusCode::OK)
    }

    fn send(&self, method: Method, path: &str, body: Option<(&str, &Value)>) -> Result<Value> {
        let (status, answer) = self.exchange(method, path, body)?;
        expect_success(path, status, answer)
    }

    fn exchange(
        &self,
        method: Method,
        path: &str,
        body: Option<(&str, &Value)>,
    ) -> Result<(StatusCode, String)> {
        let mut response = self.run(method, path, body, TIMEOUT)?;
        let status = response.status();
        let body = response.body_mut().with_config().limit(MOST_BYTES);
        Ok((status, body.read_to_string()?))
    }

    fn run(
        &self,
        method: Method,
        path: &str,
        body: Option<(&str, &Value)>,
        timeout: Duration,
    ) -> Result<Response<Body>> {
        let request = Request::builder()
            .method(method)
            .uri(format!("{SERVER}{path}"))
            .header("authorization", format!("Bearer {}", self.token))
            .header("accept", "application/json");
        let response = match body {
            Some((kind, object)) => {
                let body = serde_json::to_vec(object)?;
                let request = request.header("content-type", kind).body(body)?;
                self.agent.run(self.within(timeout, request))
            }
            None => self.agent.run(self.within(timeout, request.body(())?)),
        };
        response.with_context(|| path.to_owned())
    }

    fn within<B: AsSendBody>(&self, timeout: Duration, request: Request<B>) -> Request<B> {
        let request = self.agent.configure_request(request);
        request.timeout_global(Some(timeout)).build()
    }

    /// Hands all changes of a collection to `on`, on a thread of its own, until `stop`. What the API server's absence
    /// hides comes as [`Change::All`] later.
    pub(crate) fn watch(
        &self,
        collection: &str,
        query: &str,
        stop: &Stop,
        mut on: impl FnMut(Change) + Send + 'static,
    ) {
        let (api, stop) = (self.clone(), stop.clone());
        let (collection, query) = (collection.to_owned(), query.to_owned());
        std::thread::spawn(move || {
            while !stop.is_set() {
                // Whatever the reason of an end, what follows is a list.
                let _ = api.watch_once(&collection, &query, &stop, &mut on);
                stop.wait(PAUSE);
            }
        });
    }

    fn watch_once(
        &self,
        collection: &str,
        query: &str,
        stop: &Stop,
        on: &mut impl FnMut(Change),
    ) -> Result<()> {
        let mut list = self.get(&format!("{collection}?{query}"))?;
        let mut version = text(&list, "/metadata/resourceVersion").to_owned();
        let items = list["items"].take();
        on(Change::All(
            serde_json::from_value(items).unwrap_or_default(),
        ));
        while !stop.is_set() {
            let seconds = WATCH.as_secs();
            let path = format!(
                "{collection}?watch=1&allowWatchBookmarks=true&timeoutSeconds={seconds}&resourceVersion={version}&{query}"
            );
            let response = self.run(Method::GET, &path, None, WATCH + TIMEOUT)?;
            ensure!(response.status() == StatusCode::OK);
            for line in lines(response.into_body()) {
                let mut event: Value = serde_json::from_str(&line?)?;
                let object = event["object"].take();
                if stop.is_set() {
                    return Ok(());
                }
                let kind = text(&event, "/type").to_owned();
                if kind != "ERROR" {
                    version = text(&object, "/metadata/resourceVersion").to_owned();
                }
                match &*kind {
                    "ADDED" | "MODIFIED" => on(Change::Applied(object)),
                    "DELETED" => on(Change::Deleted(object)),
                    "BOOKMARK" => {}
                    _ => return Err(anyhow!("{object}")),
                }
            }
        }
        Ok(())
    }
}

fn expect_success(path: &str, status: StatusCode, body: String) -> Result<Value> {
    ensure!(status.is_success(), "{path}: {status} {body}");
    serde_json::from_str(&body).with_context(|| format!("{path} returned no JSON"))
}

fn lines(body: Body) -> impl Iterator<Item = std::io::Result<String>> {
    BufReader::new(body.into_with_config().limit(u64::MAX).reader()).lines()
}

/// Tells threads to end. Clones are one.
#[derive(Clone, Default)]
pub(crate) struct Stop(Arc<AtomicBool>);

impl Stop {
    pub(crate) fn set(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// Sleeps, for less than `time` when it is set meanwhile.
    pub(crate) fn wait(&self, time: Duration) {
        let end = std::time::Instant::now() + time;
        while !self.is_set() && std::time::Instant::now() < end {
            std::thread::sleep(Duration::from_millis(10).min(time));
        }
    }
}
