//! A recipe in a directory that stands for `/`, and an activator that runs it.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};

use super::page::Recipe;
use crate::command::{self, root};
use crate::support::activator::{program, put_to_sleep};
use crate::support::http::{Answer, get_from};
use crate::support::process::{Process, Scratch, free_address, wait_for_listener, wait_until};

/// The directories of the recipes; here they are below that of the trial.
const DIRECTORIES: [&str; 3] = ["/etc/", "/srv/", "/run/"];
/// Where the recipes have the activator.
const PROGRAM: &str = "/usr/local/bin/activator";
/// Where they have its port for requests.
const HTTP: &str = "127.0.0.1:8012";

const FILE: &str = "/etc/activator.toml";

/// A recipe whose files are in place.
pub(super) struct Trial {
    pub(super) recipe: Recipe,
    /// Where the activator listens for requests, and its admin port.
    pub(super) http: SocketAddr,
    pub(super) admin: SocketAddr,
    replaced: Vec<(String, String)>,
    scratch: Scratch,
}

impl Trial {
    /// Lays out the files below `heading`. Besides directories, the program and its port only what `replaced` lists is
    /// not as the page has it.
    pub(super) fn new(heading: &str, replaced: &[(&str, String)]) -> Result<Self> {
        let recipe = Recipe::read(heading)?;
        let scratch = Scratch::new("recipe")?;
        let base = scratch.path("");
        let http = free_address()?;
        let mut all = vec![
            (PROGRAM.to_owned(), program().display().to_string()),
            (HTTP.to_owned(), http.to_string()),
        ];
        for (from, to) in replaced {
            let is_there = recipe.files.iter().any(|(_, text)| text.contains(from));
            ensure!(is_there, "{heading}: no {from:?}");
            all.push(((*from).to_owned(), to.clone()));
        }
        let below = |directory: &str| format!("{}{}", base.display(), &directory[1..]);
        all.extend(DIRECTORIES.map(|directory| (directory.to_owned(), below(directory))));
        let trial = Self {
            recipe,
            http,
            admin: free_address()?,
            replaced: all,
            scratch,
        };
        for (path, text) in &trial.recipe.files {
            trial.write(path, &trial.here(text))?;
        }
        std::fs::create_dir_all(trial.path("bin"))?;
        symlink(program(), trial.path("bin/activator"))?;
        Ok(trial)
    }

    /// A text of the page as it must be here.
    pub(super) fn here(&self, text: &str) -> String {
        let replace = |text: String, (from, to): &(String, String)| text.replace(from, to);
        self.replaced.iter().fold(text.to_owned(), replace)
    }

    /// Where a path of the recipe is.
    pub(super) fn path(&self, path: &str) -> PathBuf {
        self.scratch.path(path.trim_start_matches('/'))
    }

    /// Writes a file of the recipe, or one that it expects to be there.
    pub(super) fn write(&self, path: &str, text: &str) -> Result<()> {
        let path = self.path(path);
        let directory = path.parent().context("a file is in a directory")?;
        std::fs::create_dir_all(directory)?;
        std::fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))
    }

    /// Puts `e2e/recipes/NAME` at `path`.
    pub(super) fn put(&self, name: &str, path: &str) -> Result<()> {
        let path = self.path(path);
        std::fs::create_dir_all(path.parent().context("a file is in a directory")?)?;
        std::fs::copy(root().join("e2e/recipes").join(name), path)?;
        Ok(())
    }

    /// `command` in the directory of the trial: the ports are free ones, and the admin port takes changes. The programs of
    /// the trial come first, then those of the scenes' Python.
    pub(super) fn with_environment<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        let own = std::env::var_os("PATH").unwrap_or_default();
        let path: OsString = std::env::join_paths(
            [self.path("bin"), root().join(".venv/bin")]
                .into_iter()
                .chain(std::env::split_paths(&own)),
        )
        .expect("no path has a colon");
        command.current_dir(self.path(""));
        command.env("PATH", path);
        command.envs(self.variables())
    }

    /// The settings that the recipe leaves to defaults.
    pub(super) fn variables(&self) -> [(&'static str, String); 5] {
        [
            ("ACTIVATOR_LISTEN_HTTP", self.http.to_string()),
            ("ACTIVATOR_LISTEN_HTTP2", "off".to_owned()),
            ("ACTIVATOR_LISTEN_ADMIN", self.admin.to_string()),
            ("ACTIVATOR_ADMIN_WRITE", "true".to_owned()),
            ("ACTIVATOR_LOG", "warn".to_owned()),
        ]
    }

    /// The activator with the recipe's file, which `check` must find nothing in.
    pub(super) fn start(&self) -> Result<Process> {
        let file = self.path(FILE);
        let mut check = Command::new(program());
        let check = self.with_environment(&mut check);
        command::run(check.arg("check").arg(&file).stdout(Stdio::null()))?;
        let mut activator = Command::new(program());
        self.serve(activator.arg("--config").arg(file))
    }

    /// `command` is an activator.
    pub(super) fn serve(&self, command: &mut Command) -> Result<Process> {
        let command = self.with_environment(command);
        let process = Process::start(command.stdout(Stdio::null()))?;
        wait_for_listener(self.admin)?;
        wait_for_listener(self.http)?;
        Ok(process)
    }

    pub(super) fn get(&self, host: &str, path: &str) -> Result<Answer> {
        get_from(self.http, host, path, "")
    }

    /// Puts a revision to sleep.
    pub(super) fn sleep(&self, revision: &str) -> Result<()> {
        put_to_sleep(self.admin, revision)
    }

    /// SIGTERM to `activator` alone, and its end.
    pub(super) fn stop(&self, activator: Process) -> Result<()> {
        activator.signal("TERM")?;
        self.ends(activator)
    }

    /// `activator` must end in good order, and nothing that ran in the trial may be left.
    pub(super) fn ends(&self, mut activator: Process) -> Result<()> {
        let status = activator.wait(Duration::from_secs(40))?;
        ensure!(status.success(), "the activator ended with {status}");
        let left = left(&self.path(""))?;
        if !left.is_empty() {
            bail!("still running: {left:?}");
        }
        Ok(())
    }
}

/// Waits until there is no process `id`.
pub(super) fn wait_for_end(id: u32) -> Result<()> {
    let what = format!("process {id} has not ended");
    wait_until(&what, Duration::from_secs(20), || {
        Ok((!Path::new(&format!("/proc/{id}")).exists()).then_some(()))
    })
}

/// The processes that run in or below `directory`.
fn left(directory: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc")? {
        let process = entry?.path();
        // It may have ended meanwhile.
        let place = std::fs::read_link(process.join("cwd")).unwrap_or_default();
        if place.starts_with(directory) {
            found.push(process);
        }
    }
    Ok(found)
}
