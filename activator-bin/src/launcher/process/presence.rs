//! Whether the programs, directories and users of launched revisions are there. A start finds out anyway; this says it
//! before.

use std::env;
use std::fmt;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use reporter_core::RevisionKey;

use super::surroundings::{Values, surroundings};
use crate::launcher::supervisor::order::{Surroundings, Task};
use crate::launcher::supervisor::user::Account;
use crate::revision::RevisionSpec;
use crate::revision::launch::{BusyCheck, LaunchSpec};

/// Something that a revision names and that is not there.
#[derive(Debug)]
pub(crate) struct Absent {
    revision: RevisionKey,
    field: &'static str,
    why: String,
}

impl fmt::Display for Absent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}: {}", self.revision, self.field, self.why)
    }
}

/// What is not there of all that the revisions name. Blocks.
pub(crate) fn absent(revisions: &[RevisionSpec]) -> Vec<Absent> {
    let mut all = Vec::new();
    for RevisionSpec { key, launch, .. } in revisions {
        let found = launch.iter().flat_map(|launch| absent_of(key, launch));
        all.extend(found.map(|(field, why)| Absent {
            revision: key.clone(),
            field,
            why,
        }));
    }
    all
}

/// The fields that name what is not there, each with what is wrong.
fn absent_of(key: &RevisionKey, launch: &LaunchSpec) -> Vec<(&'static str, String)> {
    let own = |name: &str| env::var(name).ok();
    // As for the first instance. Where that listens is not known yet.
    let (task, place) = surroundings(&launch.start, &Values::first(key.name()), own);
    let mut checks = vec![("dir", check_dir(&place)), ("user", check_user(&place))];
    match &task {
        Task::Process { command } => checks.push(("command", check_command(&place, command))),
        Task::Commands { start, stop } => {
            checks.push(("start_command", check_command(&place, start)));
            checks.push(("stop_command", check_command(&place, stop)));
        }
    }
    if let Some(BusyCheck::Command(command)) = &launch.busy_check {
        checks.push(("busy_check", check_command(&place, command)));
    }
    let absent = checks.into_iter();
    absent
        .filter_map(|(field, check)| Some((field, check.err()?)))
        .collect()
}

fn check_user(place: &Surroundings) -> Result<(), String> {
    let Some(user) = &place.user else {
        return Ok(());
    };
    Account::find(user)?.may_be_used(user)
}

fn check_dir(place: &Surroundings) -> Result<(), String> {
    let Some(dir) = &place.dir else {
        return Ok(());
    };
    let shown = dir.display();
    match fs::metadata(dir) {
        Ok(found) if found.is_dir() => Ok(()),
        Ok(_) => Err(format!("{shown} is not a directory")),
        Err(error) => Err(format!("cannot enter the directory {shown}: {error}")),
    }
}

/// Looks for the program of a command; an empty command has none.
fn check_command(place: &Surroundings, command: &[String]) -> Result<(), String> {
    let Some(program) = command.first() else {
        return Ok(());
    };
    let within = |path: &str| match &place.dir {
        Some(dir) => dir.join(path),
        None => PathBuf::from(path),
    };
    if program.contains('/') {
        return check_program(&within(program));
    }
    let path = place.env.get("PATH").map_or("", String::as_str);
    // An empty part stands for the working directory.
    let mut folders = path.split(':').map(within);
    if folders.any(|folder| check_program(&folder.join(program)).is_ok()) {
        return Ok(());
    }
    Err(format!(
        "there is no program {program:?} on the PATH, {path}"
    ))
}

fn check_program(file: &Path) -> Result<(), String> {
    let shown = file.display();
    match fs::metadata(file) {
        Ok(found) if !found.is_file() => Err(format!("{shown} is not a program")),
        Ok(found) if found.permissions().mode() & 0o111 == 0 => {
            Err(format!("{shown} is not executable"))
        }
        Ok(_) => Ok(()),
        Err(error) => Err(format!("cannot run {shown}: {error}")),
    }
}
