//! `--record`: the history of live traffic, in a file.

use std::path::PathBuf;

use reporter_runtime::Builder;
use reporter_runtime::sink::json_lines::FileWriter;
use tokio::task::JoinHandle;

use super::StartError;
use crate::history::record;

/// Records that the file may be behind; one that is slower than that ends the recording.
const CAPACITY: usize = 65_536;

/// Has what the reporter will be told written to the file at `path`, on the current runtime.
///
/// # Errors
/// The file is not to be had.
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
            tracing::error!(path = %path.display(), %error, "the recording has ended");
        }
    });
    Ok((builder, writing))
}
