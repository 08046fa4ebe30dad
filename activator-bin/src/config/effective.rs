//! What is in effect: each setting's value and where it comes from, and the sections that are lists.

use std::path::Path;

use toml::{Table, Value as Toml};

use super::file::{Locations, Reader, Section};
use super::problem::{Location, Problems};
use super::{Config, Settings, Sources, cluster, embedded, spelled, variables};
use crate::os::regular_file::{self, Unread};
use crate::settings::{Default, Setting};

/// The sections that are lists, in the order of the docs.
const LISTS: [&str; 4] = ["sink", "certificate", "group", "revision"];

/// What a value stands for that is not shown.
const HIDDEN: &str = "(hidden)";

/// A configuration with its sources.
pub(crate) struct Effective {
    pub(crate) settings: Vec<EffectiveSetting>,
    pub(crate) lists: Vec<EffectiveSection>,
}

/// A setting in effect.
pub(crate) struct EffectiveSetting {
    pub(crate) setting: Setting,
    /// `None` when it is unset.
    pub(crate) value: Option<Toml>,
    pub(crate) source: Source,
}

/// A section of a list, `[[name]]`.
pub(crate) struct EffectiveSection {
    pub(crate) name: &'static str,
    pub(crate) fields: Table,
    pub(crate) source: Source,
}

