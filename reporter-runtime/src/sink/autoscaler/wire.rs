//! Knative's stat messages as bytes: protobuf, package `metrics`.

use bytes::Bytes;
use prost::Message;
use reporter_core::StatMessage;

/// The most bytes that a message takes besides the pod's name: 63 + 253 of the key, and 34 of tags,
/// lengths and numbers.
pub(super) const MESSAGE_MAX: usize = 350;

#[derive(Message)]
struct WireStatMessages {
    #[prost(message, repeated, tag = "1")]
    messages: Vec<WireStatMessage>,
}

#[derive(Message)]
struct WireStatMessage {
    #[prost(string, tag = "1")]
    namespace: String,
    #[prost(string, tag = "2")]
    name: String,
    #[prost(message, required, tag = "3")]
    stat: WireStat,
}

/// Only the fields that an activator sets; the others read as zero. The receiver adds the time.
#[derive(Message)]
struct WireStat {
    #[prost(string, tag = "1")]
    pod_name: String,
    #[prost(double, tag = "2")]
    average_concurrent_requests: f64,
    #[prost(double, tag = "4")]
    request_count: f64,
}

/// One frame's payload.
pub(super) fn encode(pod_name: &str, messages: &[StatMessage]) -> Bytes {
    let message = |message: &StatMessage| WireStatMessage {
        namespace: message.key.namespace().to_owned(),
        name: message.key.name().to_owned(),
        stat: WireStat {
            pod_name: pod_name.to_owned(),
            average_concurrent_requests: message.stat.average_concurrent_requests,
            // Exact up to 2^53 requests in one report.
            request_count: message.stat.request_count as f64,
        },
    };
    let messages = messages.iter().map(message).collect();
    WireStatMessages { messages }.encode_to_vec().into()
}

#[cfg(test)]
mod tests {
    use reporter_core::{RevisionKey, Stat};

    use super::*;

    fn message(namespace: &str, name: &str, average: f64, count: u64) -> StatMessage {
        StatMessage {
            key: RevisionKey::try_new(namespace, name).unwrap(),
            stat: Stat {
                average_concurrent_requests: average,
                request_count: count,
            },
        }
    }

    #[test]
    fn the_bytes_are_those_of_the_receivers_schema() {
        let mut expected = vec![0x0a, 30];
        expected.extend([0x0a, 1]);
        expected.extend(b"a");
        expected.extend([0x12, 1]);
        expected.extend(b"b");
        expected.extend([0x1a, 22, 0x0a, 2]);
        expected.extend(b"p0");
        expected.push(0x11);
        expected.extend(0.5f64.to_le_bytes());
        expected.push(0x21);
        expected.extend(3f64.to_le_bytes());
        assert_eq!(encode("p0", &[message("a", "b", 0.5, 3)]), expected);
    }

    #[test]
    fn the_longest_message_has_the_stated_length() {
        let namespace = "n".repeat(63);
        let name = [
            "m".repeat(63),
            "m".repeat(63),
            "m".repeat(63),
            "m".repeat(61),
        ]
        .join(".");
        let pod_name = "p".repeat(253);
        let longest = message(&namespace, &name, f64::MAX, u64::MAX);
        let length = encode(&pod_name, &[longest]).len() - pod_name.len();
        assert!(
            (MESSAGE_MAX - 10..=MESSAGE_MAX).contains(&length),
            "{length}"
        );
    }
}
