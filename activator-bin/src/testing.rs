//! What the tests, benchmarks and fuzz targets of this package use. Nothing here is stable.

pub use crate::access_log::{AccessLog, Format, Template, TemplateError};
pub use crate::autoscaler::{Autoscaler, ScaleSettings};
pub use crate::config::{
    BackendTlsConfig, CertificateConfig, Cluster, Config, Default, Draft, GroupDraft, HalfClose,
    IgnoreDraft, JsonLinesConfig, LaunchDraft, Limits, LogFormat, Probe, Problems, Protocol,
    ReadyWhen, RevisionSpec, ScheduleDraft, Setting, Settings, SinkConfig, Sources, TimeoutLimits,
    TlsConfig, TlsVersion, Up, Value,
};
pub use crate::history::{LINE_LIMIT, ReplayError, Summary, record, replay};
pub use crate::host::HostPattern;
pub use crate::launcher::{fleet, process, schedule};
pub use crate::probe::{
    InCluster, Listed, Mesh, MeshMode, OnService, Part, PrivateService, PrivateServices,
    ProbeOutcome, ProbeSettings, Prober, Probes, Share,
};
pub use crate::readiness::FirstLists;
pub use crate::revision::launch;
pub use crate::revision::{Change, Failure, Owner, Refused, Revisions, ServedRevision};
pub use crate::run::{Activator, Options, cluster_tls};
pub use crate::source::{
    ApiAccess, Certificate, ClusterError, ClusterLimits, ClusterStatus, Feed, FileSource,
    Kubernetes, KubernetesOptions, RevisionSource, Started, SystemObject, Update, WatchStatus,
};
pub use crate::throttle::{
    Complaint, QueueBound, QueueBudget, Slot, Throttle, ThrottleError, ThrottleLimits,
};
pub use crate::tls::ClusterTls;
pub use crate::traces::{
    Attribute, Endpoint, ExportProtocol, Kind, Span, SpanId, Trace, TraceContext, TraceId, Traces,
    TracingConfig, Value as AttributeValue,
};
pub use crate::upstream::place::Place;
