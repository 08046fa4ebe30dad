//! The sections `[[revision]]`: what is served, and where its instances listen.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use reporter_core::{Revision, RevisionKey};

use super::RevisionConfig;
use super::file::{Reader, Section};
use super::setting::Default::{Required, Unset};
use super::setting::{Setting, set};
use super::value::Value;

/// What one section says, before it is known to be whole.
#[derive(Default)]
pub struct Draft {
    namespace: String,
    name: String,
    service: String,
    configuration: Option<String>,
}

/// The settings of a revision that are one value.
pub static REVISION: &[Setting<Draft>] = &[
    Setting::new(
        "namespace",
        Required,
        "A DNS label of at most 63 characters",
        |draft, value| set(&mut draft.namespace, namespace(value)),
    ),
    Setting::new(
        "name",
        Required,
        "A DNS subdomain of at most 253 characters, unique in its namespace",
        |draft, value| set(&mut draft.name, value.dns_name().map(str::to_owned)),
    ),
    Setting::new(
        "service",
        Unset,
        "The service it belongs to; none when unset",
        |draft, value| set(&mut draft.service, value.dns_name().map(str::to_owned)),
    ),
    Setting::new(
        "configuration",
        Unset,
        "The configuration that made it; called like the service when unset",
        |draft, value| {
            set(
                &mut draft.configuration,
                value.dns_name().map(|name| Some(name.to_owned())),
            )
        },
    ),
];

/// Reads the sections `[[revision]]`.
pub(super) fn read_all(reader: &mut Reader<'_>, root: &Section<'_>) -> Vec<RevisionConfig> {
    let mut seen = BTreeMap::new();
    let mut revisions = Vec::new();
    for section in reader.sections(root, "revision") {
        let mut draft = Draft::default();
        reader.read(&section, REVISION, &["backends"], &mut draft);
        let backends = read_backends(reader, &section);
        // A part that is wrong or missing has been reported where it stands.
        let Ok(key) = RevisionKey::try_new(&draft.namespace, &draft.name) else {
            continue;
        };
        if let Some(other) = seen.insert(key.clone(), section.name.clone()) {
            let message = format!("{key} is {other} already");
            reader.problems.push(section.place, section.name, message);
            continue;
        }
        let configuration = draft.configuration.as_deref().unwrap_or(&draft.service);
        revisions.push(RevisionConfig {
            key,
            revision: Revision {
                service: draft.service.as_str().into(),
                configuration: configuration.into(),
            },
            backends,
        });
    }
    revisions
}

fn read_backends(reader: &mut Reader<'_>, section: &Section<'_>) -> Vec<SocketAddr> {
    let expected = "a list of addresses, like [\"10.0.0.1:8012\"]";
    let mut seen = BTreeSet::new();
    let mut backends = Vec::new();
    for element in reader.elements(section, "backends", expected) {
        match Value::Toml(element.value).address() {
            Ok(address) if address.port() == 0 => {
                let message = format!("\"{address}\" has port 0, where nobody listens");
                reader.problems.push(element.place, element.name, message);
            }
            Ok(address) if !seen.insert(address) => {
                let message = format!("\"{address}\" is in the list already");
                reader.problems.push(element.place, element.name, message);
            }
            Ok(address) => backends.push(address),
            Err(message) => reader.problems.push(element.place, element.name, message),
        }
    }
    backends
}

fn namespace(value: &Value<'_>) -> Result<String, String> {
    let text = value.string("a name in quotes")?;
    match RevisionKey::try_new(text, "name") {
        Ok(_) => Ok(text.to_owned()),
        Err(error) => Err(error.to_string().replacen("namespace ", "", 1)),
    }
}
