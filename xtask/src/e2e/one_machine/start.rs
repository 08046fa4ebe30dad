//! What the activator adds to the start of a program, beside the start of the same program by hand.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use super::{SOON, WRITE, section, wait_for_none};
use crate::support::activator::{Activator, choose, put_to_sleep};
use crate::support::median::median;
use crate::support::process::{Process, Scratch, free_address};

const STARTS: usize = 20;
/// How much later the first byte may be.
const MORE: Duration = Duration::from_millis(20);

const NGINX: &str = "daemon off; master_process off; error_log stderr error; pid pid;
events { }
http { access_log off; client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi;
  uwsgi_temp_path uwsgi; scgi_temp_path scgi; server { listen 127.0.0.1:PORT; return 200 ok; } }
";

pub(crate) fn run() -> Result<()> {
    let python = "exec python3 -m http.server --bind 127.0.0.1 $PORT".to_owned();
    compare("python", &python)?;
    let scratch = Scratch::new("nginx-start")?;
    let base = scratch.path("").display().to_string();
    std::fs::write(scratch.path("template"), NGINX)?;
    let nginx = format!(
        "cd {base} && sed s/PORT/$PORT/ template > $PORT.conf && exec nginx -p {base} -c {base}$PORT.conf -e stderr"
    );
    compare("nginx", &nginx)
}

/// Starts what `script` starts by hand and through the activator, in turns.
fn compare(name: &str, script: &str) -> Result<()> {
    let command = ["sh", "-c", script];
    let config = section(name, &command, "max_scale = 1\nlog = \"off\"\n");
    let activator = Activator::start(&format!("{config}{WRITE}"))?;
    let (mut by_hand, mut through) = (Vec::new(), Vec::new());
    for _ in 0..STARTS {
        by_hand.push(start_by_hand(&command)?);
        let began = Instant::now();
        first_byte(activator.http, &choose(name))?;
        through.push(began.elapsed());
        put_to_sleep(activator.admin, name)?;
        wait_for_none(&activator)?;
    }
    let (by_hand, through) = (median(&by_hand), median(&through));
    println!(
        "{name}: the first byte {through:?} after the request, {by_hand:?} after a start by hand (medians of {STARTS})"
    );
    ensure!(through < by_hand + MORE, "more than {MORE:?} added");
    activator.stop()
}

/// How long it takes until the first byte of a response, polled each millisecond.
fn start_by_hand(command: &[&str]) -> Result<Duration> {
    let address = free_address()?;
    // What instances get as well: some programs start faster in what else a shell has.
    let environment =
        std::env::vars().filter(|it| ["PATH", "HOME", "USER", "LOGNAME"].contains(&it.0.as_str()));
    let began = Instant::now();
    let _process = Process::start(
        Command::new(command[0])
            .args(&command[1..])
            .env_clear()
            .envs(environment)
            .env("PORT", address.port().to_string())
            .stdout(Stdio::null())
            .stderr(Stdio::null()),
    )?;
    loop {
        if first_byte(address, "").is_ok() {
            return Ok(began.elapsed());
        }
        ensure!(began.elapsed() < SOON, "{command:?} does not respond");
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Waits for the first byte of a response.
fn first_byte(address: SocketAddr, headers: &str) -> Result<()> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(SOON))?;
    let head = format!("GET / HTTP/1.1\r\nHost: {address}\r\n{headers}\r\n");
    stream.write_all(head.as_bytes())?;
    let mut answer = [0; 12];
    stream.read_exact(&mut answer)?;
    ensure!(&answer[9..] == b"200", "{}", answer.escape_ascii());
    Ok(())
}
