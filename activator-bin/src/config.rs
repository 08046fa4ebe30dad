//! What operators can set: from the file, flags and the environment to the types of those who obey.

mod embedded;
mod file;
mod json;
mod load;
mod problem;
mod revision;
mod sections;
mod sink;
mod tls;
mod unknown;

use std::net::SocketAddr;

use reporter_runtime::sink::autoscaler::AutoscalerConfig;

pub use crate::limits::{HalfClose, Limits};
pub(crate) use crate::logging::LogConfig;
pub use crate::logging::LogFormat;
pub use crate::probe::Probe;
pub use crate::revision::RevisionSpec;
pub use crate::settings::{Default, Setting, Settings, Value};
pub use crate::timeouts::TimeoutLimits;
pub use crate::tls::TlsVersion;
pub use crate::upstream::protocol::Protocol;
pub(crate) use load::ReloadError;
pub use load::Sources;
pub(crate) use problem::Problems;
pub use revision::Draft;
pub use sections::Config;
pub(crate) use sections::{AdminConfig, Listen, ThrottleConfig};
pub use sink::JsonLinesConfig;
pub use tls::{BackendTlsConfig, TlsConfig};

/// What `/readyz` depends on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReadyWhen {
    /// That requests are served.
    Serving,
    /// That requests are served and that a link to an autoscaler is up.
    Autoscaler,
}

/// Where reports go.
#[derive(Clone, Debug, PartialEq)]
pub enum SinkConfig {
    /// Lines of JSON.
    JsonLines(JsonLinesConfig),
    /// Knative's autoscaler.
    Autoscaler(AutoscalerConfig),
}

impl Listen {
    /// All addresses, each with the name of its setting.
    pub(crate) fn addresses(&self) -> impl Iterator<Item = (&'static str, SocketAddr)> {
        let all = [
            ("listen.http", Some(self.http)),
            ("listen.http2", self.http2),
            ("listen.https", self.https),
            ("listen.admin", Some(self.admin)),
        ];
        all.into_iter()
            .filter_map(|(field, address)| Some((field, address?)))
    }
}

impl Config {
    /// What is run without a file.
    #[must_use]
    pub fn embedded() -> Self {
        embedded::config()
    }

    /// The settings in which `other` differs and that a running activator does not take over.
    ///
    /// What revisions inherit is taken over with them. Those of the admin port inherit it from the start,
    /// so that it is named when there can be some.
    #[must_use]
    pub fn restart_needed(&self, other: &Self) -> Vec<&'static str> {
        Self::settings()
            .iter()
            .filter(|it| self.differs(other, it.field))
            .filter(|it| !it.is_inherited || self.admin.write)
            .map(|it| it.field)
            .chain((self.sinks != other.sinks).then_some("sink"))
            .collect()
    }
}
