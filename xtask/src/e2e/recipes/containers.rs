//! `docker` and `systemctl` as stand-ins, which ask this program to start and stop HTTP servers: what they start is no child
//! of theirs, as with the real ones.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::expect;
use super::trial::Trial;
use crate::support::process::{Process, free_address, wait_for_listener};

const SOON: Duration = Duration::from_secs(20);

pub(super) fn run() -> Result<()> {
    let (web, wiki) = (free_address()?, free_address()?);
    let replaced = [
        ("127.0.0.1:8080", web.to_string()),
        ("127.0.0.1:8081", wiki.to_string()),
    ];
    let trial = Trial::new("Containers and units", &replaced)?;
    trial.recipe.command("docker create --name web ")?;
    let asked = stand_ins(&trial, [("web", web), ("wiki.service", wiki)])?;
    let activator = trial.start()?;
    let next = || asked.recv_timeout(SOON).context("no command was run");

    for (host, name, program) in [
        ("web.example.org", "web", "docker"),
        ("wiki.example.org", "wiki.service", "systemctl"),
    ] {
        // Twice the same way: what was stopped starts again.
        for _ in 0..2 {
            expect(&trial.get(host, "/")?, "Directory listing")?;
            let started = next()?;
            ensure!(started == format!("{program} start {name}"), "{started}");
            trial.sleep(name.trim_end_matches(".service"))?;
            let stopped = next()?;
            ensure!(stopped == format!("{program} stop {name}"), "{stopped}");
        }
        expect(&trial.get(host, "/")?, "Directory listing")?;
        next()?;
    }
    trial.stop(activator)?;
    let mut stopped = [next()?, next()?];
    stopped.sort();
    ensure!(
        stopped == ["docker stop web", "systemctl stop wiki.service"],
        "{stopped:?}"
    );
    Ok(())
}

/// Puts the stand-ins in place. What they were asked comes out of the channel.
fn stand_ins(trial: &Trial, servers: [(&str, SocketAddr); 2]) -> Result<Receiver<String>> {
    let path = trial.path("daemon");
    let listener = UnixListener::bind(&path)?;
    for program in ["docker", "systemctl"] {
        let script = format!(
            "#!/usr/bin/env python3
import socket, sys
daemon = socket.socket(socket.AF_UNIX)
daemon.connect({path:?})
daemon.sendall((' '.join(['{program}', *sys.argv[1:]]) + '\\n').encode())
sys.exit(daemon.recv(9) != b'done')
"
        );
        let file = format!("bin/{program}");
        trial.write(&file, &script)?;
        std::fs::set_permissions(trial.path(&file), PermissionsExt::from_mode(0o755))?;
    }
    let (asked, commands) = channel();
    let servers = servers.map(|(name, address)| (name.to_owned(), address));
    thread::spawn(move || daemon(&listener, &servers.into(), &asked));
    Ok(commands)
}

/// Does what it is asked, until nobody is there who listens.
fn daemon(
    listener: &UnixListener,
    servers: &HashMap<String, SocketAddr>,
    asked: &Sender<String>,
) -> Result<()> {
    let mut running = HashMap::new();
    for client in listener.incoming() {
        let mut client: UnixStream = client?;
        let mut line = String::new();
        BufReader::new(&client).read_line(&mut line)?;
        let words: Vec<&str> = line.split_whitespace().collect();
        let &[_, what, name] = &words[..] else {
            continue;
        };
        let Some(address) = servers.get(name) else {
            continue;
        };
        match what {
            "start" => {
                running.insert(name.to_owned(), serve(*address)?);
                wait_for_listener(*address)?;
            }
            "stop" => drop(running.remove(name)),
            _ => continue,
        }
        client.write_all(b"done")?;
        if asked.send(words.join(" ")).is_err() {
            break;
        }
    }
    Ok(())
}

fn serve(address: SocketAddr) -> Result<Process> {
    let mut server = Command::new("python3");
    server.args(["-m", "http.server", "--bind", "127.0.0.1"]);
    server.arg(address.port().to_string());
    Process::start(server.stdout(Stdio::null()).stderr(Stdio::null()))
}
