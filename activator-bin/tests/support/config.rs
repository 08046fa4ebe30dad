//! Configurations of activators in this process.

use activator_bin::testing::{Config, Sources};

/// The settings in `file` (TOML), the defaults for all others, and free ports.
pub(crate) fn for_tests(file: &str) -> Config {
    let ports = ["listen.http", "listen.http2", "listen.admin"];
    let sources = Sources {
        flags: ports.map(|port| (port, "127.0.0.1:0".to_owned())).to_vec(),
        ..Sources::default()
    };
    let config = sources.check(Some(("tests.toml", file.as_bytes())));
    config.unwrap_or_else(|problems| panic!("{problems}"))
}
