//! gRPC through the proxy: all four shapes, their trailers, and how calls end.

use std::time::Duration;

use futures_util::stream;
use http::uri::PathAndQuery;
use tokio::sync::mpsc;
use tonic::{Code, Request, Status};

use crate::support::activator::{Ask, start, until};
use crate::support::grpc::{Text, connect, serve};
use crate::support::http2::patiently;

const UNARY: PathAndQuery = PathAndQuery::from_static("/echo/unary");
const CLIENT: PathAndQuery = PathAndQuery::from_static("/echo/client");
const SERVER: PathAndQuery = PathAndQuery::from_static("/echo/server");
const BOTH: PathAndQuery = PathAndQuery::from_static("/echo/both");

fn words(words: &'static [&str]) -> Request<stream::Iter<std::vec::IntoIter<String>>> {
    let words: Vec<String> = words.iter().map(|&word| word.to_owned()).collect();
    Request::new(stream::iter(words))
}

fn assert_failed(status: &Status) {
    assert_eq!(status.code(), Code::FailedPrecondition, "{status:?}");
    assert_eq!(status.message(), "as you like");
    assert_eq!(status.metadata().get("x-why").unwrap(), "asked");
}

#[tokio::test]
async fn unary_call() {
    let (address, _) = serve().await;
    let activator = start(&[address]);
    let mut client = connect(&activator).await;
    client.ready().await.unwrap();
    let mut request = Request::new("hello".to_owned());
    request
        .metadata_mut()
        .insert("x-asked", "this".parse().unwrap());
    request.set_timeout(Duration::from_secs(7));
    let response = patiently(client.unary(request, UNARY, Text)).await.unwrap();
    assert_eq!(response.get_ref(), "you said hello");
    assert_eq!(response.metadata().get("x-asked").unwrap(), "this");
    // Deadlines are the service's to keep.
    assert!(response.metadata().contains_key("grpc-timeout"));

    let failing = client.unary(Request::new("fail".to_owned()), UNARY, Text);
    assert_failed(&patiently(failing).await.unwrap_err());
    let unknown = PathAndQuery::from_static("/echo/nothing");
    let unknown = client.unary(Request::new(String::new()), unknown, Text);
    let status = patiently(unknown).await.unwrap_err();
    assert_eq!(status.code(), Code::Unimplemented);
    activator.until_in_flight(0).await;
}

#[tokio::test]
async fn client_streaming_call() {
    let (address, _) = serve().await;
    let activator = start(&[address]);
    let mut client = connect(&activator).await;
    client.ready().await.unwrap();
    let calling = client.client_streaming(words(&["a", "b", "c"]), CLIENT, Text);
    assert_eq!(patiently(calling).await.unwrap().get_ref(), "a b c");
    let failing = client.client_streaming(words(&["a", "fail", "c"]), CLIENT, Text);
    assert_failed(&patiently(failing).await.unwrap_err());
    activator.until_in_flight(0).await;
}

#[tokio::test]
async fn error_during_client_streaming() {
    let (address, open) = serve().await;
    let activator = start(&[address]);
    let mut client = connect(&activator).await;
    client.ready().await.unwrap();
    let (sender, messages) = mpsc::unbounded_channel();
    sender.send("fail".to_owned()).unwrap();
    let failing = client.client_streaming(endless(messages), CLIENT, Text);
    assert_failed(&patiently(failing).await.unwrap_err());
    activator.until_in_flight(0).await;
    until("no open call", || open.count() == 0).await;
    drop(sender);
}

#[tokio::test]
async fn server_streaming_call() {
    let (address, _) = serve().await;
    let activator = start(&[address]);
    let mut client = connect(&activator).await;
    client.ready().await.unwrap();
    let request = Request::new("a b c".to_owned());
    let response = patiently(client.server_streaming(request, SERVER, Text)).await;
    let mut answers = response.unwrap().into_inner();
    for word in ["a", "b", "c"] {
        let answer = patiently(answers.message()).await.unwrap();
        assert_eq!(answer.as_deref(), Some(word));
    }
    assert_eq!(patiently(answers.message()).await.unwrap(), None);
    // A status behind messages is in the trailers.
    let request = Request::new("a fail".to_owned());
    let response = patiently(client.server_streaming(request, SERVER, Text)).await;
    let mut answers = response.unwrap().into_inner();
    let answer = patiently(answers.message()).await.unwrap();
    assert_eq!(answer.as_deref(), Some("a"));
    assert_failed(&patiently(answers.message()).await.unwrap_err());
    activator.until_in_flight(0).await;
}

fn endless(
    messages: mpsc::UnboundedReceiver<String>,
) -> Request<impl stream::Stream<Item = String> + Send + 'static> {
    Request::new(stream::unfold(messages, async |mut messages| {
        Some((messages.recv().await?, messages))
    }))
}

#[tokio::test]
async fn bidirectional_call() {
    let (address, _) = serve().await;
    let activator = start(&[address]);
    let mut client = connect(&activator).await;
    client.ready().await.unwrap();
    let (sender, messages) = mpsc::unbounded_channel();
    let response = patiently(client.streaming(endless(messages), BOTH, Text)).await;
    let mut answers = response.unwrap().into_inner();
    for word in ["a", "b", "c"] {
        sender.send(word.to_owned()).unwrap();
        let answer = patiently(answers.message()).await.unwrap();
        assert_eq!(answer.as_deref(), Some(word));
        assert_eq!(activator.in_flight(), 1);
    }
    drop(sender);
    assert_eq!(patiently(answers.message()).await.unwrap(), None);
    activator.until_in_flight(0).await;
}

#[tokio::test]
async fn cancelled_call_ends_at_the_service() {
    let (address, open) = serve().await;
    let activator = start(&[address]);
    let mut client = connect(&activator).await;
    client.ready().await.unwrap();
    let in_flight = async |count| {
        activator.until_in_flight(count).await;
        until("the service's calls", || open.count() == count as usize).await;
    };
    {
        // Before its answer, as at a deadline of the client's.
        let mut client = client.clone();
        let waiting = tokio::spawn(async move {
            let request = Request::new("wait".to_owned());
            client.unary(request, UNARY, Text).await
        });
        in_flight(1).await;
        waiting.abort();
        in_flight(0).await;
    }
    let request = Request::new("a wait".to_owned());
    let response = patiently(client.server_streaming(request, SERVER, Text)).await;
    let mut answers = response.unwrap().into_inner();
    patiently(answers.message()).await.unwrap();
    in_flight(1).await;
    drop(answers);
    in_flight(0).await;

    let (sender, messages) = mpsc::unbounded_channel();
    let response = patiently(client.streaming(endless(messages), BOTH, Text)).await;
    let mut answers = response.unwrap().into_inner();
    sender.send("a".to_owned()).unwrap();
    patiently(answers.message()).await.unwrap();
    in_flight(1).await;
    drop((answers, sender));
    in_flight(0).await;
}
