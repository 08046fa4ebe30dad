//! What is run when nobody brings a file: something to look at with one `curl`.

use reporter_core::{Revision, RevisionKey};

use super::{Config, JsonLinesConfig, RevisionConfig, SinkConfig, load};

/// The defaults, a revision `default/hello` behind which this process answers itself, and reports
/// on standard output.
pub(super) fn config() -> Config {
    Config {
        sinks: vec![SinkConfig::JsonLines(JsonLinesConfig { path: None })],
        revisions: vec![RevisionConfig {
            key: RevisionKey::try_new("default", "hello").expect("both are DNS names"),
            revision: Revision {
                service: "hello".into(),
                configuration: "hello".into(),
            },
            backends: Vec::new(),
        }],
        echo: true,
        ..load::defaults()
    }
}
