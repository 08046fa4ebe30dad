//! The hosts that a section lists.

use std::collections::{HashMap, HashSet};

use super::file::{Locations, Reader, Section};
use crate::host::HostPattern;
use crate::settings::Value;

/// The field that lists them.
const FIELD: &str = "hosts";

/// The most in one section.
const MOST: usize = 1_000;

/// The hosts that sections of one kind have listed so far, each with its section.
#[derive(Default)]
pub(super) struct Listed(HashMap<HostPattern, String>);

impl Listed {
    /// Adds those of one more section, and reports those that another one has.
    pub(super) fn add(
        &mut self,
        hosts: &[HostPattern],
        reader: &mut Reader<'_>,
        section: &Section<'_>,
        locations: &Locations,
    ) {
        for host in hosts {
            if let Some(other) = self.0.insert(host.clone(), section.name.clone()) {
                let location = locations.get(FIELD).unwrap_or(&section.location).clone();
                let message = format!("\"{host}\" is a host of {other} already");
                let field = section.field(FIELD);
                reader.problems.push(location, field, message);
            }
        }
    }
}

/// Reads the list of a section.
pub(super) fn read(value: &Value<'_>) -> Result<Vec<HostPattern>, String> {
    let expected = "a list of hosts, like [\"app.example.org\", \"*.example.org\"]";
    let hosts = value.list(expected, HostPattern::parse)?;
    let mut seen = HashSet::with_capacity(hosts.len());
    if let Some(twice) = hosts.iter().find(|host| !seen.insert(*host)) {
        return Err(format!("\"{twice}\" is listed twice"));
    }
    match hosts.len() {
        0..=MOST => Ok(hosts),
        count => Err(format!(
            "lists {count} hosts; the most are {MOST}, and a wildcard is one"
        )),
    }
}
