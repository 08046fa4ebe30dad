//! `--record`: the history of live traffic, in a file.

use std::path::PathBuf;

use reporter_runtime::Builder;
use reporter_runtime::sink::json_lines::FileWriter;
use tokio::task::JoinHandle;

use super::StartError;
use crate::history::record;

/// How many records may wait to be written; recording stops when there are more.
const CAPACITY: usize = 65_536;

/// Records the history of the reporter in the file at `path`, on the current runtime.
///
/// # Errors
/// The file cannot be opened.
pub(super) fn start(
    builder: Builder,
    path: PathBuf,
) -> Result<(Builder, JoinHandle<()>), StartError> {
    let mut file = match FileWriter::replace(&path) {
        Ok(file) => file,
        Err(source) => return Err(StartError::Record { path, source }),
    };
    let (builder, history) = builder.record(CAPACITY);
    let writing = tokio::spawn(async move {
        let recorded = async {
            file.ready().await?;
            record(history, file).await
        };
        if let Err(error) = recorded.await {
            tracing::error!(path = %path.display(), %error, "the recording has stopped");
        }
    });
    Ok((builder, writing))
}
