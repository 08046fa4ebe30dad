//! The program while its file changes: what it logs, and what a SIGHUP does.

use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use rustix::process::{Resource, Rlimit, getrlimit, prlimit};

use crate::directory::Directory;
use crate::program::{FREE, Program, activator};

struct Activator {
    program: Program,
    directory: Directory,
    file: PathBuf,
}

impl Activator {
    fn start(text: &str) -> Self {
        let directory = Directory::new();
        let file = directory.write("activator.toml", text);
        let program = Program::start(activator(FREE).arg("--config").arg(&file));
        program.logs("serving, try: ");
        Self {
            program,
            directory,
            file,
        }
    }

    fn logs(&self, expected: &str) {
        self.program.logs(expected);
    }

    fn write(&self, text: &str) {
        self.directory.write("activator.toml", text);
    }
}

#[test]
fn hangup_reads_the_file_again_and_logs_all_errors() {
    let activator = Activator::start("workers = 1\n");
    let file = activator.file.display().to_string();
    let errors = |activator: &Activator| {
        activator.logs("the new configuration is invalid; keeping the previous one");
        let range = "workers: expected a whole number from 1 to 1024, found 0";
        activator.logs(&format!("{file}:1:11: {range}"));
        activator.logs(&format!(
            "{file}:2:1: lg: unknown field; did you mean \"log\"?"
        ));
    };
    activator.write("workers = 0\nlg = 1\n");
    errors(&activator);
    activator.program.signal("HUP");
    activator.logs("SIGHUP: reloading the configuration");
    errors(&activator);
    activator.program.stop();
}

#[test]
fn hangup_without_a_file_is_logged() {
    let program = Program::start(activator(FREE).stdout(Stdio::null()));
    program.logs_at_last("serving, try: ");
    for _ in 0..2 {
        program.signal("HUP");
        program.logs("SIGHUP: there is no configuration file to reload");
    }
    program.stop();
}

#[test]
fn settings_that_need_a_restart_are_logged_once() {
    let activator = Activator::start("workers = 1\n");
    let revision = "[[revision]]\nnamespace = \"a\"\nname = \"b\"\n";
    let restart = "changes to these settings take effect at the next start: ";
    activator.write("workers = 2\n[admin]\nwrite = true\n");
    activator.logs(&format!("{restart}workers, admin.write"));
    activator.write(&format!("workers = 2\n[admin]\nwrite = true\n{revision}"));
    activator.logs("revisions changed added=1 changed=0 removed=0");
    activator.write(&format!(
        "workers = 2\n{revision}backends = [\"127.0.0.1:1\"]\n"
    ));
    activator.logs(&format!("{restart}workers"));
    activator.logs("revisions changed added=0 changed=1 removed=0");
    activator.write("workers = 1\n");
    activator.logs("revisions changed added=0 changed=0 removed=1");
    activator.program.stop();
}

const ONE_REVISION: &str = "workers = 1\n[[revision]]\nnamespace = \"default\"\nname = \"hello\"\n";

#[test]
fn configuration_from_a_pipe_is_read_once() {
    let directory = Directory::new();
    let named = directory.path("activator.toml");
    let made = Command::new("mkfifo").arg(&named).status();
    assert!(made.unwrap().success());
    for path in [PathBuf::from("/dev/stdin"), named] {
        let (reader, mut writer) = std::io::pipe().unwrap();
        writer.write_all(ONE_REVISION.as_bytes()).unwrap();
        drop(writer);
        let fifo = path.clone();
        let writing = std::thread::spawn(move || {
            if !fifo.starts_with("/dev") {
                std::fs::write(fifo, ONE_REVISION).unwrap();
            }
        });
        let program = Program::start(activator(FREE).arg("--config").arg(&path).stdin(reader));
        let once = format!("{} is a pipe, which cannot be read twice: ", path.display());
        program.logs_at_last(&format!("{once}it is not watched"));
        writing.join().unwrap();
        for _ in 0..2 {
            program.signal("HUP");
            program.logs_at_last(&format!("SIGHUP: {once}keeping the configuration"));
        }
        if !path.starts_with("/dev") {
            // Once there is a file in its place, that is watched.
            let replace = |text: &str| directory.write("activator.toml", text);
            let second = ONE_REVISION
                .replace("workers = 1\n", "")
                .replace("hello", "second");
            replace(&format!("{ONE_REVISION}{second}"));
            program.signal("HUP");
            program.logs_at_last("revisions changed added=1 changed=0 removed=0");
            replace(ONE_REVISION);
            program.logs_at_last("revisions changed added=0 changed=0 removed=1");
        }
        program.signal("TERM");
        program.logs_at_last("stopped");
        program.ends(0);
    }
}

#[test]
fn unreadable_file_is_retried() {
    let directory = Directory::new();
    let file = directory.write("activator.toml", "workers = 1\n");
    let program = Program::start(activator(FREE).arg("--config").arg(&file));
    program.logs("serving, try: ");
    let all = getrlimit(Resource::Nofile);
    let few = Rlimit {
        current: Some(8),
        ..all
    };
    let limit = |limit| prlimit(Some(program.id()), Resource::Nofile, limit).unwrap();
    let before = limit(few);
    directory.write("activator.toml", ONE_REVISION);
    program.logs_at_last("activator.toml: cannot be read: Too many open files");
    limit(before);
    program.logs_at_last("activator.toml can be read again");
    program.logs_at_last("revisions changed added=1");
    program.signal("TERM");
    program.logs_at_last("stopped");
    program.ends(0);
}
