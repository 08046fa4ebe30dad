//! From the sources to a `Config`: precedence, and the checks across settings.

use std::collections::{BTreeMap, HashSet};
use std::ffi::OsString;
use std::fs::File;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use foldhash::fast::FixedState;
use reporter_core::Accounting;

use super::content::{FileContent, Revisions};
use super::file::Locations;
use super::pieces::Pieces;
use super::problem::{Location, Problems};
use super::revision::Draft;
use super::{
    Cluster, Config, Listen, ReadyWhen, RevisionSpec, SinkConfig, Up, cluster, embedded, tls,
    traces, variables,
};
use crate::os::regular_file::{self, Unread};
use crate::settings::{Settings, Value, nearest};

/// Why a reload failed.
#[derive(Debug)]
pub(crate) enum ReloadError {
    /// The file could not be read; the next attempt may succeed.
    Unread(Problems),
    /// The configuration is invalid.
    Bad(Problems),
}

/// Where a configuration comes from.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    /// The file. Without one, and without a cluster, the embedded configuration is used.
    pub file: Option<PathBuf>,
    /// The cluster that revisions come from.
    pub cluster: Option<Cluster>,
    /// The only service, instead of a file or a cluster.
    pub up: Option<Up>,
    /// The environment: names and values.
    pub variables: BTreeMap<OsString, OsString>,
    /// The flags: fields of [`Config`]'s settings, and their values.
    pub flags: Vec<(&'static str, String)>,
}

impl Sources {
    /// Reads the file and checks everything.
    ///
    /// # Errors
    /// All problems found.
    pub fn load(&self) -> Result<Config, Problems> {
        let Some(path) = &self.file else {
            return self.check(None);
        };
        let file = File::open(path).map_err(Unread::from);
        match file.and_then(regular_file::read_all) {
            Ok(bytes) => self.check(Some((&path.to_string_lossy(), &bytes))),
            Err(why) => Err(self.unread(path, &why)),
        }
    }

    /// Reads the file again and checks everything. A pipe or device is refused.
    ///
    /// # Errors
    /// All problems found. A blank file is one unless `may_be_blank`: its writer may have just begun.
    pub(crate) fn reload(&self, may_be_blank: bool) -> Result<Config, ReloadError> {
        let Some(path) = &self.file else {
            return self.check(None).map_err(ReloadError::Bad);
        };
        let bytes = regular_file::read(path);
        let bytes = bytes.map_err(|why| ReloadError::Unread(self.unread(path, &why)))?;
        if !may_be_blank && is_blank(&bytes) {
            let message = "is empty; to remove all revisions, write `revision = []`";
            return Err(ReloadError::Bad(Problems::of_file(
                path,
                message.to_owned(),
            )));
        }
        let checked = self.check(Some((&path.to_string_lossy(), &bytes)));
        checked.map_err(ReloadError::Bad)
    }

    /// Why the file was not read, and the problems in flags and variables.
    fn unread(&self, path: &Path, why: &Unread) -> Problems {
        let mut problems = self.check(None).err().unwrap_or_default();
        problems.append(Problems::of_file(path, why.to_string()));
        problems.into_result(()).err().unwrap_or_default()
    }

    /// Checks everything, given the file's name and content.
    ///
    /// # Errors
    /// All problems found.
    pub fn check(&self, file: Option<(&str, &[u8])>) -> Result<Config, Problems> {
        let has_revisions = file.filter(|_| self.cluster.is_none());
        let in_pieces = has_revisions.and_then(|(name, bytes)| self.check_in_pieces(name, bytes));
        in_pieces.map_or_else(|| self.check_whole(file), Ok)
    }

    /// The same at a fraction of the time and memory; none when something may be wrong.
    pub(super) fn check_in_pieces(&self, name: &str, bytes: &[u8]) -> Option<Config> {
        let pieces = Pieces::of(str::from_utf8(bytes).ok()?)?;
        let mut problems = Problems::default();
        let mut locations = Locations::new();
        let rest = Some((name, pieces.rest.as_bytes()));
        let (mut config, _) = self.read(rest, &mut locations, &mut problems);
        config.revisions = pieces.read(|draft| draft.finish(&config.throttle))?;
        let mut keys =
            HashSet::with_capacity_and_hasher(config.revisions.len(), FixedState::default());
        let are_unique = config.revisions.iter().all(|it| keys.insert(&it.key));
        are_unique.then_some(())?;
        let mut hosts = HashSet::new();
        let mut listed = config.revisions.iter().flat_map(|it| it.hosts.iter());
        listed.all(|host| hosts.insert(host)).then_some(())?;
        check_together(&config, &locations, &mut problems);
        problems.into_result(config).ok()
    }

