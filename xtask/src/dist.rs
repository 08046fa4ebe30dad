//! A release archive: the program, its licence, its documents and its manifests for Kubernetes.

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
    for folder in ["docs", "deploy/kubernetes"] {
        let copy = directory.join(folder);
        std::fs::create_dir_all(&copy)?;
        for file in std::fs::read_dir(root().join(folder))? {
            let file = file?;
            std::fs::copy(file.path(), copy.join(file.file_name()))?;
        }
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
