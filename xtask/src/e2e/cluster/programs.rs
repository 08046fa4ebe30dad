//! The cluster's programs in Go, built from the modules that `e2e/cluster/*/go.mod` pin.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use crate::command::{output, root};

/// A cold build takes about 10 minutes on two cores.
const BUILD: Duration = Duration::from_secs(40 * 60);
/// How often a build that is under way says so.
const PROGRESS: Duration = Duration::from_secs(15);

/// Where everything of the cluster lies: programs, logs, and the files of its parts.
pub(crate) fn directory() -> PathBuf {
    root().join("target/e2e-cluster")
}

/// A program built by [`build`].
pub(crate) fn program(name: &str) -> PathBuf {
    directory().join("bin").join(name)
}

/// Names what is missing on this machine, with the command that installs it.
pub(crate) fn check_machine() -> Result<()> {
    ensure!(
        rustix::process::geteuid().is_root(),
        "a cluster needs network namespaces, which only root may make: sudo -E cargo xtask e2e cluster"
    );
    let needed = [
        ("go", "golang-go"),
        ("etcd", "etcd-server"),
        ("ip", "iproute2"),
        ("setpriv", "util-linux"),
        ("curl", "curl"),
        ("h2load", "nghttp2-client"),
    ];
    let path = std::env::var_os("PATH").unwrap_or_default();
    let missing: Vec<_> = needed
        .iter()
        .filter(|(name, _)| !std::env::split_paths(&path).any(|folder| folder.join(name).exists()))
        .collect();
    if !missing.is_empty() {
        let names: Vec<_> = missing.iter().map(|(name, _)| *name).collect();
        let packages: Vec<_> = missing.iter().map(|(_, package)| *package).collect();
        bail!(
            "a cluster needs {}: apt-get install {}",
            names.join(", "),
            packages.join(" ")
        );
    }
    Ok(())
}

/// Builds everything; what is built already takes some seconds.
pub(crate) fn build() -> Result<()> {
    std::fs::create_dir_all(directory().join("bin"))?;
    // Knative cannot parse what the API server says when it has been linked without a version.
    let version = list_modules("kubernetes", "{{.Version}}", &["k8s.io/kubernetes"])?;
    let version = version.trim();
    let mut numbers = version.trim_start_matches('v').split('.');
    let mut number = || numbers.next().unwrap_or_default();
    let variables = [
        ("gitVersion", version),
        ("gitMajor", number()),
        ("gitMinor", number()),
        ("gitCommit", "none"),
        ("gitTreeState", "clean"),
    ];
    let variables: String = variables
        .iter()
        .map(|(name, value)| format!(" -X k8s.io/component-base/version.{name}={value}"))
        .collect();
    build_module("kubernetes", "tool", &format!("-s -w{variables}"))?;
    build_module("knative", "tool", "-s -w")?;
    build_module("app", ".", "-s -w")
}

/// The folder in which the files of a module of Knative lie, such as its manifests.
pub(crate) fn module(path: &str) -> Result<PathBuf> {
    let folder = list_modules("knative", "{{.Dir}}", &[path])?;
    let folder = Path::new(folder.trim());
    ensure!(folder.is_dir(), "go has no files of the module {path}");
    Ok(folder.to_owned())
}

fn list_modules(module: &str, format: &str, paths: &[&str]) -> Result<String> {
    output(
        Command::new("go")
            .current_dir(root().join("e2e/cluster").join(module))
            .args(["list", "-m", "-f", format])
            .args(paths),
    )
}

/// Builds the packages of a module, and tells every now and then how many have been compiled.
fn build_module(module: &str, packages: &str, link: &str) -> Result<()> {
    let folder = root().join("e2e/cluster").join(module);
    let sources = sources(&folder, link)?;
    let built_from = directory().join(format!("bin/{module}.sources"));
    // go itself takes up to a minute to find out that there is nothing to do.
    if std::fs::read_to_string(&built_from).is_ok_and(|built| built == sources) {
        return Ok(());
    }
    let start = Instant::now();
    let mut child = Command::new("go")
        .current_dir(&folder)
        .args(["build", "-v", "-ldflags", link, "-o"])
        .arg(directory().join("bin/"))
        .arg(packages)
        .stderr(Stdio::piped())
        .spawn()
        .context("cannot start go")?;
    let lines = BufReader::new(child.stderr.take().context("stderr is piped")?).lines();
    let (sender, receiver) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        for line in lines.map_while(Result::ok) {
            if sender.send(line).is_err() {
                break;
            }
        }
    });
    let mut compiled = 0;
    let mut said = start;
    let mut complaints = Vec::new();
    let status = loop {
        if let Ok(line) = receiver.recv_timeout(Duration::from_millis(200)) {
            // With -v each package is named when it is compiled; anything else is an error or a download.
            match line.contains([' ', '\t', ':']) {
                true => complaints.push(line),
                false => compiled += 1,
            }
        } else if let Some(status) = child.try_wait()? {
            break status;
        }
        if said.elapsed() > PROGRESS {
            said = Instant::now();
            let seconds = start.elapsed().as_secs();
            eprintln!("building {module}: {compiled} packages after {seconds} s");
        }
        if start.elapsed() > BUILD {
            let _ = child.kill();
            bail!("the build of e2e/cluster/{module} takes longer than {BUILD:?}");
        }
    };
    ensure!(
        status.success(),
        "go build in e2e/cluster/{module} failed:\n{}",
        complaints.join("\n")
    );
    std::fs::write(built_from, sources)?;
    eprintln!(
        "built {module}: {compiled} packages compiled, {:.1} s",
        start.elapsed().as_secs_f64()
    );
    Ok(())
}

/// All that decides what is built.
fn sources(folder: &Path, link: &str) -> Result<String> {
    let mut sources = output(Command::new("go").arg("version"))? + link;
    for name in ["go.mod", "go.sum", "main.go"] {
        // Only the application has a source here.
        sources += &std::fs::read_to_string(folder.join(name)).unwrap_or_default();
    }
    Ok(sources)
}
