//! The program for an image: linked statically, since there are no libraries beside it.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};

use crate::command::{self, command, output, root};

/// What goes into an image.
pub(crate) struct Program {
    pub(crate) path: PathBuf,
    /// In Go's words, as the format of images wants it.
    pub(crate) architecture: &'static str,
}

/// Rust's name of an architecture, and Go's.
const ARCHITECTURES: [(&str, &str); 2] = [("aarch64", "arm64"), ("x86_64", "amd64")];

pub(crate) fn build() -> Result<Program> {
    let host = output(&mut command("rustc --print host-tuple"))?;
    let host = host.trim();
    let known = ARCHITECTURES
        .iter()
        .find(|(rust, _)| host.split('-').next() == Some(rust));
    let &(rust, architecture) = known.with_context(|| {
        let known = ARCHITECTURES.map(|(rust, _)| rust).join(", ");
        format!("images are made on {known}, this machine is {host}")
    })?;
    ensure!(
        host.contains("-linux-"),
        "images are made on Linux, this machine is {host}"
    );

    let musl = format!("{rust}-unknown-linux-musl");
    let target = if has_musl(&musl)? { &musl } else { host };
    let flags = [
        "-Ctarget-feature=+crt-static".to_owned(),
        // By default the C library is asked whether it has this function, which only a dynamic one can tell.
        "--cfg=getrandom_backend=\"linux_getrandom\"".to_owned(),
        // Paths of this machine are no business of those who run the image, and would make it differ from machine to machine.
        format!("--remap-path-prefix={}=cargo", cargo_home()?.display()),
        format!("--remap-path-prefix={}=.", root().display()),
    ];
    command::run(
        command("cargo build --release --locked --package activator-bin --target")
            .arg(target)
            .env("CARGO_ENCODED_RUSTFLAGS", flags.join("\x1f")),
    )?;
    let path = root().join("target").join(target).join("release/activator");
    Ok(Program { path, architecture })
}

/// Whether there are both Rust's library for musl and a C compiler for it, which two dependencies need.
fn has_musl(target: &str) -> Result<bool> {
    let sysroot = output(&mut command("rustc --print sysroot"))?;
    let library = Path::new(sysroot.trim()).join("lib/rustlib").join(target);
    let mut compiler = Command::new("musl-gcc");
    let compiler = compiler.arg("--version").stdout(Stdio::null());
    Ok(library.is_dir() && compiler.status().is_ok_and(|status| status.success()))
}

fn cargo_home() -> Result<PathBuf> {
    if let Some(home) = std::env::var_os("CARGO_HOME") {
        return Ok(home.into());
    }
    let home = std::env::var_os("HOME").context("neither CARGO_HOME nor HOME is set")?;
    Ok(PathBuf::from(home).join(".cargo"))
}
