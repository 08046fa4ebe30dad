//! What dpkg is told of the package, and its history in Debian's format.

use std::fmt::Write;

use anyhow::{Context, Result};
use md5::{Digest, Md5};

use super::layout::CONFIGURATION;
use crate::archive::{File, Files};
use crate::command::{command, output};
use crate::program::VERSION;

/// One package.
pub(super) struct Release {
    /// Counts the packages of one version of the program.
    pub(super) revision: u32,
    /// In Debian's words.
    pub(super) architecture: &'static str,
    /// In seconds since 1970.
    pub(super) time: u64,
    pub(super) maintainer: String,
}

/// Who is asked about packages: as Debian's own tools have it.
pub(super) fn maintainer() -> String {
    let variable = |name, default: &str| std::env::var(name).unwrap_or_else(|_| default.to_owned());
    let name = variable("DEBFULLNAME", "Activator maintainers");
    let address = variable("DEBEMAIL", "activator@localhost.localdomain");
    format!("{name} <{address}>")
}

/// Debian's spelling of the version: what comes before a release is lower than it, with `~`.
pub(crate) fn upstream_version() -> String {
    VERSION.replacen('-', "~", 1)
}

impl Release {
    fn version(&self) -> String {
        format!("{}-{}", upstream_version(), self.revision)
    }

    pub(super) fn file_name(&self) -> String {
        format!("activator_{}_{}.deb", self.version(), self.architecture)
    }

    pub(super) fn changelog(&self) -> Result<String> {
        let mut date = command("date --utc --rfc-email --date");
        let date = output(date.arg(format!("@{}", self.time)))?;
        Ok(format!(
            "activator ({}) unstable; urgency=medium\n\n  * Version {VERSION}: changelog.gz says what is new.\n\n -- {}  {}\n",
            self.version(),
            self.maintainer,
            date.trim()
        ))
    }

    fn control(&self, size: u64) -> String {
        format!(
            "Package: activator
Version: {}
Section: httpd
Priority: optional
Architecture: {}
Maintainer: {}
Installed-Size: {size}
Depends: systemd | systemd-standalone-sysusers | systemd-sysusers
Description: proxy for services that scale to zero
 A reverse proxy that queues requests while a service has no instance, reports
 how many are in flight to an autoscaler, and forwards them once an instance is
 ready. On one machine it starts and stops the instances itself; in a cluster
 it takes the place of Knative Serving's activator.
",
            self.version(),
            self.architecture,
            self.maintainer
        )
    }
}

/// The files of the control archive.
pub(super) fn files(content: &Files, release: &Release) -> Result<Files> {
    let kibibytes = content
        .values()
        .map(|file| (file.content.len() as u64).div_ceil(1024));
    let text = |name: &str, text: String| (name.to_owned(), File::text(text));
    let script = |name: &str, script: &str| (name.to_owned(), File::program(script.into()));
    Ok(Files::from([
        text("control", release.control(kibibytes.sum())),
        text("conffiles", format!("/{CONFIGURATION}\n")),
        text("md5sums", sums(content)?),
        script("postinst", include_str!("postinst")),
        script("prerm", include_str!("prerm")),
        script("postrm", include_str!("postrm")),
    ]))
}

/// The sums of all files but those that operators change.
fn sums(content: &Files) -> Result<String> {
    let mut sums = String::new();
    for (path, file) in content.iter().filter(|(path, _)| *path != CONFIGURATION) {
        for byte in Md5::digest(&file.content) {
            write!(sums, "{byte:02x}")?;
        }
        writeln!(sums, "  {path}").context("a string takes any text")?;
    }
    Ok(sums)
}

#[cfg(test)]
mod tests;
