//! The `[[certificate]]` sections: certificates for some hosts.

use std::path::PathBuf;

use super::file::{Locations, Reader, Section};
use super::hosts::{self, Listed};
use crate::host::HostPattern;
use crate::settings::{Value, quoted, settings};

/// The most sections: the files of each are watched, and one certificate may be for many hosts.
const MOST: usize = 100;

/// What the sections are called.
pub(super) const SECTION: &str = "certificate";

settings! {
    /// A certificate for some hosts.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct CertificateConfig in "" {
        /// The hosts that it is for, as clients name them (SNI), in a list: like app.example.org or *.example.org.
        hosts: Vec<HostPattern> = required, by(names);
        /// Certificate chain (PEM, leaf first).
        certificate: PathBuf = required, path();
        /// Private key of the leaf certificate (PEM).
        key: PathBuf = required, path();
    }
}

/// Reads all sections, and adds the location of the first.
pub(super) fn read_all(
    reader: &mut Reader<'_>,
    root: &Section<'_>,
    locations: &mut Locations,
) -> Vec<CertificateConfig> {
    let mut listed = Listed::default();
    let mut certificates = Vec::new();
    let sections = reader.sections(root, SECTION);
    if let Some(first) = sections.first() {
        locations.insert(SECTION, first.location.clone());
    }
    if let Some(beyond) = sections.get(MOST) {
        let message = format!("the most certificates are {MOST}; one may be for many hosts");
        let (location, name) = (beyond.location.clone(), beyond.name.clone());
        reader.problems.push(location, name, message);
    }
    for section in sections.into_iter().take(MOST) {
        let mut certificate = CertificateConfig::default();
        let locations = reader.read(&section, &[], &mut certificate);
        listed.add(&certificate.hosts, reader, &section, &locations);
        certificates.push(certificate);
    }
    certificates
}

fn names(value: &Value<'_>) -> Result<Vec<HostPattern>, String> {
    let hosts = hosts::read(value)?;
    if hosts.is_empty() {
        return Err("lists no host; without any the certificate is never used".to_owned());
    }
    match hosts.iter().find(|host| !host.is_name()) {
        None => Ok(hosts),
        Some(host) => Err(format!(
            "{} is no name that clients ask for; the certificate for all others is that of [tls]",
            quoted(host.as_str())
        )),
    }
}
