//! A revision as JSON: the same fields and checks as in the file.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use reporter_core::RevisionKey;
use serde::Serialize;
use serde::de::IgnoredAny;
use serde_json::{Map, Value as Json};

use super::problem::{Location, Problems};
use super::revision::{BACKENDS, BACKENDS_EXPECTED, Draft, PROBES, PROTOCOLS};
use super::{RevisionSpec, ThrottleConfig, launch, unknown};
use crate::host::HostPattern;
use crate::probe::{InCluster, Share};
use crate::settings::{Settings, Value};

/// The fields as they are serialized.
#[derive(Serialize)]
struct Fields<'a> {
    namespace: &'a str,
    name: &'a str,
    service: &'a str,
    configuration: &'a str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    hosts: Vec<&'a str>,
    container_concurrency: u32,
    queue_depth: usize,
    timeout: String,
    response_start_timeout: String,
    idle_timeout: String,
    probe: &'a str,
    protocol: &'a str,
    tls: bool,
    backends: &'a [SocketAddr],
    #[serde(skip_serializing_if = "Option::is_none")]
    launch: Option<Json>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cluster: Option<ClusterFields<'a>>,
}

/// What a cluster says about the backends. Cannot be set.
#[derive(Serialize)]
struct ClusterFields<'a> {
    not_ready: &'a [SocketAddr],
    #[serde(skip_serializing_if = "Option::is_none")]
    share: Option<ShareFields>,
    private_service: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    tls_port: Option<u16>,
}

#[derive(Serialize)]
struct ShareFields {
    index: usize,
    activators: usize,
}

impl<'a> From<&'a InCluster> for ClusterFields<'a> {
    fn from(cluster: &'a InCluster) -> Self {
        let share = cluster
            .share
            .map(|Share { index, activators }| ShareFields { index, activators });
        Self {
            not_ready: &cluster.not_ready,
            share,
            private_service: &cluster.private_service,
            tls_port: cluster.tls_port,
        }
    }
}

impl RevisionSpec {
    /// The revision `key` from an object with the fields of `[[revision]]`.
    ///
    /// `namespace` and `name` may be omitted, and must be the key's otherwise. Other omitted fields have the same
    /// defaults as in the file, with `inherited` as its `[throttle]`.
    ///
    /// # Errors
    /// All problems found.
    pub fn from_json(
        key: &RevisionKey,
        json: &[u8],
        inherited: &ThrottleConfig,
    ) -> Result<Self, Problems> {
        let mut problems = Problems::default();
        let mut draft = Draft::new(key.namespace(), key.name());
        match serde_json::from_slice(json) {
            Ok(Json::Object(fields)) => read(&fields, key, &mut draft, &mut problems),
            Ok(other) => {
                let message = Value::Json(&other).instead_of("an object");
                problems.push(Location::Body, "", message);
            }
            Err(error) => problems.push(Location::Body, "", format!("is not JSON: {error}")),
        }
        let draft = problems.into_result(draft)?;
        Ok(draft.finish(inherited).expect("the key has been checked"))
    }

    /// The object with all fields, and in a cluster with what that says about the instances.
    #[must_use]
    pub fn to_json(&self) -> Json {
        let probe = PROBES.iter().find(|(_, probe)| *probe == self.probe);
        let protocol = PROTOCOLS.iter().find(|(_, it)| *it == self.protocol);
        let text = |duration| humantime::format_duration(duration).to_string();
        let optional = |duration: Option<Duration>| duration.map(text).unwrap_or_default();
        // An empty string stands for an omitted field; no field may have it as its value.
        let fields = Fields {
            namespace: self.key.namespace(),
            name: self.key.name(),
            service: &self.revision.service,
            configuration: &self.revision.configuration,
            hosts: self.hosts.iter().map(HostPattern::as_str).collect(),
            container_concurrency: self.container_concurrency,
            queue_depth: self.queue_depth,
            timeout: text(self.timeouts.total),
            response_start_timeout: optional(self.timeouts.response_start),
            idle_timeout: optional(self.timeouts.idle),
            // Instances that are started here have `ready` instead.
            probe: match self.launch {
                None => probe.expect("the table has them all").0,
                Some(_) => "",
            },
            protocol: protocol.expect("the table has them all").0,
            tls: self.tls,
            backends: &self.backends,
            launch: self.launch.as_deref().map(launch::to_json),
            cluster: self.cluster.as_deref().map(ClusterFields::from),
        };
        let mut json = serde_json::to_value(fields).expect("strings, numbers and lists");
        if let Some(fields) = json.as_object_mut() {
            fields.retain(|_, value| value != "");
        }
        json
    }
}

/// What is said of a field that only the file may have.
const FILE_ONLY: &str = "comes from the file only, like all that says how instances are started";

fn is_command(name: &str) -> bool {
    launch::fields().any(|it| it == name)
}

/// Refuses an object with a field that says how instances are started. What else is wrong is not looked for.
///
/// # Errors
/// The fields.
pub(crate) fn refuse_commands(json: &[u8]) -> Result<(), Problems> {
    let fields: BTreeMap<String, IgnoredAny> = serde_json::from_slice(json).unwrap_or_default();
    let mut problems = Problems::default();
    for name in fields.into_keys().filter(|name| is_command(name)) {
        problems.push(Location::Body, name, FILE_ONLY.to_owned());
    }
    problems.into_result(())
}

fn read(fields: &Map<String, Json>, key: &RevisionKey, draft: &mut Draft, problems: &mut Problems) {
    for (name, value) in fields {
        let outcome = match name.as_str() {
            "namespace" => same(value, key.namespace()),
            "name" => same(value, key.name()),
            BACKENDS => read_backends(value, draft, problems),
            "cluster" => Err("comes from the cluster and cannot be set".to_owned()),
            "launch" => Err("comes from the file and cannot be set".to_owned()),
            name if is_command(name) => Err(FILE_ONLY.to_owned()),
            _ => draft.apply(name, &Value::Json(value)).unwrap_or_else(|| {
                let known = Draft::settings();
                Err(unknown::field("", name, &known, &[BACKENDS]))
            }),
        };
        if let Err(message) = outcome {
            problems.push(Location::Body, unknown::path("", name), message);
        }
    }
}

fn same(value: &Json, expected: &str) -> Result<(), String> {
    if value == expected {
        return Ok(());
    }
    let expected = format!("{expected:?}, as in the path");
    Err(Value::Json(value).instead_of(&expected))
}

fn read_backends(value: &Json, draft: &mut Draft, problems: &mut Problems) -> Result<(), String> {
    let Json::Array(values) = value else {
        return Err(Value::Json(value).instead_of(BACKENDS_EXPECTED));
    };
    draft.read_backends(values.iter().map(Value::Json), |index, message| {
        problems.push(Location::Body, format!("{BACKENDS}[{index}]"), message);
    });
    Ok(())
}
