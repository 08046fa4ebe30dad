//! Replays a recorded history and writes the batches that the reporter would have sent. No clock, no network.

use std::collections::HashMap;
use std::io::{self, BufWriter, Read, Write};

use reporter_core::{
    Accounting, Cause, Refused, Report, Reporter, ReqEvent, RevisionKey, StatMessage, Timestamp,
};

use super::line::{HistoryLine, LineError, Op};
use super::{input, output};

/// The result of a complete replay, besides its output.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// The lines read, including blank ones.
    pub lines: u64,
    /// How many `out` lines matched no request in flight. Each was refused and changed nothing.
    pub unmatched_outs: u64,
    /// The line of the first of them.
    pub first_unmatched: Option<u64>,
}

/// Why a replay stopped early.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// A line is invalid.
    #[error("line {number}: {wrong}")]
    BadLine {
        /// The line number, from 1.
        number: u64,
        /// What is wrong with it.
        wrong: LineError,
    },
    /// The history cannot be read.
    #[error("cannot read: {0}")]
    Read(io::Error),
    /// The output cannot be written.
    #[error("cannot write: {0}")]
    Write(io::Error),
}

/// Drives a reporter with the history in `input`, and writes a line for every batch.
///
/// Both are buffered here. Output is flushed before a read that may block, so a history that is still being written
/// can be followed. Memory is bounded by the keys and the requests in flight, not by the length of the history.
///
/// Blank lines are skipped. An unmatched `out` is refused and counted, but does not end the replay.
///
/// # Errors
/// An invalid line ends the replay, as does an I/O error. The output up to that point has been written.
pub fn replay(
    input: impl Read,
    output: impl Write,
    accounting: Accounting,
) -> Result<Summary, ReplayError> {
    let mut replay = Replay {
        reporter: Reporter::new(accounting),
        in_flight: HashMap::new(),
        report: Report::default(),
        output: BufWriter::with_capacity(1 << 16, output),
        summary: Summary::default(),
    };
    let outcome = replay.run(input);
    let flushed = replay.output.flush().map_err(ReplayError::Write);
    outcome.and(flushed)?;
    Ok(replay.summary)
}

struct Replay<W: Write> {
    reporter: Reporter,
    in_flight: HashMap<u64, RevisionKey>,
    report: Report,
    output: BufWriter<W>,
    summary: Summary,
}

impl<W: Write> Replay<W> {
    fn run(&mut self, input: impl Read) -> Result<(), ReplayError> {
        let mut lines = input::Lines::new(input);
        loop {
            if lines.may_wait() {
                self.output.flush().map_err(ReplayError::Write)?;
            }
            let Some(line) = lines.next().map_err(ReplayError::Read)? else {
                return Ok(());
            };
            self.summary.lines += 1;
            let number = self.summary.lines;
            let batch = line
                .and_then(HistoryLine::parse)
                .and_then(|line| line.map_or(Ok(None), |line| self.apply(line)))
                .map_err(|wrong| ReplayError::BadLine { number, wrong })?;
            if let Some((at, cause)) = batch {
                output::write(&mut self.output, at, cause, &self.report)
                    .map_err(ReplayError::Write)?;
            }
        }
    }

    /// Applies a line. Returns when and why it produced a batch, which is then in `report`.
    fn apply(&mut self, line: HistoryLine<'_>) -> Result<Option<(Timestamp, Cause)>, LineError> {
        let now = Timestamp::from_nanos(line.t_ns);
        self.report.clear();
        match line.op {
            Op::In => {
                let key = line.key()?.ok_or(LineError::NoKey)?;
                let id = line.id.ok_or(LineError::NoId)?;
                if self.in_flight.insert(id, key.clone()).is_some() {
                    return Err(LineError::IdInFlight { id });
                }
                let message = self.on_event(&ReqEvent::req_in(key), now);
                self.report.messages.extend(message);
                let first = !self.report.messages.is_empty();
                Ok(first.then_some((now, Cause::FirstRequest)))
            }
            Op::Out => {
                match self.key_of_out(&line)? {
                    Some(key) => drop(self.on_event(&ReqEvent::req_out(key), now)),
                    None => self.count_unmatched(),
                }
                Ok(None)
            }
            Op::Tick => {
                self.reporter.on_tick(now, &mut self.report);
                let said = self.report.gauges().next().is_some();
                Ok(said.then_some((now, Cause::Tick)))
            }
        }
    }

    /// The revision of the request that ends. `None` if it is not in flight.
    fn key_of_out(&mut self, line: &HistoryLine<'_>) -> Result<Option<RevisionKey>, LineError> {
        let key = line.key()?;
        let Some(id) = line.id else {
            // Event-driven reporters have no request ids, only keys.
            return key.map(Some).ok_or(LineError::NoId);
        };
        match (self.in_flight.remove(&id), key) {
            (Some(came), Some(went)) if came != went => Err(LineError::OtherKey { id, came, went }),
            (came, _) => Ok(came),
        }
    }

    fn on_event(&mut self, event: &ReqEvent, now: Timestamp) -> Option<StatMessage> {
        match self.reporter.on_event(event, now) {
            Ok(message) => message,
            Err(Refused::UnmatchedOut(_)) => {
                self.count_unmatched();
                None
            }
            Err(Refused::KeyLimitReached(_)) => None,
        }
    }

    fn count_unmatched(&mut self) {
        self.summary.unmatched_outs += 1;
        self.summary
            .first_unmatched
            .get_or_insert(self.summary.lines);
    }
}
