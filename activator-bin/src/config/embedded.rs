//! What is run when nobody brings a file: something to look at with one `curl`.

use super::revision::Draft;
use super::{Config, JsonLinesConfig, SinkConfig};

/// The defaults, a revision `default/hello` behind which this process answers itself, and reports
/// on standard output.
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
