//! The program while its file changes: what it logs, and what a SIGHUP does.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use crate::program::{ACTIVATOR, Program};

struct Activator {
    program: Program,
    file: PathBuf,
}

impl Activator {
    fn start(test: &str, text: &str) -> Self {
        let directory = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(test);
        std::fs::create_dir_all(&directory).unwrap();
        let file = directory.join("activator.toml");
        std::fs::write(&file, text).unwrap();
        let program = Program::start(
            Command::new(ACTIVATOR)
                .arg("--config")
                .arg(&file)
                .args(["--listen-http", "127.0.0.1:0", "--listen-http2", "off"])
                .args(["--listen-admin", "127.0.0.1:0"])
                .env_clear(),
        );
        program.logs("serving, try: ");
        Self { program, file }
    }

    fn logs(&self, expected: &str) {
        self.program.logs(expected);
    }

    fn write(&self, text: &str) {
        let new = self.file.with_extension("new");
        std::fs::write(&new, text).unwrap();
        std::fs::rename(new, &self.file).unwrap();
    }
}

#[test]
fn a_hangup_reads_the_file_again_and_all_its_errors_are_logged_each_time() {
    let activator = Activator::start("hangup", "workers = 1\n");
    let file = activator.file.display().to_string();
    let errors = |activator: &Activator| {
        activator.logs("the new configuration is bad, the one before stays");
        let range = "workers: expected a whole number from 1 to 1024, found 0";
        activator.logs(&format!("{file}:1:11: {range}"));
        activator.logs(&format!(
            "{file}:2:1: lg: unknown field; did you mean \"log\"?"
        ));
    };
    activator.write("workers = 0\nlg = 1\n");
    errors(&activator);
    activator.program.signal("HUP");
    activator.logs("SIGHUP: reading the configuration again");
    errors(&activator);
    activator.program.stop();
}

#[test]
fn a_hangup_without_a_file_is_survived_and_logged() {
    let program = Program::start(
        Command::new(ACTIVATOR)
            .args(["--listen-http", "127.0.0.1:0", "--listen-http2", "off"])
            .args(["--listen-admin", "127.0.0.1:0"])
            .stdout(Stdio::null())
            .env_clear(),
    );
    program.logs_at_last("serving, try: ");
    for _ in 0..2 {
        program.signal("HUP");
        program.logs("SIGHUP: there is no configuration file to read again");
    }
    program.stop();
}

#[test]
fn settings_that_need_a_restart_are_named_once() {
    let activator = Activator::start("restart", "workers = 1\n");
    let revision = "[[revision]]\nnamespace = \"a\"\nname = \"b\"\n";
    let restart = "these settings take effect at the next start: ";
    activator.write("workers = 2\n[admin]\nwrite = true\n");
    activator.logs(&format!("{restart}workers, admin.write"));
    activator.write(&format!("workers = 2\n[admin]\nwrite = true\n{revision}"));
    activator.logs("revisions have changed added=1 changed=0 removed=0");
    activator.write(&format!(
        "workers = 2\n{revision}backends = [\"127.0.0.1:1\"]\n"
    ));
    activator.logs(&format!("{restart}workers"));
    activator.logs("revisions have changed added=0 changed=1 removed=0");
    activator.write("workers = 1\n");
    activator.logs("revisions have changed added=0 changed=0 removed=1");
    activator.program.stop();
}
