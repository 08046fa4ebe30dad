//! What an instance prints: line by line to the log, or as it is to a file; its last lines are kept.
//!
//! It is always read, and quickly, so that printing blocks nobody for long; what is too much is counted and left out.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::fs::File;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::unix::pipe;
use tokio::time::{Instant, timeout};

use super::Known;
use crate::revision::launch::InstanceLog;

mod lines;
mod rate;
mod tail;
mod text;

use lines::Lines;
use rate::Rate;
pub(super) use tail::Tail;
use text::clean;

/// How much is read at once: as much as a pipe holds.
const READ: usize = 64 * 1024;

/// How long the file may take for a part of the output. One that takes longer gets nothing more.
const FILE_PATIENCE: Duration = Duration::from_secs(5);

/// Where lines go.
enum Sink {
    Log(Rate),
    File(File),
    Nowhere,
}

/// The output of one instance.
pub(super) struct Output {
    name: String,
    sink: Sink,
    lines: Lines,
    known: Arc<Known>,
}

impl Output {
    /// The output of the instance called `name`. A file that cannot be opened is only warned of.
    pub(super) async fn new(name: String, log: &InstanceLog, known: Arc<Known>) -> Self {
        let sink = match log {
            InstanceLog::Inherit => Sink::Log(Rate::new(Instant::now())),
            InstanceLog::Off => Sink::Nowhere,
            InstanceLog::File(path) => match open(path).await {
                Ok(file) => Sink::File(file),
                Err(error) => {
                    let path = path.display();
                    tracing::warn!(
                        "{name}: its output is dropped: cannot write to {path}: {error}"
                    );
                    Sink::Nowhere
                }
            },
        };
        Self {
            name,
            sink,
            lines: Lines::default(),
            known,
        }
    }

    /// Reads until all writers are gone.
    pub(super) async fn follow(&mut self, mut pipe: pipe::Receiver) {
        let mut bytes = Vec::with_capacity(READ);
        loop {
            bytes.clear();
            let read = pipe.read_buf(&mut bytes);
            let is_open = match &self.sink {
                Sink::Log(rate) => match rate.next() {
                    Some(at) => match tokio::time::timeout_at(at, read).await {
                        Ok(read) => matches!(read, Ok(1..)),
                        Err(_) => true,
                    },
                    None => matches!(read.await, Ok(1..)),
                },
                Sink::File(_) | Sink::Nowhere => matches!(read.await, Ok(1..)),
            };
            self.take(&bytes).await;
            if !is_open {
                self.finish();
                return;
            }
        }
    }

    /// Logs what has no end yet, and what was left out.
    fn finish(&mut self) {
        let known = &self.known;
        let mut last = None;
        self.lines.finish(|line, is_cut| {
            known.tail.lock().push(line, is_cut);
            last = Some(clean(line, is_cut));
        });
        if let Sink::Log(rate) = &mut self.sink {
            if let Some(last) = last {
                tracing::info!("{}: {last}", self.name);
            }
            say_left_out(&self.name, rate.finish());
        }
    }

    async fn take(&mut self, bytes: &[u8]) {
        let now = Instant::now();
        let name = &self.name;
        {
            let mut tail = self.known.tail.lock();
            let sink = &mut self.sink;
            self.lines.add(bytes, |line, is_cut| {
                tail.push(line, is_cut);
                if let Sink::Log(rate) = &mut *sink
                    && rate.allows(now)
                {
                    tracing::info!("{name}: {}", clean(line, is_cut));
                }
            });
            tail.set_unfinished(self.lines.unfinished());
        }
        match &mut self.sink {
            Sink::Log(rate) => say_left_out(name, rate.left_out(now)),
            Sink::File(file) => {
                if let Err(error) = append(file, bytes).await {
                    tracing::warn!("{name}: its output is dropped from now on: {error}");
                    self.sink = Sink::Nowhere;
                }
            }
            Sink::Nowhere => {}
        }
    }
}

fn say_left_out(name: &str, count: u64) {
    if count > 0 {
        tracing::warn!(
            "{name}: {count} lines of its output were left out: it prints too fast for the log"
        );
    }
}

async fn open(path: &Path) -> io::Result<File> {
    let mut options = File::options();
    let open = options.append(true).create(true).open(path);
    // A pipe without a reader takes forever.
    timeout(FILE_PATIENCE, open).await?
}

async fn append(file: &mut File, bytes: &[u8]) -> io::Result<()> {
    let append = async {
        file.write_all(bytes).await?;
        file.flush().await
    };
    timeout(FILE_PATIENCE, append).await?
}
