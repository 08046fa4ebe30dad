//! The admin port.

use crate::support::activator::start;
use crate::support::http1::Client;

#[tokio::test]
async fn health_and_metrics_are_served() {
    let activator = start(&[]);
    let mut client = Client::connect(activator.admin_addr()).await;
    for (path, status, body) in [
        ("/livez", 200, "ok\n"),
        ("/readyz", 200, "ok\n"),
        ("/unknown", 404, ""),
    ] {
        let answer = client
            .ask(&format!("GET {path} HTTP/1.1\r\nHost: x\r\n"))
            .await;
        assert_eq!((answer.status(), &*answer.body), (status, body), "{path}");
    }
    let answer = client.ask("GET / HTTP/1.1\r\nHost: x\r\n").await;
    assert!(answer.body.contains("\n/v1/events "), "{}", answer.body);
    let answer = client.ask("GET /metrics HTTP/1.1\r\nHost: x\r\n").await;
    assert_eq!(
        answer.header("content-type"),
        Some("text/plain; version=0.0.4; charset=utf-8")
    );
    for line in [
        concat!(
            "activator_build_info{version=\"",
            env!("CARGO_PKG_VERSION"),
            "\"} 1\n"
        ),
        "activator_tracked_keys 0\n",
        "activator_unmatched_out_total 0\n",
        "activator_untracked_requests_total 0\n",
        "process_cpu_seconds_total ",
    ] {
        assert!(answer.body.contains(line), "{line:?} in {}", answer.body);
    }
}

#[tokio::test]
async fn browsers_get_a_page_that_only_its_own_script_runs_in() {
    let activator = start(&[]);
    let mut client = Client::connect(activator.admin_addr()).await;
    let mut policies = Vec::new();
    for _ in 0..2 {
        let head = "GET / HTTP/1.1\r\nHost: x\r\nAccept: text/html,*/*;q=0.8\r\n";
        let page = client.ask(head).await;
        assert_eq!(
            page.header("content-type"),
            Some("text/html; charset=utf-8")
        );
        let policy = page.header("content-security-policy").unwrap();
        let (_, nonce) = policy.split_once("script-src 'nonce-").unwrap();
        let (nonce, _) = nonce.split_once('\'').unwrap();
        assert!(page.body.contains(&format!("<script nonce=\"{nonce}\">")));
        assert!(page.body.ends_with("</html>\n"));
        policies.push(policy.to_owned());
    }
    assert_ne!(policies[0], policies[1]);
}
