//! The licences of all that is linked into the program, in one text: each package with its licence, then the texts, each once
//! with the names of those that it is for.
//!
//! The texts are those of the packages' own files, wherever they are in it: C code has its own. A package without one gets
//! SPDX's text where that names no copyright holder; else the text would not be the package's, and it is an error.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;

use anyhow::{Context, Result};

use super::packages::{Package, Packages};
use super::toolchain::Component;
use crate::program::{Target, VERSION};

/// How the names of files with licences begin, in capitals.
const NAMES: [&str; 6] = [
    "COPYING",
    "COPYRIGHT",
    "LICENCE",
    "LICENSE",
    "NOTICE",
    "UNLICENSE",
];

/// How the names of such files do not end: these are about licences.
const NOT_TEXTS: [&str; 8] = [".rs", ".toml", ".json", ".c", ".h", ".py", ".sh", ".yml"];

/// Licences whose text is the same whoever grants them.
const WITHOUT_HOLDER: [&str; 5] = ["Apache-2.0", "MPL-2.0", "Unlicense", "CC0-1.0", "BSL-1.0"];

/// How deep in a package licences are looked for.
const DEPTH: usize = 8;

/// A licence of a package: where it is from, and what it says.
type Text = (String, String);

pub(super) fn text(
    packages: &Packages,
    components: &[Component],
    target: &Target,
) -> Result<String> {
    let mut licences = Licences::default();
    for ((name, version), package) in &packages.all {
        let name = format!("{name} {version}");
        if package.is_own() {
            continue;
        }
        let texts = texts(package).with_context(|| format!("the licence of {name}"))?;
        let place = package.repository.as_deref().unwrap_or_default();
        licences.add(&name, &package.license, place, texts);
    }
    for component in components {
        let version = component.version.iter().flat_map(|version| [" ", version]);
        let name: String = std::iter::once(component.name.as_str())
            .chain(version)
            .collect();
        licences.add(
            &name,
            component.license,
            component.place,
            component.texts.clone(),
        );
    }
    Ok(licences.text(target.name()))
}

/// The texts of one package.
fn texts(package: &Package) -> Result<Vec<Text>> {
    let mut found = Vec::new();
    collect(&package.directory, "", DEPTH, &mut found)?;
    if found.is_empty() {
        found.push(standard(&package.license)?);
    }
    found.sort();
    Ok(found)
}

fn collect(directory: &Path, within: &str, depth: usize, found: &mut Vec<Text>) -> Result<()> {
    let entries = std::fs::read_dir(directory).with_context(|| directory.display().to_string())?;
    for entry in entries {
        let entry = entry?;
        let kind = entry.file_type()?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = format!("{within}{name}");
        if kind.is_dir() && depth > 0 {
            collect(&entry.path(), &format!("{path}/"), depth - 1, found)?;
        } else if kind.is_file() && is_licence(&name) {
            let text = std::fs::read(entry.path()).with_context(|| path.clone())?;
            found.push((path, String::from_utf8_lossy(&text).into_owned()));
        }
    }
    Ok(())
}

fn is_licence(name: &str) -> bool {
    let upper = name.to_uppercase();
    NAMES.iter().any(|begin| upper.starts_with(begin))
        && !NOT_TEXTS.iter().any(|end| name.ends_with(end))
}

/// SPDX's text of a licence that is enough for `license`.
fn standard(license: &str) -> Result<Text> {
    let expression = spdx::Expression::parse(license).context("not an SPDX expression")?;
    let known = WITHOUT_HOLDER
        .iter()
        .filter_map(|name| spdx::license_id(name));
    let enough = known.into_iter().find(|id| {
        expression.evaluate(|asked| asked.license.id() == Some(*id) && asked.addition.is_none())
    });
    let id = enough.with_context(|| {
        format!("it is {license} and has no file with a text, and the standard text names no copyright holder")
    })?;
    Ok((format!("{}, as SPDX has it", id.name), id.text().to_owned()))
}

/// Texts that are the same but for blanks and line ends, and for what they are.
#[derive(Default)]
struct Licences {
    list: String,
    texts: BTreeMap<String, Shared>,
}

struct Shared {
    /// The first one's, as it is written there.
    text: String,
    users: Vec<String>,
}

impl Licences {
    fn add(&mut self, name: &str, license: &str, place: &str, texts: Vec<Text>) {
        let line = format!("{name}: {license} {place}");
        writeln!(self.list, "{}", line.trim_end()).expect("a string takes any text");
        for (path, text) in texts {
            let words: Vec<_> = text.split_whitespace().collect();
            let shared = self.texts.entry(words.join(" ")).or_insert_with(|| Shared {
                text: text.trim_matches(['\r', '\n']).replace('\r', ""),
                users: Vec::new(),
            });
            shared.users.push(format!("{name} ({path})"));
        }
    }

    fn text(self, target: &str) -> String {
        let rule = "=".repeat(100);
        let mut all = format!(
            "What is linked into activator {VERSION} for {target}, beside its own code (see LICENSE):\n\n{}",
            self.list
        );
        let mut texts: Vec<_> = self.texts.into_values().collect();
        texts.sort_by(|a, b| a.users.cmp(&b.users));
        for Shared { text, users } in texts {
            let users = users.join("\n");
            write!(all, "\n{rule}\n{users}\n{rule}\n\n{text}\n").expect("a string takes any text");
        }
        all
    }
}

#[cfg(test)]
mod tests;
