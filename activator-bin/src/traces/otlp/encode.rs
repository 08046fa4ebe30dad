//! Spans as OTLP has them. Pure.

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value as AnyOf;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span as Encoded, Status};
use prost::Message;

use crate::traces::span::{Kind, Span, Trace, Value};

/// The flags of a span: sampled, and that it is known whether its parent is in another process.
const SAMPLED: u32 = 0x101;
/// It is.
const HAS_REMOTE_PARENT: u32 = 0x200;

/// Encodes spans of this process.
pub(super) struct Encoder {
    resource: Resource,
    scope: InstrumentationScope,
}

impl Encoder {
    /// `resource` describes this process.
    pub(super) fn new(resource: &[(&'static str, String)]) -> Self {
        let attribute = |(name, value): &(&'static str, String)| {
            attribute(name, AnyOf::StringValue(value.clone()))
        };
        Self {
            resource: Resource {
                attributes: resource.iter().map(attribute).collect(),
                ..Resource::default()
            },
            scope: InstrumentationScope {
                name: "activator".to_owned(),
                version: env!("CARGO_PKG_VERSION").to_owned(),
                ..InstrumentationScope::default()
            },
        }
    }

    /// A request to a collector.
    pub(super) fn request<'a>(&self, traces: impl Iterator<Item = &'a Trace>) -> Vec<u8> {
        let spans = traces.flat_map(|trace| trace.spans.iter().map(|span| encoded(trace, span)));
        let scope_spans = ScopeSpans {
            scope: Some(self.scope.clone()),
            spans: spans.collect(),
            ..ScopeSpans::default()
        };
        let resource_spans = ResourceSpans {
            resource: Some(self.resource.clone()),
            scope_spans: vec![scope_spans],
            ..ResourceSpans::default()
        };
        let request = ExportTraceServiceRequest {
            resource_spans: vec![resource_spans],
        };
        request.encode_to_vec()
    }
}

fn encoded(trace: &Trace, span: &Span) -> Encoded {
    let is_remote = span.kind == Kind::Server && span.parent.is_some();
    let status = Status {
        code: StatusCode::Error.into(),
        ..Status::default()
    };
    let parent = span.parent.map(|parent| parent.to_bytes().to_vec());
    Encoded {
        trace_id: trace.id.to_bytes().to_vec(),
        span_id: span.id.to_bytes().to_vec(),
        trace_state: trace.state.clone(),
        parent_span_id: parent.unwrap_or_default(),
        flags: SAMPLED | if is_remote { HAS_REMOTE_PARENT } else { 0 },
        name: span.name.to_owned(),
        kind: match span.kind {
            Kind::Server => SpanKind::Server,
            Kind::Internal => SpanKind::Internal,
            Kind::Client => SpanKind::Client,
        }
        .into(),
        start_time_unix_nano: span.start,
        end_time_unix_nano: span.end,
        attributes: span
            .attributes
            .iter()
            .map(|(name, value)| match value {
                Value::Text(text) => attribute(name, AnyOf::StringValue(text.to_string())),
                Value::Whole(number) => attribute(name, AnyOf::IntValue(*number)),
            })
            .collect(),
        status: span.is_error.then_some(status),
        ..Encoded::default()
    }
}

fn attribute(name: &str, value: AnyOf) -> KeyValue {
    KeyValue {
        key: name.to_owned(),
        value: Some(AnyValue { value: Some(value) }),
        ..KeyValue::default()
    }
}
