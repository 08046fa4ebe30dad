//! Batches as lines of JSON, for use without an autoscaler and for programs that read logs.

use std::io::{self, ErrorKind};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use reporter_core::Cause;
use serde::Serialize;
use tokio::io::{AsyncWrite, AsyncWriteExt};
use tokio::sync::mpsc;

use super::{StatSink, Undelivered};
use crate::Dispatch;

mod file_writer;
mod line_file;
mod opening;

pub use file_writer::FileWriter;
pub use line_file::{LineFile, Reopener};

/// The wait before a line that could not be written is tried again.
const RETRY: Duration = Duration::from_secs(1);

/// Writes one line per batch:
/// `{"time":"<RFC 3339>","cause":"first_request"|"tick","messages":[{"key":"namespace/name","pod_name":..,"average_concurrent_requests":..,"request_count":..}]}`.
///
/// A line that could not be written is tried again every second from where the writer stopped, while
/// later batches wait (merged per key when there are many). This is exact when the writer reports
/// each byte that it took, as [`FileWriter`] does. Changes between failing and working are logged.
/// After the reporter's stop the first write that fails is the last.
pub struct JsonLines<W> {
    name: String,
    pod_name: Arc<str>,
    writer: W,
}

impl<W: AsyncWrite + Unpin + Send + 'static> JsonLines<W> {
    /// A sink with `name` in logs that writes to `writer`.
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

    /// Not cancel-safe: the line that is being written is torn.
    async fn run(
        mut self: Box<Self>,
        mut mailbox: mpsc::Receiver<Arc<Dispatch>>,
    ) -> Result<(), Undelivered> {
        while let Some(dispatch) = mailbox.recv().await {
            if dispatch.batch.messages.is_empty() {
                continue;
            }
            if let Err(error) = self.write(&dispatch, &mailbox).await {
                let mut requests = dispatch.requests();
                // A line after a torn one would be torn as well.
                while let Some(dispatch) = mailbox.recv().await {
                    requests += dispatch.requests();
                }
                tracing::error!(
                    sink = self.name,
                    %error,
                    requests,
                    "gave up: the counts of these requests could not be written"
                );
                return Err(Undelivered { requests });
            }
        }
        Ok(())
    }
}

impl<W: AsyncWrite + Unpin> JsonLines<W> {
    /// Writes the line, with any number of attempts; gives up only when the reporter has stopped.
    ///
    /// Not cancel-safe: the line is torn.
    async fn write(
        &mut self,
        dispatch: &Dispatch,
        mailbox: &mpsc::Receiver<Arc<Dispatch>>,
    ) -> io::Result<()> {
        let line = self.line(dispatch);
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

    fn line(&self, dispatch: &Dispatch) -> Vec<u8> {
        let messages = dispatch.batch.messages.iter().map(|message| Message {
            key: message.key.as_str(),
            pod_name: &self.pod_name,
            average_concurrent_requests: message.stat.average_concurrent_requests,
            request_count: message.stat.request_count,
        });
        let mut line = serde_json::to_vec(&Line {
            time: humantime::format_rfc3339_micros(within_rfc3339(dispatch.time)).to_string(),
            cause: match dispatch.batch.cause {
                Cause::FirstRequest => "first_request",
                Cause::Tick => "tick",
            },
            messages: messages.collect(),
        })
        .expect("strings and numbers can always be written as JSON");
        line.push(b'\n');
        line
    }
}

/// Writes and flushes what is left of a line. After an error `rest` is what was not taken, so that
/// the next try goes on in the middle of the line and does not tear it.
///
/// Cancel-safe as far as the writer's `write` is.
async fn write_rest<W: AsyncWrite + Unpin>(writer: &mut W, rest: &mut &[u8]) -> io::Result<()> {
    while !rest.is_empty() {
        match writer.write(rest).await? {
            0 => return Err(ErrorKind::WriteZero.into()),
            written => *rest = &rest[written..],
        }
    }
    writer.flush().await
}

/// The nearest time that RFC 3339 can write: the machine's clock may be set to anything.
#[must_use]
pub fn within_rfc3339(time: SystemTime) -> SystemTime {
    const LAST_SECOND_OF_9999: Duration = Duration::from_secs(253_402_300_799);
    time.clamp(
        SystemTime::UNIX_EPOCH,
        SystemTime::UNIX_EPOCH + LAST_SECOND_OF_9999,
    )
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
