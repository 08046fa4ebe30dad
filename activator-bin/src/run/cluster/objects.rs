//! What changes when an object of the system namespace has changed. Pure.

use std::collections::BTreeMap;
use std::mem;

use serde_json::{Value as Json, json};
use tracing_subscriber::filter::LevelFilter;

use crate::access_log::Template;
use crate::config::{Config, TracingConfig};
use crate::probe::{Mesh, MeshMode};
use crate::source::config_maps::{ClusterSettings, ConfigMap, ConfigMaps, Remark, RemarkKind};
use crate::source::{Certificate, SystemObject};
use crate::traces::{Endpoint, ExportProtocol};

#[cfg(test)]
mod tests;

const MISSING: &str = "the Secret routing-serving-certs is missing, or may not be read: TLS goes on with what it contained last";

/// The objects of the system namespace, as far as they matter, and what was done because of them.
pub(super) struct Objects {
    maps: ConfigMaps,
    /// What is set by flags, variables or the file is not set by the cluster. The log finds that out by itself.
    is_access_log_set: bool,
    is_tracing_set: bool,
    done: Done,
    certificate: Option<Certificate>,
    is_certificate_missing: bool,
    /// CA certificates, by the name of the ConfigMap.
    bundles: BTreeMap<String, String>,
}

/// The settings that are in force; `None` before the first.
#[derive(Default)]
struct Done {
    mesh: Option<Mesh>,
    internal_tls: Option<bool>,
    log_level: Option<LevelFilter>,
    access_log: Option<Option<Template>>,
    tracing: Option<TracingConfig>,
}

/// What is to be done.
#[derive(Debug, PartialEq)]
pub(super) enum Action {
    Mesh(Mesh),
    InternalTls(bool),
    LogLevel(LevelFilter),
    AccessLog(Option<Template>),
    Tracing(TracingConfig),
    Certificates(Certificate),
    /// All of them, each with its name as it is shown to operators.
    TrustBundles(Vec<(String, String)>),
    Warn(String),
}

impl Objects {
    pub(super) fn new(config: &Config) -> Self {
        Self {
            maps: ConfigMaps::new(&config.kubernetes),
            is_access_log_set: config.is_access_log_set,
            is_tracing_set: config.is_tracing_set,
            done: Done {
                // That of a log whose filter is not set.
                log_level: Some(LevelFilter::INFO),
                // That of a process that traces nothing.
                tracing: (!config.is_tracing_set)
                    .then(ClusterSettings::default)
                    .map(|it| it.tracing),
                ..Done::default()
            },
            certificate: None,
            is_certificate_missing: false,
            bundles: BTreeMap::new(),
        }
    }

    /// The names of the ConfigMaps that are needed.
    pub(super) fn config_maps(&self) -> Vec<String> {
        let name = |map| self.maps.name(map).to_owned();
        ConfigMap::ALL.map(name).to_vec()
    }

    /// What the cluster has set, in the words of its ConfigMaps.
    pub(super) fn settings(&self) -> Json {
        let Done {
            mesh,
            internal_tls,
            log_level,
            access_log,
            tracing,
        } = &self.done;
        let tracing = tracing.as_ref();
        let mode = mesh.map(|it| match it.mode {
            MeshMode::Auto => "auto",
            MeshMode::Enabled => "enabled",
            MeshMode::Disabled => "disabled",
        });
        json!({
            "mesh-compatibility-mode": mode,
            "enable-mesh-pod-addressability": mesh.map(|it| it.pod_addressability),
            "system-internal-tls": internal_tls.map(|it| if it { "enabled" } else { "disabled" }),
            "loglevel.activator": log_level.map(|it| it.to_string()),
            "logging.enable-request-log": access_log.as_ref().map(Option::is_some),
            "tracing-protocol": tracing.map(|it| ExportProtocol::name(it.protocol)),
            "tracing-endpoint": tracing.and_then(|it| it.endpoint.as_ref()).map(Endpoint::to_string),
            "tracing-sampling-rate": tracing.map(|it| it.sampling_rate),
        })
    }

