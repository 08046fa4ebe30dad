//! What the settings of traces need of one another, and of this program.

use super::Config;
use super::file::Locations;
use super::problem::{Location, Problems};

/// Checks that spans can be sent.
pub(super) fn check_together(config: &Config, locations: &Locations, problems: &mut Problems) {
    let tracing = &config.tracing;
    if tracing.protocol.is_none() || problems.mention("tracing.") {
        return;
    }
    let field = "tracing.protocol";
    let location = locations.get(field).cloned().unwrap_or(Location::Default);
    if !cfg!(feature = "otlp") {
        let message = "must be \"none\": this program was built without the feature otlp";
        problems.push(location, field, message.to_owned());
    } else if tracing.endpoint.is_none() {
        let message = "needs tracing.endpoint, the collector's address";
        problems.push(location, field, message.to_owned());
    }
}
