//! Whether the workers live: each is asked, and answers as soon as its loop turns.

use tokio::sync::{mpsc, oneshot, watch};

/// A worker has ended though nobody asked it to.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("a worker has panicked")]
pub(crate) struct WorkerDied;

/// Asks one worker. Clones ask the same one.
#[derive(Clone)]
pub(crate) struct Pulse {
    ask: mpsc::Sender<oneshot::Sender<()>>,
    /// True once it has ended as it should.
    ended: watch::Receiver<bool>,
}

/// What a worker answers with; to be polled on its thread.
pub(super) struct Beat(mpsc::Receiver<oneshot::Sender<()>>);

impl Pulse {
    pub(super) fn new(ended: watch::Receiver<bool>) -> (Self, Beat) {
        let (ask, asked) = mpsc::channel(1);
        (Self { ask, ended }, Beat(asked))
    }

    /// Waits until the worker's loop has turned, or the worker has ended after a drain.
    ///
    /// May wait without bound: for as long as the worker is stuck.
    ///
    /// # Errors
    /// It has panicked.
    pub(crate) async fn turned(&self) -> Result<(), WorkerDied> {
        let (answer, answered) = oneshot::channel();
        if self.ask.send(answer).await.is_ok() && answered.await.is_ok() {
            return Ok(());
        }
        let mut ended = self.ended.clone();
        ended
            .wait_for(|ended| *ended)
            .await
            .map(drop)
            .map_err(|_| WorkerDied)
    }
}

impl Beat {
    /// Answers, for as long as it is polled.
    pub(super) async fn run(mut self) {
        while let Some(answer) = self.0.recv().await {
            // An error means that nobody waits any more.
            let _ = answer.send(());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, Sender, channel};
    use std::thread;

    use futures_util::FutureExt;
    use tokio::runtime::{Builder, LocalOptions};

    use super::*;

    /// A worker whose loop is stuck until something is sent to it or the sender is dropped, and then ends.
    fn worker(then: impl FnOnce() + Send + 'static) -> (Pulse, Sender<()>, Receiver<()>) {
        let (end, ended) = watch::channel(false);
        let (pulse, beat) = Pulse::new(ended);
        let (release, stuck) = channel::<()>();
        let (tell, told) = channel();
        thread::spawn(move || {
            let mut builder = Builder::new_current_thread();
            let runtime = builder.build_local(LocalOptions::default()).unwrap();
            runtime.block_on(async {
                tokio::task::spawn_local(beat.run());
                tell.send(()).unwrap();
                stuck.recv().unwrap();
                tokio::task::yield_now().await;
                while stuck.try_recv().is_err() {
                    tokio::task::yield_now().await;
                }
                then();
            });
            drop(runtime);
            end.send_replace(true);
        });
        (pulse, release, told)
    }

    #[tokio::test]
    async fn a_worker_answers_when_its_loop_turns() {
        let (pulse, release, stuck) = worker(|| ());
        stuck.recv().unwrap();
        let mut turned = Box::pin(pulse.turned());
        assert_eq!((&mut turned).now_or_never(), None);
        release.send(()).unwrap();
        assert_eq!(turned.await, Ok(()));
        assert_eq!(pulse.turned().await, Ok(()));
        release.send(()).unwrap();
        // It has ended, or does so while it is asked.
        assert_eq!(pulse.turned().await, Ok(()));
        assert_eq!(pulse.turned().await, Ok(()));
    }

    #[tokio::test]
    async fn a_worker_that_panics_is_told_from_one_that_ends() {
        let (pulse, release, stuck) = worker(|| panic!("as this test wants it"));
        stuck.recv().unwrap();
        release.send(()).unwrap();
        assert_eq!(pulse.turned().await, Ok(()));
        release.send(()).unwrap();
        while pulse.turned().await.is_ok() {}
        assert_eq!(pulse.turned().await, Err(WorkerDied));
    }
}
