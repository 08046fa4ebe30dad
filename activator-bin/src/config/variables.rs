//! Variables that are no setting's own: those of Knative for the address of its metrics, which here are on the admin port.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::net::SocketAddr;

use super::file::Locations;
use super::problem::{Location, Problems};
use crate::settings::{Value, quoted};

const FIELD: &str = "listen.admin";
const HOST: &str = "METRICS_PROMETHEUS_HOST";
const PORT: &str = "METRICS_PROMETHEUS_PORT";

/// Sets the parts of the admin port's address that have a variable.
pub(super) fn apply_prometheus(
    variables: &BTreeMap<OsString, OsString>,
    admin: &mut SocketAddr,
    locations: &mut Locations,
    problems: &mut Problems,
) {
    let mut apply = |name: &str, set: &mut dyn FnMut(Value<'_>) -> Result<(), String>| {
        let Some(value) = value(variables, name) else {
            return;
        };
        let location = Location::Variable(name.to_owned());
        locations.insert(FIELD, location.clone());
        if let Err(message) = text(value).and_then(|text| set(Value::Text(text))) {
            problems.push(location, FIELD, message);
        }
    };
    apply(HOST, &mut |host| host.ip().map(|ip| admin.set_ip(ip)));
    apply(PORT, &mut |port| {
        port.whole(0..=65_535).map(|port| admin.set_port(port))
    });
}

/// The value of a variable. An empty one counts as unset.
pub(super) fn value<'a>(
    variables: &'a BTreeMap<OsString, OsString>,
    name: &str,
) -> Option<&'a OsStr> {
    let value = variables.get(OsStr::new(name))?;
    (!value.is_empty()).then_some(value)
}

/// A variable's value as text.
pub(super) fn text(value: &OsStr) -> Result<&str, String> {
    let why = || format!("{} is not UTF-8", quoted(&value.to_string_lossy()));
    value.to_str().ok_or_else(why)
}
