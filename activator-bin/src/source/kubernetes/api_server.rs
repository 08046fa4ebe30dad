//! Requests to the API server. The time of each is bounded; a response is received in pieces, so that its reader can
//! bound what it holds.
//!
//! `kube` knows how an API server is reached: kubeconfig, service account, CA, tokens that are renewed, programs that
//! fetch one. Its lists and watches are not used: nothing bounds a page, a line, or the time that a list takes, one bad
//! object fails a whole page, and they tell of no bookmark.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use http::header::{ACCEPT, CONTENT_TYPE, RETRY_AFTER, USER_AGENT};
use http::{Method, Request, StatusCode, request};
use kube::client::Body;
use kube::config::{KubeConfigOptions, Kubeconfig};
use tokio::sync::OnceCell;
use tokio::time::{Instant, timeout};

mod response;

pub(crate) use response::{RequestError, Response};

use response::{chain, failed};

use super::limits::ClusterLimits;
use crate::config::Cluster;

/// How long connecting may take, TLS included.
const CONNECT: Duration = Duration::from_secs(5);

/// The API server of a cluster.
pub(crate) struct ApiServer {
    cluster: Cluster,
    limits: ClusterLimits,
    /// Empty until it is needed. Another one when the credentials are read again.
    client: ArcSwap<OnceCell<kube::Client>>,
}

impl ApiServer {
    /// # Errors
    /// It cannot be read how it is reached. The API server is not contacted.
    pub(crate) async fn try_new(cluster: Cluster, limits: ClusterLimits) -> Result<Self, String> {
        config(&cluster).await?;
        Ok(Self {
            cluster,
            limits,
            client: ArcSwap::default(),
        })
    }

    /// Asks for something that the API server sends at once.
    ///
    /// # Errors
    /// There is no response, or one that says why not.
    pub(crate) async fn get(&self, path: &str) -> Result<Response, RequestError> {
        let ClusterLimits { silence, page, .. } = self.limits;
        self.request(ask(path).body(Body::empty()), silence, page)
            .await
    }

    /// Sends an object, and asks for what the API server makes of it at once.
    ///
    /// # Errors
    /// As [`Self::get`].
    pub(super) async fn post(&self, path: &str, object: String) -> Result<Response, RequestError> {
        let ClusterLimits { silence, page, .. } = self.limits;
        let request = ask(path).method(Method::POST);
        let request = request.header(CONTENT_TYPE, "application/json");
        let request = request.body(Body::from(object.into_bytes()));
        self.request(request, silence, page).await
    }

    /// Asks for changes as they come.
    ///
    /// # Errors
    /// As [`Self::get`].
    pub(super) async fn watch(&self, path: &str) -> Result<Response, RequestError> {
        let ClusterLimits { watch, grace, .. } = self.limits;
        let whole = watch + grace;
        self.request(ask(path).body(Body::empty()), whole, whole)
            .await
    }

    async fn request(
        &self,
        request: http::Result<Request<Body>>,
        silence: Duration,
        whole: Duration,
    ) -> Result<Response, RequestError> {
        let request = request.map_err(|error| RequestError::Failed(error.to_string()))?;
        let until = Instant::now() + whole;
        let cell = self.client.load_full();
        let first = self.limits.silence;
        let sent = timeout(first, async {
            let client = cell.get_or_try_init(|| self.connect()).await;
            client
                .map_err(RequestError::Failed)?
                .send(request)
                .await
                .map_err(|error| failed(&error))
        });
        let response = sent.await.map_err(|_| RequestError::Timeout(first))??;
        let (head, body) = response.into_parts();
        let response = Response {
            body,
            silence,
            until,
            whole,
        };
        if head.status.is_success() {
            return Ok(response);
        }
        if head.status == StatusCode::UNAUTHORIZED {
            // The token or certificate may have been replaced.
            self.client.compare_and_swap(&cell, Arc::default());
        }
        let seconds = head
            .headers
            .get(RETRY_AFTER)
            .and_then(|it| it.to_str().ok());
        let retry_after = seconds
            .and_then(|it| it.parse().ok())
            .map(Duration::from_secs);
        Err(RequestError::Status {
            code: head.status.as_u16(),
            message: response.failure().await,
            retry_after,
        })
    }

    async fn connect(&self) -> Result<kube::Client, String> {
        let mut config = config(&self.cluster).await?;
        config.connect_timeout = Some(CONNECT);
        // A retry is ours to decide, and to log.
        config.default_retry = false;
        // It may run a program that fetches a token.
        let connecting = tokio::task::spawn_blocking(move || kube::Client::try_from(config));
        let client = connecting.await.map_err(|error| error.to_string())?;
        client.map_err(|error| chain(&error))
    }
}

/// A request for something, without a body.
fn ask(path: &str) -> request::Builder {
    Request::builder()
        .uri(path)
        .header(ACCEPT, "application/json")
        .header(USER_AGENT, concat!("activator/", env!("CARGO_PKG_VERSION")))
}

async fn config(cluster: &Cluster) -> Result<kube::Config, String> {
    let path = match cluster {
        Cluster::OwnPod => {
            let config = kube::Config::incluster_env();
            return config.map_err(|error| {
                format!(
                    "this process has no service account of a pod: {}",
                    chain(&error)
                )
            });
        }
        Cluster::Kubeconfig(path) => path.clone(),
    };
    let reading = tokio::task::spawn_blocking(move || Kubeconfig::read_from(path));
    let read = reading.await.map_err(|error| error.to_string())?;
    let kubeconfig = read.map_err(|error| chain(&error))?;
    kube::Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default())
        .await
        .map_err(|error| chain(&error))
}
