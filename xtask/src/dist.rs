//! A release archive: the program, its licence and its documents.

use anyhow::Result;

use crate::command::{self, command, output, root};

pub(crate) fn run() -> Result<()> {
    command::run(&mut command(
        "cargo build --release --locked --package activator-bin",
    ))?;
    let target = output(&mut command("rustc --print host-tuple"))?;
    let name = format!("activator-{}-{}", env!("CARGO_PKG_VERSION"), target.trim());
    let directory = root().join("target/dist").join(&name);
    std::fs::create_dir_all(&directory)?;
    std::fs::copy(
        root().join("target/release/activator"),
        directory.join("activator"),
    )?;
    for document in ["LICENSE", "README.md", "CHANGELOG.md"] {
        std::fs::copy(root().join(document), directory.join(document))?;
    }
    let docs = directory.join("docs");
    std::fs::create_dir_all(&docs)?;
    for page in std::fs::read_dir(root().join("docs"))? {
        let page = page?;
        std::fs::copy(page.path(), docs.join(page.file_name()))?;
    }
    command::run(
        command("tar --create --gzip --sort=name --owner=0 --group=0 --numeric-owner --file")
            .arg(format!("target/dist/{name}.tar.gz"))
            .args(["--directory", "target/dist"])
            .arg(&name),
    )?;
    println!("target/dist/{name}.tar.gz");
    Ok(())
}
