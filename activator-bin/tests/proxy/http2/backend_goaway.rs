//! Backends that end their connections while requests are on their way (RFC 9113, 6.8).

use crate::support::activator::{Ask, start};
use crate::support::frame::{DATA, GOAWAY, HEADERS};
use crate::support::http2::{Http2Client, patiently, request};
use crate::support::http2_frames::RawBackend;

#[tokio::test]
async fn stream_above_the_last_id_is_retried_with_its_body() {
    let backend = RawBackend::bind().await;
    let activator = start(&[backend.address]);
    let client = Http2Client::connect(&activator).await;
    let (first, mut upload) = client.send(request("POST", "/1"), false).await;
    upload.send_data("first".into(), true).unwrap();
    let mut old = backend.accept(100).await;
    assert_eq!(old.next(DATA).await.payload, b"first");
    let (second, mut upload) = client.send(request("POST", "/2"), false).await;
    upload.send_data("second, ".into(), false).unwrap();
    let part = old.next(DATA).await;
    assert_eq!((part.stream, &*part.payload), (3, &b"second, "[..]));
    old.send(GOAWAY, 0, 0, &[0, 0, 0, 1, 0, 0, 0, 0]).await;
    let mut new = backend.accept(100).await;
    assert_eq!(new.next(HEADERS).await.stream, 1);
    assert_eq!(new.next(DATA).await.payload, b"second, ");
    upload.send_data("the end".into(), true).unwrap();
    assert_eq!(new.next(DATA).await.payload, b"the end");
    new.respond(1).await;
    old.respond(1).await;
    for response in [first, second] {
        assert_eq!(patiently(response).await.unwrap().status(), 200);
    }
    activator.until_in_flight(0).await;
}

#[tokio::test]
async fn burst_survives_a_goaway_every_few_requests() {
    let backend = RawBackend::bind().await;
    let activator = start(&[backend.address]);
    let client = Http2Client::connect(&activator).await;
    let mut responses = Vec::new();
    for _ in 0..30 {
        let (response, mut upload) = client.send(request("POST", "/"), false).await;
        upload.send_data("body".into(), true).unwrap();
        responses.push(response);
    }
    // As nginx does after `keepalive_requests`, here of 3.
    let serving = async {
        loop {
            let mut connection = backend.accept(100).await;
            let mut served = 0;
            while let Some(frame) = connection.frame().await {
                if frame.kind != DATA || served == 3 {
                    continue;
                }
                connection.respond(frame.stream).await;
                served += 1;
                if served == 3 {
                    let last = frame.stream.to_be_bytes();
                    connection
                        .send(GOAWAY, 0, 0, &[last, [0; 4]].concat())
                        .await;
                }
            }
        }
    };
    let all = async {
        for response in responses {
            assert_eq!(patiently(response).await.unwrap().status(), 200);
        }
    };
    tokio::select! {
        () = all => {}
        () = serving => unreachable!("there is always a next connection"),
    }
}
