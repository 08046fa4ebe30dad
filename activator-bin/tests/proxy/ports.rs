//! The ports for requests are served alike.

use crate::support::activator::{Ask, config, start, start_with, until_refused};
use crate::support::backend::answering;
use crate::support::http1::{Client, OK};

#[tokio::test]
async fn ports_are_served_alike_and_closed_by_a_drain() {
    let (address, _requests) = answering(OK).await;
    let activator = start(&[address]);
    let ports = [activator.http_addr(), activator.http2_addr().unwrap()];
    for port in ports {
        // More than there are workers, so that several of them are met.
        for _ in 0..10 {
            let mut client = Client::connect(port).await;
            let answer = client.get("/").await;
            assert_eq!(answer.body, "ok", "{port}");
        }
    }
    activator.stop().await;
    for port in ports {
        until_refused(port).await;
    }
}

#[tokio::test]
async fn port_can_be_off() {
    let (address, _requests) = answering(OK).await;
    let mut config = config(&[address]);
    config.listen.http2 = None;
    let activator = start_with(config);
    assert_eq!(activator.http2_addr(), None);
    let mut client = activator.connect().await;
    let answer = client.get("/").await;
    assert_eq!(answer.body, "ok");
}
