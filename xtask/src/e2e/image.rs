//! The image: other programs read it, and what is in it runs as in a container.

use std::io::Read;
use std::net::TcpListener;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use crate::command::{command, output, run as run_command};
use crate::image;
use crate::program::VERSION;
use crate::support::chroot;
use crate::support::http::get;
use crate::support::process::{Process, Scratch, free_address, wait_until};

/// A name that only the container's hosts file has, as a cluster's DNS has it.
const AUTOSCALER: &str = "autoscaler.knative-serving.svc.cluster.local";

pub(crate) fn run() -> Result<()> {
    let archive = image::write()?;
    let size = std::fs::metadata(&archive)?.len();
    println!("image: {:.1} MiB", size as f64 / f64::from(1 << 20));
    let archive = archive.display();
    let scratch = Scratch::new("image")?;

    let from = format!("oci-archive:{archive}:{VERSION}");
    let config = output(skopeo("inspect --config").arg(&from))?;
    let config: Value = serde_json::from_str(&config).context("skopeo inspect --config")?;
    ensure!(
        config["config"]["User"] == "65532:65532"
            && config["config"]["Entrypoint"] == json!(["/activator"])
            && config["config"]["Cmd"].is_null(),
        "unexpected configuration: {config}"
    );
    let layer = copy(&from, &scratch.path("oci"))?;
    let docker = format!("docker-archive:{archive}:activator:{VERSION}");
    let docker = copy(&docker, &scratch.path("docker"))?;
    ensure!(layer == docker, "two images: {layer} and {docker}");

    let root = scratch.path("root");
    for directory in ["etc", "proc"] {
        std::fs::create_dir_all(root.join(directory))?;
    }
    let layer = scratch
        .path("oci")
        .join(layer.trim_start_matches("sha256:"));
    run_command(
        command("tar --extract --file")
            .arg(layer)
            .arg("--directory")
            .arg(&root),
    )?;
    start(&root)
}

/// Copies the image as skopeo does, and returns the digest of its one layer.
fn copy(from: &str, to: &Path) -> Result<String> {
    run_command(
        skopeo("--insecure-policy copy --quiet")
            .arg(from)
            .arg(format!("dir:{}", to.display())),
    )?;
    let manifest = std::fs::read(to.join("manifest.json"))?;
    let manifest: Value = serde_json::from_slice(&manifest)?;
    let layers = manifest["layers"].as_array().map(Vec::as_slice);
    let [layer] = layers.context("no layers")? else {
        anyhow::bail!("not one layer: {manifest}");
    };
    Ok(layer["digest"].as_str().context("a digest")?.to_owned())
}

fn skopeo(arguments: &str) -> std::process::Command {
    command(&format!("skopeo {arguments}"))
}

/// Starts what is in `root` as a kubelet has it started: no arguments, not as root, nothing to write on, and the files of
/// /etc that it mounts.
fn start(root: &Path) -> Result<()> {
    let autoscaler = TcpListener::bind("127.0.0.1:0")?;
    let admin = free_address()?;
    std::fs::write(
        root.join("etc/hosts"),
        format!("127.0.0.1 localhost\n127.0.0.1 {AUTOSCALER}\n"),
    )?;
    std::fs::write(
        root.join("etc/resolv.conf"),
        "search svc.cluster.local\noptions ndots:5\n",
    )?;
    std::fs::write(
        root.join("etc/activator.toml"),
        format!(
            "[[sink]]\nkind = \"autoscaler\"\nurl = \"ws://{AUTOSCALER}:{}\"\n",
            autoscaler.local_addr()?.port()
        ),
    )?;
    let mut activator = Process::start(
        chroot::command(root, "65532:65532", "/activator")
            .env("ACTIVATOR_CONFIG", "/etc/activator.toml")
            .env("ACTIVATOR_LISTEN_HTTP", free_address()?.to_string())
            .env("ACTIVATOR_LISTEN_HTTP2", "off")
            .env("ACTIVATOR_LISTEN_ADMIN", admin.to_string())
            .stdout(Stdio::null()),
    )?;
    autoscaler.set_nonblocking(true)?;
    let mut link = wait_until("no link to the autoscaler", Duration::from_secs(10), || {
        Ok(autoscaler.accept().ok().map(|(link, _)| link))
    })?;
    link.set_nonblocking(false)?;
    link.set_read_timeout(Some(Duration::from_secs(10)))?;
    let mut head = [0; 4];
    link.read_exact(&mut head)?;
    ensure!(&head == b"GET ", "not a WebSocket handshake: {head:?}");
    let answer = get(admin, "/livez", "")?;
    ensure!(answer.status == 200, "/livez: status {}", answer.status);
    activator.signal("TERM")?;
    let status = activator.wait(Duration::from_secs(40))?;
    ensure!(status.success(), "the activator ended with {status}");
    Ok(())
}
