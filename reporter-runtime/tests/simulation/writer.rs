//! A file that fails, stalls and takes parts of lines.

use std::io::{self, ErrorKind};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use rand::RngExt;
use rand::rngs::SmallRng;
use reporter_core::{Stat, StatMessage};
use serde_json::Value;
use tokio::io::AsyncWrite;
use tokio::time::{Instant, Sleep};

use crate::sinks::FarEnd;

/// Hands on each line when it is complete.
pub(crate) struct Writer {
    stall: Duration,
    rng: SmallRng,
    quiet_from: Instant,
    stalled: Option<Pin<Box<Sleep>>>,
    line: Vec<u8>,
    far_end: FarEnd,
}

impl Writer {
    pub(crate) fn new(
        stall: Duration,
        rng: SmallRng,
        quiet_from: Instant,
        far_end: FarEnd,
    ) -> Self {
        Self {
            stall,
            rng,
            quiet_from,
            stalled: None,
            line: Vec::new(),
            far_end,
        }
    }

    fn take(&mut self, bytes: &[u8]) {
        self.line.extend(bytes);
        while let Some(end) = self.line.iter().position(|&byte| byte == b'\n') {
            let line: Vec<u8> = self.line.drain(..=end).collect();
            self.far_end.push(&parsed(&line));
        }
    }
}

impl AsyncWrite for Writer {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if let Some(stalled) = &mut self.stalled {
            ready!(stalled.as_mut().poll(cx));
            self.stalled = None;
        } else if Instant::now() < self.quiet_from {
            match self.rng.random_range(0..8) {
                0 => return Poll::Ready(Err(ErrorKind::StorageFull.into())),
                1 => return Poll::Ready(Ok(0)),
                2 => {
                    let until = (Instant::now() + self.stall).min(self.quiet_from);
                    self.stalled = Some(Box::pin(tokio::time::sleep_until(until)));
                    return self.poll_write(cx, bytes);
                }
                3..6 => {
                    let taken = self.rng.random_range(1..=bytes.len());
                    self.take(&bytes[..taken]);
                    return Poll::Ready(Ok(taken));
                }
                _ => {}
            }
        }
        self.take(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        let fails = Instant::now() < self.quiet_from && self.rng.random_ratio(1, 16);
        Poll::Ready(if fails {
            Err(ErrorKind::StorageFull.into())
        } else {
            Ok(())
        })
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

fn parsed(line: &[u8]) -> Vec<StatMessage> {
    let line: Value = serde_json::from_slice(line).unwrap();
    let messages = line["messages"].as_array().unwrap().iter();
    messages
        .map(|message| StatMessage {
            key: message["key"].as_str().unwrap().parse().unwrap(),
            stat: Stat {
                average_concurrent_requests: message["average_concurrent_requests"]
                    .as_f64()
                    .unwrap(),
                request_count: message["request_count"].as_u64().unwrap(),
            },
        })
        .collect()
}
