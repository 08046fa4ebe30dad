//! `activator config show`: the configuration in effect, as a file whose comments name the sources, or as JSON.

use std::fmt::{self, Write};

use serde_json::{Map, Value as Json, json};

use super::layout::in_order;
use super::{Exit, SourceArguments, bad_configuration, print};
use crate::config::{Effective, Location, Source};

/// Arguments of `config show`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(in crate::cli) struct Arguments {
    /// Print a JSON object
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    sources: SourceArguments,
}

const EXAMPLES: &str = "Examples:
  activator config show --config /etc/activator.toml
  activator config show --json | jq '.settings[] | select(.source.kind != \"default\")'";

pub(super) fn run(arguments: Arguments) -> Result<(), Exit> {
    let sources = arguments.sources.sources(None);
    let effective = sources.effective().map_err(bad_configuration)?;
    if arguments.json {
        return print(&format!("{:#}\n", to_json(&effective)));
    }
    let mut text = to_toml(&effective);
    if sources.cluster.is_some() {
        text.push_str("\n# The revisions are those of the cluster.\n");
    }
    print(&text)
}

fn to_toml(effective: &Effective) -> String {
    let mut text = "# What is in effect, and where it comes from.\n\n".to_owned();
    for (place, setting) in in_order(&effective.settings, |it| &it.setting) {
        if let Some(section) = place.begins {
            line(&mut text, format_args!("\n[{section}]"));
        }
        let (name, source) = (place.name, comment(&setting.source));
        let entry = match (&setting.value, &setting.source) {
            (None, _) => format!("#{name} = # {source}: unset"),
            // Written down it would hold over the ConfigMap.
            (Some(value), Source::ConfigMap { .. }) => format!("#{name} = {value} # {source}"),
            (Some(value), _) => format!("{name} = {value} # {source}"),
        };
        line(&mut text, format_args!("{entry}"));
    }
    for section in &effective.lists {
        let (name, source) = (section.name, comment(&section.source));
        line(&mut text, format_args!("\n[[{name}]] # {source}"));
        for (field, value) in &section.fields {
            line(&mut text, format_args!("{field} = {value}"));
        }
    }
    text
}

/// A source as it may stand in a comment, whatever the file is called.
fn comment(source: &Source) -> String {
    source.to_string().replace(char::is_control, "?")
}

fn line(text: &mut String, line: fmt::Arguments<'_>) {
    writeln!(text, "{line}").expect("a string takes any text");
}

fn to_json(effective: &Effective) -> Json {
    let settings = effective.settings.iter().map(|it| {
        json!({
            "field": it.setting.field,
            "value": it.value,
            "source": source(&it.source),
        })
    });
    let mut all = Map::new();
    all.insert("settings".to_owned(), settings.collect());
    for section in &effective.lists {
        let list = all.entry(section.name).or_insert_with(|| json!([]));
        let section = json!({ "fields": section.fields, "source": source(&section.source) });
        list.as_array_mut().expect("it was made here").push(section);
    }
    Json::Object(all)
}

fn source(source: &Source) -> Json {
    match source {
        Source::Default(found) => json!({ "kind": "default", "found": found }),
        Source::InCluster => json!({ "kind": "default_in_cluster" }),
        Source::Embedded => json!({ "kind": "embedded" }),
        Source::ConfigMap { name, key } => {
            json!({ "kind": "config_map", "name": name, "key": key })
        }
        Source::Revision(key) => json!({ "kind": "revision", "name": key }),
        Source::Set(Location::File { name, line, .. }) => {
            json!({ "kind": "file", "name": name, "line": line })
        }
        Source::Set(Location::Variable(name)) => json!({ "kind": "variable", "name": name }),
        Source::Set(Location::Flag(name)) => json!({ "kind": "flag", "name": name }),
        // Neither is a place where something is set when the program starts.
        Source::Set(Location::Default | Location::Body) => json!({ "kind": "default" }),
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default(None) => f.write_str("default"),
            Self::Default(Some(what)) => write!(f, "default: {what}"),
            Self::InCluster => f.write_str("default in a cluster"),
            Self::Embedded => f.write_str("default: nothing else is configured"),
            Self::ConfigMap { name, key } => write!(f, "unless ConfigMap {name} has {key}"),
            Self::Revision(key) => write!(f, "needed by {key}, which is started here"),
            Self::Set(Location::File { name, line, .. }) => write!(f, "{name}:{line}"),
            Self::Set(location) => location.fmt(f),
        }
    }
}
