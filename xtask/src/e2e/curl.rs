//! curl with every protocol of clients: the same body each time.

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Result, ensure};

use super::nginx::Nginx;
use crate::command::{self, output};
use crate::support::activator::{Activator, choose, revision};
use crate::support::process::{Scratch, free_address, wait_for_listener};

/// curl's exit code when the TLS handshake fails.
const TLS_FAILED: i32 = 35;

pub(crate) fn run() -> Result<()> {
    let scratch = Scratch::new("curl")?;
    make_certificates(&scratch)?;
    let path = |name: &str| scratch.path(name).display().to_string();
    let (authority, body) = (path("ca.pem"), path("body"));

    let nginx = Nginx::start()?;
    let noise: Vec<u8> = (0..3_000_000_u64).map(|n| ((n * n) >> 7) as u8).collect();
    std::fs::write(nginx.file("noise"), &noise)?;
    let config = format!(
        "{}{}\n[tls]\ncertificate = \"{}\"\nkey = \"{}\"\n",
        revision("files-1", &[nginx.address]),
        revision("files-2", &[nginx.http2]),
        path("leaf.pem"),
        path("leaf.key"),
    );
    let secure = free_address()?;
    let activator = Activator::start_with(&config, &["--listen-https", &secure.to_string()])?;
    wait_for_listener(secure)?;

    let (http, http2) = (activator.http, activator.http2);
    let plain = |address| format!("http://{address}/noise");
    let secure = format!("https://{secure}/noise");
    let by_prior_knowledge = "--http2-prior-knowledge";
    let cases = [
        (plain(http), "--http1.1", "1.1"),
        (plain(http2), "--http1.1", "1.1"),
        (plain(http), by_prior_knowledge, "2"),
        (plain(http2), by_prior_knowledge, "2"),
        (secure.clone(), "--http1.1", "1.1"),
        (secure.clone(), "--http2", "2"),
    ];
    for (url, protocol, version) in cases {
        let revision = format!("files-{}", &version[..1]);
        let mut curl = curl(&revision);
        curl.args([
            "--fail", protocol, "--cacert", &authority, "--output", &body,
        ]);
        curl.args(["--write-out", "%{http_version} %{http_code}", &url]);
        let spoken = output(&mut curl)?;
        let same = std::fs::read(Path::new(&body))? == noise;
        println!("{protocol} {url}: {spoken}, the same body: {same}");
        ensure!(spoken == format!("{version} 200") && same);
    }

    let mut old = curl("files-1");
    old.args(["--tls-max", "1.2", "--cacert", &authority, &secure]);
    let refused = old.stdout(Stdio::null()).status()?;
    ensure!(refused.code() == Some(TLS_FAILED), "TLS 1.2: {refused}");
    activator.stop()
}

fn curl(revision: &str) -> Command {
    let mut curl = Command::new("curl");
    curl.args(["--silent", "--show-error", "--max-time", "60"]);
    for header in choose(revision).lines() {
        curl.args(["--header", header]);
    }
    curl
}

/// A CA (`ca.pem`), and its certificate for 127.0.0.1 (`leaf.pem`, `leaf.key`).
fn make_certificates(scratch: &Scratch) -> Result<()> {
    let request = |name: &str| {
        let mut openssl = Command::new("openssl");
        openssl.args(["req", "-x509", "-newkey", "ec", "-nodes", "-days", "2"]);
        openssl.args(["-pkeyopt", "ec_paramgen_curve:P-256"]);
        openssl.args(["-subj", &format!("/CN={name} of the scenes")]);
        openssl
            .arg("-keyout")
            .arg(scratch.path(&format!("{name}.key")));
        openssl
            .arg("-out")
            .arg(scratch.path(&format!("{name}.pem")));
        openssl
    };
    command::run(&mut request("ca"))?;
    let mut leaf = request("leaf");
    leaf.arg("-CA").arg(scratch.path("ca.pem"));
    leaf.arg("-CAkey").arg(scratch.path("ca.key"));
    leaf.args(["-addext", "basicConstraints=critical,CA:FALSE"]);
    leaf.args(["-addext", "subjectAltName=IP:127.0.0.1"]);
    command::run(&mut leaf)
}