/// Where a value comes from.
pub(crate) enum Source {
    /// Nobody has set it; how the default was found, if that had to be done.
    Default(Option<&'static str>),
    /// The default in a cluster.
    InCluster,
    /// The configuration that runs without a file.
    Embedded,
    /// This key of a ConfigMap sets it while the activator runs; the value is that without it.
    ConfigMap { name: String, key: &'static str },
    /// Revisions that are started here need it, such as this one.
    Revision(String),
    /// It was set there.
    Set(Location),
}

impl Effective {
    /// Where a setting was set, or else the section of a list that it is in: `tls.key`, `certificate[0].key`.
    pub(crate) fn location(&self, setting: &str) -> Option<&Location> {
        let mut settings = self.settings.iter();
        let source = match settings.find(|it| it.setting.field == setting) {
            Some(found) => &found.source,
            None => {
                let (list, rest) = setting.split_once('[')?;
                let (index, _) = rest.split_once(']')?;
                let mut sections = self.lists.iter().filter(|it| it.name == list);
                &sections.nth(index.parse().ok()?)?.source
            }
        };
        match source {
            Source::Set(location) => Some(location),
            _ => None,
        }
    }
}

impl Sources {
    /// Checks everything, and says what is in effect.
    ///
    /// # Errors
    /// All problems found.
    pub(crate) fn effective(&self) -> Result<Effective, Problems> {
        let bytes = self.file.as_deref().map(read).transpose()?;
        let name = self.file.as_deref().map(Path::to_string_lossy);
        let file = name.as_deref().zip(bytes.as_deref());
        let config = self.check(file)?;
        let mut locations = Locations::new();
        self.read(file, &mut locations, &mut Problems::default());
        let embedded = match (file, &self.cluster) {
            (None, None) => embedded::text(),
            _ => String::new(),
        };
        let (name, text) = match file {
            Some((name, bytes)) => (name, str::from_utf8(bytes).unwrap_or_default()),
            None => (embedded::NAME, &*embedded),
        };
        let table: Table = toml::from_str(text).unwrap_or_default();
        let settings = Config::settings().into_iter();
        let settings = settings.map(|it| self.setting(it, &config, &locations, &table));
        let mut lists = sections(name, text, table.clone());
        if self.cluster.is_some() && !table.contains_key("sink") {
            lists.push(EffectiveSection {
                name: "sink",
                fields: cluster::autoscaler_section(&config),
                source: Source::InCluster,
            });
        }
        if file.is_none() {
            for section in &mut lists {
                if let Source::Set(_) = section.source {
                    section.source = Source::Embedded;
                }
            }
        }
        Ok(Effective {
            settings: settings.collect(),
            lists,
        })
    }

    fn setting(
        &self,
        setting: Setting,
        config: &Config,
        locations: &Locations,
        file: &Table,
    ) -> EffectiveSetting {
        let field = setting.field;
        let (text, source) = match locations.get(field) {
            Some(location @ Location::File { .. }) => {
                return EffectiveSetting {
                    setting,
                    value: find(file, field).cloned(),
                    source: Source::Set(location.clone()),
                };
            }
            Some(location @ Location::Variable(name)) => {
                let mut own = setting.variables();
                let text = if own.any(|own| own == *name) {
                    let value = variables::value(&self.variables, name);
                    value.map(|it| it.to_string_lossy().into_owned())
                } else {
                    // Two of Knative's have the parts of this one.
                    Some(config.listen.admin.to_string())
                };
                (text, Source::Set(location.clone()))
            }
            Some(location) => {
                let mut flags = self.flags.iter().rev();
                let text = flags.find(|(flag, _)| *flag == field);
                (text.map(|it| it.1.clone()), Source::Set(location.clone()))
            }
            None => self.unset(&setting, config),
        };
        EffectiveSetting {
            setting,
            value: text.map(|text| spelled(field, &text)),
            source,
        }
    }

    /// The value of a setting that nobody has set.
    fn unset(&self, setting: &Setting, config: &Config) -> (Option<String>, Source) {
        let field = setting.field;
        let launched = config.revisions.iter().find(|it| it.launch.is_some());
        if let (Some(revision), "reporter.accounting") = (launched, field) {
            let accounting = config.reporter.accounting.as_str().to_owned();
            return (Some(accounting), Source::Revision(revision.key.to_string()));
        }
        let mut others = self.platform_defaults().into_iter();
        if let Some((_, text)) = others.find(|(other, _)| *other == field) {
            return (Some(text), Source::InCluster);
        }
        let text = match setting.default {
            Default::Is(text) => Some(text.to_owned()),
            Default::Found(_) => Config::found(field),
            Default::Unset | Default::Required => None,
        };
        if let Some((name, key)) = self.config_map(field, config) {
            return (text, Source::ConfigMap { name, key });
        }
        let found = match setting.default {
            Default::Found(what) => Some(what),
            _ => None,
        };
        (text, Source::Default(found))
    }

    /// The name and the key of the ConfigMap that sets it in a cluster.
    fn config_map(&self, field: &str, config: &Config) -> Option<(String, &'static str)> {
        self.cluster.as_ref()?;
        let names = &config.kubernetes;
        match field {
            "log" => Some((names.logging_config.clone(), "loglevel.activator")),
            "access_log.format" => {
                let name = names.observability_config.clone();
                Some((name, "logging.request-log-template"))
            }
            _ => None,
        }
    }
}

fn read(path: &Path) -> Result<Vec<u8>, Problems> {
    let file = std::fs::File::open(path).map_err(Unread::from);
    let bytes = file.and_then(regular_file::read_all);
    bytes.map_err(|why| Problems::of_file(path, why.to_string()))
}

/// The value of a field, with its sections in front.
fn find<'a>(table: &'a Table, field: &str) -> Option<&'a Toml> {
    let mut names = field.split('.');
    let first = table.get(names.next()?)?;
    names.try_fold(first, |value, name| value.get(name))
}

/// The sections of the file that are lists.
fn sections(name: &str, text: &str, mut table: Table) -> Vec<EffectiveSection> {
    let mut reader = Reader::new(name, text);
    let Some(parsed) = reader.table() else {
        return Vec::new();
    };
    let root = Section::root(&parsed, name);
    let mut all = Vec::new();
    for name in LISTS {
        let Some(Toml::Array(list)) = table.remove(name) else {
            continue;
        };
        let locations = reader.sections(&root, name);
        for (fields, section) in list.into_iter().zip(locations) {
            if let Toml::Table(fields) = fields {
                all.push(EffectiveSection {
                    name,
                    fields: without_secrets(fields),
                    source: Source::Set(section.location),
                });
            }
        }
    }
    all
}

/// What instances get in their environment is often a secret; nothing else in a file is one.
fn without_secrets(mut fields: Table) -> Table {
    if let Some(Toml::Table(variables)) = fields.get_mut("env") {
        for (_, value) in variables {
            *value = Toml::String(HIDDEN.to_owned());
        }
    }
    fields
}
