//! What a collector's response means for the spans that were sent, as OTLP says. Pure.

use std::fmt::Display;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::header::{CONTENT_TYPE, RETRY_AFTER};
use http::response::Parts;
use http::{HeaderMap, StatusCode};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceResponse;
use prost::Message;

use super::retry_info;
use crate::logging::excerpt::Excerpt;

/// What becomes of the spans.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// All were accepted but this many.
    Accepted { rejected: u64, why: String },
    /// They can be sent again, after this pause if one is asked for.
    Retry {
        after: Option<Duration>,
        why: String,
    },
    /// They will never be accepted.
    Refused { why: String },
}

/// gRPC's codes: those after which a message can be sent again, and the one after which it can if a pause is named.
const RETRIED: [u32; 6] = [1, 4, 10, 11, 14, 15];
const RESOURCE_EXHAUSTED: u32 = 8;

/// The bytes before a message of gRPC: whether it is compressed, and its length.
const PREFIX: usize = 5;

const NOT_OTLP: &str = "its response is not OTLP";

impl Verdict {
    /// They can be sent again.
    pub(super) fn retry(why: impl Display) -> Self {
        Self::Retry {
            after: None,
            why: Excerpt(why).to_string(),
        }
    }

    fn refused(why: impl Display) -> Self {
        Self::Refused {
            why: Excerpt(why).to_string(),
        }
    }

    /// By the message of a response that is good so far.
    fn accepted(message: &[u8]) -> Self {
        let Ok(response) = ExportTraceServiceResponse::decode(message) else {
            return Self::refused(NOT_OTLP);
        };
        let partial = response.partial_success.unwrap_or_default();
        Self::Accepted {
            rejected: u64::try_from(partial.rejected_spans).unwrap_or(0),
            why: Excerpt(partial.error_message).to_string(),
        }
    }
}

/// Of a response to OTLP over HTTP.
pub(super) fn http(head: &Parts, body: &Bytes, now: SystemTime) -> Verdict {
    let status = head.status;
    if status.is_success() {
        return Verdict::accepted(body);
    }
    match status {
        StatusCode::TOO_MANY_REQUESTS
        | StatusCode::BAD_GATEWAY
        | StatusCode::SERVICE_UNAVAILABLE
        | StatusCode::GATEWAY_TIMEOUT => Verdict::Retry {
            after: retry_after(&head.headers, now),
            why: format!("it responds with {status}"),
        },
        _ => Verdict::refused(format_args!("it responds with {status}")),
    }
}

/// Of a response to a call of gRPC.
pub(super) fn grpc(head: &Parts, trailers: Option<&HeaderMap>, body: &Bytes) -> Verdict {
    let status = head.status;
    match status {
        StatusCode::OK => {}
        // From a proxy in between.
        StatusCode::TOO_MANY_REQUESTS
        | StatusCode::BAD_GATEWAY
        | StatusCode::SERVICE_UNAVAILABLE
        | StatusCode::GATEWAY_TIMEOUT => {
            return Verdict::retry(format_args!("it responds with {status}"));
        }
        _ => return Verdict::refused(format_args!("it responds with {status}")),
    }
    let content = head.headers.get(CONTENT_TYPE);
    if !content.is_some_and(|it| it.as_bytes().starts_with(b"application/grpc")) {
        return Verdict::refused("its response is not gRPC");
    }
    let ends = trailers.unwrap_or(&head.headers);
    let text = |name: &str| ends.get(name)?.to_str().ok();
    let Some(code) = text("grpc-status").and_then(|code| code.parse().ok()) else {
        return Verdict::refused("its response has no grpc-status");
    };
    if code == 0 {
        return match body.split_at_checked(PREFIX) {
            Some(([0, length @ ..], message)) if is_length(length, message) => {
                Verdict::accepted(message)
            }
            _ => Verdict::refused(NOT_OTLP),
        };
    }
    let why = format!(
        "gRPC status {code}: {}",
        text("grpc-message").unwrap_or_default()
    );
    let after = ends.get("grpc-status-details-bin");
    let after = after.and_then(|details| retry_info::read(details.as_bytes()));
    let is_retried = RETRIED.contains(&code) || (code == RESOURCE_EXHAUSTED && after.is_some());
    let why = Excerpt(why).to_string();
    match is_retried {
        true => Verdict::Retry { after, why },
        false => Verdict::Refused { why },
    }
}

fn is_length(length: &[u8], message: &[u8]) -> bool {
    let length = <[u8; 4]>::try_from(length).map(u32::from_be_bytes);
    length.is_ok_and(|length| length as usize == message.len())
}

/// The pause that a response asks for, in seconds or until a date.
fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = httpdate::parse_http_date(text).ok()?;
    date.duration_since(now).ok()
}

#[cfg(test)]
mod tests {
    use http::{HeaderValue, Response};
    use opentelemetry_proto::tonic::collector::trace::v1::ExportTracePartialSuccess;
    use proptest::prelude::*;

    use super::*;

