//! What the program is built for, and whether this machine can.

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Result, bail, ensure};

use crate::command::{command, output};

/// A target that can be built here.
pub(crate) struct Target {
    name: String,
    architecture: &'static Architecture,
    /// The linker for another architecture than this machine's.
    linker: Option<String>,
}

/// An architecture in the words of those who name them.
struct Architecture {
    rust: &'static str,
    /// Go's, OCI's and Debian's.
    go: &'static str,
}

const ARCHITECTURES: [Architecture; 2] = [
    Architecture {
        rust: "aarch64",
        go: "arm64",
    },
    Architecture {
        rust: "x86_64",
        go: "amd64",
    },
];

impl Target {
    /// `name`, or this machine's: with musl where there is one.
    pub(crate) fn find(name: Option<&str>) -> Result<Self> {
        let host = output(&mut command("rustc --print host-tuple"))?;
        let host = host.trim();
        if let Some(name) = name {
            return Self::named(name, host);
        }
        let own = Self::known(host)?;
        let musl = format!("{}-unknown-linux-musl", own.architecture.rust);
        if has_library(&musl)? && runs("musl-gcc") {
            return Self::known(&musl);
        }
        Ok(own)
    }

    /// Whether this machine runs it.
    pub(crate) fn runs_here(&self) -> bool {
        self.architecture.rust == std::env::consts::ARCH
    }

    fn named(name: &str, host: &str) -> Result<Self> {
        let mut target = Self::known(name)?;
        ensure!(
            has_library(name)?,
            "Rust's library for {name} is not installed: rustup target add {name}"
        );
        let own = host.split('-').next() == Some(target.architecture.rust);
        let variable = target.linker_name();
        let (compiler, package) = target.compiler(own);
        let compiler = std::env::var(&variable).unwrap_or(compiler);
        ensure!(
            runs(&compiler),
            "{compiler}, which links for {name}, does not run: install it{package}, or name another in {variable}"
        );
        target.linker = (!own).then_some(compiler);
        Ok(target)
    }

    /// Whether it is built for `name` at all.
    pub(crate) fn is_known(name: &str) -> bool {
        Self::known(name).is_ok()
    }

    fn known(name: &str) -> Result<Self> {
        let mut parts = name.splitn(2, '-');
        let (rust, system) = (parts.next(), parts.next().unwrap_or_default());
        let architecture = ARCHITECTURES.iter().find(|known| rust == Some(known.rust));
        let Some(architecture) = architecture else {
            let known = ARCHITECTURES.map(|known| known.rust).join(" and ");
            bail!("the program is built for {known}, not for {name}");
        };
        ensure!(
            ["unknown-linux-gnu", "unknown-linux-musl"].contains(&system),
            "the program is built for Linux, with gnu or musl, not for {name}"
        );
        Ok(Self {
            name: name.to_owned(),
            architecture,
            linker: None,
        })
    }

    /// Rust's name.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// The architecture in the words of Go and Debian.
    pub(crate) fn architecture(&self) -> &'static str {
        self.architecture.go
    }

    /// The C library's name.
    pub(crate) fn is_musl(&self) -> bool {
        self.name.ends_with("-musl")
    }

    /// The C compiler that is asked about the C library.
    pub(crate) fn c_compiler(&self) -> &str {
        match &self.linker {
            Some(linker) => linker,
            None => "cc",
        }
    }

    /// The C compiler that can link for it, and how its package is called.
    fn compiler(&self, own: bool) -> (String, String) {
        match (own, self.is_musl()) {
            (true, false) => ("cc".to_owned(), String::new()),
            (true, true) => ("musl-gcc".to_owned(), " (Debian's musl-tools)".to_owned()),
            (false, musl) => {
                let (rust, library) = (self.architecture.rust, if musl { "musl" } else { "gnu" });
                let compiler = format!("{rust}-linux-{library}-gcc");
                let package = format!(" (Debian's gcc-{}-linux-gnu)", rust.replace('_', "-"));
                (compiler, if musl { String::new() } else { package })
            }
        }
    }

    fn linker_name(&self) -> String {
        let name = self.name.to_uppercase().replace('-', "_");
        format!("CARGO_TARGET_{name}_LINKER")
    }

    /// What tells cargo of the linker.
    pub(super) fn linker_variable(&self) -> Option<(String, &str)> {
        let linker = self.linker.as_deref()?;
        Some((self.linker_name(), linker))
    }
}

/// Whether there is Rust's library for it.
fn has_library(target: &str) -> Result<bool> {
    let sysroot = output(&mut command("rustc --print sysroot"))?;
    Ok(Path::new(sysroot.trim())
        .join("lib/rustlib")
        .join(target)
        .join("lib")
        .is_dir())
}

fn runs(program: &str) -> bool {
    let mut command = Command::new(program);
    let command = command.arg("--version").stdout(Stdio::null());
    command
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

#[cfg(test)]
mod tests;
