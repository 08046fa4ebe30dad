//! Requests and answers that end before their time: the other side always notices, and nobody else does.

use h2::Reason;

use super::scene;
use crate::support::activator::Ask;
use crate::support::http2::{patiently, read, request};

#[tokio::test]
async fn cancelled_request_ends_alone() {
    let (mut backend, activator, client) = scene().await;
    // While the backend thinks, with an upload under way, and in the middle of the answer.
    for (has_body, is_answered) in [(false, false), (true, false), (false, true), (true, true)] {
        let (staying, _) = client.send(request("GET", "/stays"), true).await;
        let mut stays = backend.request().await;
        let (response, mut upload) = client.send(request("POST", "/"), !has_body).await;
        let mut exchange = backend.request().await;
        if has_body {
            upload.send_data("part".into(), false).unwrap();
            let part = patiently(exchange.request.body_mut().data()).await;
            assert_eq!(part.unwrap().unwrap(), "part");
        }
        let mut answer = None;
        if is_answered {
            let mut sender = exchange.answer(200);
            sender.send_data("some".into(), false).unwrap();
            answer = Some(sender);
        }
        assert_eq!(activator.in_flight(), 2);
        upload.send_reset(Reason::CANCEL);
        drop(response);
        activator.until_in_flight(1).await;
        if has_body {
            // Never as if the upload were complete.
            let (_, end) = read(exchange.request.body_mut()).await;
            assert!(end.is_err());
        }
        let reset = match &mut answer {
            Some(sender) => patiently(std::future::poll_fn(|cx| sender.poll_reset(cx))).await,
            None => {
                let respond = &mut exchange.respond;
                patiently(std::future::poll_fn(|cx| respond.poll_reset(cx))).await
            }
        };
        assert_eq!(reset.unwrap(), Reason::CANCEL);
        stays.finish("ok");
        let mut response = patiently(staying).await.unwrap();
        assert_eq!(read(response.body_mut()).await.0, "ok");
        activator.until_in_flight(0).await;
    }
}

#[tokio::test]
async fn client_disconnect_ends_all_its_requests() {
    let (mut backend, activator, client) = scene().await;
    let mut held = Vec::new();
    let mut exchanges = Vec::new();
    for number in 0..4 {
        held.push(client.send(request("POST", "/"), false).await);
        let mut exchange = backend.request().await;
        let sender = (number % 2 == 0).then(|| exchange.answer(200));
        exchanges.push((exchange, sender));
    }
    assert_eq!(activator.in_flight(), 4);
    drop((client, held));
    activator.until_in_flight(0).await;
    for (mut exchange, _sender) in exchanges {
        let (_, end) = read(exchange.request.body_mut()).await;
        assert!(end.is_err());
    }
}

#[tokio::test]
async fn failed_response_never_looks_complete() {
    // What the backend does, and whether other requests of its connection survive that.
    for reset in [Some(Reason::CANCEL), Some(Reason::INTERNAL_ERROR), None] {
        let (mut backend, activator, client) = scene().await;
        let (other, _) = client.send(request("POST", "/other"), true).await;
        let mut others = backend.request().await;
        let (response, _) = client.send(request("GET", "/"), true).await;
        let mut exchange = backend.request().await;
        let mut sender = exchange.answer(200);
        sender.send_data("some".into(), false).unwrap();
        let mut response = patiently(response).await.unwrap();
        let some = patiently(response.body_mut().data()).await;
        assert_eq!(some.unwrap().unwrap(), "some");
        match reset {
            Some(reason) => sender.send_reset(reason),
            None => drop(backend),
        }
        let (rest, end) = read(response.body_mut()).await;
        assert_eq!(rest, "", "{reset:?}");
        assert!(end.unwrap_err().is_reset(), "{reset:?}");
        if reset.is_some() {
            others.finish("ok");
            let mut response = patiently(other).await.unwrap();
            assert_eq!(read(response.body_mut()).await.0, "ok");
        } else {
            assert_eq!(patiently(other).await.unwrap().status(), 502);
        }
        activator.until_in_flight(0).await;
    }
}