    pub(super) fn check_whole(&self, file: Option<(&str, &[u8])>) -> Result<Config, Problems> {
        let mut problems = Problems::default();
        let mut locations = Locations::new();
        let (mut config, revisions) = self.read(file, &mut locations, &mut problems);
        let inherited = &config.throttle;
        let whole = |draft: Draft| draft.finish(inherited);
        config.revisions = revisions.into_iter().filter_map(whole).collect();
        imply_average(&mut config, &locations, &mut problems);
        check_together(&config, &locations, &mut problems);
        problems.into_result(config)
    }

    /// Everything but the revisions, which are drafts: a flag may set what they inherit.
    pub(super) fn read(
        &self,
        file: Option<(&str, &[u8])>,
        locations: &mut Locations,
        problems: &mut Problems,
    ) -> (Config, Vec<Draft>) {
        let is_cluster = self.cluster.is_some();
        let FileContent {
            mut config,
            revisions,
            has_sinks,
        } = self.content(file, locations, problems);
        self.apply_variables(&mut config, locations, problems);
        self.apply_flags(&mut config, locations, problems);
        config.cluster.clone_from(&self.cluster);
        config.is_trust_set = locations.contains_key("trust_knative_headers");
        config.is_log_set = locations.contains_key("log");
        config.is_access_log_set = locations.contains_key("access_log.format");
        config.is_tracing_set = locations.keys().any(|field| field.starts_with("tracing."));
        if is_cluster && !has_sinks {
            config.sinks = vec![cluster::autoscaler(&config)];
        }
        (config, revisions)
    }

    /// The defaults that are others than those of the settings: fields and their values.
    pub(super) fn platform_defaults(&self) -> Vec<(&'static str, String)> {
        let in_cluster = self.cluster.as_ref().map(|_| cluster::defaults());
        in_cluster.unwrap_or_default()
    }

    /// What is configured before variables and flags.
    fn content(
        &self,
        file: Option<(&str, &[u8])>,
        locations: &mut Locations,
        problems: &mut Problems,
    ) -> FileContent {
        let allowed = match self.cluster {
            Some(_) => Revisions::Refused,
            None => Revisions::Allowed,
        };
        let mut blank = Config::default();
        for (field, text) in self.platform_defaults() {
            apply(&mut blank, field, &text).expect("they pass their own checks");
        }
        let content = FileContent::blank(blank);
        match (file, &self.up) {
            (Some((name, bytes)), _) => content.read(name, bytes, allowed, locations, problems),
            (None, Some(up)) => up.content(problems),
            (None, None) if self.cluster.is_some() => content,
            (None, None) => {
                let text = embedded::text();
                content.read(
                    embedded::NAME,
                    text.as_bytes(),
                    allowed,
                    locations,
                    problems,
                )
            }
        }
    }

    /// A warning for each variable whose name is close to that of a setting.
    ///
    /// Not errors: a platform may set `ACTIVATOR_SERVICE_HOST` and the like on its own.
    #[must_use]
    pub fn misspelt_variables(&self) -> Vec<String> {
        const PREFIX: &str = "ACTIVATOR_";
        let known: Vec<String> = Config::settings()
            .iter()
            .flat_map(|setting| setting.variables())
            .chain([format!("{PREFIX}CONFIG")])
            .collect();
        let known = || known.iter().filter_map(|name| name.strip_prefix(PREFIX));
        self.variables
            .keys()
            .filter_map(|name| name.to_str()?.strip_prefix(PREFIX))
            .filter(|name| !known().any(|known| known == *name))
            .filter_map(|name| {
                let near = nearest(name, known())?;
                Some(format!(
                    "{PREFIX}{name} is not a setting; did you mean {PREFIX}{near}?"
                ))
            })
            .collect()
    }

    fn apply_variables(
        &self,
        config: &mut Config,
        locations: &mut Locations,
        problems: &mut Problems,
    ) {
        variables::apply_prometheus(
            &self.variables,
            &mut config.listen.admin,
            locations,
            problems,
        );
        for setting in Config::settings() {
            let set = |name: String| Some((variables::value(&self.variables, &name)?, name));
            let Some((value, name)) = setting.variables().find_map(set) else {
                continue;
            };
            let text = variables::text(value);
            let outcome = text.and_then(|text| apply(config, setting.field, text));
            let location = Location::Variable(name);
            locations.insert(setting.field, location.clone());
            if let Err(message) = outcome {
                problems.push(location, setting.field, message);
            }
        }
    }

