//! The configuration: from the file, flags and environment to the types of the modules that use it.

mod admin_address;
mod certificate;
mod cluster;
mod content;
mod effective;
mod embedded;
mod file;
mod group;
mod hosts;
mod json;
mod launch;
mod load;
mod pieces;
mod problem;
mod revision;
mod sections;
mod sink;
mod spelled;
mod tls;
mod traces;
mod unknown;
mod up;
mod variables;

use std::net::SocketAddr;

use reporter_runtime::sink::autoscaler::AutoscalerConfig;

pub(crate) use crate::access_log::AccessLogConfig;
pub use crate::limits::{HalfClose, Limits};
pub(crate) use crate::logging::LogConfig;
pub use crate::logging::LogFormat;
pub use crate::probe::Probe;
pub use crate::revision::RevisionSpec;
pub use crate::settings::{Default, Setting, Settings, Value};
pub use crate::timeouts::TimeoutLimits;
pub use crate::tls::TlsVersion;
pub(crate) use crate::traces::TracingConfig;
pub use crate::upstream::protocol::Protocol;
pub use certificate::CertificateConfig;
pub use cluster::Cluster;
pub(crate) use cluster::KubernetesConfig;
pub(crate) use effective::{Effective, Source};
pub(crate) use embedded::text as embedded_text;
pub use group::GroupDraft;
pub(crate) use json::refuse_commands;
pub use launch::{IgnoreDraft, LaunchDraft, ScheduleDraft};
pub(crate) use load::ReloadError;
pub use load::Sources;
pub(crate) use problem::Location;
pub use problem::Problems;
pub use revision::Draft;
pub use sections::Config;
pub(crate) use sections::{AdminConfig, Listen, ThrottleConfig};
pub use sink::JsonLinesConfig;
pub(crate) use spelled::spelled;
pub use tls::{BackendTlsConfig, TlsConfig};
pub use up::Up;

/// What `/readyz` depends on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReadyWhen {
    /// Serving requests.
    Serving,
    /// Serving requests, with the link to the autoscaler up.
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
    /// The configuration that runs without a file.
    #[must_use]
    pub fn embedded() -> Self {
        let checked = Sources::default().check(None);
        checked.expect("it passes its own checks")
    }

    /// The settings that differ in `other` and need a restart.
    ///
    /// Settings that revisions inherit are reloaded with them. Revisions set through the admin port keep inheriting
    /// the values from startup, so these settings are included if such revisions are possible.
    #[must_use]
    pub fn restart_needed(&self, other: &Self) -> Vec<&'static str> {
        Self::settings()
            .iter()
            .filter(|it| self.differs(other, it.field))
            .filter(|it| !it.is_live && (!it.is_inherited || self.admin.write))
            .map(|it| it.field)
            .chain((self.sinks != other.sinks).then_some("sink"))
            .chain((self.certificates != other.certificates).then_some("certificate"))
            .collect()
    }
}
