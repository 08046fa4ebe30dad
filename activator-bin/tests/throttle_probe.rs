//! Throttle and prober together, in front of sockets that come and go.

use std::net::SocketAddr;
use std::time::Duration;

use activator_bin::testing::{
    Complaint, Probe, ProbeOutcome, ProbeSettings, Prober, Probes, QueueBudget, Slot, Throttle,
    ThrottleLimits,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// Far beyond what anything here takes.
const BOUND: Duration = Duration::from_secs(10);

async fn listen(address: &str) -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind(address).await.expect("the port is free");
    let address = listener.local_addr().expect("it is bound");
    (listener, address)
}

/// Answers every connection as a ready sidecar does.
fn serve(listener: TcpListener) -> JoinHandle<()> {
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = [0; 1_024];
            // The other end may have gone after the connection.
            let _ = stream.read(&mut request).await;
            let _ = stream
                .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nqueue")
                .await;
        }
    })
}

async fn slot(throttle: &Throttle) -> Slot {
    let acquired = timeout(BOUND, throttle.acquire()).await;
    acquired.expect("in time").expect("room in the queue")
}

async fn refused(outcomes: &mut UnboundedReceiver<ProbeOutcome>) {
    let refused = async { while outcomes.recv().await != Some(ProbeOutcome::Refused) {} };
    timeout(BOUND, refused).await.expect("in time");
}

async fn check(probe: Probe) {
    let (listener, address) = listen("127.0.0.1:0").await;
    drop(listener);
    let limits = ThrottleLimits {
        container_concurrency: 1,
        queue_depth: 10,
    };
    let throttle = Throttle::new(limits, QueueBudget::new(10));
    let (sender, mut outcomes) = unbounded_channel();
    let probes = Probes::new(16, move |outcome| {
        // Towards the end nobody listens.
        let _ = sender.send(outcome);
    });
    let settings = ProbeSettings {
        probe,
        frequency: Duration::from_millis(5),
        ..ProbeSettings::default()
    };
    let revision = "default/hello".parse().expect("a valid key");
    let prober = Prober::spawn(
        revision,
        throttle.clone(),
        settings,
        probes,
        Box::new(|_| ()),
    );
    prober.set_backends(vec![address]);
    refused(&mut outcomes).await;
    assert_eq!(throttle.ready_backends(), 0);

    let (listener, _) = listen(&address.to_string()).await;
    let server = serve(listener);
    let held = slot(&throttle).await;
    assert_eq!(held.backend(), address);

    // The backend restarts: a request finds it gone, and waits until it is back.
    server.abort();
    assert!(server.await.expect_err("it was aborted").is_cancelled());
    let retried = tokio::spawn(held.retry_elsewhere(Complaint::Unreachable));
    refused(&mut outcomes).await;
    let (listener, _) = listen(&address.to_string()).await;
    let server = serve(listener);
    let again = timeout(BOUND, retried).await.expect("in time");
    let again = again.expect("no panic").expect("the revision is there");
    assert_eq!(again.backend(), address);
    server.abort();
}

#[tokio::test]
async fn requests_wait_for_a_tcp_probe() {
    check(Probe::Tcp).await;
}

#[tokio::test]
async fn requests_wait_for_a_knative_probe() {
    check(Probe::Knative).await;
}