    fn head(status: u16, headers: &[(&'static str, &str)]) -> Parts {
        let mut response = Response::builder().status(status);
        for (name, value) in headers {
            response = response.header(*name, *value);
        }
        response.body(()).unwrap().into_parts().0
    }

    /// In one word: accepted (with the number that was not), retry (with the pause) or refused.
    fn word(verdict: &Verdict) -> String {
        match verdict {
            Verdict::Accepted { rejected, .. } => format!("accepted {rejected}"),
            Verdict::Retry { after: None, .. } => "retry".to_owned(),
            Verdict::Retry {
                after: Some(after), ..
            } => format!("retry {after:?}"),
            Verdict::Refused { .. } => "refused".to_owned(),
        }
    }

    fn partial(rejected_spans: i64) -> Vec<u8> {
        let partial = ExportTracePartialSuccess {
            rejected_spans,
            error_message: "no\nroom".to_owned(),
        };
        let response = ExportTraceServiceResponse {
            partial_success: Some(partial),
        };
        response.encode_to_vec()
    }

    #[test]
    fn over_http_the_status_decides() {
        let now = httpdate::parse_http_date("Thu, 01 Jan 2026 00:00:00 GMT").unwrap();
        let check = |status, headers: &[(&'static str, &str)], body: &[u8], expected: &str| {
            let body = Bytes::copy_from_slice(body);
            let verdict = http(&head(status, headers), &body, now);
            assert_eq!(word(&verdict), expected, "{status} {headers:?}");
        };
        check(200, &[], b"", "accepted 0");
        check(202, &[], b"", "accepted 0");
        check(200, &[], &partial(3), "accepted 3");
        check(200, &[], &partial(-3), "accepted 0");
        check(200, &[], b"<html>", "refused");
        for status in [429, 502, 503, 504] {
            check(status, &[], b"", "retry");
            check(status, &[("retry-after", "7")], b"", "retry 7s");
        }
        let later = [("retry-after", "Thu, 01 Jan 2026 00:01:00 GMT")];
        check(503, &later, b"", "retry 60s");
        let past = [("retry-after", "Thu, 01 Jan 2025 00:01:00 GMT")];
        check(503, &past, b"", "retry");
        check(503, &[("retry-after", "soon")], b"", "retry");
        for status in [301, 400, 401, 404, 500, 501] {
            check(status, &[("retry-after", "7")], b"", "refused");
        }
    }

    fn trailers(code: &str, details: Option<&str>) -> HeaderMap {
        let mut trailers = HeaderMap::new();
        trailers.insert("grpc-status", code.parse().unwrap());
        trailers.insert("grpc-message", HeaderValue::from_static("because"));
        if let Some(details) = details {
            trailers.insert("grpc-status-details-bin", details.parse().unwrap());
        }
        trailers
    }

    #[test]
    fn over_grpc_the_code_decides() {
        let ok = head(200, &[("content-type", "application/grpc+proto")]);
        let check = |code: &str, details: Option<&str>, body: &[u8], expected: &str| {
            let body = Bytes::copy_from_slice(body);
            let verdict = grpc(&ok, Some(&trailers(code, details)), &body);
            assert_eq!(word(&verdict), expected, "{code} {details:?}");
        };
        let framed = |message: &[u8]| [&[0, 0, 0, 0, message.len() as u8][..], message].concat();
        check("0", None, &framed(b""), "accepted 0");
        check("0", None, &framed(&partial(2)), "accepted 2");
        for bad in [
            &b""[..],
            &[0; 4],
            &[1, 0, 0, 0, 0],
            &[0, 0, 0, 0, 1],
            &framed(b"<"),
        ] {
            check("0", None, bad, "refused");
        }
        for code in ["1", "4", "10", "11", "14", "15"] {
            check(code, None, b"", "retry");
        }
        for code in ["2", "3", "5", "7", "8", "12", "16", "99", "x", "-1"] {
            check(code, None, b"", "refused");
        }
        let pause = retry_info::written(Duration::from_millis(2_500));
        check("8", Some(&pause), b"", "retry 2.5s");
        check("14", Some(&pause), b"", "retry 2.5s");
        check("14", Some(pause.trim_end_matches('=')), b"", "retry 2.5s");
        check("12", Some(&pause), b"", "refused");
        check("8", Some("!"), b"", "refused");
    }

    #[test]
    fn what_is_not_grpc_is_refused() {
        let check = |status, headers: &[(&'static str, &str)], expected: &str| {
            let verdict = grpc(&head(status, headers), None, &Bytes::new());
            assert_eq!(word(&verdict), expected, "{status} {headers:?}");
        };
        check(200, &[], "refused");
        check(
            200,
            &[("content-type", "text/html"), ("grpc-status", "14")],
            "refused",
        );
        check(200, &[("content-type", "application/grpc")], "refused");
        // Without a body the trailers are in the head.
        let unavailable = [("content-type", "application/grpc"), ("grpc-status", "14")];
        check(200, &unavailable, "retry");
        check(503, &[], "retry");
        check(404, &[], "refused");
    }

    proptest! {
        #[test]
        fn whatever_a_collector_says_is_shown_in_a_short_line(
            body in proptest::collection::vec(any::<u8>(), 0..100),
            text in "\\PC{0,500}",
            status in 200..600u16,
            code in 0u32..20,
        ) {
            let head = head(status, &[("content-type", "application/grpc")]);
            let mut trailers = trailers(&code.to_string(), None);
            if let Ok(text) = HeaderValue::from_str(&text) {
                trailers.insert("grpc-message", text.clone());
                trailers.insert("grpc-status-details-bin", text);
            }
            let body = Bytes::from(body);
            let verdicts = [http(&head, &body, SystemTime::UNIX_EPOCH), grpc(&head, Some(&trailers), &body)];
            for verdict in verdicts {
                let (Verdict::Accepted { why, .. } | Verdict::Retry { why, .. } | Verdict::Refused { why }) = verdict;
                prop_assert!(why.len() <= 203 && !why.contains(char::is_control), "{why:?}");
            }
        }
    }
}