    fn apply_flags(&self, config: &mut Config, locations: &mut Locations, problems: &mut Problems) {
        let settings = Config::settings();
        for (field, text) in &self.flags {
            for setting in settings.iter().filter(|setting| setting.field == *field) {
                let location = Location::Flag(format!("--{}", setting.flag()));
                locations.insert(setting.field, location.clone());
                if let Err(message) = apply(config, field, text) {
                    problems.push(location, setting.field, message);
                }
            }
        }
    }
}

fn apply(config: &mut Config, field: &str, text: &str) -> Result<(), String> {
    let applied = config.apply(field, &Value::Text(text));
    applied.expect("the field is from the table")
}

/// Whether a file has only blank lines and comments.
fn is_blank(bytes: &[u8]) -> bool {
    let mut lines = bytes.split(|byte| *byte == b'\n');
    lines.all(|line| matches!(line.trim_ascii().first(), None | Some(b'#')))
}

/// The name of a setting, and its value.
type ListenAddress = (&'static str, SocketAddr);

/// The pairs of listeners that would use the same port of the same address.
fn meeting(listen: &Listen) -> Vec<(ListenAddress, ListenAddress)> {
    let meet = |a: SocketAddr, b: SocketAddr| {
        let same_ip = a.ip() == b.ip() || a.ip().is_unspecified() || b.ip().is_unspecified();
        same_ip && a.port() == b.port() && a.port() != 0
    };
    let all: Vec<ListenAddress> = listen.addresses().collect();
    let pairs = |index: usize| all[index + 1..].iter().map(move |second| (index, second));
    (0..all.len())
        .flat_map(pairs)
        .filter(|(first, second)| meet(all[*first].1, second.1))
        .map(|(first, second)| (all[first], *second))
        .collect()
}

/// Sets the accounting that instances which are started here are scaled by.
fn imply_average(config: &mut Config, locations: &Locations, problems: &mut Problems) {
    let launched = config.revisions.iter().find(|it| it.launch.is_some());
    let Some(RevisionSpec { key, .. }) = launched else {
        return;
    };
    let field = "reporter.accounting";
    if let (Some(location), Accounting::Snapshot) =
        (locations.get(field), config.reporter.accounting)
        && !problems.mention(field)
    {
        let message = format!("must be \"average\", or unset: {key} is scaled here, by averages");
        problems.push(location.clone(), field, message);
    }
    config.reporter.accounting = Accounting::Average;
}

/// Checks across several settings, skipped if one of them is invalid.
fn check_together(config: &Config, locations: &Locations, problems: &mut Problems) {
    let location = |field: &str| locations.get(field).cloned().unwrap_or(Location::Default);
    if !problems.mention("listen.") {
        for ((first, address), (second, _)) in meeting(&config.listen) {
            // Reported where the mistake was made: at the one with precedence.
            let (field, other) = if location(first) > location(second) {
                (first, second)
            } else {
                (second, first)
            };
            let message = format!("uses port {}, as does {other}", address.port());
            problems.push(location(field), field, message);
        }
    }
    if config.probe.max_timeout < config.probe.timeout && !problems.mention("probe.") {
        let field = "probe.max_timeout";
        problems.push(
            location(field),
            field,
            "must not be shorter than probe.timeout".to_owned(),
        );
    }
    tls::check_together(config, locations, problems);
    cluster::check_together(config, locations, problems);
    traces::check_together(config, locations, problems);
    let unused = config.access_log.path.is_some() && !config.is_access_log_set;
    if unused && config.cluster.is_none() && !problems.mention("access_log.") {
        let field = "access_log.path";
        let message =
            "needs format = \"json\", or a template, in [access_log]; \"off\" writes nothing";
        problems.push(location(field), field, message.to_owned());
    }
    let link = |sink: &SinkConfig| matches!(sink, SinkConfig::Autoscaler(_));
    let autoscaler = config.readiness == ReadyWhen::Autoscaler;
    if autoscaler && !config.sinks.iter().any(link) && !problems.mention("sink") {
        let message = "needs a [[sink]] with kind = \"autoscaler\"";
        problems.push(location("readiness"), "readiness", message.to_owned());
    }
}
