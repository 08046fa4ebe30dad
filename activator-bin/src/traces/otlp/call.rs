//! One request to the collector and what came of it, within a bound.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HOST, TE, USER_AGENT};
use http::{HeaderValue, Method, Request, Uri, Version};
use http_body_util::Full;
use rustls::ClientConfig;
use tokio::time::timeout;

use super::Collector;
use super::connection::{Connection, Failure};
use super::verdict::{Verdict, grpc, http};
use crate::traces::config::ExportProtocol;

/// How long the collector may take for a request, all of it.
const LIMIT: Duration = Duration::from_secs(10);

const GRPC_PATH: &str = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";
const HTTP_PATH: &str = "/v1/traces";
const AGENT: &str = concat!("activator/", env!("CARGO_PKG_VERSION"));

/// Calls a collector.
pub(super) struct Caller {
    collector: Collector,
    target: Uri,
    tls: Option<Arc<ClientConfig>>,
    connection: Option<Connection>,
}

impl Caller {
    pub(super) fn new(collector: Collector, tls: Option<Arc<ClientConfig>>) -> Self {
        let target = match collector.protocol {
            ExportProtocol::Grpc => collector.endpoint.at(GRPC_PATH, false),
            ExportProtocol::HttpProtobuf => collector.endpoint.at(HTTP_PATH, true),
        };
        Self {
            collector,
            target,
            tls,
            connection: None,
        }
    }

    /// A message, encoded, as the body of requests.
    pub(super) fn body(&self, message: Vec<u8>) -> Bytes {
        match self.collector.protocol {
            ExportProtocol::HttpProtobuf => message.into(),
            ExportProtocol::Grpc => {
                let length = u32::try_from(message.len()).expect("batches are bounded");
                // Not compressed.
                [&[0], &length.to_be_bytes()[..], &message].concat().into()
            }
        }
    }

    /// Sends it.
    ///
    /// Cancel-safe: the connection is closed.
    pub(super) async fn call(&mut self, body: &Bytes) -> Verdict {
        match timeout(LIMIT, self.try_call(body)).await {
            Ok(Ok(verdict)) => verdict,
            Ok(Err(failure)) => Verdict::retry(failure),
            Err(_) => Verdict::retry(Failure::Late),
        }
    }

    async fn try_call(&mut self, body: &Bytes) -> Result<Verdict, Failure> {
        // One that was kept may have been closed by now, which says nothing about the collector.
        if let Some(kept) = self.connection.take()
            && let Ok(verdict) = self.send(kept, body).await
        {
            return Ok(verdict);
        }
        let Collector { endpoint, protocol } = &self.collector;
        let new = Connection::open(endpoint, *protocol, self.tls.as_ref()).await?;
        self.send(new, body).await
    }

    async fn send(&mut self, mut to: Connection, body: &Bytes) -> Result<Verdict, Failure> {
        let response = to.send(self.request(body)).await?;
        self.connection = Some(to);
        let (head, body) = response.into_parts();
        let trailers = body.trailers().cloned();
        let body = body.to_bytes();
        Ok(match self.collector.protocol {
            ExportProtocol::Grpc => grpc(&head, trailers.as_ref(), &body),
            ExportProtocol::HttpProtobuf => http(&head, &body, SystemTime::now()),
        })
    }

    fn request(&self, body: &Bytes) -> Request<Full<Bytes>> {
        let mut request = Request::new(Full::new(body.clone()));
        *request.method_mut() = Method::POST;
        request
            .headers_mut()
            .insert(USER_AGENT, HeaderValue::from_static(AGENT));
        let content = match self.collector.protocol {
            ExportProtocol::Grpc => "application/grpc",
            ExportProtocol::HttpProtobuf => "application/x-protobuf",
        };
        request
            .headers_mut()
            .insert(CONTENT_TYPE, HeaderValue::from_static(content));
        match self.collector.protocol {
            ExportProtocol::Grpc => {
                *request.version_mut() = Version::HTTP_2;
                *request.uri_mut() = self.target.clone();
                request
                    .headers_mut()
                    .insert(TE, HeaderValue::from_static("trailers"));
            }
            ExportProtocol::HttpProtobuf => {
                let authority = self.target.authority().map(|it| it.as_str());
                let host = HeaderValue::try_from(authority.unwrap_or_default());
                request
                    .headers_mut()
                    .insert(HOST, host.expect("it is a part of a URL"));
                let path = self.target.path_and_query().cloned();
                *request.uri_mut() = path.map_or_else(Uri::default, Uri::from);
            }
        }
        request
    }
}
