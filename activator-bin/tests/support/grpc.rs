//! A gRPC service with a method of each shape, and its client. Messages are plain text.

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use bytes::{Buf, BufMut};
use futures_util::stream::{self, BoxStream, StreamExt};
use hyper::body::Incoming;
use hyper::client::conn::http2::SendRequest;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::{TcpListener, TcpStream};
use tonic::body::Body;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::codegen::BoxFuture;
use tonic::server::{
    ClientStreamingService, Grpc, ServerStreamingService, StreamingService, UnaryService,
};
use tonic::{Code, Request, Response, Status, Streaming};

use activator_bin::testing::Activator;

/// Messages of text.
#[derive(Clone, Copy, Default)]
pub(crate) struct Text;

impl Codec for Text {
    type Encode = String;
    type Decode = String;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for Text {
    type Item = String;
    type Error = Status;

    fn encode(&mut self, text: String, to: &mut EncodeBuf<'_>) -> Result<(), Status> {
        to.put_slice(text.as_bytes());
        Ok(())
    }
}

impl Decoder for Text {
    type Item = String;
    type Error = Status;

    fn decode(&mut self, from: &mut DecodeBuf<'_>) -> Result<Option<String>, Status> {
        let bytes = from.copy_to_bytes(from.remaining());
        Ok(Some(String::from_utf8(bytes.into()).unwrap()))
    }
}

/// The service. A message `fail` makes each method fail.
#[derive(Clone, Default)]
struct Echo(Open);

/// How many calls are open at the service.
#[derive(Clone, Default)]
pub(crate) struct Open(Arc<AtomicUsize>);

impl Open {
    pub(crate) fn count(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }

    fn call(&self) -> Call {
        self.0.fetch_add(1, Ordering::Relaxed);
        Call(self.clone())
    }
}

struct Call(Open);

impl Drop for Call {
    fn drop(&mut self) {
        (self.0.0).fetch_sub(1, Ordering::Relaxed);
    }
}

fn checked(text: &str) -> Result<(), Status> {
    if text != "fail" {
        return Ok(());
    }
    let mut status = Status::new(Code::FailedPrecondition, "as you like");
    status
        .metadata_mut()
        .insert("x-why", "asked".parse().unwrap());
    Err(status)
}

/// Copies some of the request's metadata to the response.
fn answer<T, M>(request: &Request<T>, message: M) -> Response<M> {
    let mut response = Response::new(message);
    for name in ["x-asked", "grpc-timeout"] {
        if let Some(value) = request.metadata().get(name) {
            response.metadata_mut().insert(name, value.clone());
        }
    }
    response
}

impl UnaryService<String> for Echo {
    type Response = String;
    type Future = BoxFuture<Response<String>, Status>;

    fn call(&mut self, request: Request<String>) -> Self::Future {
        let call = self.0.call();
        Box::pin(async move {
            let _call = call;
            if request.get_ref() == "wait" {
                std::future::pending::<()>().await;
            }
            checked(request.get_ref())?;
            Ok(answer(&request, format!("you said {}", request.get_ref())))
        })
    }
}

impl ClientStreamingService<String> for Echo {
    type Response = String;
    type Future = BoxFuture<Response<String>, Status>;

    fn call(&mut self, mut request: Request<Streaming<String>>) -> Self::Future {
        let call = self.0.call();
        Box::pin(async move {
            let _call = call;
            let mut all = Vec::new();
            while let Some(text) = request.get_mut().message().await? {
                checked(&text)?;
                all.push(text);
            }
            Ok(answer(&request, all.join(" ")))
        })
    }
}

type Answers = BoxStream<'static, Result<String, Status>>;

impl ServerStreamingService<String> for Echo {
    type Response = String;
    type ResponseStream = Answers;
    type Future = BoxFuture<Response<Answers>, Status>;

    /// Each word of the request; after `wait` there is no end.
    fn call(&mut self, request: Request<String>) -> Self::Future {
        let call = self.0.call();
        let words: Vec<String> = request.get_ref().split(' ').map(str::to_owned).collect();
        let words = stream::iter(words).then(move |word| {
            let _call = &call;
            async move {
                if word == "wait" {
                    std::future::pending::<()>().await;
                }
                checked(&word).map(|()| word)
            }
        });
        let response = answer(&request, words.boxed());
        Box::pin(std::future::ready(Ok(response)))
    }
}

impl StreamingService<String> for Echo {
    type Response = String;
    type ResponseStream = Answers;
    type Future = BoxFuture<Response<Answers>, Status>;

    /// Echoes each message as it arrives.
    fn call(&mut self, request: Request<Streaming<String>>) -> Self::Future {
        let call = self.0.call();
        let response = answer(&request, ());
        let echoed = request.into_inner().map(move |text| {
            let _call = &call;
            let text = text?;
            checked(&text).map(|()| text)
        });
        Box::pin(std::future::ready(Ok(response.map(|()| echoed.boxed()))))
    }
}

/// Starts the service.
pub(crate) async fn serve() -> (SocketAddr, Open) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let echo = Echo::default();
    let open = echo.0.clone();
    tokio::spawn(async move {
        loop {
            let (socket, _) = listener.accept().await.unwrap();
            let echo = echo.clone();
            let service = service_fn(move |request| {
                let echo = echo.clone();
                async move { Ok::<_, std::convert::Infallible>(answer_to(request, echo).await) }
            });
            tokio::spawn(
                hyper::server::conn::http2::Builder::new(TokioExecutor::new())
                    .serve_connection(TokioIo::new(socket), service),
            );
        }
    });
    (address, open)
}

async fn answer_to(request: http::Request<Incoming>, echo: Echo) -> http::Response<Body> {
    let mut grpc = Grpc::new(Text);
    match request.uri().path() {
        "/echo/unary" => grpc.unary(echo, request).await,
        "/echo/client" => grpc.client_streaming(echo, request).await,
        "/echo/server" => grpc.server_streaming(echo, request).await,
        "/echo/both" => grpc.streaming(echo, request).await,
        _ => Status::unimplemented("no such method").into_http(),
    }
}

/// The client's connection.
#[derive(Clone)]
pub(crate) struct Channel(SendRequest<Body>);

impl tonic::codegen::Service<http::Request<Body>> for Channel {
    type Response = http::Response<Incoming>;
    type Error = hyper::Error;
    type Future = Pin<Box<dyn Future<Output = hyper::Result<Self::Response>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<hyper::Result<()>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        Box::pin(self.0.send_request(request))
    }
}

/// A client of the service behind `activator`.
pub(crate) async fn connect(activator: &Activator) -> tonic::client::Grpc<Channel> {
    let socket = TcpStream::connect(activator.http_addr()).await.unwrap();
    let (requests, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(socket))
            .await
            .unwrap();
    tokio::spawn(connection);
    let origin = "http://hello.default.svc.cluster.local".parse().unwrap();
    tonic::client::Grpc::with_origin(Channel(requests), origin)
}
