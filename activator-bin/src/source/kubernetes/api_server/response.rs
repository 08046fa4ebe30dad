//! The response to a request to the API server, received in pieces, and why there is none.

use std::error::Error;
use std::fmt::{self, Display};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::BodyExt;
use kube::client::Body;
use serde::de::DeserializeOwned;
use tokio::time::{Instant, timeout_at};

use crate::logging::excerpt::Excerpt;
use crate::source::kubernetes::watch_lines::Failure;

/// The most bytes of an error that are read.
const MAX_ERROR: usize = 64 * 1024;

/// Why a request failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum RequestError {
    /// It is unknown how the API server is reached, there was no response, or it broke.
    Failed(String),
    /// The response, or a part of it, took longer than this.
    Timeout(Duration),
    /// The response is not what was asked for.
    Unreadable,
    /// The API server refused it.
    Status {
        code: u16,
        message: String,
        /// How long it asks to wait.
        retry_after: Option<Duration>,
    },
}

/// The response to a request, as far as it has not been received.
pub(crate) struct Response {
    pub(super) body: Body,
    /// How long its next bytes may take.
    pub(super) silence: Duration,
    /// When it has to be complete.
    pub(super) until: Instant,
    /// How long all of it may take.
    pub(super) whole: Duration,
}

impl Response {
    /// The next bytes; `None` at the end.
    ///
    /// # Errors
    /// It broke, or takes too long.
    ///
    /// # Cancel safety
    /// Cancel-safe.
    pub(crate) async fn chunk(&mut self) -> Result<Option<Bytes>, RequestError> {
        loop {
            let silent = Instant::now() + self.silence;
            let frame = timeout_at(silent.min(self.until), self.body.frame()).await;
            let Ok(frame) = frame else {
                let is_silent = silent < self.until;
                return Err(RequestError::Timeout(if is_silent {
                    self.silence
                } else {
                    self.whole
                }));
            };
            match frame {
                None => return Ok(None),
                Some(Err(error)) => return Err(failed(&error)),
                Some(Ok(frame)) => {
                    // Trailers say nothing.
                    if let Ok(bytes) = frame.into_data() {
                        return Ok(Some(bytes));
                    }
                }
            }
        }
    }

    /// Reads one object of at most `max` bytes.
    ///
    /// # Errors
    /// It is larger or not such an object, or it was not received.
    pub(crate) async fn object<T: DeserializeOwned>(
        mut self,
        max: usize,
    ) -> Result<T, RequestError> {
        let mut text = Vec::new();
        while let Some(bytes) = self.chunk().await? {
            if text.len().saturating_add(bytes.len()) > max {
                return Err(RequestError::Unreadable);
            }
            text.extend_from_slice(&bytes);
        }
        serde_json::from_slice(&text).map_err(|_| RequestError::Unreadable)
    }

    /// What the API server says about a failure.
    pub(super) async fn failure(self) -> String {
        let failure = self.object::<Failure>(MAX_ERROR).await;
        failure.map_or_else(
            |_| String::new(),
            |failure| Excerpt(failure.message).to_string(),
        )
    }
}

/// Why there is no response, or no more of it.
pub(super) fn failed(error: &kube::Error) -> RequestError {
    // What is around the cause says only that it was a service.
    let cause = match error {
        kube::Error::Service(cause) => &**cause as &dyn Error,
        kube::Error::HyperError(cause) => cause,
        error => error,
    };
    RequestError::Failed(chain(cause))
}

impl RequestError {
    /// The status of the API server's response.
    pub(crate) fn code(&self) -> Option<u16> {
        match self {
            Self::Status { code, .. } => Some(*code),
            _ => None,
        }
    }

    /// How long the API server asks to wait.
    pub(crate) fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Status { retry_after, .. } => *retry_after,
            _ => None,
        }
    }
}

impl Display for RequestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed(why) => f.write_str(why),
            Self::Timeout(limit) => write!(f, "no complete response within {limit:?}"),
            Self::Unreadable => f.write_str("the response is not that of an API server"),
            Self::Status { code, message, .. } => {
                write!(f, "status {code}")?;
                if message.is_empty() {
                    return Ok(());
                }
                write!(f, ": {message}")
            }
        }
    }
}

/// An error with all its causes.
pub(super) fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let message = error.to_string();
        if !text.contains(&message) {
            text = format!("{text}: {message}");
        }
        cause = error.source();
    }
    Excerpt(text).to_string()
}
