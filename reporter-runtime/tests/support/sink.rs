//! Sinks whose behaviour is an async block.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use async_trait::async_trait;
use reporter_runtime::{Dispatch, StatSink, Undelivered};
use tokio::sync::mpsc;

/// What a sink reads from.
pub(crate) type Mailbox = mpsc::Receiver<Arc<Dispatch>>;

type Run = Pin<Box<dyn Future<Output = Result<(), Undelivered>> + Send>>;

struct Scripted {
    name: &'static str,
    run: Box<dyn FnOnce(Mailbox) -> Run + Send>,
}

#[async_trait]
impl StatSink for Scripted {
    fn name(&self) -> String {
        self.name.to_owned()
    }

    async fn run(self: Box<Self>, mailbox: Mailbox) -> Result<(), Undelivered> {
        (self.run)(mailbox).await
    }
}

/// A sink that does what `run` says.
pub(crate) fn sink<F>(
    name: &'static str,
    run: impl FnOnce(Mailbox) -> F + Send + 'static,
) -> Box<dyn StatSink>
where
    F: Future<Output = Result<(), Undelivered>> + Send + 'static,
{
    let run = Box::new(|mailbox| Box::pin(run(mailbox)) as Run);
    Box::new(Scripted { name, run })
}

/// A sink that takes everything at once, and the end where it comes out.
pub(crate) fn healthy() -> (Box<dyn StatSink>, mpsc::UnboundedReceiver<Arc<Dispatch>>) {
    let (sender, seen) = mpsc::unbounded_channel();
    let sink = sink("healthy", |mut mailbox| async move {
        while let Some(dispatch) = mailbox.recv().await {
            // A test may have seen enough.
            let _ = sender.send(dispatch);
        }
        Ok(())
    });
    (sink, seen)
}
