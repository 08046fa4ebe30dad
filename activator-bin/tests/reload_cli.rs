//! The program while its file changes: what it logs, and what a SIGHUP does.
#![expect(clippy::unwrap_used, reason = "in a test an unwrap is an assertion")]

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

/// Longer than anything here takes; whoever waits longer has failed.
const PATIENCE: Duration = Duration::from_secs(10);

struct Activator {
    process: Child,
    log: Receiver<String>,
    file: PathBuf,
}

impl Activator {
    fn start(test: &str, text: &str) -> Self {
        let directory = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(test);
        std::fs::create_dir_all(&directory).unwrap();
        let file = directory.join("activator.toml");
        std::fs::write(&file, text).unwrap();
        let mut process = Command::new(env!("CARGO_BIN_EXE_activator"))
            .arg("--config")
            .arg(&file)
            .args([
                "--listen-http",
                "127.0.0.1:0",
                "--listen-http2",
                "off",
                "--listen-admin",
                "127.0.0.1:0",
            ])
            .env_clear()
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(process.stderr.take().unwrap()).lines();
        let (sender, log) = channel();
        std::thread::spawn(move || {
            // What probes find comes at a time of its own.
            let is_awaited = |line: &String| !line.contains(" activator_bin::probe::");
            for line in lines.map_while(Result::ok).filter(is_awaited) {
                let _ = sender.send(line);
            }
        });
        let it = Self { process, log, file };
        it.logs("serving, try: ");
        it
    }

    /// The next line of the log ends like that or has it in it.
    fn logs(&self, expected: &str) {
        let line = self.log.recv_timeout(PATIENCE);
        let line = line.unwrap_or_else(|error| panic!("{error} before {expected:?}"));
        assert!(line.contains(expected), "{expected:?} in {line:?}");
    }

    fn write(&self, text: &str) {
        let new = self.file.with_extension("new");
        std::fs::write(&new, text).unwrap();
        std::fs::rename(new, &self.file).unwrap();
    }

    fn signal(&self, name: &str) {
        let id = self.process.id().to_string();
        let status = Command::new("kill").args(["-s", name, &id]).status();
        assert!(status.unwrap().success());
    }

    fn end(mut self) {
        self.signal("TERM");
        self.logs("SIGTERM: no new connections");
        self.logs("stopped");
        assert_eq!(self.process.wait().unwrap().code(), Some(0));
        assert!(
            self.log.recv_timeout(PATIENCE).is_err(),
            "nothing more is logged"
        );
    }
}

impl Drop for Activator {
    fn drop(&mut self) {
        // It has ended unless the test has failed.
        let _ = self.process.kill();
        let _ = self.process.wait();
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
    activator.signal("HUP");
    activator.logs("SIGHUP: reading the configuration again");
    errors(&activator);
    activator.end();
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
    activator.end();
}
