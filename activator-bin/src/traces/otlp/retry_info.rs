//! The pause that a collector asks for in the details of a gRPC status. Pure.

use std::time::Duration;

use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use prost::Message;

/// Senders leave the padding out, or do not.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

const TYPE: &str = "type.googleapis.com/google.rpc.RetryInfo";

/// `google.rpc.Status`, of which only the details are read.
#[derive(Clone, PartialEq, Message)]
struct Status {
    #[prost(message, repeated, tag = "3")]
    details: Vec<Any>,
}

/// `google.protobuf.Any`.
#[derive(Clone, PartialEq, Message)]
struct Any {
    #[prost(string, tag = "1")]
    type_url: String,
    #[prost(bytes = "vec", tag = "2")]
    value: Vec<u8>,
}

/// `google.rpc.RetryInfo`.
#[derive(Clone, PartialEq, Message)]
struct RetryInfo {
    #[prost(message, optional, tag = "1")]
    retry_delay: Option<Delay>,
}

/// `google.protobuf.Duration`.
#[derive(Clone, Copy, PartialEq, Message)]
struct Delay {
    #[prost(int64, tag = "1")]
    seconds: i64,
    #[prost(int32, tag = "2")]
    nanos: i32,
}

/// The pause in the value of `grpc-status-details-bin`, if there is one.
pub(super) fn read(details: &[u8]) -> Option<Duration> {
    let status = Status::decode(&*BASE64.decode(details).ok()?).ok()?;
    let info = status.details.into_iter().find(|it| it.type_url == TYPE)?;
    let delay = RetryInfo::decode(&*info.value).ok()?.retry_delay?;
    let nanos = u32::try_from(delay.nanos)
        .ok()
        .filter(|it| *it < 1_000_000_000)?;
    Some(Duration::new(u64::try_from(delay.seconds).ok()?, nanos))
}

#[cfg(test)]
pub(super) fn written(delay: Duration) -> String {
    let delay = Delay {
        seconds: i64::try_from(delay.as_secs()).unwrap(),
        nanos: i32::try_from(delay.subsec_nanos()).unwrap(),
    };
    let info = RetryInfo {
        retry_delay: Some(delay),
    };
    let other = Any {
        type_url: "other".to_owned(),
        value: vec![255],
    };
    let info = Any {
        type_url: TYPE.to_owned(),
        value: info.encode_to_vec(),
    };
    let details = vec![other, info];
    BASE64.encode(Status { details }.encode_to_vec())
}