    /// What is wrong with the ConfigMaps, or not supported.
    pub(super) fn problems(&self) -> Vec<String> {
        self.maps.remarks().map(Remark::to_string).collect()
    }

    /// An object is as it says, perhaps as before.
    pub(super) fn on_object(&mut self, object: SystemObject) -> Vec<Action> {
        match object {
            SystemObject::ConfigMap { name, data } => match self.maps.by_name(&name) {
                Some(map) => self.on_config_map(map, data.as_ref()),
                None => Vec::new(),
            },
            SystemObject::TrustBundle { name, data } => self.on_trust_bundle(name, data),
            SystemObject::Secret { data } => self.on_secret(data),
        }
    }

    fn on_config_map(
        &mut self,
        map: ConfigMap,
        data: Option<&BTreeMap<String, String>>,
    ) -> Vec<Action> {
        let mut actions = warnings(&self.maps.set(map, data));
        let (settings, done) = (self.maps.settings(), &mut self.done);
        match map {
            ConfigMap::Network => {
                // First, so that revisions need not wait for the other.
                let tls = changed(&mut done.internal_tls, &settings.internal_tls);
                actions.extend(tls.map(Action::InternalTls));
                actions.extend(changed(&mut done.mesh, &settings.mesh).map(Action::Mesh));
            }
            ConfigMap::Logging => {
                let level = changed(&mut done.log_level, &settings.log_level);
                actions.extend(level.map(Action::LogLevel));
            }
            ConfigMap::Observability => {
                if !self.is_access_log_set {
                    let template = changed(&mut done.access_log, &settings.access_log);
                    actions.extend(template.map(Action::AccessLog));
                }
                if !self.is_tracing_set {
                    let tracing = changed(&mut done.tracing, &settings.tracing);
                    actions.extend(tracing.map(Action::Tracing));
                }
            }
        }
        actions
    }

    fn on_trust_bundle(
        &mut self,
        name: String,
        data: Option<BTreeMap<String, String>>,
    ) -> Vec<Action> {
        let text = data.map(|data| Vec::from_iter(data.into_values()).join("\n"));
        if self.bundles.get(&name) == text.as_ref() {
            return Vec::new();
        }
        match text {
            Some(text) => self.bundles.insert(name, text),
            None => self.bundles.remove(&name),
        };
        let shown = |(name, text): (&String, &String)| (format!("ConfigMap {name}"), text.clone());
        vec![Action::TrustBundles(
            self.bundles.iter().map(shown).collect(),
        )]
    }

    fn on_secret(&mut self, data: Option<Certificate>) -> Vec<Action> {
        let was_missing = mem::replace(&mut self.is_certificate_missing, data.is_none());
        match data {
            None if was_missing => Vec::new(),
            None => vec![Action::Warn(MISSING.to_owned())],
            Some(certificate) if self.certificate.as_ref() == Some(&certificate) => Vec::new(),
            Some(certificate) => {
                self.certificate = Some(certificate.clone());
                vec![Action::Certificates(certificate)]
            }
        }
    }
}

/// The value, if it is another than before.
fn changed<T: Clone + PartialEq>(before: &mut Option<T>, now: &T) -> Option<T> {
    if before.as_ref() == Some(now) {
        return None;
    }
    *before = Some(now.clone());
    Some(now.clone())
}

/// A line for each value that is wrong, and one for all that is not supported.
fn warnings(remarks: &[Remark]) -> Vec<Action> {
    let is_wrong = |remark: &&Remark| matches!(remark.kind, RemarkKind::Wrong(_));
    let (wrong, not_supported): (Vec<_>, Vec<_>) = remarks.iter().partition(is_wrong);
    let mut lines: Vec<_> = wrong
        .iter()
        .map(|remark| format!("{remark}; keeping the last good value"))
        .collect();
    let texts: Vec<_> = not_supported.iter().map(|it| it.to_string()).collect();
    if !texts.is_empty() {
        lines.push(texts.join("; "));
    }
    lines.into_iter().map(Action::Warn).collect()
}
