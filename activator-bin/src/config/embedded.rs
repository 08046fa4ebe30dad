//! What is run when nobody brings a file: something to look at with one `curl`.

use super::revision::Draft;
use super::{Config, JsonLinesConfig, SinkConfig, load};

/// The defaults, a revision `default/hello` behind which this process answers itself, and reports
/// on standard output.
pub(super) fn config() -> Config {
    let defaults = load::defaults();
    Config {
        sinks: vec![SinkConfig::JsonLines(JsonLinesConfig { path: None })],
        revisions: revision().finish(&defaults.throttle).into_iter().collect(),
        echo: true,
        ..defaults
    }
}

/// The only revision.
pub(super) fn revision() -> Draft {
    let mut draft = Draft::new("default", "hello");
    draft.service = "hello".to_owned();
    draft
}
