//! What is linked into the program that is not from a package of Cargo: Rust's standard library and the C library.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};

use crate::command::{command, output};
use crate::program::Target;

/// A part of the program.
pub(super) struct Component {
    pub(super) name: String,
    /// None where nobody tells.
    pub(super) version: Option<String>,
    /// An SPDX expression.
    pub(super) license: &'static str,
    /// Its package URL.
    pub(super) purl: String,
    /// Where its sources are.
    pub(super) place: &'static str,
    /// Its licences: where each is from, and what it says.
    pub(super) texts: Vec<(String, String)>,
}

/// Archives of the C compiler that are linked into the program with glibc, and the licence of what is taken from them.
const GNU: [(&str, &str, &str); 2] = [
    (
        "libc.a",
        "LGPL-2.1-or-later",
        "https://sourceware.org/glibc/",
    ),
    (
        "libgcc_eh.a",
        "GPL-3.0-or-later WITH GCC-exception-3.1",
        "https://gcc.gnu.org",
    ),
];

pub(super) fn components(target: &Target) -> Result<Vec<Component>> {
    let mut components = vec![standard_library()?];
    if target.is_musl() {
        components.push(musl()?);
        return Ok(components);
    }
    for (archive, license, place) in GNU {
        let component = library(target.c_compiler(), archive, license, place);
        components.push(component.with_context(|| {
            format!("the licence of {archive}, which is linked into the program: it is that of its Debian package")
        })?);
    }
    Ok(components)
}

fn standard_library() -> Result<Component> {
    let version = output(&mut command("rustc --version"))?;
    let version = version
        .split(' ')
        .nth(1)
        .context("rustc --version")?
        .to_owned();
    let sysroot = output(&mut command("rustc --print sysroot"))?;
    let notices = Path::new(sysroot.trim()).join("share/doc/rust/COPYRIGHT-library.html");
    let html = std::fs::read_to_string(&notices)
        .with_context(|| format!("the licences of Rust's library: {}", notices.display()))?;
    Ok(Component {
        name: "rust-std".to_owned(),
        purl: format!("pkg:generic/rust-std@{version}"),
        version: Some(version),
        license: "MIT OR Apache-2.0",
        place: "https://github.com/rust-lang/rust",
        texts: vec![("COPYRIGHT-library.html".to_owned(), plain(&html))],
    })
}

/// Rust brings its own, and not its licence.
fn musl() -> Result<Component> {
    Ok(Component {
        name: "musl".to_owned(),
        version: None,
        license: "MIT",
        purl: "pkg:generic/musl".to_owned(),
        place: "https://musl.libc.org",
        texts: vec![notices("musl-dev")?],
    })
}

/// What a package of Debian, or of what is made of it, says of its copyright.
fn notices(package: &str) -> Result<(String, String)> {
    let path = format!("/usr/share/doc/{package}/copyright");
    let text = std::fs::read_to_string(&path).with_context(|| path.clone())?;
    Ok(("copyright".to_owned(), text))
}

/// What a page says: its text without tags, and without the lines that are then blank.
fn plain(html: &str) -> String {
    let body = html.split_once("<body>").map_or(html, |(_, body)| body);
    let mut text = String::new();
    for (index, part) in body.split('<').enumerate() {
        let after = if index == 0 {
            Some(part)
        } else {
            part.split_once('>').map(|(_, after)| after)
        };
        text += after.unwrap_or_default();
    }
    for (entity, character) in [
        ("&#60;", "<"),
        ("&lt;", "<"),
        ("&#62;", ">"),
        ("&gt;", ">"),
        ("&#34;", "\""),
        ("&quot;", "\""),
        ("&#39;", "'"),
        ("&#38;", "&"),
        ("&amp;", "&"),
    ] {
        text = text.replace(entity, character);
    }
    let lines = text
        .lines()
        .map(str::trim_end)
        .filter(|line| !line.is_empty());
    lines.collect::<Vec<_>>().join("\n")
}

/// The package that an archive of the C compiler is from.
fn library(
    compiler: &str,
    archive: &str,
    license: &'static str,
    place: &'static str,
) -> Result<Component> {
    let path = output(Command::new(compiler).arg(format!("-print-file-name={archive}")))?;
    let path =
        std::fs::canonicalize(path.trim()).with_context(|| format!("{compiler} has none"))?;
    let owner = output(Command::new("dpkg-query").arg("--search").arg(&path))?;
    let (owner, _) = owner.split_once(": ").context("dpkg-query --search")?;
    let mut show = Command::new("dpkg-query");
    show.args([
        "--show",
        "--showformat=${Package} ${Version} ${Architecture}",
    ]);
    let shown = output(show.arg(owner))?;
    let mut words = shown.split(' ').map(str::to_owned);
    let (Some(name), Some(version), Some(architecture)) =
        (words.next(), words.next(), words.next())
    else {
        anyhow::bail!("dpkg-query --show: {shown:?}");
    };
    let mut texts = vec![notices(&name)?];
    texts.extend(standard(license));
    let release = std::fs::read_to_string("/etc/os-release").unwrap_or_default();
    let vendor = release.lines().find_map(|line| line.strip_prefix("ID="));
    let vendor = vendor.unwrap_or("debian").trim_matches('"');
    let encoded = version.replace('+', "%2B").replace(':', "%3A");
    let purl = format!("pkg:deb/{vendor}/{name}@{encoded}?arch={architecture}");
    Ok(Component {
        name,
        version: Some(version),
        license,
        purl,
        place,
        texts,
    })
}

/// The texts that Debian's notices only name.
fn standard(license: &str) -> Vec<(String, String)> {
    let mut texts = Vec::new();
    for word in license.split(' ') {
        let id = spdx::license_id(word).filter(|id| id.is_gnu());
        let exception = spdx::exception_id(word);
        let text = id
            .map(|id| id.text())
            .or_else(|| exception.map(|id| id.text()));
        texts.extend(text.map(|text| (word.to_owned(), text.to_owned())));
    }
    texts
}

#[cfg(test)]
mod tests;
