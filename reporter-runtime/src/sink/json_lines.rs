//! Batches as lines of JSON, for people without an autoscaler and for programs that read logs.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use reporter_core::Cause;
use serde::Serialize;
use tokio::io::{AsyncWrite, AsyncWriteExt};
use tokio::sync::mpsc;

use super::{StatSink, Undelivered};
use crate::Dispatch;

/// How long to wait before a line that could not be written is tried again.
const RETRY: Duration = Duration::from_secs(1);

/// Writes one line per batch:
/// `{"time":"<RFC 3339>","cause":"first_request"|"tick","messages":[{"key":"namespace/name","pod_name":..,"average_concurrent_requests":..,"request_count":..}]}`.
///
/// A line that could not be written is tried again every second, while later batches wait (merged
/// per key when there are many). The writer's trouble is logged once per change.
pub struct JsonLines<W> {
    name: String,
    pod_name: Arc<str>,
    writer: W,
}

impl<W: AsyncWrite + Unpin + Send + 'static> JsonLines<W> {
    /// A sink that writes to `writer` and is called `name` in logs.
    pub fn new(name: impl Into<String>, pod_name: impl Into<Arc<str>>, writer: W) -> Self {
        Self {
            name: name.into(),
            pod_name: pod_name.into(),
            writer,
        }
    }
}

#[async_trait]
impl<W: AsyncWrite + Unpin + Send + 'static> StatSink for JsonLines<W> {
    fn name(&self) -> String {
        self.name.clone()
    }

    async fn run(
        mut self: Box<Self>,
        mut mailbox: mpsc::Receiver<Arc<Dispatch>>,
    ) -> Result<(), Undelivered> {
        while let Some(dispatch) = mailbox.recv().await {
            if dispatch.batch.messages.is_empty() {
                continue;
            }
            if let Err(error) = self.write(&dispatch, &mailbox).await {
                tracing::error!(sink = self.name, %error, "gave up");
                let mut requests = count(&dispatch);
                while let Some(dispatch) = mailbox.recv().await {
                    requests += count(&dispatch);
                }
                return Err(Undelivered { requests });
            }
        }
        Ok(())
    }
}

impl<W: AsyncWrite + Unpin> JsonLines<W> {
    /// Writes the line, however often it takes; gives up only when the reporter has stopped.
    async fn write(
        &mut self,
        dispatch: &Dispatch,
        mailbox: &mpsc::Receiver<Arc<Dispatch>>,
    ) -> std::io::Result<()> {
        let line = self.line(dispatch)?;
        let mut rest = &line[..];
        let mut failing = false;
        while let Err(error) = write_rest(&mut self.writer, &mut rest).await {
            if mailbox.is_closed() {
                return Err(error);
            }
            if !std::mem::replace(&mut failing, true) {
                tracing::error!(sink = self.name, %error, "cannot write, trying again every second");
            }
            tokio::time::sleep(RETRY).await;
        }
        if failing {
            tracing::info!(sink = self.name, "can write again");
        }
        Ok(())
    }

    fn line(&self, dispatch: &Dispatch) -> serde_json::Result<Vec<u8>> {
        let messages = dispatch.batch.messages.iter().map(|message| Message {
            key: message.key.as_str(),
            pod_name: &self.pod_name,
            average_concurrent_requests: message.stat.average_concurrent_requests,
            request_count: message.stat.request_count,
        });
        let mut line = serde_json::to_vec(&Line {
            time: humantime::format_rfc3339_micros(dispatch.time).to_string(),
            cause: match dispatch.batch.cause {
                Cause::FirstRequest => "first_request",
                Cause::Tick => "tick",
            },
            messages: messages.collect(),
        })?;
        line.push(b'\n');
        Ok(line)
    }
}

/// Writes and flushes what is left of a line. After an error `rest` is what was not taken, so that
/// the next try goes on in the middle of the line and does not tear it.
async fn write_rest<W: AsyncWrite + Unpin>(
    writer: &mut W,
    rest: &mut &[u8],
) -> std::io::Result<()> {
    while !rest.is_empty() {
        match writer.write(rest).await? {
            0 => return Err(std::io::ErrorKind::WriteZero.into()),
            written => *rest = &rest[written..],
        }
    }
    writer.flush().await
}

fn count(dispatch: &Dispatch) -> u64 {
    let messages = dispatch.batch.messages.iter();
    messages.map(|message| message.stat.request_count).sum()
}

#[derive(Serialize)]
struct Line<'a> {
    time: String,
    cause: &'static str,
    messages: Vec<Message<'a>>,
}

#[derive(Serialize)]
struct Message<'a> {
    key: &'a str,
    pod_name: &'a str,
    average_concurrent_requests: f64,
    request_count: u64,
}
