//! Probes of the platform on the data port.

use crate::support::activator::{Ask, start, until_refused};
use crate::support::backend::{Backend, answering};
use crate::support::http1::{Client, HELLO, OK, get};

async fn check(client: &mut Client, request: &str, status: u16, body: &str, hash: Option<&str>) {
    let answer = client.ask(request).await;
    assert_eq!(
        (answer.status(), &*answer.body),
        (status, body),
        "{request}"
    );
    assert_eq!(answer.header("k-network-hash"), hash, "{request}");
}

#[tokio::test]
async fn probes_get_own_responses_and_are_not_counted() {
    let (address, mut requests) = answering(OK).await;
    let activator = start(&[address]);
    let mut client = activator.connect().await;
    let no_hash = "a probe request must contain a non-empty \"K-Network-Hash\" header\n";
    for (headers, status, body, hash) in [
        ("User-Agent: kube-probe/1.30\r\n", 200, "", None),
        ("K-Kubelet-Probe: queue\r\n", 200, "", None),
        (
            "User-Agent: kube-probe/1.30\r\nK-Network-Probe: x\r\n",
            200,
            "",
            None,
        ),
        (
            "K-Network-Probe: probe\r\nK-Network-Hash: ab12\r\n",
            200,
            "",
            Some("ab12"),
        ),
        ("K-Network-Probe: probe\r\n", 400, no_hash, None),
        (
            "K-Network-Probe: probe\r\nK-Network-Hash:\r\n",
            400,
            no_hash,
            None,
        ),
        ("K-Network-Probe: activator\r\n", 200, "activator", None),
        (
            "K-Network-Probe: activator\r\nK-Network-Hash: a\r\n",
            200,
            "activator",
            None,
        ),
        (
            "K-Network-Probe: queue\r\n",
            400,
            "unexpected probe header value: \"queue\"\n",
            None,
        ),
        (
            "K-Network-Probe: <a href='\"'>&\r\n",
            400,
            "unexpected probe header value: \"&lt;a href=&#39;&#34;&#39;&gt;&amp;\"\n",
            None,
        ),
    ] {
        for line in ["GET / HTTP/1.1", "PUT /any?x HTTP/1.1"] {
            // The revision is there, and nobody asks for it.
            let request = format!("{line}\r\n{HELLO}{headers}");
            check(&mut client, &request, status, body, hash).await;
        }
    }
    assert!(requests.try_recv().is_err());
    assert_eq!(activator.reporter().tracked_keys(), 0);
}

#[tokio::test]
async fn lookalikes_are_forwarded() {
    let (address, mut requests) = answering(OK).await;
    let activator = start(&[address]);
    let mut client = activator.connect().await;
    for headers in [
        "User-Agent: curl kube-probe/1.30\r\n",
        "User-Agent: kube-probe\r\n",
        "K-Kubelet-Probe:\r\n",
        "K-Network-Probe:\r\nK-Network-Hash: a\r\n",
        "K-Network-Hash: a\r\n",
    ] {
        let request = format!("GET / HTTP/1.1\r\n{HELLO}{headers}");
        check(&mut client, &request, 200, "ok", None).await;
        let passed_on = requests.recv().await.unwrap();
        assert_eq!(passed_on.header("k-network-hash"), None, "{headers}");
    }
}

#[tokio::test]
async fn kubelet_probe_fails_during_a_drain() {
    let backend = Backend::bind().await;
    let activator = start(&[backend.address]);
    let http = activator.http_addr();
    let mut waiting = activator.connect().await;
    waiting.send(get("/")).await;
    let (mut connection, _) = backend.request().await;
    // Connected before the drain, with a head that is on its way.
    let mut kubelet = activator.connect().await;
    kubelet.send("GET / HTTP/1.1\r\n").await;
    let stopping = tokio::spawn(activator.stop());
    until_refused(http).await;
    let request = "Host: x\r\nUser-Agent: kube-probe/1.30\r\n";
    check(
        &mut kubelet,
        request,
        500,
        "not ready: shutting down\n",
        None,
    )
    .await;
    connection.send(OK).await;
    assert_eq!(waiting.message().await.body, "ok");
    stopping.await.unwrap();
}
