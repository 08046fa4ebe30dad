//! The program as it is given to others: optimised, linked statically, so that it runs without libraries beside it, and the
//! same bytes wherever it is built.

mod target;

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde_json::Value;

pub(crate) use self::target::Target;
use crate::command::{self, command, output, root};

pub(crate) const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Builds it for `target`, and returns its path.
pub(crate) fn build(target: &Target) -> Result<PathBuf> {
    let places = Places::find()?;
    let mut rust_flags = vec![
        "-Ctarget-feature=+crt-static".to_owned(),
        // By default the C library is asked whether it has this function, which only a dynamic one can tell.
        "--cfg=getrandom_backend=\"linux_getrandom\"".to_owned(),
    ];
    let mut c_flags = c_flags(target);
    for (path, name) in places.names() {
        rust_flags.push(format!("--remap-path-prefix={}={name}", path.display()));
        c_flags.push(format!(" -ffile-prefix-map={}={name}", path.display()));
    }
    command::run(
        command("cargo build --release --locked --package activator-bin --target")
            .arg(target.name())
            .env("CARGO_ENCODED_RUSTFLAGS", rust_flags.join("\x1f"))
            .env(c_flags_variable(target), c_flags)
            .envs(commit().map(|commit| ("ACTIVATOR_BUILD_COMMIT", commit)))
            // Whatever is good for development.
            .env("CARGO_INCREMENTAL", "0")
            .envs(target.linker_variable()),
    )?;
    let program = places.target.join(target.name()).join("release/activator");
    Ok(program)
}

/// What is built, for `activator version`: None outside a clone.
fn commit() -> Option<String> {
    let commit = output(&mut command(
        "git describe --always --abbrev=40 --dirty --exclude=*",
    ));
    commit.ok().map(|commit| commit.trim().to_owned())
}

/// The paths of this machine that compilers would write into the program. They are no business of those who run it, and would
/// make it differ from machine to machine.
struct Places {
    cargo_home: PathBuf,
    target: PathBuf,
}

impl Places {
    fn find() -> Result<Self> {
        Ok(Self {
            cargo_home: cargo_home()?,
            target: target_directory()?,
        })
    }

    /// What stands in the program instead. Of several that fit compilers take the last.
    fn names(&self) -> [(&Path, &'static str); 3] {
        [
            (&self.cargo_home, "cargo"),
            (root(), "."),
            (&self.target, "target"),
        ]
    }
}

/// Where cargo keeps the sources of packages.
pub(crate) fn cargo_home() -> Result<PathBuf> {
    if let Some(home) = std::env::var_os("CARGO_HOME") {
        return Ok(home.into());
    }
    let home = std::env::var_os("HOME").context("neither CARGO_HOME nor HOME is set")?;
    Ok(PathBuf::from(home).join(".cargo"))
}

/// Where cargo builds.
pub(crate) fn target_directory() -> Result<PathBuf> {
    let metadata = output(&mut command("cargo metadata --no-deps --format-version 1"))?;
    let metadata: Value = serde_json::from_str(&metadata).context("cargo metadata")?;
    let directory = metadata["target_directory"].as_str();
    Ok(directory
        .context("cargo metadata has no target_directory")?
        .into())
}

/// Where the C compiler's flags for one target are looked for, before more general variables.
fn c_flags_variable(target: &Target) -> String {
    format!("CFLAGS_{}", target.name().replace('-', "_"))
}

/// The flags that are set already: ours are added to them.
fn c_flags(target: &Target) -> OsString {
    [&c_flags_variable(target), "TARGET_CFLAGS", "CFLAGS"]
        .iter()
        .find_map(std::env::var_os)
        .unwrap_or_default()
}
