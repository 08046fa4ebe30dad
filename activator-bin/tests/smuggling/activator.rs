//! The program under test.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};

/// A running program.
pub(crate) struct Activator {
    process: Child,
    file: PathBuf,
    pub(crate) http: SocketAddr,
    log: Arc<Mutex<Vec<String>>>,
}

impl Activator {
    /// Starts one with `revisions` of the namespace default, each on its backend.
    pub(crate) fn start(name: &str, revisions: &[(&str, SocketAddr)]) -> Self {
        let directory = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("smuggling");
        std::fs::create_dir_all(&directory).unwrap();
        // Not shared with another run of these tests.
        let file = directory.join(format!("{name}-{}.toml", std::process::id()));
        let mut text = "workers = 1\ncluster_domain = \"c\"\n".to_owned();
        for (name, backend) in revisions {
            text += &format!(
                "[[revision]]\nnamespace = \"default\"\nname = \"{name}\"\n\
                 probe = \"none\"\nbackends = [\"{backend}\"]\n"
            );
        }
        std::fs::write(&file, text).unwrap();
        let free = "127.0.0.1:0";
        let mut process = Command::new(env!("CARGO_BIN_EXE_activator"))
            .arg("--config")
            .arg(&file)
            .args(["--listen-http", free, "--listen-http2", "off"])
            .args(["--listen-admin", free])
            .env_clear()
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut log = BufReader::new(process.stderr.take().unwrap()).lines();
        let address = log.by_ref().find_map(|line| {
            let line = line.unwrap();
            let (_, address) = line.rsplit_once(" http://")?;
            line.contains("serving, try: ")
                .then(|| address.trim_end_matches('/').parse().unwrap())
        });
        let kept = Arc::<Mutex<Vec<_>>>::default();
        let keeper = Arc::clone(&kept);
        std::thread::spawn(move || {
            log.map_while(Result::ok).for_each(|line| {
                // What the program fails with belongs to a failing test's output.
                println!("{line}");
                keeper.lock().unwrap().push(line);
            });
        });
        Self {
            process,
            file,
            http: address.expect("it says where it serves"),
            log: kept,
        }
    }
}

impl Activator {
    /// What it has logged since it serves.
    pub(crate) fn log(&self) -> Vec<String> {
        self.log.lock().unwrap().clone()
    }
}

impl Drop for Activator {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        let _ = std::fs::remove_file(&self.file);
    }
}
