//! A Debian package of the program, with its units and its user.

mod control;
mod layout;

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use self::control::Release;
pub(crate) use self::control::upstream_version;
use crate::archive::Files;
use crate::command::{self, command};
use crate::dist::parts::Parts;
use crate::dist::{self, Options};
use crate::program::{Target, target_directory};

pub(crate) fn run(options: &Options) -> Result<()> {
    let target = Target::find(options.target.as_deref())?;
    let parts = Parts::build(&target)?;
    println!("{}", pack(&parts, &target, 1)?.display());
    Ok(())
}

/// Makes the package; `revision` counts those of one version.
pub(crate) fn pack(parts: &Parts, target: &Target, revision: u32) -> Result<PathBuf> {
    let release = Release {
        revision,
        architecture: target.architecture(),
        time: parts.time,
        maintainer: control::maintainer(),
    };
    let content = layout::files(parts, &release)?;
    let control = control::files(&content, &release)?;
    let directory = target_directory()?.join("dist");
    let staged = Staged::write(&directory.join("deb"), &content, &control)?;
    let path = directory.join(release.file_name());
    // Threads have a say in what xz makes of the same bytes. Higher levels take five times as long for a tenth of the size.
    let mut build = command("dpkg-deb --root-owner-group -Zxz -z1 --threads-max=1 --build");
    build.env("SOURCE_DATE_EPOCH", parts.time.to_string());
    command::run(build.arg(&staged.0).arg(&path))
        .context("Debian's package dpkg makes packages")?;
    dist::sum(&directory)?;
    Ok(path)
}

/// The files of a package where dpkg-deb looks for them, until they are packed.
struct Staged(PathBuf);

impl Staged {
    fn write(place: &Path, content: &Files, control: &Files) -> Result<Self> {
        if place.exists() {
            std::fs::remove_dir_all(place)?;
        }
        let staged = Self(place.to_owned());
        let control = control
            .iter()
            .map(|(path, file)| (format!("DEBIAN/{path}"), file));
        let content = content.iter().map(|(path, file)| (path.clone(), file));
        for (path, file) in content.chain(control) {
            let path = place.join(path);
            let directory = path.parent().context("a file is in a directory")?;
            std::fs::create_dir_all(directory)?;
            // Whatever the umask is.
            for directory in directory.ancestors().take_while(|it| it.starts_with(place)) {
                set_mode(directory, 0o755)?;
            }
            std::fs::write(&path, &file.content)?;
            set_mode(&path, file.mode)?;
        }
        Ok(staged)
    }
}

fn set_mode(path: &Path, mode: u32) -> Result<()> {
    Ok(std::fs::set_permissions(
        path,
        std::fs::Permissions::from_mode(mode),
    )?)
}

impl Drop for Staged {
    fn drop(&mut self) {
        // Left files are removed before the next package is made.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
