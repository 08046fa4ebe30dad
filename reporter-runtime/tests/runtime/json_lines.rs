//! The JSON-lines sink: its format to the byte, and writers that fail.

use std::collections::VecDeque;
use std::io::{self, ErrorKind};
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::{Duration, SystemTime};

use reporter_core::{Accounting, Batch, Cause, Stat, StatMessage, Timestamp};
use reporter_runtime::sink::json_lines::{FileWriter, JsonLines};
use reporter_runtime::{Dispatch, StatSink, Undelivered};
use tokio::io::AsyncWrite;
use tokio::sync::mpsc;
use tracing::Level;

use crate::log::Log;
use crate::scene::{Scene, key};

/// What a writer does when it is asked to write; without a next step it takes everything.
enum Step {
    Take(usize),
    Fail(ErrorKind),
}

#[derive(Clone, Default)]
struct Writer {
    steps: Arc<Mutex<VecDeque<Step>>>,
    written: Arc<Mutex<Vec<u8>>>,
    always_fails: bool,
}

impl Writer {
    fn steps(steps: impl IntoIterator<Item = Step>) -> Self {
        Self {
            steps: Arc::new(Mutex::new(steps.into_iter().collect())),
            ..Self::default()
        }
    }

    fn text(&self) -> String {
        String::from_utf8(self.written.lock().unwrap().clone()).unwrap()
    }
}

impl AsyncWrite for Writer {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.always_fails {
            return Poll::Ready(Err(ErrorKind::BrokenPipe.into()));
        }
        let taken = match self.steps.lock().unwrap().pop_front() {
            Some(Step::Fail(kind)) => return Poll::Ready(Err(kind.into())),
            Some(Step::Take(at_most)) => bytes.len().min(at_most),
            None => bytes.len(),
        };
        self.written.lock().unwrap().extend(&bytes[..taken]);
        Poll::Ready(Ok(taken))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

fn dispatch(cause: Cause, time: SystemTime, messages: &[(&str, f64, u64)]) -> Dispatch {
    let message = |&(name, average_concurrent_requests, request_count): &(&str, f64, u64)| {
        let stat = Stat {
            average_concurrent_requests,
            request_count,
        };
        StatMessage {
            key: key(name),
            stat,
        }
    };
    Dispatch {
        at: Timestamp::default(),
        time,
        batch: Batch {
            cause,
            messages: messages.iter().map(message).collect(),
            forgotten: vec![key("gone")],
        },
    }
}

async fn write<W: AsyncWrite + Unpin + Send + 'static>(
    writer: W,
    dispatches: impl IntoIterator<Item = Dispatch>,
) -> Result<(), Undelivered> {
    let sink = JsonLines::new("lines", "activator-0", writer);
    let (mailbox, receiver) = mpsc::channel(16);
    let run = tokio::spawn(Box::new(sink).run(receiver));
    for dispatch in dispatches {
        // A line that fails is tried again only while the reporter runs.
        mailbox.send(Arc::new(dispatch)).await.unwrap();
    }
    tokio::time::sleep(Duration::from_secs(30)).await;
    drop(mailbox);
    run.await.unwrap()
}

const TIME: Duration = Duration::from_micros(1_767_225_600_000_250);

fn two_dispatches() -> [Dispatch; 2] {
    let time = SystemTime::UNIX_EPOCH + TIME;
    [
        dispatch(Cause::FirstRequest, time, &[("a", 1.0, 1)]),
        dispatch(Cause::Tick, time, &[("a", 0.5, 2), ("b.c", 3.0, 0)]),
    ]
}

const TWO_LINES: &str = concat!(
    r#"{"time":"2026-01-01T00:00:00.000250Z","cause":"first_request","messages":["#,
    r#"{"key":"default/a","pod_name":"activator-0","average_concurrent_requests":1.0,"request_count":1}]}"#,
    "\n",
    r#"{"time":"2026-01-01T00:00:00.000250Z","cause":"tick","messages":["#,
    r#"{"key":"default/a","pod_name":"activator-0","average_concurrent_requests":0.5,"request_count":2},"#,
    r#"{"key":"default/b.c","pod_name":"activator-0","average_concurrent_requests":3.0,"request_count":0}]}"#,
    "\n",
);

#[tokio::test(start_paused = true)]
async fn batches_with_messages_become_lines() {
    let writer = Writer::default();
    let [first, tick] = two_dispatches();
    let empty = dispatch(Cause::Tick, SystemTime::UNIX_EPOCH, &[]);
    let end = write(writer.clone(), [first, empty, tick]).await;
    assert_eq!(end, Ok(()));
    assert_eq!(writer.text(), TWO_LINES);
}

