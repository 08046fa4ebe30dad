//! An image for Kubernetes: the program, statically linked, and nothing else.

mod archive;

use std::path::PathBuf;

use anyhow::Result;

use self::archive::Image;
use crate::command::root;
use crate::program::{self, Target, VERSION};

pub(crate) fn run() -> Result<()> {
    println!("{}", write()?.display());
    Ok(())
}

/// Builds the program and writes the archive; the same program gives the same bytes.
pub(crate) fn write() -> Result<PathBuf> {
    let target = Target::find(None)?;
    let program = program::build(&target)?;
    let image = Image {
        version: VERSION,
        architecture: target.architecture(),
        files: &[
            ("LICENSE", 0o644, &std::fs::read(root().join("LICENSE"))?),
            ("activator", 0o755, &std::fs::read(program)?),
        ],
    };
    let path = root().join(format!("target/dist/activator-{VERSION}.oci.tar"));
    std::fs::create_dir_all(root().join("target/dist"))?;
    std::fs::write(&path, image.archive()?)?;
    Ok(path)
}
