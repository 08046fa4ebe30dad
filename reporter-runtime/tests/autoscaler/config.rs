//! The errors of a configuration out of range.

use std::time::Duration;

use reporter_runtime::sink::autoscaler::{AutoscalerConfig, AutoscalerSink};

fn errors(change: impl FnOnce(&mut AutoscalerConfig)) -> Vec<String> {
    let mut config = AutoscalerConfig::new("ws://autoscaler:8080");
    change(&mut config);
    let made = AutoscalerSink::try_new("autoscaler", "activator-0", config);
    let fields = made.err().into_iter().flat_map(|errors| errors.fields);
    fields.map(|field| field.to_string()).collect()
}

#[test]
fn the_defaults_are_in_range() {
    assert_eq!(errors(|_| {}), [""; 0]);
}

#[test]
fn each_field_has_a_range_and_an_error_names_it() {
    macro_rules! check {
        ($field:ident, $value:expr, $expected:expr) => {
            assert_eq!(errors(|config| config.$field = $value), [$expected]);
        };
    }
    let ms = Duration::from_millis;
    check!(
        url,
        "http://a".into(),
        "url = \"http://a\": must begin with ws:// or wss://"
    );
    check!(
        url,
        "ws://a:0".into(),
        "url = \"ws://a:0\": port must be 1 to 65535"
    );
    check!(
        ca_file,
        Some("/ca.pem".into()),
        "ca_file = \"/ca.pem\": is of no use without TLS; give a wss:// url"
    );
    check!(
        handshake_timeout,
        ms(9),
        "handshake_timeout = 9ms: must be 10ms to 1m"
    );
    check!(
        ping_interval,
        ms(300_001),
        "ping_interval = 5m 1ms: must be 10ms to 5m"
    );
    check!(
        pong_timeout,
        ms(0),
        "pong_timeout = 0s: must be 10ms to 10m"
    );
    check!(
        write_timeout,
        ms(9),
        "write_timeout = 9ms: must be 10ms to 10m"
    );
    check!(backoff, ms(0), "backoff = 0s: must be 1ms to 1m");
    check!(backoff_factor, 0.9, "backoff_factor = 0.9: must be 1 to 10");
    check!(
        backoff_factor,
        f64::NAN,
        "backoff_factor = NaN: must be 1 to 10"
    );
    check!(backoff_jitter, 1.1, "backoff_jitter = 1.1: must be 0 to 1");
    check!(
        backoff_max,
        ms(99),
        "backoff_max = 99ms: is shorter than backoff"
    );
    check!(
        max_frame_messages,
        0,
        "max_frame_messages = 0: must be 1 to 10000"
    );
    check!(
        max_unconfirmed_frames,
        1_025,
        "max_unconfirmed_frames = 1025: must be 1 to 1024"
    );
    check!(
        flush_timeout,
        ms(9),
        "flush_timeout = 9ms: must be 10ms to 1h"
    );
}

#[test]
fn all_fields_that_are_out_of_range_are_named_at_once() {
    let found = errors(|config| {
        config.url = "autoscaler".into();
        config.backoff_jitter = -1.0;
        config.max_frame_messages = 0;
    });
    let fields: Vec<_> = found
        .iter()
        .map(|error| error.split(' ').next().unwrap())
        .collect();
    assert_eq!(fields, ["url", "backoff_jitter", "max_frame_messages"]);
}

#[test]
fn a_file_of_certificates_is_read_before_the_start() {
    let error = |file: &str| {
        let errors = errors(|config| {
            config.url = "wss://autoscaler".into();
            config.ca_file = Some(file.into());
        });
        errors.concat()
    };
    let missing = error("/no/such/file.pem");
    assert!(
        missing.starts_with("ca_file = \"/no/such/file.pem\": cannot be read"),
        "{missing}"
    );
    let device = error("/dev/null");
    assert_eq!(
        device,
        "ca_file = \"/dev/null\": is not a regular file of at most 64 MiB"
    );
    let empty = concat!(env!("CARGO_TARGET_TMPDIR"), "/empty.pem");
    std::fs::write(empty, "").unwrap();
    assert_eq!(
        error(empty),
        format!("ca_file = {empty:?}: contains no certificate")
    );
}
