//! The admin port.

use std::sync::Arc;

use activator_bin::run::{Activator, Options};

use crate::client::Client;
use crate::harness::config;

#[tokio::test]
async fn the_admin_port_serves_health_and_metrics() {
    let options = Options {
        metrics: Some(Arc::new(|| "up 1\n".into())),
        ..Options::default()
    };
    let activator = Activator::start(config(&[]), options).unwrap();
    let mut client = Client::connect(activator.admin_addr()).await;
    for (path, status, body) in [
        ("/livez", 200, "ok\n"),
        ("/readyz", 200, "ok\n"),
        ("/metrics", 200, "up 1\n"),
        ("/", 404, ""),
    ] {
        let answer = client
            .ask(&format!("GET {path} HTTP/1.1\r\nHost: x\r\n"))
            .await;
        assert_eq!((answer.status(), &*answer.body), (status, body), "{path}");
    }
    let answer = client.ask("GET /metrics HTTP/1.1\r\nHost: x\r\n").await;
    assert_eq!(
        answer.header("content-type"),
        Some("text/plain; version=0.0.4; charset=utf-8")
    );
}
