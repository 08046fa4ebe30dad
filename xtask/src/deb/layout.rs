//! Where the files of the package are, and what of them is for Debian alone.

use anyhow::{Context, Result, bail};

use super::control::Release;
use crate::archive::{File, Files};
use crate::dist::gzip;
use crate::dist::parts::Parts;

/// What operators change.
pub(super) const CONFIGURATION: &str = "etc/activator.toml";

/// Units and the like, by their place in the repository.
const UNITS: [(&str, &str); 3] = [
    (
        "deploy/systemd/activator.service",
        "usr/lib/systemd/system/activator.service",
    ),
    (
        "deploy/systemd/activator.socket",
        "usr/lib/systemd/system/activator.socket",
    ),
    (
        "deploy/systemd/activator.sysusers",
        "usr/lib/sysusers.d/activator.conf",
    ),
];

const DOCUMENTATION: &str = "usr/share/doc/activator";

pub(super) fn files(parts: &Parts, release: &Release) -> Result<Files> {
    let mut files = Files::new();
    let mut add = |path: &str, file: File| files.insert(path.to_owned(), file);
    add("usr/bin/activator", File::program(parts.program.clone()));
    add(CONFIGURATION, File::text(include_str!("activator.toml")));
    let overrides = File::text(include_str!("lintian-overrides"));
    add("usr/share/lintian/overrides/activator", overrides);
    for (from, to) in UNITS {
        let unit = parts.documents.get(from);
        let unit = unit.with_context(|| format!("{from} is not in the repository"))?;
        add(to, File::text(unit.content.clone()));
    }
    for (shell, script) in &parts.completions {
        let path = match *shell {
            "bash" => "usr/share/bash-completion/completions/activator",
            "fish" => "usr/share/fish/vendor_completions.d/activator.fish",
            "zsh" => "usr/share/zsh/vendor-completions/_activator",
            other => bail!("where are completions of {other}?"),
        };
        add(path, File::text(script.as_str()));
    }
    let manual = gzip(parts.manual.as_bytes())?;
    add("usr/share/man/man1/activator.1.gz", File::text(manual));
    let mut document = |path: &str, file: File| add(&format!("{DOCUMENTATION}/{path}"), file);
    document("copyright", File::text(include_str!("copyright")));
    let changes = release.changelog()?;
    document("changelog.Debian.gz", File::text(gzip(changes.as_bytes())?));
    let licences = gzip(parts.licences.as_bytes())?;
    document("THIRD-PARTY-LICENSES.txt.gz", File::text(licences));
    document("activator.cdx.json", File::text(parts.sbom.clone()));
    for (path, file) in &parts.documents {
        match path.as_str() {
            // In the copyright file.
            "LICENSE" => {}
            "CHANGELOG.md" => {
                document("changelog.gz", File::text(gzip(&file.content)?));
            }
            path if UNITS.iter().any(|(unit, _)| *unit == path) => {}
            path => {
                let file = File {
                    mode: file.mode,
                    content: file.content.clone(),
                };
                // What stands beside each other in the repository does here: pages have links to files.
                document(path, file);
            }
        }
    }
    Ok(files)
}

#[cfg(test)]
mod tests;
