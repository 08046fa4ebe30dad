//! The configuration of `activator up`: one service, by what stands on the command line.

use super::launch::LaunchDraft;
use super::problem::{Location, Problems};
use super::revision::Draft;
use super::{Config, content::FileContent};
use crate::settings::{Settings, Value};

/// The service of `activator up`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Up {
    /// The hosts that it serves; all when empty.
    pub hosts: Vec<String>,
    /// The most instances; 1 when unset.
    pub max_scale: Option<String>,
    /// The program and its arguments.
    pub command: Vec<String>,
}

impl Up {
    /// The service as `default/app`, which clients choose by its hosts alone. Reports go nowhere.
    pub(super) fn content(&self, problems: &mut Problems) -> FileContent {
        let hosts = match self.hosts.as_slice() {
            [] => "*".to_owned(),
            hosts => hosts.join(","),
        };
        let mut draft = Draft::new("default", "app");
        apply(&mut draft, "hosts", "--host", &hosts, problems);
        let mut launch = LaunchDraft::default();
        let max_scale = self.max_scale.as_deref().unwrap_or("1");
        apply(&mut launch, "max_scale", "--max-scale", max_scale, problems);
        let (launch, conflicts) = launch.with_command(self.command.clone());
        for (field, message) in conflicts {
            let location = Location::Flag("the command".to_owned());
            problems.push(location, field, message);
        }
        if let Some(launch) = launch {
            draft.set_launch(launch, false);
        }
        FileContent {
            config: Config {
                trust_knative_headers: false,
                ..Config::default()
            },
            revisions: vec![draft],
            has_sinks: true,
        }
    }
}

fn apply(
    section: &mut impl Settings,
    field: &'static str,
    flag: &str,
    text: &str,
    problems: &mut Problems,
) {
    let applied = section.apply(field, &Value::Text(text));
    if let Err(message) = applied.expect("the field is one of the section") {
        problems.push(Location::Flag(flag.to_owned()), field, message);
    }
}
