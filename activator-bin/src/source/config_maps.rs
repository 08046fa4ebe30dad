//! Knative's ConfigMaps: what each key means here, from their data to settings.
//!
//! A value that is wrong changes nothing: the last good one stays. Keys that mean nothing to an activator are ignored.
//! What must not live here: watching the ConfigMaps, and applying the settings.

use std::collections::BTreeMap;

use tracing_subscriber::filter::LevelFilter;

mod data;
mod logging;
mod network;
mod observability;
#[cfg(test)]
mod tests;
mod traces;

use crate::access_log::Template;
use crate::config::{KubernetesConfig, TracingConfig};
use crate::probe::Mesh;
use data::{Data, Wrong};

/// The ConfigMap for networking; unlike the others its name is fixed.
const NETWORK: &str = "config-network";

/// One of the ConfigMaps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum ConfigMap {
    Network,
    Logging,
    Observability,
}

/// What the ConfigMaps say.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ClusterSettings {
    pub(crate) mesh: Mesh,
    /// Whether requests between the parts of Knative use TLS.
    pub(crate) internal_tls: bool,
    pub(crate) log_level: LevelFilter,
    pub(crate) access_log: Option<Template>,
    pub(crate) tracing: TracingConfig,
}

/// What an operator should know about a key.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Remark {
    /// The name of the ConfigMap.
    pub(crate) map: String,
    pub(crate) key: &'static str,
    pub(crate) kind: RemarkKind,
}

/// What there is to know.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum RemarkKind {
    /// Its value is wrong: what was expected, and what was found.
    Wrong(String),
    /// Its value asks for something that this activator does not do.
    NotSupported(String),
}

/// The three ConfigMaps, and the settings that they make.
pub(crate) struct ConfigMaps {
    names: [String; 3],
    settings: ClusterSettings,
    /// What there was to say of each when it was last set.
    remarks: BTreeMap<ConfigMap, Vec<Remark>>,
}

impl Default for ClusterSettings {
    fn default() -> Self {
        Self {
            mesh: Mesh::default(),
            internal_tls: false,
            log_level: LevelFilter::INFO,
            access_log: None,
            tracing: traces::off(),
        }
    }
}

impl ConfigMaps {
    /// The defaults, until the ConfigMaps are set.
    pub(crate) fn new(config: &KubernetesConfig) -> Self {
        Self {
            names: [
                NETWORK.to_owned(),
                config.logging_config.clone(),
                config.observability_config.clone(),
            ],
            settings: ClusterSettings::default(),
            remarks: BTreeMap::new(),
        }
    }

    /// Which of them has this name.
    pub(crate) fn by_name(&self, name: &str) -> Option<ConfigMap> {
        ConfigMap::ALL
            .into_iter()
            .find(|map| self.name(*map) == name)
    }

    /// The name of one.
    pub(crate) fn name(&self, map: ConfigMap) -> &str {
        &self.names[map as usize]
    }

    /// What they say together.
    pub(crate) fn settings(&self) -> &ClusterSettings {
        &self.settings
    }

    /// What there is to say of all of them.
    pub(crate) fn remarks(&self) -> impl Iterator<Item = &Remark> {
        self.remarks.values().flatten()
    }

    /// Takes the data of one; without it (it was deleted) its settings are the defaults. Returns what there is to say
    /// and was not said of the same value before.
    pub(crate) fn set(
        &mut self,
        map: ConfigMap,
        data: Option<&BTreeMap<String, String>>,
    ) -> Vec<Remark> {
        let none = BTreeMap::new();
        let data = Data(data.unwrap_or(&none));
        let mut found = Found::default();
        match map {
            ConfigMap::Network => network::read(data, &mut self.settings, &mut found),
            ConfigMap::Logging => logging::read(data, &mut self.settings, &mut found),
            ConfigMap::Observability => {
                observability::read(data, &mut self.settings, &mut found);
            }
        }
        let name = self.name(map).to_owned();
        let remark = |(key, kind)| Remark {
            map: name.clone(),
            key,
            kind,
        };
        let remarks: Vec<_> = found.0.into_iter().map(remark).collect();
        let before = self.remarks.insert(map, remarks.clone());
        let is_new = |remark: &Remark| before.as_ref().is_none_or(|it| !it.contains(remark));
        remarks.into_iter().filter(is_new).collect()
    }
}

impl ConfigMap {
    /// All of them.
    pub(crate) const ALL: [Self; 3] = [Self::Network, Self::Logging, Self::Observability];
}

impl std::fmt::Display for Remark {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { map, key, kind } = self;
        match kind {
            RemarkKind::Wrong(why) => write!(f, "{map}: {key}: {why}"),
            RemarkKind::NotSupported(value) => {
                write!(f, "{map}: {key}: {value} is not supported")
            }
        }
    }
}

/// What there is to say of the keys of a ConfigMap.
#[derive(Default)]
struct Found(Vec<(&'static str, RemarkKind)>);

impl Found {
    /// Stores what was read in `slot`, unless it is wrong.
    fn set<T>(&mut self, slot: &mut T, read: Result<T, Wrong>) {
        match read {
            Ok(value) => *slot = value,
            Err(wrong) => self.wrong(wrong),
        }
    }

    fn wrong(&mut self, Wrong { key, why }: Wrong) {
        self.0.push((key, RemarkKind::Wrong(why)));
    }

    /// A key asks for what is not supported.
    fn not_supported(&mut self, key: &'static str, value: &str) {
        let value = crate::settings::quoted(value);
        self.0.push((key, RemarkKind::NotSupported(value)));
    }
}
