//! What is logged of a backend.

use super::scene::*;
use super::*;

/// What is logged on this thread, line by line.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Log {
    fn write(&mut self, text: &[u8]) -> std::io::Result<usize> {
        self.0.lock().extend(text);
        Ok(text.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn each_change_of_state_is_logged_once() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_ansi(false)
        .without_time()
        .with_target(false)
        .with_writer(move || writer.clone())
        .finish();
    let _logging = tracing::subscriber::set_default(subscriber);
    let up = |now: &Duration| (SECOND..2 * SECOND).contains(now) || *now >= 60 * SECOND;
    let scene = Scene::tcp(move |_, now| match up(&now) {
        true => (Duration::ZERO, ProbeOutcome::Ok),
        false => (Duration::ZERO, ProbeOutcome::Refused),
    });
    scene.prober.set_backends(vec![backend(1)]);
    let slot = scene.slot().await;
    scene.nothing_for(5 * SECOND).await;
    let retried = timeout(HOUR, slot.retry_elsewhere(Complaint::Unreachable)).await;
    let _again = retried.expect("in time").expect("the revision is there");
    let expected = [
        " INFO backend is not ready revision=default/hello backend=10.0.0.1:80 outcome=\"refused\"",
        " INFO backend is ready revision=default/hello backend=10.0.0.1:80",
        " WARN backend is set aside: a request could not reach it revision=default/hello backend=10.0.0.1:80",
        " INFO backend is not ready revision=default/hello backend=10.0.0.1:80 outcome=\"refused\"",
        " INFO backend is ready revision=default/hello backend=10.0.0.1:80",
    ];
    let logged = String::from_utf8(log.0.lock().clone()).expect("it is text");
    assert_eq!(logged.lines().collect::<Vec<_>>(), expected);
}
