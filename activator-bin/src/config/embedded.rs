//! The configuration that runs without a file: something to try with one `curl`.

use super::revision::Draft;
use super::{Config, JsonLinesConfig, SinkConfig};

/// The defaults, with a revision `default/hello` served by the echo server, and reports on standard output.
pub(super) fn config() -> Config {
    let defaults = Config::default();
    Config {
        sinks: vec![SinkConfig::JsonLines(JsonLinesConfig::default())],
        revisions: revision().finish(&defaults.throttle).into_iter().collect(),
        echo: true,
        ..defaults
    }
}

/// The only revision.
pub(super) fn revision() -> Draft {
    Draft {
        service: Some("hello".to_owned()),
        ..Draft::new("default", "hello")
    }
}
