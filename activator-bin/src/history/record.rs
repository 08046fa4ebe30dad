//! Writes the reporter's events as a history that `activator replay` reads.

use std::io;

use reporter_runtime::{History, HistoryOp, HistoryRecord};
use tokio::io::{AsyncWrite, AsyncWriteExt, BufWriter};

use super::line::{HistoryLine, Op};

/// Writes `history` to `file`, a line per record, until all its senders are dropped.
///
/// Flushes at every tick and at the end. Not cancel-safe: the file may then end within a line, and lacks what came
/// after the last tick.
///
/// # Errors
/// If the file cannot be written. Recording then ends, and nothing waits for it.
pub async fn record(mut history: History, file: impl AsyncWrite + Unpin) -> io::Result<()> {
    let mut file = BufWriter::with_capacity(1 << 16, file);
    let mut line = Vec::new();
    while let Some(record) = history.recv().await {
        line.clear();
        serde_json::to_writer(&mut line, &history_line(&record))?;
        line.push(b'\n');
        file.write_all(&line).await?;
        if record.op == HistoryOp::Tick {
            file.flush().await?;
        }
    }
    file.shutdown().await
}

fn history_line(record: &HistoryRecord) -> HistoryLine<'_> {
    let (op, id, key) = match &record.op {
        HistoryOp::In { id, key } => (Op::In, Some(*id), Some(key)),
        HistoryOp::Out { id, key } => (Op::Out, *id, Some(key)),
        HistoryOp::Tick => (Op::Tick, None, None),
    };
    HistoryLine {
        t_ns: record.at.as_nanos(),
        op,
        id,
        key: key.map(|key| key.as_str().into()),
    }
}
