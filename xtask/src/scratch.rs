//! For tests of tasks: a folder with a project, and a git repository, of their own.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::command::{output, run};
use crate::git::Git;

/// Is removed at its end.
pub(crate) struct Scratch {
    root: PathBuf,
}

impl Scratch {
    pub(crate) fn new() -> Self {
        static NUMBER: AtomicUsize = AtomicUsize::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let root = std::env::temp_dir().join(format!("xtask-{}-{number}", std::process::id()));
        fs::create_dir(&root).unwrap();
        Self {
            // As programs see it that are started there.
            root: root.canonicalize().unwrap(),
        }
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    pub(crate) fn write(&self, path: &str, text: &str) {
        let path = self.root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    pub(crate) fn read(&self, path: &str) -> String {
        fs::read_to_string(self.root.join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
    }

    /// A shell script that can be run.
    ///
    /// Another process writes it: what this one has open for writing, children that other tests start at that moment
    /// have open too, and such a file cannot be executed.
    pub(crate) fn program(&self, path: &str, script: &str) {
        let source = format!("{path}.source");
        self.write(&source, &format!("#!/bin/sh\n{script}\n"));
        let mut install = Command::new("install");
        install.arg("--mode=755").arg(self.root.join(&source));
        run(install.arg(self.root.join(path))).unwrap();
        fs::remove_file(self.root.join(source)).unwrap();
    }

    /// Makes it a repository whose first commit, on `main`, is all that was written so far.
    ///
    /// What the machine's git is configured to do changes nothing here.
    pub(crate) fn commit(&self) {
        self.git("init --quiet --initial-branch main");
        for setting in [
            "user.name Somebody",
            "user.email somebody@example.com",
            "commit.gpgSign false",
            "tag.gpgSign false",
            "core.hooksPath /dev/null",
        ] {
            self.git(&format!("config {setting}"));
        }
        self.git("add --all");
        self.git("commit --quiet --message first");
    }

    /// What `git LINE` prints.
    pub(crate) fn git(&self, line: &str) -> String {
        output(&mut Git::at(&self.root).command(line)).unwrap()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.root);
    }
}