#[tokio::test(start_paused = true)]
async fn a_writer_that_fails_anywhere_and_recovers_leaves_no_torn_or_lost_line() {
    for taken in [0, 1, 10, 100, 180, 181, 182, 200, 400] {
        for fails in 1..4 {
            let log = Log::collect(Level::INFO);
            let fail = (0..fails).map(|_| Step::Fail(ErrorKind::StorageFull));
            let take = (taken > 0).then_some(Step::Take(taken));
            let writer = Writer::steps(take.into_iter().chain(fail));
            let end = write(writer.clone(), two_dispatches()).await;
            assert_eq!(end, Ok(()));
            assert_eq!(writer.text(), TWO_LINES, "after {taken} bytes");
            let levels: Vec<_> = log.take().into_iter().map(|line| line.0).collect();
            assert_eq!(levels, [Level::ERROR, Level::INFO], "once per change");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_writer_that_takes_no_bytes_fails() {
    let log = Log::collect(Level::INFO);
    let writer = Writer::steps([Step::Take(7), Step::Take(0)]);
    assert_eq!(write(writer.clone(), two_dispatches()).await, Ok(()));
    assert_eq!(writer.text(), TWO_LINES);
    assert_eq!(log.take().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_writer_that_never_recovers_is_given_up_at_the_stop_and_its_requests_are_counted() {
    let log = Log::collect(Level::INFO);
    let writer = Writer {
        always_fails: true,
        ..Writer::default()
    };
    let end = write(writer, two_dispatches()).await;
    assert_eq!(end, Err(Undelivered { requests: 3 }));
    let lines: Vec<_> = log.take().into_iter().map(|line| line.1).collect();
    let expected = [
        r#"cannot write, trying again every second sink="lines" error=broken pipe"#,
        r#"gave up: the counts of these requests could not be written sink="lines" error=broken pipe requests=3"#,
    ];
    assert_eq!(lines, expected);
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_stands_beyond_what_rfc_3339_can_write_is_no_reason_to_fail() {
    let epoch = SystemTime::UNIX_EPOCH;
    for (time, expected) in [
        (
            epoch - Duration::from_secs(86_400),
            "1970-01-01T00:00:00.000000Z",
        ),
        (epoch, "1970-01-01T00:00:00.000000Z"),
        (
            epoch + Duration::from_secs(1 << 60),
            "9999-12-31T23:59:59.000000Z",
        ),
    ] {
        let writer = Writer::default();
        let end = write(
            writer.clone(),
            [dispatch(Cause::Tick, time, &[("a", 1.0, 1)])],
        )
        .await;
        assert_eq!(end, Ok(()));
        let text = writer.text();
        assert!(
            text.starts_with(&format!(r#"{{"time":"{expected}","#)),
            "{text}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_reporter_writes_lines_at_once_and_flushes_at_its_stop() {
    let writer = Writer::default();
    let sink = Box::new(JsonLines::new("lines", "activator-0", writer.clone()));
    let scene = Scene::with(Accounting::Snapshot, |builder| builder.sink(sink));
    let _guard = scene.track("a");
    scene.reach(1).await;
    assert_eq!(writer.text().lines().count(), 1);
    scene.stop().await;
    let text = writer.text();
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(lines.len(), 2);
    assert!(lines[0].contains(r#""cause":"first_request""#));
    assert!(lines[1].contains(r#""cause":"tick""#));
}

#[tokio::test]
async fn a_file_writer_returns_what_the_file_took() {
    let path = std::env::temp_dir().join(format!("reporter-lines-{}", std::process::id()));
    let file = std::fs::File::create(&path).unwrap();
    let sink = JsonLines::new("lines", "activator-0", FileWriter::new(file));
    let (mailbox, receiver) = mpsc::channel(16);
    for dispatch in two_dispatches() {
        mailbox.try_send(Arc::new(dispatch)).unwrap();
    }
    drop(mailbox);
    assert_eq!(Box::new(sink).run(receiver).await, Ok(()));
    let written = std::fs::read_to_string(&path).unwrap();
    std::fs::remove_file(&path).unwrap();
    assert_eq!(written, TWO_LINES);
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_full_disk_loses_no_line_silently() {
    let full = std::fs::File::options()
        .write(true)
        .open("/dev/full")
        .unwrap();
    let sink = JsonLines::new("lines", "activator-0", FileWriter::new(full));
    let (mailbox, receiver) = mpsc::channel(16);
    for dispatch in two_dispatches() {
        mailbox.try_send(Arc::new(dispatch)).unwrap();
    }
    drop(mailbox);
    let end = Box::new(sink).run(receiver).await;
    assert_eq!(end, Err(Undelivered { requests: 3 }));
}
